"""Correlation of the legs' returns: the recent windows against the windows of the estimate, by Fisher's z.

What does not belong here: the correlation gate of the screening (`core.screening.correlation`).
"""

import numpy as np

from pairs_platform.core.risk.drift.innovations import MonitoredPair
from pairs_platform.core.risk.drift.result import DriftPath, DriftStatistic, empty_path
from pairs_platform.core.risk.drift.settings import DriftSettings
from pairs_platform.core.volatility.diurnal import count_sessions, diurnal_factors

LEAST_WINDOWS = 20
"""Fewest windows of the estimate from which the spread of their correlations is taken."""

_MIN_SESSIONS_DIURNAL = 20
_LARGEST_CORRELATION = 1.0 - 1e-9


def correlation_path(pair: MonitoredPair, settings: DriftSettings) -> DriftPath:
    """Whether the legs move together less than they did.

    Returns are divided by the shape of the day of their leg. The estimation window is cut into windows as long as the
    recent one; the mean and standard deviation of their Fisher z say what a window gives where nothing changed, and so
    the effective number of bars of a window, 3 + 1/variance. An alarm needs two windows, one after the other, each
    with a one-sided p below `correlation_p`.

    Returns
    -------
    DriftPath
        `value` is the larger p of the two windows: both are low where it is below the bound. Over the horizon
        p = looks · value at most, each bar being a look: a burst of the spread's variance lowers the correlation of
        both windows, so that they are not independent, and the second one only has to agree.

    References
    ----------
    Fisher (1921); Student's t with windows − 1 degrees of freedom, because mean and deviation are estimated.
    """
    from scipy.stats import t as student

    length, n_bars = settings.correlation_bars, pair.n_bars
    returns = _scaled_returns(pair)
    z = _window_z(returns, length)
    ends = np.arange(length, pair.first_bar, length)
    reference = z[ends][np.isfinite(z[ends])]
    if len(reference) < LEAST_WINDOWS:
        reason = f"the estimation window has {len(reference)} windows of {length} bars, {LEAST_WINDOWS} are needed"
        return empty_path(DriftStatistic.CORRELATION, settings.correlation_p, n_bars, reason)
    deviation = float(reference.std(ddof=1))
    if not deviation > 0:
        reason = "the correlation does not vary in the estimation window"
        return empty_path(DriftStatistic.CORRELATION, settings.correlation_p, n_bars, reason)
    looked_at = z[pair.first_bar - length :]
    standardised = (looked_at - reference.mean()) / (deviation * np.sqrt(1.0 + 1.0 / len(reference)))
    p = student.cdf(standardised, len(reference) - 1)
    value = np.maximum(p[length:], p[:n_bars])
    known = np.isfinite(value)
    return DriftPath(
        statistic=DriftStatistic.CORRELATION,
        bound=settings.correlation_p,
        value=value,
        p_value=np.where(known, pair.looks(settings) * value, np.inf),
        alarm=known & (value < settings.correlation_p),
    )


def _scaled_returns(pair: MonitoredPair) -> np.ndarray:
    """Returns of both legs over the shape of their day, shape (T, 2); 0 where there is none."""
    returns = np.zeros((len(pair.log_y), 2))
    returns[1:] = np.diff(np.column_stack([pair.log_y, pair.log_x]), axis=0)
    returns[pair.shock_excluded | ~np.isfinite(returns).all(axis=1)] = np.nan
    returns[0] = np.nan
    bars_per_session = len(pair.fit.diurnal)
    used = slice(0, pair.first_bar)
    factors = diurnal_factors(
        returns[used],
        bar_of_day=pair.bar_of_day[used],
        bars_per_session=bars_per_session,
        n_sessions=count_sessions(pair.bar_of_day[used]),
        min_sessions=_MIN_SESSIONS_DIURNAL,
    )
    return np.nan_to_num(returns / factors[pair.bar_of_day])


def _window_z(returns: np.ndarray, length: int) -> np.ndarray:
    """Fisher z of the correlation (about zero) of the `length` bars that end with each bar, shape (T,)."""
    a, b = returns.T
    sums = np.cumsum(np.column_stack([a * a, b * b, a * b]), axis=0)
    sums = np.vstack([np.zeros((1, 3)), sums])
    aa, bb, ab = (sums[length:] - sums[:-length]).T
    out = np.full(len(returns), np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = np.where((aa > 0) & (bb > 0), ab / np.sqrt(aa * bb), np.nan)
    out[length - 1 :] = np.arctanh(np.clip(correlation, -_LARGEST_CORRELATION, _LARGEST_CORRELATION))
    return out
