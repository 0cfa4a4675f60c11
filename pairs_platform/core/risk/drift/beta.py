"""A change of the hedge ratio: β as a random walk in a Kalman filter over whitened innovations.

What does not belong here: the estimate of β (`core.screening.spread`).
"""

import math

import numpy as np

from pairs_platform.core.risk.drift.innovations import Innovations, MonitoredPair, excess_noise
from pairs_platform.core.risk.drift.result import DriftPath, DriftStatistic, empty_path
from pairs_platform.core.risk.drift.settings import DriftSettings


def beta_path(pair: MonitoredPair, innovations: Innovations, settings: DriftSettings) -> DriftPath:
    """Distance of the filtered β from that of the estimation window, in its standard deviations.

    Where y moves by b_t more per move of x than the hedge ratio says, the innovation holds b_t Δx_t. Over its scale it
    is z_t = b_t u_t + noise of variance 1 with u_t = Δx_t / (d √h_t), and b_t a random walk with steps of `beta_walk`.
    The filter starts at the least squares of the estimation window, b₀ = Σ z u / Σ u². `value` is |b_t − b₀| over the
    standard deviation that it has where β has not changed, which the filter's gains give exactly, and which is
    larger by √κ (`excess_noise`) where the spread varies more when x moves more.

    Returns
    -------
    DriftPath
        Over the horizon p = looks · 2 Φ(−value) at most.

    References
    ----------
    Kalman (1960).
    """
    from scipy.special import ndtr

    step = np.full(len(pair.log_x), np.nan)
    step[1:] = np.diff(pair.log_x)
    u, z = step / innovations.scale, innovations.score
    known = np.isfinite(u) & np.isfinite(z)
    used = known.copy()
    used[pair.first_bar :] = False
    information = float(u[used] @ u[used])
    if not information > 0:
        return empty_path(
            DriftStatistic.BETA, settings.beta_bound, pair.n_bars, f"{pair.parameters.x} does not move in the window"
        )
    start = float(u[used] @ z[used]) / information
    after = slice(pair.first_bar, None)
    value = _standardised_change(
        np.where(known, z - start * u, 0.0)[after], np.where(known, u, 0.0)[after], information, settings.beta_walk
    ) / math.sqrt(excess_noise(z[used], u[used]))
    return DriftPath(
        statistic=DriftStatistic.BETA,
        bound=settings.beta_bound,
        value=value,
        p_value=pair.looks(settings) * 2.0 * ndtr(-value),
        alarm=value > settings.beta_bound,
    )


def _standardised_change(residual: np.ndarray, u: np.ndarray, information: float, walk: float) -> np.ndarray:
    """|b_t − b₀| over its standard deviation where β is constant, at each bar after the estimation window.

    b_t − b₀ = (1 − K_t u_t)(b_{t−1} − b₀) + K_t residual_t. Where β is constant its variance is that of the noise,
    n_t = (1 − K_t u_t)² n_{t−1} + K_t², and that of b₀ by the share a_t of the filter that no longer comes from it.
    """
    change, variance, noise, share = 0.0, 1.0 / information, 0.0, 0.0
    value = np.zeros(len(u))
    for t, (r, x) in enumerate(zip(residual.tolist(), u.tolist(), strict=True)):
        variance += walk * walk
        gain = variance * x / (x * x * variance + 1.0)
        keep = 1.0 - gain * x
        variance *= keep
        change = keep * change + gain * r
        noise = keep * keep * noise + gain * gain
        share = keep * share + gain * x
        deviation = math.sqrt(noise + share * share / information)
        value[t] = abs(change) / deviation if deviation > 0 else 0.0
    return value
