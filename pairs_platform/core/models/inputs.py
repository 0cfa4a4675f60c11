"""What a model sees of a bar, from the one spread: one function for training, scoring and live bars.

What does not belong here: where the spread comes from (`features`), labels (`labels`), and networks (`inference`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pairs_platform.core.errors import DataError
from pairs_platform.core.models.splits import FEATURE_LOOKBACK_BARS

FEATURES_IN_WORDS = {
    **{f"lag_{k}": f"Standardised spread {k - 1} bars ago [σ]." for k in range(1, 6)},
    "ma_5": "Mean of the last 5 standardised spreads [σ].",
    "ma_20": "Mean of the last 20 standardised spreads [σ].",
    "rsi_14": "Share of rises in the moves of the last 14 bars [1].",
    "rolling_z": "Distance of the spread from its mean of 20 bars over their standard deviation [1].",
    "rolling_volatility": "ln of the root mean square of the last 20 changes [ln σ].",
    "conditional_volatility": "ln of the GARCH volatility of the next bar [ln σ].",
    "standardised_residual": "GARCH residual of the bar [1].",
    "bar_of_day": "Place of the bar in the session, from 0 to 1 [1].",
}
"""What each feature is, with its unit; σ is the training standard deviation of the spread."""

FEATURES = tuple(FEATURES_IN_WORDS)
"""Lag k is the k-th newest known value as seen from the bar that is predicted: lag_1 is z_t."""

CLIP = 10.0
"""Scaled features are kept within ± this many training standard deviations."""

SMALLEST_VOLATILITY = 1e-6
"""Floor of the rolling volatility, in standard deviations of the spread, before its logarithm is taken."""


def feature_matrix(
    spread: np.ndarray,
    *,
    mu: np.ndarray | float,
    sigma: np.ndarray | float,
    next_volatility: np.ndarray,
    residual: np.ndarray,
    bar_of_day: np.ndarray,
    bars_per_session: int,
) -> np.ndarray:
    """The features of every bar, unscaled, of one spread or of k at once.

    Parameters
    ----------
    spread : ndarray, shape (T,) or (T, k), ln units
        NaN inside a gap.
    mu, sigma : float, or ndarray of shape (k,)
        Mean and standard deviation of the spread's parameter set.
    next_volatility : ndarray, shape of `spread`, ln units
        d √h of bar t + 1, known at the close of t.
    residual : ndarray, shape of `spread`
        GARCH residual of bar t; NaN where there is no shock, which counts as 0, its expected value.
    bar_of_day : ndarray of int, shape (T,)

    Returns
    -------
    ndarray of float64, shape (T, 13) or (T, k, 13)
        In the order of `FEATURES`; row t is a function of bars t − 20 to t alone, equal bit for bit however many bars
        follow. NaN rows where one of these bars is unknown.

    Notes
    -----
    With z = (s − μ)/σ and Δ its change from bar to bar: moving averages of z; rsi_14 = gains / (gains + losses) of the
    last 14 changes, the finite form of Cutler, 0.5 without a move; rolling_z = (z − ma_20) / standard deviation of
    the last 20 z, 0 where that is 0; rolling_volatility = ln of the root mean square of the last 20 changes;
    conditional_volatility = ln(d √h / σ); bar_of_day in [0, 1].
    """
    z = (np.asarray(spread, dtype=np.float64) - mu) / sigma
    lagged = [_lag(z, k) for k in range(FEATURE_LOOKBACK_BARS + 1)]
    change = [lagged[k] - lagged[k + 1] for k in range(FEATURE_LOOKBACK_BARS)]
    ma_5, ma_20 = _sum(lagged[:5]) / 5.0, _sum(lagged[:20]) / 20.0
    gains = _sum([np.maximum(values, 0.0) for values in change[:14]])
    moves = _sum([np.abs(values) for values in change[:14]])
    spread_out = np.sqrt(_sum([(values - ma_20) ** 2 for values in lagged[:20]]) / 20.0)
    rolling = np.sqrt(_sum([values**2 for values in change]) / len(change))
    position = bar_of_day / max(1, bars_per_session - 1)
    columns = [
        *lagged[:5],
        ma_5,
        ma_20,
        np.where(moves > 0.0, gains / np.where(moves > 0.0, moves, 1.0), np.where(np.isnan(moves), np.nan, 0.5)),
        np.where(spread_out > 0.0, (z - ma_20) / np.where(spread_out > 0.0, spread_out, 1.0), spread_out),
        np.log(np.maximum(rolling, SMALLEST_VOLATILITY)),
        np.log(next_volatility / sigma),
        np.nan_to_num(residual, nan=0.0),
        np.broadcast_to(position if z.ndim == 1 else position[:, None], z.shape),
    ]
    matrix = np.stack(columns, axis=-1)
    matrix[~np.isfinite(matrix).all(axis=-1)] = np.nan
    return matrix


def _lag(values: np.ndarray, k: int) -> np.ndarray:
    out = np.full(values.shape, np.nan)
    out[k:] = values[: max(0, len(values) - k)]
    return out


def _sum(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Sum in the order given: the same rounding for every row, however long the arrays are."""
    total = arrays[0].copy()
    for array in arrays[1:]:
        total += array
    return total


@dataclass(frozen=True)
class Scaling:
    """Location and scale of each of `FEATURES` over the training rows; travels with the model."""

    centre: tuple[float, ...]
    scale: tuple[float, ...]

    def apply(self, features: np.ndarray) -> np.ndarray:
        """(x − centre) / scale, kept within ±`CLIP`; float32, same shape, NaN stays NaN."""
        scaled = (np.asarray(features, dtype=np.float64) - np.array(self.centre)) / np.array(self.scale)
        return np.clip(scaled, -CLIP, CLIP).astype(np.float32)


def fit_scaling(features: np.ndarray) -> Scaling:
    """Mean and standard deviation of the complete rows (n, 13); a constant feature has scale 1.

    Raises
    ------
    DataError
        Without a complete row.
    """
    rows = np.asarray(features, dtype=np.float64)
    rows = rows[np.isfinite(rows).all(axis=1)]
    if not len(rows):
        raise DataError("no training row has all its features")
    scale = rows.std(axis=0)
    return Scaling(tuple(rows.mean(axis=0).tolist()), tuple(np.where(scale > 1e-12, scale, 1.0).tolist()))


def known_sequences(features: np.ndarray, sequence_length: int) -> np.ndarray:
    """Rows whose last `sequence_length` feature rows, themselves included, are all known, shape (T,)."""
    complete = np.isfinite(features).all(axis=1)
    run = np.cumsum(np.r_[0, complete])
    out = np.zeros(len(complete), dtype=bool)
    if len(complete) >= sequence_length:
        out[sequence_length - 1 :] = run[sequence_length:] - run[:-sequence_length] == sequence_length
    return out
