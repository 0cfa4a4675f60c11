"""Small windows for the screen's tests, from arrays and from the real files."""

import os
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.prices.calendar import bar_grid, sessions_ending
from pairs_platform.core.prices.window import PriceWindow

TEST_DATA = os.environ.get("PAIRS_PLATFORM_TEST_DATA")
needs_real_data = pytest.mark.skipif(TEST_DATA is None, reason="PAIRS_PLATFORM_TEST_DATA is not set")


def make_window(
    log_close: np.ndarray,
    *,
    symbols: tuple[str, ...] | None = None,
    frequency: Frequency = Frequency.ONE_DAY,
    ex_action: np.ndarray | None = None,
) -> PriceWindow:
    """Window over the last sessions of 2025 (early closes included) that hold the T rows of `log_close` (T, n)."""
    n_bars, n_symbols = log_close.shape
    grid = bar_grid(sessions_ending(date(2025, 12, 31), n_bars), Frequency.ONE_DAY)
    if frequency is not Frequency.ONE_DAY:
        grid = bar_grid(sessions_ending(date(2025, 12, 31), n_bars // 42 + 1), frequency)
    cut = slice(len(grid.ts_utc) - n_bars, None)
    return PriceWindow(
        symbols=symbols or tuple(f"S{i:03d}" for i in range(n_symbols)),
        frequency=frequency,
        ts_utc=grid.ts_utc[cut],
        session=grid.session[cut],
        bar_of_day=grid.bar_of_day[cut],
        log_close=log_close,
        log_open=log_close,
        observed=np.isfinite(log_close),
        ex_action=np.zeros(log_close.shape, dtype=bool) if ex_action is None else ex_action,
    )


def random_walks(n_bars: int, n_symbols: int, seed: int, volatility: float = 0.01) -> np.ndarray:
    """Independent Gaussian random walks of log prices, shape (T, n), that start between 20 and 500 dollars."""
    rng = np.random.default_rng(seed)
    steps = rng.standard_normal((n_bars, n_symbols)) * volatility
    return np.log(rng.uniform(20.0, 500.0, n_symbols)) + steps.cumsum(axis=0)


def planted_pair(n_bars: int, seed: int, *, beta: float = 1.2, phi: float = 0.8, noise: float = 0.004) -> np.ndarray:
    """Log prices (T, 2): the second is a random walk, the first is β times it plus a stationary AR(1)."""
    rng = np.random.default_rng(seed)
    x = np.log(100.0) + (rng.standard_normal(n_bars) * 0.01).cumsum()
    deviation = np.zeros(n_bars)
    for t, shock in enumerate(rng.standard_normal(n_bars) * noise):
        deviation[t] = phi * deviation[t - 1] * (t > 0) + shock
    return np.stack([0.3 + beta * x + deviation, x], axis=1)


def real_window(file: str, sector: str, last: date, n_sessions: int, frequency: Frequency) -> PriceWindow:
    """Window of a real file's sector on the `n_sessions` sessions up to `last`; bars outside a session are left out."""
    assert TEST_DATA is not None
    bars = pd.read_parquet(Path(TEST_DATA) / file, columns=["symbol", "sector", "timestamp", "close"])
    wide = bars[bars["sector"] == sector].pivot(index="timestamp", columns="symbol", values="close")
    grid = bar_grid(sessions_ending(last, n_sessions), frequency)
    if frequency is Frequency.ONE_DAY:
        wide = wide.set_axis(wide.index.tz_localize(None)).reindex(grid.session)
    else:
        wide = wide.set_axis(wide.index.tz_convert("UTC")).reindex(grid.ts_utc)
    log_close = np.log(wide.to_numpy())
    return PriceWindow(
        symbols=tuple(wide.columns),
        frequency=frequency,
        ts_utc=grid.ts_utc,
        session=grid.session,
        bar_of_day=grid.bar_of_day,
        log_close=log_close,
        log_open=log_close,
        observed=np.isfinite(log_close),
        ex_action=np.zeros(log_close.shape, dtype=bool),
    )
