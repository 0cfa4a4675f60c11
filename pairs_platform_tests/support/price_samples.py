"""Bars and corporate actions for the tests of this stage and of the lake, and the real files where they are given."""

import os
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pairs_platform.core.prices.adjustment import adjustments, scale_bars, sorted_bars
from pairs_platform.core.prices.bars import Frequency, PriceBasis
from pairs_platform.core.prices.calendar import BarGrid, bar_grid, session_close, session_open

TEST_DATA = os.environ.get("PAIRS_PLATFORM_TEST_DATA")
needs_real_data = pytest.mark.skipif(TEST_DATA is None, reason="PAIRS_PLATFORM_TEST_DATA is not set")

FULL = date(2024, 7, 2)
EARLY_CLOSE = date(2024, 7, 3)
HOLIDAY = date(2024, 7, 4)
GOOD_FRIDAY = date(2024, 3, 29)


def adjust_bars(bars: pd.DataFrame, actions: pd.DataFrame, *, basis: PriceBasis, as_of: datetime) -> pd.DataFrame:
    applied, _ = adjustments(bars, actions, basis=basis, as_of=as_of)
    return scale_bars(sorted_bars(bars), applied)


def make_bars(
    sessions: Sequence[date],
    *,
    symbols: Sequence[str] = ("AAA", "BBB"),
    frequency: Frequency = Frequency.FIVE_MINUTES,
    seed: int = 0,
) -> pd.DataFrame:
    """A complete grid of consistent bars: random walks from 50 dollars with one-cent ticks."""
    rng = np.random.default_rng(seed)
    ts_utc = bar_grid(list(sessions), frequency).ts_utc
    frames = []
    for symbol in symbols:
        log_path = np.cumsum(rng.normal(0.0, 0.001, 4 * len(ts_utc)))
        path = (50.0 * np.exp(log_path)).round(2).reshape(-1, 4)
        frames.append(
            pd.DataFrame(
                {
                    "symbol": symbol,
                    "ts_utc": ts_utc,
                    "open": path[:, 0],
                    "high": path.max(axis=1),
                    "low": path.min(axis=1),
                    "close": path[:, 3],
                    "volume": rng.integers(1, 10_000, len(ts_utc)).astype("float64"),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def bar_ends(grid: BarGrid, frequency: Frequency) -> np.ndarray:
    """End of each bar of a grid, datetime64[ns] in UTC: the last one of a session ends with it."""
    length = np.timedelta64(frequency.length_ns, "ns")
    starts = np.asarray(grid.ts_utc.tz_localize(None), "datetime64[ns]")
    closes = pd.DatetimeIndex([session_close(day) for day in grid.session.tolist()])
    return np.minimum(starts + length, np.asarray(closes.tz_localize(None), "datetime64[ns]"))


def make_actions(*rows: tuple[str, str, str, float, str]) -> pd.DataFrame:
    """Actions from (symbol, ex-date, kind, value, known at) with ISO texts; a moment without a zone is UTC."""
    frame = pd.DataFrame(rows, columns=["symbol", "ex_date", "kind", "value", "known_ts_utc"])
    frame["ex_date"] = pd.to_datetime(frame["ex_date"]).astype("datetime64[ns]")
    frame["known_ts_utc"] = pd.to_datetime(frame["known_ts_utc"], utc=True, format="ISO8601").astype(
        "datetime64[ns, UTC]"
    )
    return frame.astype({"value": "float64"})


def real_bars(name: str, symbols: Sequence[str] | None = None) -> pd.DataFrame:
    """A real intraday file, or the real daily one with each bar at its session's open; all symbols or some."""
    chosen = None if symbols is None else [("symbol", "in", list(symbols))]
    frame = pd.read_parquet(Path(str(TEST_DATA)) / name, filters=chosen).rename(columns={"timestamp": "ts_utc"})
    frame = frame.astype({"volume": "float64"})
    if name == "real_daily.parquet":
        days = frame["ts_utc"].dt.tz_localize(None).dt.date
        frame["ts_utc"] = pd.DatetimeIndex(days.map({day: session_open(day) for day in days.unique()}))
    return frame
