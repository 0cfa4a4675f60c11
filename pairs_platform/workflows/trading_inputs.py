"""What a session's trading rests on beside its signals, known before its open: volumes, actions, how symbols move.

What does not belong here: bars of the session itself (`processes.trader`), and what follows from all this
(`core.risk`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from pairs_platform.core.errors import PlatformError
from pairs_platform.core.partition_key import PartitionKey, keys_of
from pairs_platform.core.prices.adjustment import DIVIDEND, SPLIT
from pairs_platform.core.prices.bars import PriceBasis
from pairs_platform.core.prices.calendar import session_offset, session_open, sessions_ending
from pairs_platform.core.prices.contracts import PRICE_HISTORY
from pairs_platform.core.risk.denials import UnusableInput
from pairs_platform.core.risk.exposure import MarketRisk, market_risk
from pairs_platform.platform import Platform
from pairs_platform.views.windows import load_window

if TYPE_CHECKING:
    from pairs_platform.core.prices.window import PriceWindow

VOLUME_SESSIONS = 20
_UNADJUSTED: dict[PriceBasis, tuple[str, ...]] = {
    PriceBasis.RAW: (SPLIT, DIVIDEND),
    PriceBasis.SPLIT_ADJUSTED: (DIVIDEND,),
    PriceBasis.FULLY_ADJUSTED: (),
}
ACTION_DAYS = 40
"""Days from a session on in which ex-dates are looked for: positions are not held for longer."""


@dataclass(frozen=True, eq=False, kw_only=True)
class MorningFacts:
    """What was known before a session's open.

    Attributes
    ----------
    session : date
    mean_daily_volumes : mapping of symbol to float
        Shares, mean of the last 20 sessions that are stored.
    ex_dates : mapping of symbol to tuple of date, or None
        Known ex-dates from the session on, by symbol, those without any left out; None where they could not be asked.
    actions : tuple of (symbol, kind, value)
        Splits and dividends of the session that are not worked into the profile's prices.
    closes : mapping of symbol to float
        Dollars a share at the close before.
    market : MarketRisk or None
        None where it could not be estimated.
    notes : tuple of str
        What could not be known, and why.
    """

    session: date
    mean_daily_volumes: Mapping[str, float] = field(default_factory=dict)
    ex_dates: Mapping[str, tuple[date, ...]] | None = None
    actions: tuple[tuple[str, str, float], ...] = ()
    closes: Mapping[str, float] = field(default_factory=dict)
    market: MarketRisk | None = None
    notes: tuple[str, ...] = ()

    @property
    def splits(self) -> dict[str, Fraction]:
        """Shares after the session's open for each share before it, by symbol."""
        return {
            symbol: Fraction(value).limit_denominator(10_000) for symbol, kind, value in self.actions if kind == SPLIT
        }


def morning_facts(platform: Platform, session: date) -> MorningFacts:
    """Gather what was known before a session's open; what is missing is named, and stays unknown."""
    notes: list[str] = []
    volumes = _mean_daily_volumes(platform, session, notes)
    ex_dates, actions = _actions(platform, session, notes)
    windows = _windows(platform, session, notes)
    return MorningFacts(
        session=session,
        mean_daily_volumes=volumes,
        ex_dates=ex_dates,
        actions=actions,
        closes={
            symbol: float(np.exp(close))
            for window in windows
            for symbol, close in zip(window.symbols, window.log_close[-1], strict=True)
            if np.isfinite(close)
        },
        market=_market(windows, notes) if windows else None,
        notes=tuple(notes),
    )


def market_before(platform: Platform, session: date) -> MarketRisk | None:
    """How symbols moved before a session; None where that is not known."""
    windows = _windows(platform, session, [])
    return _market(windows, []) if windows else None


def _mean_daily_volumes(platform: Platform, session: date, notes: list[str]) -> dict[str, float]:
    volumes: dict[str, float] = {}
    days = sessions_ending(session_offset(session, -1), VOLUME_SESSIONS)
    for sector in platform.settings.active_sectors:
        keys = [key for key in keys_of(days, sector) if platform.lake.exists(PRICE_HISTORY.table, key)]
        if not keys:
            notes.append(f"no price history of {sector} is stored before {session}: its volumes are not known")
            continue
        bars = platform.lake.read_many(PRICE_HISTORY, keys, ["symbol", "volume"])
        of_symbol = bars.groupby("symbol")["volume"].sum() / len(keys)
        volumes |= {str(symbol): float(volume) for symbol, volume in of_symbol.items()}
    return volumes


def _actions(
    platform: Platform, session: date, notes: list[str]
) -> tuple[dict[str, tuple[date, ...]] | None, tuple[tuple[str, str, float], ...]]:
    """Ex-dates that were known at the open, and what of the session itself prices are not adjusted for."""
    symbols = sorted({each.symbol for sector in platform.settings.active_sectors for each in platform.listings(sector)})
    try:
        reply = platform.market_data.fetch_actions(symbols, session, session + timedelta(days=ACTION_DAYS))
    except PlatformError as error:
        notes.append(f"corporate actions from {session} on could not be asked: {error}")
        return None, ()
    known = reply.actions[reply.actions["known_ts_utc"] <= session_open(session)]
    ex_dates: dict[str, set[date]] = {item.symbol: {session} for item in reply.unsure}
    actions: list[tuple[str, str, float]] = []
    kinds = _UNADJUSTED[platform.settings.price_basis]
    columns = known[["symbol", "ex_date", "kind", "value"]]
    for symbol, ex_date, kind, value in columns.itertuples(index=False, name=None):
        day = ex_date.date()
        ex_dates.setdefault(str(symbol), set()).add(day)
        if day == session and kind in kinds:
            actions.append((str(symbol), str(kind), float(value)))
    return {symbol: tuple(sorted(days)) for symbol, days in ex_dates.items()}, tuple(sorted(set(actions)))


def _windows(platform: Platform, session: date, notes: list[str]) -> "list[PriceWindow]":
    windows = []
    before = session_offset(session, -1)
    for sector in platform.settings.active_sectors:
        try:
            windows.append(load_window(platform, PartitionKey(before, sector)))
        except PlatformError as error:
            notes.append(f"daily returns of {sector} are not known: {error}")
    return windows


def _market(windows: "list[PriceWindow]", notes: list[str]) -> MarketRisk | None:
    """How symbols moved from close to close; of windows of different lengths the sessions that all have count."""
    returns: dict[str, np.ndarray] = {}
    for window in windows:
        last = np.flatnonzero(np.r_[window.session[1:] != window.session[:-1], True])
        simple = np.expm1(np.diff(window.log_close[last], axis=0))
        returns |= {symbol: simple[:, j] for j, symbol in enumerate(window.symbols)}
    days = min((len(each) for each in returns.values()), default=0)
    try:
        return market_risk(tuple(returns), np.column_stack([each[-days:] for each in returns.values()]))
    except UnusableInput as error:
        notes.append(f"how symbols move together is not known: {error}")
        return None
