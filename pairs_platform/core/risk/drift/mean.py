"""A shift of the spread's mean: two-sided CUSUM of whitened innovations.

What does not belong here: the innovations (`innovations`). CUSUM of a spread itself, which is no white noise, alarms
sixteen times as often (`benchmarks.drift`).
"""

import numpy as np

from pairs_platform.core.risk.drift.innovations import Innovations, MonitoredPair
from pairs_platform.core.risk.drift.result import DriftPath, DriftStatistic
from pairs_platform.core.risk.drift.settings import DriftSettings

_OVERSHOOT = 1.166
"""Twice the mean overshoot of a sum of standard normal steps over a bound (Siegmund 1985, page 50)."""


def mean_path(pair: MonitoredPair, innovations: Innovations, settings: DriftSettings) -> DriftPath:
    """S⁺_t = max(0, S⁺_{t−1} + z_t − k), S⁻_t = max(0, S⁻_{t−1} − z_t − k); `value` is the larger of both.

    Both start at 0 after the estimation window; a bar without a shock leaves them as they are. Over the horizon
    p = 1 − exp(−looks / ARL₀(value)), runs of an unchanged pair being geometric but for their beginning.

    References
    ----------
    Page (1954); `average_run_length`.
    """
    score = innovations.score[pair.first_bar :]
    known = np.isfinite(score)
    steps = np.where(known, score, 0.0)
    allowance = np.where(known, settings.cusum_reference, 0.0)
    value = np.maximum(cusum(steps - allowance), cusum(-steps - allowance))
    return DriftPath(
        statistic=DriftStatistic.MEAN,
        bound=settings.cusum_bound,
        value=value,
        p_value=-np.expm1(-pair.looks(settings) / average_run_length(value, settings.cusum_reference)),
        alarm=value > settings.cusum_bound,
    )


def cusum(steps: np.ndarray) -> np.ndarray:
    """S_t = max(0, S_{t−1} + steps_t) from S = 0, shape (n,)."""
    total = np.cumsum(steps)
    return total - np.minimum(np.minimum.accumulate(total), 0.0) if len(total) else total


def average_run_length(bound: np.ndarray, reference: float) -> np.ndarray:
    """Mean number of bars until a two-sided CUSUM of independent standard normal values passes a bound, from zero.

    Parameters
    ----------
    bound : ndarray
        h ≥ 0.
    reference : float
        k > 0.

    Returns
    -------
    ndarray
        (exp(2 k b) − 2 k b − 1) / (4 k²) with b = h + 1.166: 469 at k = ½, h = 5, where the exact figure is 465.4
        (`benchmarks.drift` solves its integral equation; Lucas & Crosier 1982 print 465).

    References
    ----------
    Siegmund (1985), Sequential Analysis, equation 2.56; both sides have half the run length of one (Kemp 1961).
    """
    scaled = np.minimum(2.0 * reference * (np.asarray(bound, dtype=float) + _OVERSHOOT), 700.0)
    return (np.expm1(scaled) - scaled) / (4.0 * reference**2)
