"""A spread that comes back more slowly, or no longer: the recent half-life, and cointegration tested again.

What does not belong here: the tests themselves (`core.screening.engle_granger`), the half-life (`core.screening`).
"""

import math

import numpy as np

from pairs_platform.core.risk.drift.innovations import Innovations, MonitoredPair, excess_noise
from pairs_platform.core.risk.drift.result import (
    DriftPath,
    DriftResult,
    DriftStatistic,
    DriftStatus,
    empty_path,
    not_tested,
)
from pairs_platform.core.risk.drift.settings import DriftSettings
from pairs_platform.core.screening.calibration import calibrated_p
from pairs_platform.core.screening.engle_granger import run_tests
from pairs_platform.core.screening.half_life import half_lives
from pairs_platform.core.screening.outcomes import TEST_STATUSES, TESTED

LEAST_BARS_OF_TEST = 126
"""Shortest window of the table that calibrates p."""


def half_life_path(pair: MonitoredPair, innovations: Innovations, settings: DriftSettings) -> DriftPath:
    """The recent half-life as a multiple of the estimated one, and whether φ has grown.

    Where the spread keeps a share φ + δ of its deviation, the innovation holds δ (s_{t−1} − mean). Over its scale it is
    z_t = δ v_t + noise with v_t = (s_{t−1} − mean) / (d √h_t), so that over the recent bars δ = Σ z v / Σ v² and its
    one-sided t = Σ z v / √(κ Σ v² (1 + Σ v² / Σ₀ v²)), where Σ₀ is the sum over the estimation window, whose own φ is
    estimated too, and κ is `excess_noise`. An alarm needs a half-life beyond the multiple and p < `half_life_p`: the
    half-life of a few bars alone is mostly noise.

    Returns
    -------
    DriftPath
        `value` is the multiple, infinite from φ = 1 on. Over the horizon p = looks · Φ(−t) at most.
    """
    from scipy.special import ndtr

    bound, n_bars = settings.half_life_multiple, pair.n_bars
    if pair.fit.half_life_status != "ok":
        reason = f"the estimate has no half-life: {pair.fit.half_life_status}"
        return empty_path(DriftStatistic.HALF_LIFE, bound, n_bars, reason)
    v, z = innovations.deviation / innovations.scale, innovations.score
    known = np.isfinite(v) & np.isfinite(z)
    v, z = np.where(known, v, 0.0), np.where(known, z, 0.0)
    used = slice(0, pair.first_bar)
    reference = float(v[used] @ v[used])
    noise = excess_noise(z[used], v[used])
    length = min(max(2, math.ceil(settings.half_life_window * pair.fit.half_life_bars)), pair.first_bar)
    zv, vv = (_recent_sums(values, pair.first_bar, length) for values in (z * v, v * v))
    with np.errstate(invalid="ignore", divide="ignore"):
        t = zv / np.sqrt(noise * vv * (1.0 + vv / reference))
        phi = pair.fit.phi + zv / vv
    p = np.where(np.isfinite(t), ndtr(-t), np.inf)
    bars, _ = half_lives(phi)
    value = np.where(phi >= 1.0, np.inf, np.where(phi > 0.0, bars, 0.0)) / pair.fit.half_life_bars
    return DriftPath(
        statistic=DriftStatistic.HALF_LIFE,
        bound=bound,
        value=np.where(np.isfinite(t), value, np.nan),
        p_value=pair.looks(settings) * p,
        alarm=np.isfinite(t) & (value > bound) & (p < settings.half_life_p),
    )


def unit_root_result(pair: MonitoredPair, settings: DriftSettings) -> DriftResult:
    """Engle–Granger on the newest bars, both directions, with the calibrated p of the better one.

    Its p is that of a pair without a relation, not of one that has not changed: it cannot be held against the other
    statistics' p, so this result has none and can only warn. An unchanged pair is tested on so many half-lives that it
    seldom fails.
    """
    length = pair.first_bar
    if pair.fit.half_life_status == "ok":
        length = max(LEAST_BARS_OF_TEST, math.ceil(settings.unit_root_window * pair.fit.half_life_bars))
    if length > len(pair.log_y):
        reason = f"{length} bars are needed for {settings.unit_root_window:g} half-lives, there are {len(pair.log_y)}"
        return not_tested(DriftStatistic.UNIT_ROOT, reason)
    legs = np.stack([pair.log_y[-length:], pair.log_x[-length:]])
    tests = run_tests(np.ascontiguousarray(legs), np.array([0]), np.array([1]))
    if tests.outcome[0] != TESTED:
        return not_tested(DriftStatistic.UNIT_ROOT, TEST_STATUSES[int(tests.outcome[0])].replace("_", " "))
    p = float(calibrated_p(tests.p_value[0].min(keepdims=True), tests.n_bars)[0])
    return DriftResult(
        statistic=DriftStatistic.UNIT_ROOT,
        status=DriftStatus.ALARM if p > settings.unit_root_p else DriftStatus.OK,
        value=p,
        bound=settings.unit_root_p,
    )


def _recent_sums(values: np.ndarray, first_bar: int, length: int) -> np.ndarray:
    """Sum over the newest `length` bars after the estimation window (fewer at first) at each bar, shape (n,)."""
    total = np.cumsum(np.concatenate([[0.0], values[first_bar:]]))
    ends = np.arange(1, len(total))
    return total[ends] - total[np.maximum(ends - length, 0)]
