"""Back-adjustment of prices for splits and dividends, as of a moment.

Only what was known then is applied, so that a window rebuilt later shows the same prices. What does not belong here:
fetching actions (`adapters`) and guessing splits that no source reported (`validation`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import pandas as pd

from pairs_platform.core.errors import DataError
from pairs_platform.core.prices.bars import ACTION_COLUMNS, BAR_COLUMNS, PriceBasis
from pairs_platform.core.prices.calendar import is_session, last_session_before, session_close, session_table
from pairs_platform.core.time import MARKET_TIMEZONE, moment_ns, stamps_ns

SPLIT, DIVIDEND = "split", "dividend"


@dataclass(frozen=True)
class AppliedAction:
    """One adjustment: earlier prices of `symbol` are multiplied by `price_factor`, earlier volumes by `volume_factor`.

    Attributes
    ----------
    symbol : str
    ex_date : date
    starts_ns : int
        Midnight in New York at which the ex-date begins, nanoseconds UTC.
    price_factor, volume_factor : float
        1/ratio and ratio for a split of `ratio` new shares per old one; 1 − D/previous close and 1 for a dividend.
    """

    symbol: str
    ex_date: date
    starts_ns: int
    price_factor: float
    volume_factor: float


@dataclass(frozen=True)
class UnadjustedDividend:
    """A dividend known in time that the prices cannot be adjusted for; its shock has to be excluded.

    Attributes
    ----------
    symbol : str
    ex_date : date
    starts_ns : int
        Midnight in New York at which the ex-date begins, nanoseconds UTC.
    reason : str
    """

    symbol: str
    ex_date: date
    starts_ns: int
    reason: str


def known_actions(actions: pd.DataFrame | None, *, as_of: datetime) -> pd.DataFrame:
    """The actions that may be applied at `as_of`, without repetitions.

    Parameters
    ----------
    actions : DataFrame with ACTION_COLUMNS, or None
        `known_ts_utc` is compared with `as_of`. The same action read twice counts once; different dividends of one
        ex-date are separate rows and add up.
    as_of : datetime, aware
        An action takes part when it was known then and when its ex-date had begun to trade: the ex-date is not after
        the newest session that had opened.

    Raises
    ------
    ValueError
        `as_of` has no time zone.
    DataError
        A column is missing, a kind is unknown, or a ratio or dividend is not positive.
    """
    as_of_ns = moment_ns(as_of)
    if actions is None:
        return pd.DataFrame(columns=list(ACTION_COLUMNS))
    absent = [name for name in ACTION_COLUMNS if name not in actions.columns]
    if absent:
        raise DataError(f"corporate actions lack the columns {', '.join(absent)}")
    if actions.empty:
        return actions[list(ACTION_COLUMNS)]
    opened = np.searchsorted(session_table().open_ns, as_of_ns, side="right") - 1
    newest = pd.Timestamp(session_table().day[opened]) if opened >= 0 else pd.Timestamp.min
    as_of_stamp = pd.Timestamp(as_of_ns, tz="UTC")
    in_time = (actions["known_ts_utc"] <= as_of_stamp) & (actions["ex_date"] <= newest)
    applicable = actions.loc[in_time, list(ACTION_COLUMNS)]
    applicable = applicable.sort_values(["symbol", "ex_date", "kind", "value", "known_ts_utc"], kind="stable")
    applicable = applicable.drop_duplicates(["symbol", "ex_date", "kind", "value"]).reset_index(drop=True)
    wrong = applicable[~(applicable["value"] > 0) | ~applicable["kind"].isin([SPLIT, DIVIDEND])]
    if len(wrong):
        first = wrong.iloc[0]
        where = f"{first['symbol']}, ex-date {first['ex_date']:%Y-%m-%d}"
        raise DataError(f"{where}: a {first['kind']} of {first['value']} cannot be applied")
    return applicable


def adjustments(
    bars: pd.DataFrame, actions: pd.DataFrame | None, *, basis: PriceBasis, as_of: datetime
) -> tuple[list[AppliedAction], list[UnadjustedDividend]]:
    """The factors that make `bars` comparable over time, and the dividends that cannot be applied.

    Parameters
    ----------
    bars : DataFrame with BAR_COLUMNS, any order
    actions, as_of
        See `known_actions`.
    basis : PriceBasis
        RAW: splits and dividends are applied. SPLIT_ADJUSTED: dividends alone, stated per share of the adjusted
        prices. FULLY_ADJUSTED: nothing.

    Notes
    -----
    A dividend D of an ex-date multiplies earlier prices by 1 − D/C, C the last close before the ex-date, per share
    after a split of the same ex-date. It stays unadjusted where D ≥ C.

    References
    ----------
    CRSP, *Data Definitions*, "factor to adjust prices".
    """
    if basis is PriceBasis.FULLY_ADJUSTED:
        return [], []
    applicable = known_actions(actions, as_of=as_of)
    if basis is PriceBasis.SPLIT_ADJUSTED:
        applicable = applicable[applicable["kind"] == DIVIDEND]
    applied: list[AppliedAction] = []
    unadjusted: list[UnadjustedDividend] = []
    if applicable.empty:
        return applied, unadjusted
    for symbol, of_symbol in applicable.groupby("symbol", sort=True):
        mine = bars.loc[bars["symbol"].to_numpy() == symbol, ["ts_utc", "close"]]
        ts_ns = stamps_ns(mine["ts_utc"])
        order = np.argsort(ts_ns, kind="stable")
        ts_ns, close = ts_ns[order], mine["close"].to_numpy()[order]
        for ex_date, same_day in of_symbol.groupby("ex_date", sort=True):
            day = pd.Timestamp(str(ex_date))
            starts_ns = int(day.tz_localize(MARKET_TIMEZONE).as_unit("ns").value)
            before = int(np.searchsorted(ts_ns, starts_ns))
            if before == 0:
                continue
            is_split = (same_day["kind"] == SPLIT).to_numpy()
            ratio = float(same_day["value"].to_numpy()[is_split].prod())
            paid = float(same_day["value"].to_numpy()[~is_split].sum())
            previous = float(close[before - 1]) / ratio
            if paid >= previous:
                reason = f"the dividend of {paid:g} is not below the previous close of {previous:g}"
                unadjusted.append(UnadjustedDividend(str(symbol), day.date(), starts_ns, reason))
                paid = 0.0
            if ratio != 1.0 or paid > 0.0:
                factor = (1.0 - paid / previous) / ratio
                applied.append(AppliedAction(str(symbol), day.date(), starts_ns, factor, ratio))
    return applied, unadjusted


def scale_bars(bars: pd.DataFrame, applied: Sequence[AppliedAction]) -> pd.DataFrame:
    """Bars, sorted by symbol and time, multiplied by the factors of `applied`; a new frame."""
    ts_ns = stamps_ns(bars["ts_utc"])
    symbols = bars["symbol"].to_numpy()
    price_factor, volume_factor = np.ones(len(bars)), np.ones(len(bars))
    for action in applied:
        first = int(np.searchsorted(symbols, action.symbol, side="left"))
        last = int(np.searchsorted(symbols, action.symbol, side="right"))
        end = first + int(np.searchsorted(ts_ns[first:last], action.starts_ns))
        price_factor[first:end] *= action.price_factor
        volume_factor[first:end] *= action.volume_factor
    prices = {name: bars[name].to_numpy() * price_factor for name in ("open", "high", "low", "close")}
    return bars.assign(**prices, volume=bars["volume"].to_numpy() * volume_factor)


def sorted_bars(bars: pd.DataFrame) -> pd.DataFrame:
    """`bars` with BAR_COLUMNS in order, sorted by symbol and time, index from 0; a new frame."""
    result = bars[list(BAR_COLUMNS)]
    codes, _ = pd.factorize(result["symbol"], sort=True)
    ts_ns = stamps_ns(result["ts_utc"])
    step = np.diff(codes)
    if bool(np.all((step > 0) | ((step == 0) & (np.diff(ts_ns) >= 0)))):
        return result.reset_index(drop=True)
    return result.iloc[np.lexsort((ts_ns, codes))].reset_index(drop=True)


def stale_sessions(
    fetched_utc: Mapping[date, datetime], actions: pd.DataFrame, *, basis: PriceBasis
) -> tuple[date, ...]:
    """Stored sessions whose prices lack an adjustment that the source has made since, oldest first.

    A source that adjusts its own history restates it when a split (on a fully adjusted basis: or a dividend) takes
    place; what was fetched before has the old basis and must be fetched again. Raw prices never become stale.

    Parameters
    ----------
    fetched_utc : mapping of session to aware datetime
        When each stored session was fetched.
    actions : DataFrame with ACTION_COLUMNS
        Corporate actions with ex-dates among these sessions.
    """
    if basis is PriceBasis.RAW:
        return ()
    kinds = (SPLIT,) if basis is PriceBasis.SPLIT_ADJUSTED else (SPLIT, DIVIDEND)
    stale: set[date] = set()
    for ex_date in {day.date() for day in actions.loc[actions["kind"].isin(kinds), "ex_date"]}:
        restated = session_close(ex_date if is_session(ex_date) else last_session_before(ex_date))
        stale |= {day for day, fetched in fetched_utc.items() if day < ex_date and fetched < restated}
    return tuple(sorted(stale))
