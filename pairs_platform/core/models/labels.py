"""What a model predicts: whether a spread reverts over the next bars, or passes its exit band before its stop.

What does not belong here: features and splits.
"""

import numpy as np
from numba import njit

from pairs_platform.core.models.settings import LabelSettings
from pairs_platform.core.screening.spread import SpreadParameters
from pairs_platform.core.trading.settings import BASIS_POINT, CostSettings, TradingSettings


def horizon_bars(half_life_bars: float, settings: LabelSettings) -> int | None:
    """Horizon h of a pair in bars; None where it follows from a half-life that does not exist."""
    if settings.kind == "first_passage":
        return settings.max_horizon_bars
    if settings.horizon == "one_bar":
        return 1
    if not np.isfinite(half_life_bars):
        return None
    return int(np.clip(round(half_life_bars / 2.0), 1, settings.max_horizon_bars))


def reverts_next(spread: np.ndarray, mu: float, horizon: int, excluded: np.ndarray) -> np.ndarray:
    """1 where (s_{t+h} − s_t)(s_t − μ) < 0, else 0 (a tie does not revert).

    Parameters
    ----------
    spread : ndarray, shape (T,), ln units
        NaN inside a gap.
    mu : float
        Mean of the estimation sample.
    horizon : int
        h in bars.
    excluded : ndarray of bool, shape (T,)
        Bars whose move is no shock of one bar (filled, after a filled one, unadjusted ex-date).

    Returns
    -------
    ndarray of float64, shape (T,)
        NaN for the last h bars, and where a gap or an excluded bar lies in (t, t + h].
    """
    label = np.full(len(spread), np.nan)
    if len(spread) <= horizon:
        return label
    ahead, here = spread[horizon:], spread[:-horizon]
    broken = excluded | ~np.isfinite(spread)
    blocked = np.zeros(len(here), dtype=bool)
    for step in range(1, horizon + 1):
        blocked |= broken[step : len(spread) - horizon + step]
    usable = np.isfinite(here) & ~blocked
    reverts = (ahead - here) * (here - mu) < 0.0
    label[:-horizon][usable] = reverts[usable]
    return label


def first_passage(
    spread: np.ndarray,
    parameters: SpreadParameters,
    *,
    band: np.ndarray,
    excluded: np.ndarray,
    max_bars: int,
    trading: TradingSettings,
    costs: CostSettings,
) -> np.ndarray:
    """1 where a position entered at bar t passes the exit band before the stop and earns its costs, else 0.

    Labels exist only where the trading rule may enter: |z_t| ≥ entry_z, inside the stop band. The move from s_t to the
    exit, as a share of the gross value 1 + |β|, must exceed the costs of the round trip.

    Parameters
    ----------
    spread, band : ndarray, shape (T,), ln units
        Spread, and stop band σ·√(h_{t+1}/h̄) known at the close of t.
    parameters : SpreadParameters
        Of the estimation sample.
    max_bars : int
        Bars in which it must happen.

    Returns
    -------
    ndarray of float64, shape (T,)
        NaN outside the entry band, across gaps and excluded bars, and for the last `max_bars` bars: only quick outcomes
        would be known there.
    """
    cost = costs.round_trip_bps * BASIS_POINT * (1.0 + abs(parameters.beta))
    return np.asarray(
        _first_passage(
            np.asarray(spread, dtype=np.float64),
            parameters.mu,
            parameters.sigma,
            np.asarray(band, dtype=np.float64),
            np.asarray(excluded, dtype=bool),
            max_bars,
            cost,
            trading.entry_z,
            trading.exit_z,
            trading.stop_multiple,
        )
    )


@njit(cache=True)
def _first_passage(
    spread: np.ndarray,
    mu: float,
    sigma: float,
    band: np.ndarray,
    excluded: np.ndarray,
    max_bars: int,
    cost: float,
    entry_z: float,
    exit_z: float,
    stop_multiple: float,
) -> np.ndarray:
    n = len(spread)
    label = np.full(n, np.nan)
    for t in range(n - max_bars):
        deviation = spread[t] - mu
        if not abs(deviation) / sigma >= entry_z or abs(deviation) > stop_multiple * band[t]:
            continue
        side = 1.0 if deviation > 0 else -1.0
        outcome = 0.0
        for k in range(t + 1, t + max_bars + 1):
            if excluded[k] or not np.isfinite(spread[k]):
                outcome = np.nan
                break
            if side * (spread[k] - mu) / sigma <= exit_z:
                outcome = 1.0 if side * (spread[t] - spread[k]) > cost else 0.0
                break
            if side * (spread[k] - mu) > stop_multiple * band[k]:
                break
        label[t] = outcome
    return label
