"""Independent pairs with known truth, many to a window: unrelated random walks, planted pairs, and markets gone wrong.

Symbols come in twos: columns 2j and 2j + 1 of a window are pair j, and no pair shares a symbol with another.
"""

import dataclasses
from collections.abc import Callable
from datetime import date

import numpy as np
import pandas as pd
from numba import njit

from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.prices.calendar import bar_grid, sessions_ending
from pairs_platform.core.prices.window import PriceWindow
from pairs_platform.core.screening.calibration import calibrated_p
from pairs_platform.core.screening.engle_granger import run_tests
from pairs_platform.core.screening.pair_names import pair_name
from pairs_platform.core.selection.scores import score_pairs
from pairs_platform.core.selection.settings import ScoreSettings
from pairs_platform.core.trading.settings import PairSettings
from pairs_platform.core.volatility.garch import GarchSettings
from pairs_platform.core.volatility.parameters import fit_parameter_sets

LAST_SESSION = date(2023, 3, 8)
BARS_OF_DAY = 78
ALPHA1, BETA1 = 0.08, 0.90
LEG_SD = 12e-4
SPREAD_SD = 6e-4
MAX_FILL_BARS = 3

Shocks = Callable[[np.random.Generator, np.ndarray, int], np.ndarray]


def constant_variance(rng: np.random.Generator, bar_of_day: np.ndarray, k: int) -> np.ndarray:
    """Standard normal shocks, shape (T, k); every kind below has variance one on average as well."""
    return rng.standard_normal((len(bar_of_day), k))


def t_tails(rng: np.random.Generator, bar_of_day: np.ndarray, k: int) -> np.ndarray:
    """GARCH(1,1) shocks with Student t(4) innovations."""
    return _garch(rng.standard_t(4, (len(bar_of_day), k)) / np.sqrt(2.0), ALPHA1, BETA1)


def garch_variance(rng: np.random.Generator, bar_of_day: np.ndarray, k: int) -> np.ndarray:
    """GARCH(.08, .90) shocks."""
    return _garch(rng.standard_normal((len(bar_of_day), k)), ALPHA1, BETA1)


def u_shaped_day(rng: np.random.Generator, bar_of_day: np.ndarray, k: int) -> np.ndarray:
    """Shocks whose variance is three times as large at the ends of the day as at noon, and 8 × a bar's overnight."""
    return constant_variance(rng, bar_of_day, k) * day_shape()[bar_of_day][:, None]


def u_shaped_garch(rng: np.random.Generator, bar_of_day: np.ndarray, k: int) -> np.ndarray:
    """The same day with GARCH variance."""
    return garch_variance(rng, bar_of_day, k) * day_shape()[bar_of_day][:, None]


def day_shape() -> np.ndarray:
    """Relative standard deviation of each bar of the day; the first one holds the night."""
    position = np.linspace(-1.0, 1.0, BARS_OF_DAY)
    variance = 1.0 + 2.0 * position**2
    variance[0] = 8.0 * variance[1:].mean()
    return np.sqrt(variance / variance.mean())


@njit(cache=True)
def _garch(z: np.ndarray, alpha1: float, beta1: float) -> np.ndarray:
    out = np.empty_like(z)
    for j in range(z.shape[1]):
        h = 1.0
        for t in range(z.shape[0]):
            out[t, j] = np.sqrt(h) * z[t, j]
            h = 1.0 - alpha1 - beta1 + alpha1 * out[t, j] ** 2 + beta1 * h
    return out


@njit(cache=True)
def _ar1(shocks: np.ndarray, phi: np.ndarray) -> np.ndarray:
    out = np.empty_like(shocks)
    for j in range(shocks.shape[1]):
        s = 0.0
        for t in range(shocks.shape[0]):
            s = phi[j] * s + shocks[t, j]
            out[t, j] = s
    return out


def grid_of(
    n_bars: int, frequency: Frequency = Frequency.FIVE_MINUTES
) -> tuple[pd.DatetimeIndex, np.ndarray, np.ndarray]:
    """The last `n_bars` bars of real sessions without an early close: starts, sessions, bars of the day."""
    per_session = 1 if frequency is Frequency.ONE_DAY else BARS_OF_DAY
    grid = bar_grid(sessions_ending(LAST_SESSION, -(-n_bars // per_session) + 20), frequency)
    rows = slice(len(grid.ts_utc) - n_bars, None)
    return grid.ts_utc[rows], grid.session[rows], grid.bar_of_day[rows]


def window_of_legs(legs: np.ndarray, *, frequency: Frequency = Frequency.FIVE_MINUTES, seed: int = 0) -> PriceWindow:
    """A window of log closes (T, n); opens lie at the close before, give or take a tenth of a bar."""
    n_bars, n = legs.shape
    ts_utc, session, bar_of_day = grid_of(n_bars, frequency)
    noise = np.random.default_rng(seed + 99).standard_normal(legs.shape) * np.diff(legs, axis=0).std(axis=0) * 0.1
    log_open = np.vstack([legs[:1], legs[:-1]]) + noise
    if frequency is not Frequency.ONE_DAY:
        log_open = np.where((bar_of_day == 0)[:, None], legs, log_open)
    return PriceWindow(
        symbols=tuple(f"S{i:05d}" for i in range(n)),
        frequency=frequency,
        ts_utc=ts_utc,
        session=session,
        bar_of_day=bar_of_day,
        log_close=legs,
        log_open=log_open,
        observed=np.ones(legs.shape, bool),
        ex_action=np.zeros(legs.shape, bool),
    )


def random_walks(n_pairs: int, n_bars: int, seed: int, shocks: Shocks, *, leg_sd: float = LEG_SD) -> np.ndarray:
    """Log prices (T, 2 n_pairs) of unrelated legs."""
    rng = np.random.default_rng(seed)
    bar_of_day = grid_of(n_bars)[2]
    return np.log(100.0) + np.cumsum(leg_sd * shocks(rng, bar_of_day, 2 * n_pairs), axis=0)


def planted_pairs(
    n_pairs: int,
    n_bars: int,
    seed: int,
    shocks: Shocks,
    *,
    leg_sd: float = LEG_SD,
    spread_sd: float = SPREAD_SD,
    beta_break: float = 0.0,
    half_lives: tuple[float, float] = (5.0, 40.0),
) -> np.ndarray:
    """Log prices (T, 2 n_pairs): x a random walk, y = const + β x + s with an AR(1) spread.

    Half-lives are spread evenly over the logarithm of `half_lives`, β between 0.6 and 1.6; β moves by ±`beta_break`
    (relative) in mid-window.
    """
    rng = np.random.default_rng(seed)
    bar_of_day = grid_of(n_bars)[2]
    x_steps = leg_sd * shocks(rng, bar_of_day, n_pairs)
    low, high = np.log(half_lives)
    phi = 0.5 ** (1.0 / np.exp(rng.uniform(low, high, n_pairs)))
    beta = np.full((n_bars, 1), 1.0) * rng.uniform(0.6, 1.6, n_pairs)
    beta[n_bars // 2 :] *= 1.0 + beta_break * rng.choice([-1.0, 1.0], n_pairs)
    spread = _ar1(spread_sd * shocks(rng, bar_of_day, n_pairs), phi)
    legs = np.empty((n_bars, 2 * n_pairs))
    legs[:, 0::2] = np.log(100.0) + np.cumsum(x_steps, axis=0)
    legs[:, 1::2] = np.log(80.0) + np.cumsum(beta * x_steps, axis=0) + spread
    return legs


def with_common_jumps(legs: np.ndarray, seed: int, *, per_session: float = 0.5, size: float = 0.01) -> np.ndarray:
    """Both legs of every pair jump together, with loadings of their own between 0.7 and 1.3."""
    rng = np.random.default_rng(seed)
    arrives = rng.random((len(legs), legs.shape[1] // 2)) < per_session / BARS_OF_DAY
    jumps = np.repeat(arrives * rng.normal(0, size, arrives.shape), 2, axis=1)
    return legs + np.cumsum(jumps * rng.uniform(0.7, 1.3, legs.shape[1]), axis=0)


def with_missing_bars(window: PriceWindow, seed: int, *, share: float = 0.03, holes: int = 4) -> PriceWindow:
    """Single bars and a few holes of six bars are lost: filled with the close before for three bars, then a gap."""
    rng = np.random.default_rng(seed)
    observed = rng.random(window.log_close.shape) >= share
    for column in range(observed.shape[1]):
        for start in rng.integers(1, window.n_bars - 10, holes):
            observed[start : start + 6, column] = False
    observed[0] = True
    position = np.arange(window.n_bars)[:, None]
    newest = np.maximum.accumulate(np.where(observed, position, 0), axis=0)
    log_close = np.take_along_axis(window.log_close, newest, axis=0)
    log_close[position - newest > MAX_FILL_BARS] = np.nan
    log_open = np.where(observed, window.log_open, np.nan)
    return dataclasses.replace(window, observed=observed, log_close=log_close, log_open=log_open)


def screened_pairs(window: PriceWindow) -> pd.DataFrame:
    """Every pair of the window with its better direction, as the screen names it: pair, y, x, p_cal."""
    first = np.arange(0, len(window.symbols), 2)
    tests = run_tests(np.ascontiguousarray(window.log_close.T), first, first + 1)
    better = tests.better
    symbols = np.asarray(window.symbols, dtype=object)
    y = symbols[np.where(better == 0, first, first + 1)]
    x = symbols[np.where(better == 0, first + 1, first)]
    p = calibrated_p(tests.p_value[np.arange(len(first)), better], tests.n_bars)
    pairs = [pair_name(a, b) for a, b in zip(y, x, strict=True)]
    return pd.DataFrame({"pair": pairs, "y": y, "x": x, "p_cal": p})


def scored(window: PriceWindow, pairs: pd.DataFrame | None = None) -> pd.DataFrame:
    """`pair_scores` of the window's pairs under default rules, with the screen's p_cal beside them."""
    chosen = screened_pairs(window) if pairs is None else pairs
    fits = fit_parameter_sets(window, chosen, settings=GarchSettings())
    scores = score_pairs(
        window,
        fits,
        session=LAST_SESSION,
        scoring=ScoreSettings(),
        pair_settings=PairSettings(),
    )
    return scores.merge(chosen[["pair", "p_cal"]], on="pair", validate="1:1")


def scored_null_that_passed(
    n_pairs: int, n_bars: int, seed: int, shocks: Shocks, *, gate: float = 0.05, min_correlation: float = -1.0
) -> pd.DataFrame:
    """Scores of at least `n_pairs` unrelated pairs that the gates let through by chance."""
    parts, found = [], 0
    while found < n_pairs:
        window = window_of_legs(random_walks(200, n_bars, seed, shocks), seed=seed)
        pairs = screened_pairs(window)
        passed = pairs[(pairs["p_cal"] < gate) & (level_correlations(window) >= min_correlation)]
        if len(passed):
            parts.append(scored(window, passed))
        found, seed = found + len(passed), seed + 1
    return pd.concat(parts, ignore_index=True)


def level_correlations(window: PriceWindow) -> np.ndarray:
    """Correlation of log prices of every pair of a window without gaps, shape (pairs,)."""
    scaled = (window.log_close - window.log_close.mean(axis=0)) / window.log_close.std(axis=0)
    return np.mean(scaled[:, 0::2] * scaled[:, 1::2], axis=0)
