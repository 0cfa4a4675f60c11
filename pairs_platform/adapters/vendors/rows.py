"""What the vendors' replies have in common on their way to bars and corporate actions.

Only what concerns the transport and the calendar is settled here: rows outside the regular session are not bars of this
platform, a daily row belongs to its session's open, one bar that came twice is one bar, and what is no bar at all costs
itself. What does not belong here: judging prices (`core.prices.validation`), and what a particular vendor calls its
fields (their folders).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

import pandas as pd

from pairs_platform.core.errors import DataError
from pairs_platform.core.folding import listed
from pairs_platform.core.prices.adjustment import DIVIDEND, SPLIT
from pairs_platform.core.prices.bars import ACTION_COLUMNS, BAR_COLUMNS, Frequency
from pairs_platform.core.prices.calendar import (
    CALENDAR_START,
    session_close,
    session_of,
    session_open,
    sessions_between,
)
from pairs_platform.ports.market_data import ActionsReply, BarsReply, UnavailableSymbol, empty_actions, empty_bars

PRICES = ("open", "high", "low", "close")
LARGEST_RATIO = 10_000.0
"""New shares per old one, or the reverse, beyond which a split is taken for an error of the vendor."""

LARGEST_DIVIDEND = 100_000.0
"""US dollars per share beyond which a dividend is taken for an error of the vendor."""

_SHOWN_CHARACTERS = 60


@dataclass(frozen=True)
class VendorAction:
    """A corporate action as a vendor reports it: `value` is new shares per old share, or US dollars per share."""

    symbol: str
    ex_date: date
    kind: str
    value: float


def checked_action(symbol: str, ex_date: date, kind: str, value: float) -> VendorAction:
    """The action, where its value can be one.

    Raises
    ------
    DataError
        The value is no finite number, negative, or larger than any that a company has.
    """
    is_possible = 0.0 <= value <= LARGEST_DIVIDEND if kind == DIVIDEND else 1 / LARGEST_RATIO <= value <= LARGEST_RATIO
    if not is_possible:
        raise DataError(f"a {kind} of {value:g} on {ex_date}")
    return VendorAction(symbol, ex_date, kind, value)


@dataclass
class LeftOut:
    """What a vendor's replies to one request hold that is no bar, counted by reason and symbol."""

    _counts: dict[str, dict[str, int]] = field(default_factory=dict)
    _first: dict[str, object] = field(default_factory=dict)

    def add(self, symbol: str, reason: str, value: object) -> None:
        """Count an element of the bars of `symbol`; of each reason the first value is kept."""
        counts = self._counts.setdefault(reason, {})
        counts[symbol] = counts.get(symbol, 0) + 1
        self._first.setdefault(reason, value)

    def notes(self) -> tuple[str, ...]:
        """A sentence for each reason."""
        return tuple(self._note(reason) for reason in self._counts)

    def reasons(self) -> dict[str, str]:
        """Why each symbol concerned may have no bar."""
        return {
            symbol: f"none of its bars can be read: {reason}"
            for reason, counts in self._counts.items()
            for symbol in counts
        }

    def _note(self, reason: str) -> str:
        counts = self._counts[reason]
        n, first = sum(counts.values()), shortened(self._first[reason])
        rows = "1 row" if n == 1 else f"{n} rows"
        return f"{rows} of {listed(sorted(counts), 3)} left out: {reason} (the first: {first})"


def shortened(value: object) -> str:
    """A value of a reply as a message shows it."""
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


def tidy_bars(rows: pd.DataFrame, sessions: Sequence[date], frequency: Frequency) -> pd.DataFrame:
    """Turn a vendor's rows into bars of the regular session.

    Parameters
    ----------
    rows : DataFrame
        `BAR_COLUMNS`, with aware `ts_utc`; prices and volumes are float64, NaN where a vendor gave no number.
    sessions : sequence of date
        Rows of other days are dropped, and rows that start before the session's open or from its close on. A daily
        row is recognised by its New York date and moved to the session's open.
    frequency : Frequency
        Of `rows`.

    Returns
    -------
    DataFrame
        `BAR_COLUMNS`, in the order of `rows`. Of rows with the same symbol and start the last stays: vendors repeat
        rows where pages meet and append a fresher copy of the newest bar.
    """
    if rows.empty:
        return empty_bars()
    days = pd.DatetimeIndex([pd.Timestamp(day) for day in sessions])
    opens = pd.Series(pd.DatetimeIndex([session_open(day) for day in sessions]), index=days)
    closes = pd.Series(pd.DatetimeIndex([session_close(day) for day in sessions]), index=days)
    day = session_of(rows["ts_utc"])
    opened, closed = day.map(opens), day.map(closes)
    if frequency is Frequency.ONE_DAY:
        rows, inside = rows.assign(ts_utc=opened), opened.notna()
    else:
        inside = (rows["ts_utc"] >= opened) & (rows["ts_utc"] < closed)
    kept = rows.loc[inside, list(BAR_COLUMNS)]
    bars = kept.drop_duplicates(["symbol", "ts_utc"], keep="last", ignore_index=True)
    return bars.astype({"symbol": object, "ts_utc": "datetime64[ns, UTC]"})


def join_bars(parts: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Bars of several requests in one frame, sorted by symbol and time."""
    filled = [part for part in parts if not part.empty]
    if not filled:
        return empty_bars()
    return pd.concat(filled).sort_values(["symbol", "ts_utc"], ignore_index=True)


def no_bars(first: date, last: date) -> str:
    """That there is none between two days, and whether the calendar could have had one."""
    calendar = f" (the calendar begins {CALENDAR_START})" if first < CALENDAR_START else ""
    return f"no bars from {first} to {last}{calendar}"


def bars_reply(
    bars: pd.DataFrame, symbols: Iterable[str], reasons: Mapping[str, str], otherwise: str, left_out: LeftOut
) -> BarsReply:
    """Reply that names each of `symbols` without a row as unavailable, for its reason or for `otherwise`."""
    present, why = set(bars["symbol"].unique()), {**left_out.reasons(), **reasons}
    missing = (symbol for symbol in symbols if symbol not in present)
    unavailable = tuple(UnavailableSymbol(symbol, why.get(symbol, otherwise)) for symbol in missing)
    return BarsReply(bars, unavailable, left_out.notes())


def actions_reply(actions: Iterable[VendorAction], unsure: Mapping[str, str]) -> ActionsReply:
    """Reply with the actions of those symbols of which all could be read; `unsure` has the others' reasons."""
    sure = (action for action in actions if action.symbol not in unsure)
    return ActionsReply(
        _actions_frame(sure),
        tuple(UnavailableSymbol(symbol, f"its corporate actions are unsure: {why}") for symbol, why in unsure.items()),
    )


def _actions_frame(actions: Iterable[VendorAction]) -> pd.DataFrame:
    """Corporate actions, one row per symbol, ex-date and kind.

    Neither vendor says when an action was announced. It is announced before its ex-date, so it counts as known at the
    ex-date's open: late rather than early, and in time for the first price that it explains. An ex-date on which the
    exchange is closed takes effect at the next session. Several dividends of one ex-date (a regular and a special one)
    add up, several splits multiply. An amount of zero is no action.
    """
    rows = []
    for action in actions:
        if action.value > 0.0:
            effective = sessions_between(action.ex_date, action.ex_date + timedelta(days=10))[0]
            rows.append((action.symbol, pd.Timestamp(effective), action.kind, action.value, session_open(effective)))
    if not rows:
        return empty_actions()
    frame = pd.DataFrame(rows, columns=list(ACTION_COLUMNS))
    keys = ["symbol", "ex_date", "kind", "known_ts_utc"]
    parts = [
        frame[frame["kind"] == kind].groupby(keys, as_index=False)["value"].agg(combine)
        for kind, combine in ((DIVIDEND, "sum"), (SPLIT, "prod"))
    ]
    merged = pd.concat([part for part in parts if not part.empty]).sort_values(keys, ignore_index=True)
    return merged[list(ACTION_COLUMNS)].astype(empty_actions().dtypes.to_dict())
