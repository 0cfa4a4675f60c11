"""A fit of the volatility model, and the state that it is gone on from: plain numbers, for those that fit nothing.

What does not belong here: estimating one and going on from it (`garch`), and rows of the lake (`rows`).
"""

import math
from dataclasses import dataclass
from typing import Literal

from pairs_platform.core.screening.half_life import HalfLifeStatus
from pairs_platform.core.volatility.settings import FitStatus


@dataclass(frozen=True, kw_only=True)
class GarchFit:
    """One AR(1)-GARCH(1,1) fit. Every number is NaN when `status` is not "ok", except the counts.

    Units: s in ln units; ω, h, variances in ln units squared with the diurnal shape taken out (mean d² = 1).

    Attributes
    ----------
    status, reason : str
        "ok" with an empty reason, or why there is no fit.
    fitter : str
        "numba", "arch" where ours did not converge, "" without a fit.
    distribution : str
        "normal" or "t".
    n_obs : int
        Valid shocks.
    c, phi, omega, alpha1, beta1, nu : float
        Parameters; `nu` is NaN for the normal distribution.
    persistence : float
        α₁ + β₁, at most 1.
    unconditional_variance : float
        ω / (1 − persistence); NaN from a persistence of 1 on.
    mean_variance : float
        Mean of h over the sample, the stand-in for the unconditional variance.
    backcast : float
        Variance before the first shock, whose own h is ω + persistence · backcast.
    diurnal : tuple of float, length bars_per_session
    log_likelihood, aic, bic : float
        With −Σ ln d, on the spread's own scale. 5 parameters (6 with ν); the factors d, shared by the rivals, are not
        counted.
    log_likelihood_random_walk, lr_random_walk : float
        Rival c = 0, φ = 1 with GARCH variance, and twice the difference.
    log_likelihood_constant_variance, lr_constant_variance : float
        Rival α₁ = β₁ = 0, and twice the difference.
    ljung_box_p_z, ljung_box_p_z2, arch_lm_p : float
        See `diagnostics.ResidualDiagnostics`.
    half_life_bars : float
        −ln 2 / ln φ; NaN unless `half_life_status` is "ok".
    half_life_status : str
    next_volatility : float
        Standard deviation of the next bar's innovation, its d included.
    last_spread, last_variance : float
        State to go on from: s_T (NaN inside a gap) and h_{T+1}.
    """

    status: FitStatus
    reason: str = ""
    fitter: Literal["numba", "arch", ""] = ""
    distribution: Literal["normal", "t"] = "normal"
    n_obs: int = 0
    c: float = math.nan
    phi: float = math.nan
    omega: float = math.nan
    alpha1: float = math.nan
    beta1: float = math.nan
    nu: float = math.nan
    persistence: float = math.nan
    unconditional_variance: float = math.nan
    mean_variance: float = math.nan
    backcast: float = math.nan
    diurnal: tuple[float, ...] = ()
    log_likelihood: float = math.nan
    aic: float = math.nan
    bic: float = math.nan
    log_likelihood_random_walk: float = math.nan
    log_likelihood_constant_variance: float = math.nan
    lr_random_walk: float = math.nan
    lr_constant_variance: float = math.nan
    ljung_box_p_z: float = math.nan
    ljung_box_p_z2: float = math.nan
    arch_lm_p: float = math.nan
    half_life_bars: float = math.nan
    half_life_status: HalfLifeStatus = "not_fitted"
    next_volatility: float = math.nan
    last_spread: float = math.nan
    last_variance: float = math.nan

    @property
    def initial_variance(self) -> float:
        """h of the first shock."""
        return self.omega + (self.alpha1 + self.beta1) * self.backcast


@dataclass(frozen=True)
class GarchState:
    """Where the recursion stands after a bar: its spread (NaN inside a gap) and h of the next bar."""

    last_spread: float
    variance: float
