"""What the vendors' replies have in common on their way to bars and corporate actions.

Only what concerns the transport and the calendar is settled here: rows outside the regular session are not bars of this
platform, a daily row belongs to its session's open, and one bar that came twice is one bar. What does not belong here:
judging prices (`core.prices.validation`), and what a particular vendor calls its fields (their folders).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import pandas as pd

from pairs_platform.core.prices.bars import ACTION_COLUMNS, BAR_COLUMNS, Frequency
from pairs_platform.core.prices.calendar import session_close, session_of, session_open, sessions_between
from pairs_platform.ports.market_data import BarsReply, UnavailableSymbol, empty_actions, empty_bars

PRICES = ("open", "high", "low", "close")


@dataclass(frozen=True)
class VendorAction:
    """A corporate action as a vendor reports it: `value` is new shares per old share, or US dollars per share."""

    symbol: str
    ex_date: date
    kind: str
    value: float


def tidy_bars(rows: pd.DataFrame, sessions: Sequence[date], frequency: Frequency) -> pd.DataFrame:
    """Turn a vendor's rows into bars of the regular session.

    Parameters
    ----------
    rows : DataFrame
        `BAR_COLUMNS`, with aware `ts_utc`; prices and volumes of any type. What is no number becomes NaN.
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
    numeric = {name: pd.to_numeric(bars[name], errors="coerce").astype("float64") for name in (*PRICES, "volume")}
    return bars.assign(**numeric).astype({"symbol": object, "ts_utc": "datetime64[ns, UTC]"})


def join_bars(parts: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Bars of several requests in one frame, sorted by symbol and time."""
    filled = [part for part in parts if not part.empty]
    if not filled:
        return empty_bars()
    return pd.concat(filled).sort_values(["symbol", "ts_utc"], ignore_index=True)


def bars_reply(bars: pd.DataFrame, symbols: Iterable[str], reasons: Mapping[str, str], otherwise: str) -> BarsReply:
    """Reply that names each of `symbols` without a row as unavailable, for its reason or for `otherwise`."""
    present = set(bars["symbol"].unique())
    missing = (symbol for symbol in symbols if symbol not in present)
    return BarsReply(bars, tuple(UnavailableSymbol(symbol, reasons.get(symbol, otherwise)) for symbol in missing))


def actions_frame(actions: Iterable[VendorAction], first: date, last: date) -> pd.DataFrame:
    """Corporate actions with an ex-date from `first` to `last`, one row per symbol, ex-date and kind.

    Neither vendor says when an action was announced. It is announced before its ex-date, so it counts as known at the
    ex-date's open: late rather than early, and in time for the first price that it explains. An ex-date on which the
    exchange is closed takes effect at the next session. Several dividends of one ex-date (a regular and a special one)
    add up, several splits multiply. An amount of zero is no action.
    """
    rows = []
    for action in actions:
        if first <= action.ex_date <= last and action.value > 0.0:
            effective = sessions_between(action.ex_date, action.ex_date + timedelta(days=10))[0]
            rows.append((action.symbol, pd.Timestamp(effective), action.kind, action.value, session_open(effective)))
    if not rows:
        return empty_actions()
    frame = pd.DataFrame(rows, columns=list(ACTION_COLUMNS))
    keys = ["symbol", "ex_date", "kind", "known_ts_utc"]
    parts = [
        frame[frame["kind"] == kind].groupby(keys, as_index=False)["value"].agg(combine)
        for kind, combine in (("dividend", "sum"), ("split", "prod"))
    ]
    merged = pd.concat([part for part in parts if not part.empty]).sort_values(keys, ignore_index=True)
    return merged[list(ACTION_COLUMNS)].astype(empty_actions().dtypes.to_dict())
