"""The shape of the day: one volatility factor per bar of the session, the first bar (overnight) with its own.

What does not belong here: the model that uses the factors (`garch`).
"""

import numpy as np

_FLOOR = 1e-2  # relative to the root mean square: a bar of day without a trade in it must not divide by zero
_MIN_SHOCKS_FIRST_BAR = 5


def count_sessions(bar_of_day: np.ndarray) -> int:
    """Sessions in a sample of consecutive grid bars: a session starts wherever the position does not rise."""
    return 1 + int(np.count_nonzero(np.diff(bar_of_day) <= 0)) if len(bar_of_day) else 0


def ar1_residuals(spreads: np.ndarray, shock_excluded: np.ndarray) -> np.ndarray:
    """Ordinary-least-squares residuals of s_t on a constant and s_{t−1}.

    Parameters
    ----------
    spreads : ndarray, shape (T, k)
        NaN inside a gap.
    shock_excluded : ndarray of bool, shape (T, k)
        True where the step from t − 1 to t must not count.

    Returns
    -------
    ndarray, shape (T, k)
        NaN at bar 0, beside a gap, where excluded, and in a whole column whose spread never moves.
    """
    now, before = spreads[1:], spreads[:-1]
    valid = np.isfinite(now) & np.isfinite(before) & ~shock_excluded[1:]
    count = np.maximum(valid.sum(axis=0), 1)
    mean_now = np.where(valid, now, 0.0).sum(axis=0) / count
    mean_before = np.where(valid, before, 0.0).sum(axis=0) / count
    centred_now = np.where(valid, now - mean_now, 0.0)
    centred_before = np.where(valid, before - mean_before, 0.0)
    moment = (centred_before**2).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        phi = (centred_now * centred_before).sum(axis=0) / moment
    residuals = np.full(spreads.shape, np.nan)
    residuals[1:] = np.where(valid, centred_now - phi * centred_before, np.nan)
    return residuals


def diurnal_factors(
    residuals: np.ndarray, *, bar_of_day: np.ndarray, bars_per_session: int, n_sessions: int, min_sessions: int
) -> np.ndarray:
    """Factors d_b: root mean square of the residuals per bar of day, normalised so that the sample's mean d² is one.

    Parameters
    ----------
    residuals : ndarray, shape (T, k)
        AR(1) residuals of the very sample that the model is fitted on; NaN where a shock does not count.
    bar_of_day : ndarray of int, shape (T,)
        Position of the bar in its session, from 0. An early close just lacks the later positions.
    bars_per_session : int
        Bars of a full session; 1 for daily bars.
    n_sessions, min_sessions : int
        With fewer than `min_sessions`, each bar but the first pools its neighbours (never the first bar) until the
        window holds about `min_sessions` shocks; the first bar keeps its own factor when it has at least five shocks.

    Returns
    -------
    ndarray, shape (bars_per_session, k)
        Positive. Σ d²_{b(t)} over the shocks equals their number, so that h keeps the scale of the shocks' variance. A
        bar of day without any shock takes the root mean square of all; factors below 1 % of that are raised to it. All
        ones for daily bars and for a column without shocks.
    """
    k = residuals.shape[1]
    if bars_per_session == 1:
        return np.ones((1, k))
    finite = np.isfinite(residuals)
    squares, counts = np.zeros((bars_per_session, k)), np.zeros((bars_per_session, k))
    order = np.argsort(bar_of_day, kind="stable")
    positions, first = np.unique(bar_of_day[order], return_index=True)
    squares[positions] = np.add.reduceat(np.where(finite, residuals, 0.0)[order] ** 2, first, axis=0)
    counts[positions] = np.add.reduceat(finite[order].astype(float), first, axis=0)
    pooled = squares.sum(axis=0) / np.maximum(counts.sum(axis=0), 1.0)
    shocks = counts.copy()
    if n_sessions < min_sessions:
        half = max(1, -(-(min_sessions - n_sessions) // (2 * n_sessions)))
        for b in range(1, bars_per_session):
            window = slice(max(1, b - half), b + half + 1)
            shocks[b] = counts[window].sum(axis=0)
        smoothed = np.array([squares[max(1, b - half) : b + half + 1].sum(axis=0) for b in range(1, bars_per_session)])
        squares = np.vstack([squares[:1], smoothed])
        shocks[0] = np.where(counts[0] >= _MIN_SHOCKS_FIRST_BAR, counts[0], 0.0)
    mean_square = np.where(shocks > 0, squares / np.maximum(shocks, 1.0), pooled)
    mean_square = np.maximum(mean_square, _FLOOR**2 * pooled)
    total = (counts * mean_square).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        factors = np.sqrt(mean_square * counts.sum(axis=0) / total)
    return np.where(np.isfinite(factors) & (factors > 0), factors, 1.0)
