"""The cointegration screen: one row for each pair of the window, with its figures and why it passed or not.

What does not belong here: the test itself (`engle_granger`, `kernels`), correlation (`correlation`), models of the
spread (`core.volatility`).
"""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from pairs_platform.core.parallel import LOCAL, ComputeBackend, concatenated
from pairs_platform.core.prices.window import PriceWindow
from pairs_platform.core.screening import kernels
from pairs_platform.core.screening.bootstrap import wild_bootstrap_p
from pairs_platform.core.screening.calibration import calibrated_p
from pairs_platform.core.screening.contracts import COINTEGRATED_PAIRS
from pairs_platform.core.screening.engle_granger import (
    EngleGranger,
    PairTests,
    engle_granger,
    mackinnon_p,
    run_tests,
)
from pairs_platform.core.screening.half_life import half_lives
from pairs_platform.core.screening.outcomes import TEST_STATUSES, TESTED
from pairs_platform.core.screening.settings import CointegrationSettings
from pairs_platform.core.screening.spread import expected_move_bps, pair_rows, pair_table

__all__ = ["CointegrationSettings", "EngleGranger", "engle_granger", "mackinnon_p", "pair_status", "screen_pairs"]

JOHANSEN_TRACE_CRIT_95 = 15.4943
"""5 % critical value of the trace statistic, two series, no cointegration, constant (statsmodels' `c_sjt(2, 0)`)."""


def screen_pairs(
    window: PriceWindow,
    *,
    settings: CointegrationSettings,
    entry_z: float,
    exit_z: float,
    round_trip_cost_bps: float,
    correlated: np.ndarray | None = None,
    backend: ComputeBackend = LOCAL,
) -> pd.DataFrame:
    """Test every pair of the window in both directions and describe its spread.

    Parameters
    ----------
    window : PriceWindow
        T bars, n symbols; everything in it, and so every figure returned, is known at the close of its last bar.
    settings : CointegrationSettings
    entry_z, exit_z : float
        Standardised spread at entry and at exit, for the expected move.
    round_trip_cost_bps : float
        Cost of opening and closing a pair, in basis points of its gross value (both legs together).
    correlated : ndarray of bool, shape (n(n−1)/2,), optional
        Whether each pair is past the correlation gate, in the order of `pair_rows`; decides with the p gate who gets a
        wild-bootstrap p. Every pair where it is not given.
    backend : ComputeBackend, optional
        Where the work is done; in the threads of this process if not given.

    Returns
    -------
    DataFrame
        One row for each pair in the order of `pair_rows`; columns of `contracts.COINTEGRATED_PAIRS`. Suffix 12:
        symbol_1 regressed on symbol_2; 21: the reverse; y, x, alpha, beta, t_stat, lag and p_value are the better
        direction's. A pair that cannot be tested has its status, a reason, and NaN (None) everywhere else. `q_value`
        is Benjamini-Hochberg's over `p_cal` of all tested pairs.

    Notes
    -----
    NaN policy: a pair with a gap is tested on the bars that both legs have. φ uses only consecutive bars and leaves
    out those of ``window.shock_excluded``.
    """
    prices = np.ascontiguousarray(window.log_close.T)
    first, second = pair_rows(len(window.symbols))
    tests = run_tests(prices, first, second, min_bars=settings.min_bars, backend=backend)
    better = tests.better
    rows = np.arange(len(first))
    tested = tests.outcome == TESTED

    frame = pair_table(window.symbols)
    symbols = np.asarray(window.symbols, dtype=object)
    frame["y"], frame["x"] = symbols[np.where(better == 0, [first, second], [second, first])]
    frame.loc[~tested, ["y", "x"]] = None
    frame["status"] = pair_status(tests, settings)
    frame["n_bars"] = tests.n_bars
    frame["alpha"] = tests.alpha[rows, better]
    frame["beta"] = tests.beta[rows, better]
    for name, values in _describe(window, prices, first, second, tests, backend).items():
        frame[name] = values
    lag = np.where(tests.lag < 0, np.nan, tests.lag)
    frame["t_stat"], frame["lag"] = tests.t_stat[rows, better], lag[rows, better]
    frame["p_value"] = tests.p_value[rows, better]
    for column, suffix in enumerate(("12", "21")):
        frame[f"t_stat_{suffix}"], frame[f"lag_{suffix}"] = tests.t_stat[:, column], lag[:, column]
        frame[f"p_value_{suffix}"] = tests.p_value[:, column]
    frame["p_cal"] = calibrated_p(frame["p_value"].to_numpy(), tests.n_bars)
    frame["q_value"] = benjamini_hochberg(frame["p_cal"].to_numpy())
    frame["half_life_bars"], frame["half_life_status"] = half_lives(frame["phi"].to_numpy())
    frame["half_life_days"] = frame["half_life_bars"] / window.mean_bars_per_session
    frame["johansen_trace_crit_95"] = JOHANSEN_TRACE_CRIT_95
    frame["expected_move_bps"] = expected_move_bps(frame["sigma"], frame["beta"], entry_z=entry_z, exit_z=exit_z)
    frame["round_trip_cost_bps"] = float(round_trip_cost_bps)
    frame["passes_amplitude"] = frame["expected_move_bps"] >= settings.min_amplitude_multiple * round_trip_cost_bps
    frame["passes_cointegration"] = (frame["status"] == "ok") & (frame["p_cal"] < settings.gate)
    finalist = frame["passes_cointegration"].to_numpy() & (True if correlated is None else np.asarray(correlated, bool))
    frame["wild_bootstrap_p"] = np.nan
    legs = list(zip(symbols[first[finalist]], symbols[second[finalist]], strict=True))
    frame.loc[finalist, "wild_bootstrap_p"] = _bootstraps(window, legs, settings, backend)
    frame["reason"] = [None if row.status == "ok" else _reason(row, window, settings) for row in frame.itertuples()]
    return frame[list(COINTEGRATED_PAIRS.columns)]


def pair_status(tests: PairTests, settings: CointegrationSettings) -> np.ndarray:
    """Status of each pair, shape (k,), one of `PAIR_STATUSES`: the test's own, else what is wrong with the better β."""
    beta = tests.beta[np.arange(len(tests.better)), tests.better]
    named = np.array([TEST_STATUSES[code] for code in range(len(TEST_STATUSES))], dtype=object)[tests.outcome]
    wrong = np.where(beta <= 0.0, "beta_not_positive", "beta_out_of_range").astype(object)
    fine = (tests.outcome != TESTED) | ((beta >= settings.min_beta) & (beta <= settings.max_beta))
    return np.where(fine, named, wrong)


def benjamini_hochberg(p_values: np.ndarray) -> np.ndarray:
    """Smallest false discovery rate at which each test is a discovery; NaN (not tested) stays NaN and is not counted.

    References
    ----------
    ``scipy.stats.false_discovery_control``; Benjamini & Hochberg (1995).
    """
    from scipy.stats import false_discovery_control

    q = np.full(len(p_values), np.nan)
    tested = ~np.isnan(p_values)
    if tested.any():
        q[tested] = false_discovery_control(p_values[tested], method="bh")
    return q


def _bootstraps(
    window: PriceWindow, legs: list[tuple[str, str]], settings: CointegrationSettings, backend: ComputeBackend
) -> list[float]:
    batches = [(legs[part],) for part in backend.split(len(legs), "fits")]
    parts = backend.map(partial(_bootstrap_batch, settings=settings), batches, shared=(window,))
    return [p_value for part in parts for p_value in part]


def _bootstrap_batch(
    window: PriceWindow, legs: list[tuple[str, str]], *, settings: CointegrationSettings
) -> list[float]:
    return [
        wild_bootstrap_p(window, symbol_1, symbol_2, n_draws=settings.bootstrap_draws, seed=settings.bootstrap_seed)
        for symbol_1, symbol_2 in legs
    ]


def _describe(
    window: PriceWindow,
    prices: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    tests: PairTests,
    backend: ComputeBackend,
) -> dict[str, np.ndarray]:
    """Columns mu, sigma, phi, beta_first_half, beta_second_half and johansen_trace; NaN for pairs not tested."""
    rows = np.flatnonzero(tests.outcome == TESTED)
    better = tests.better[rows]
    y = np.where(better == 0, first[rows], second[rows])
    x = np.where(better == 0, second[rows], first[rows])
    alpha, beta = tests.alpha[rows, better], tests.beta[rows, better]
    excluded = np.ascontiguousarray(window.shock_excluded(range(len(window.symbols))).T)
    batches = [(y[part], x[part], alpha[part], beta[part]) for part in backend.split(len(rows), "tests")]
    figures = concatenated(backend.map(_figures, batches, shared=(prices, excluded)))
    columns = {name: np.full(len(first), np.nan) for name in _FIGURES}
    for name, values in zip(_FIGURES, figures.T, strict=True):
        columns[name][rows] = values
    return columns


_FIGURES = ("sigma", "mu", "phi", "johansen_trace", "beta_first_half", "beta_second_half")


def _figures(
    prices: np.ndarray, excluded: np.ndarray, y: np.ndarray, x: np.ndarray, alpha: np.ndarray, beta: np.ndarray
) -> np.ndarray:
    """`_FIGURES` of pairs that were tested, shape (k, 6)."""
    sigma, mu, phi, johansen = np.full((4, len(y)), np.nan)
    halves = np.full((len(y), 2), np.nan)

    def work(a: int, b: int) -> None:
        arguments = (column[a:b] for column in (y, x, alpha, beta, sigma, mu, phi, halves, johansen))
        kernels.describe_pairs(prices, excluded, *arguments)

    kernels.share_rows(work, len(y))
    return np.column_stack([sigma, mu, phi, johansen, halves])


def _reason(row: Any, window: PriceWindow, settings: CointegrationSettings) -> str:
    """Why a pair has its status, in words."""
    if row.status == "too_few_bars":
        return f"{row.n_bars} common bars, at least {settings.min_bars} are needed"
    if row.status == "constant_leg":
        legs = window.log_close[:, [window.column(row.symbol_1), window.column(row.symbol_2)]]
        moves = legs[np.isfinite(legs).all(axis=1)].std(axis=0)
        still = row.symbol_1 if moves[0] <= moves[1] else row.symbol_2
        return f"{still} does not move over the {row.n_bars} common bars"
    if row.status == "identical_legs":
        return "one leg is a linear function of the other (R² of the levels at least 0.9999985)"
    if row.status == "singular_regression":
        return "the Dickey-Fuller regression is singular"
    limits = "not positive" if row.beta <= 0.0 else f"outside {settings.min_beta} to {settings.max_beta}"
    return f"β of {row.y} on {row.x} is {row.beta:.4g}, {limits}"
