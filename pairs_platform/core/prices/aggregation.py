"""Longer bars from shorter ones, session by session.

What does not belong here: filling bars without a trade (they have no row) and judging the bars (`validation`).
"""

from datetime import datetime

import numpy as np
import pandas as pd

from pairs_platform.core.errors import DataError
from pairs_platform.core.prices.adjustment import sorted_bars
from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.prices.calendar import session_positions, session_table
from pairs_platform.core.time import stamps_ns


def aggregate_bars(
    bars: pd.DataFrame, *, source: Frequency, target: Frequency, complete_at: datetime | None = None
) -> pd.DataFrame:
    """Bars of `target` length: first open, highest high, lowest low, last close, summed volume.

    Parameters
    ----------
    bars : DataFrame with BAR_COLUMNS, any order
        Validated bars of `source`, without NaN.
    source, target : Frequency
        `target` is at least as long.
    complete_at : datetime, aware, optional
        Leave out bars that had not ended then, the running one of a session above all.

    Returns
    -------
    DataFrame with BAR_COLUMNS, sorted by symbol and time. Bars are counted from the session's open (1h: 09:30,
    10:30 … 15:30 in New York) and end at its close at the latest; `ts_utc` is its start. A bar without
    a source bar has no row.

    Raises
    ------
    DataError
        `target` is shorter than `source`, a bar lies outside the regular session, or a symbol has two bars at one time.
    """
    if target.minutes < source.minutes or (target is not Frequency.ONE_DAY and target.minutes % source.minutes):
        raise DataError(f"bars of {source} cannot be aggregated to {target}")
    ordered = sorted_bars(bars)
    if ordered.empty:
        return ordered
    codes, _ = pd.factorize(ordered["symbol"])
    ts_ns = stamps_ns(ordered["ts_utc"])
    position = session_positions(ts_ns)
    _refuse(ordered, position < 0, "lies outside the regular session; validate the bars first")
    repeated = np.zeros(len(ordered), dtype=bool)
    repeated[1:] = (np.diff(codes) == 0) & (np.diff(ts_ns) == 0)
    _refuse(ordered, repeated, "appears twice; validate the bars first")

    opens, closes = session_table().open_ns[position], session_table().close_ns[position]
    length_ns = target.length_ns
    start_ns = opens if target is Frequency.ONE_DAY else opens + (ts_ns - opens) // length_ns * length_ns
    changes = np.ones(len(ordered), dtype=bool)
    changes[1:] = (np.diff(codes) != 0) | (np.diff(start_ns) != 0)
    first = np.flatnonzero(changes)
    last = np.append(first[1:], len(ordered)) - 1
    result = pd.DataFrame(
        {
            "symbol": ordered["symbol"].to_numpy()[first],
            "ts_utc": pd.DatetimeIndex(start_ns[first], tz="UTC"),
            "open": ordered["open"].to_numpy()[first],
            "high": np.maximum.reduceat(ordered["high"].to_numpy(), first),
            "low": np.minimum.reduceat(ordered["low"].to_numpy(), first),
            "close": ordered["close"].to_numpy()[last],
            "volume": np.add.reduceat(ordered["volume"].to_numpy(), first),
        }
    )
    if complete_at is None:
        return result
    end_ns = closes if target is Frequency.ONE_DAY else np.minimum(start_ns + length_ns, closes)
    complete = end_ns[first] <= pd.Timestamp(complete_at).as_unit("ns").value
    return result[complete].reset_index(drop=True)


def _refuse(bars: pd.DataFrame, wrong: np.ndarray, what: str) -> None:
    if wrong.any():
        first = bars[wrong].iloc[0]
        raise DataError(f"{first['symbol']} at {first['ts_utc']} {what}")
