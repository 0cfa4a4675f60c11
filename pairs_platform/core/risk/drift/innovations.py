"""A pair with what it was estimated on and what came after, and its innovations, whitened by its AR(1)-GARCH.

What does not belong here: the statistics of drift, and the estimates (`core.volatility.parameters`).
"""

from dataclasses import dataclass

import numpy as np

from pairs_platform.core.prices.window import PriceWindow
from pairs_platform.core.risk.drift.settings import DriftSettings
from pairs_platform.core.screening.spread import SpreadParameters
from pairs_platform.core.volatility.garch import GarchFit, conditional_variance, shocks
from pairs_platform.core.volatility.parameters import leg_shocks_excluded


@dataclass(frozen=True, kw_only=True, eq=False)
class MonitoredPair:
    """A pair's estimates and its bars: those of the estimation window, then those that are looked at.

    Attributes
    ----------
    parameters : SpreadParameters
    fit : GarchFit
        With status "ok", of the first `first_bar` bars, like `parameters`.
    log_y, log_x : ndarray, shape (T,)
        Log prices from the first bar of the estimation window on; NaN inside a gap.
    bar_of_day : ndarray of int, shape (T,)
    shock_excluded : ndarray of bool, shape (T,)
        Bars whose move must not count: unadjusted ex-dates of either leg, gaps.
    first_bar : int
        Bars of the estimation window. What comes after it is looked at for drift.

    Raises
    ------
    ValueError
        The arrays differ in length, or the window is not inside them.
    """

    parameters: SpreadParameters
    fit: GarchFit
    log_y: np.ndarray
    log_x: np.ndarray
    bar_of_day: np.ndarray
    shock_excluded: np.ndarray
    first_bar: int

    def __post_init__(self) -> None:
        lengths = {len(values) for values in (self.log_y, self.log_x, self.bar_of_day, self.shock_excluded)}
        if len(lengths) != 1 or not 0 < self.first_bar <= min(lengths):
            raise ValueError(
                f"{self.parameters.y} on {self.parameters.x}: arrays of {sorted(lengths)} bars with an estimation "
                f"window of {self.first_bar} are no monitored pair"
            )

    @classmethod
    def of(cls, window: PriceWindow, parameters: SpreadParameters, fit: GarchFit, first_bar: int) -> "MonitoredPair":
        """A pair of a window whose first `first_bar` bars are those that its parameters and its fit are estimated on.

        Raises
        ------
        NotFound
            A leg is not in the window.
        """
        return cls(
            parameters=parameters,
            fit=fit,
            log_y=window.log_close[:, window.column(parameters.y)],
            log_x=window.log_close[:, window.column(parameters.x)],
            bar_of_day=window.bar_of_day,
            shock_excluded=leg_shocks_excluded(window, parameters.y, parameters.x),
            first_bar=first_bar,
        )

    @property
    def n_bars(self) -> int:
        """Bars after the estimation window."""
        return len(self.log_y) - self.first_bar

    def looks(self, settings: DriftSettings) -> int:
        """Bars over which the p of a statistic holds: those of the horizon, or all that were looked at."""
        return max(settings.horizon_bars, self.n_bars)


@dataclass(frozen=True, kw_only=True, eq=False)
class Innovations:
    """Whitened innovations of a pair and what they are regressed on, T bars each, the estimation window first.

    Attributes
    ----------
    score : ndarray, shape (T,)
        Normal score of z_t = (s_t − c − φ s_{t−1}) / (d √h_t): Φ⁻¹ of its rank among the estimation window's. Standard
        normal while the pair has not changed, whatever the tails of z; NaN where there is no shock.
    scale : ndarray, shape (T,)
        d √h_t, log units.
    deviation : ndarray, shape (T,)
        s_{t−1} less the mean c/(1 − φ), log units; NaN at bar 0.
    variance : ndarray, shape (T + 1,)
        h_t; the last one is that of the next bar.
    """

    score: np.ndarray
    scale: np.ndarray
    deviation: np.ndarray
    variance: np.ndarray


def innovations(pair: MonitoredPair) -> Innovations:
    """Whiten a pair's spread; every value at bar t is known at its close.

    Raises
    ------
    ValueError
        The pair has no fit.
    """
    fit = pair.fit
    spread = pair.parameters.spread(pair.log_y, pair.log_x)
    variance = conditional_variance(fit, spread, pair.bar_of_day, pair.shock_excluded)
    scale = np.asarray(fit.diurnal)[pair.bar_of_day] * np.sqrt(variance[:-1])
    z = shocks(fit, spread, pair.bar_of_day, pair.shock_excluded) / np.sqrt(variance[:-1])
    deviation = np.full(len(spread), np.nan)
    if fit.phi < 1.0:
        deviation[1:] = spread[:-1] - fit.c / (1.0 - fit.phi)
    return Innovations(
        score=normal_scores(z, z[: pair.first_bar]),
        scale=scale,
        deviation=deviation,
        variance=variance,
    )


def excess_noise(score: np.ndarray, regressor: np.ndarray) -> float:
    """κ = Σ z² w² / Σ w², at least 1: by how much Σ z w varies more where z is larger with w.

    Parameters
    ----------
    score, regressor : ndarray, shape (n,)
        z and w of the estimation window, finite; w not 0 everywhere.

    References
    ----------
    White (1980), A heteroskedasticity-consistent covariance matrix estimator and a direct test for heteroskedasticity.
    """
    product = score * regressor
    return max(1.0, float(product @ product) / float(regressor @ regressor))


def normal_scores(values: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Φ⁻¹ of the place of each value among a reference sample.

    Parameters
    ----------
    values : ndarray, shape (n,)
        NaN stays NaN.
    reference : ndarray, shape (m,)
        NaN is left out.

    Returns
    -------
    ndarray, shape (n,)
        Linear between neighbours of the reference, ±Φ⁻¹((m − 3/8)/(m + 1/4)) beyond its ends; NaN where the reference
        is empty.

    References
    ----------
    Blom (1958), Statistical Estimates and Transformed Beta-Variables: the plotting positions.
    """
    from scipy.special import ndtri

    ordered = np.sort(reference[np.isfinite(reference)])
    if not len(ordered):
        return np.full(len(values), np.nan)
    normal = ndtri((np.arange(1, len(ordered) + 1) - 0.375) / (len(ordered) + 0.25))
    return np.where(np.isfinite(values), np.interp(values, ordered, normal), np.nan)
