"""How much a Sharpe ratio proves: probabilistic and deflated Sharpe ratio.

What does not belong here: how returns come about (`backtest`) and what counts as enough (`core.selection`).
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

_NORMAL = NormalDist()


@dataclass(frozen=True, kw_only=True)
class SharpeMoments:
    """Sharpe ratio of per-bar returns with the moments that its standard error needs.

    Attributes
    ----------
    n_returns : int
    sharpe : float
        mean / standard deviation (ddof 1), per bar, NOT annualised.
    skewness, kurtosis : float
        Third and fourth standardised moments (population form; a normal has 0 and 3).
    """

    n_returns: int
    sharpe: float
    skewness: float
    kurtosis: float


def sharpe_moments(returns: np.ndarray) -> SharpeMoments | None:
    """Moments of `returns`, shape (n,), without NaN; None with fewer than three returns or none that differ.

    Raises
    ------
    ValueError
        If a return is not finite.
    """
    values = np.asarray(returns, dtype=np.float64)
    if not np.isfinite(values).all():
        raise ValueError("returns hold values that are not finite; a bar without a price has the return 0")
    if len(values) < 3 or np.ptp(values) == 0:
        return None
    centred = values - values.mean()
    variance = float(np.mean(centred**2))
    scaled = centred / math.sqrt(variance)
    deviation = math.sqrt(variance * len(values) / (len(values) - 1))
    return SharpeMoments(
        n_returns=len(values),
        sharpe=float(values.mean()) / deviation,
        skewness=float(np.mean(scaled**3)),
        kurtosis=float(np.mean(scaled**4)),
    )


def probabilistic_sharpe_ratio(moments: SharpeMoments, benchmark_sharpe: float = 0.0) -> float:
    """Probability that the true Sharpe ratio exceeds `benchmark_sharpe` (per bar, as in `moments`).

    PSR = Φ( (SR − SR*) √(n − 1) / √(1 − γ₃ SR + (γ₄ − 1)/4 · SR²) ).

    References
    ----------
    Bailey & López de Prado (2012), The Sharpe ratio efficient frontier, Journal of Risk 15(2), equation 9.
    """
    sharpe = moments.sharpe
    scatter = 1.0 - moments.skewness * sharpe + (moments.kurtosis - 1.0) / 4.0 * sharpe**2
    distance = (sharpe - benchmark_sharpe) * math.sqrt(moments.n_returns - 1)
    if scatter <= 0.0:
        return 1.0 if distance > 0 else 0.0 if distance < 0 else 0.5
    return _NORMAL.cdf(distance / math.sqrt(scatter))


def expected_maximum_sharpe(n_trials: int, trial_variance: float) -> float:
    """Sharpe ratio (per bar) that the best of `n_trials` worthless strategies reaches on average.

    SR₀ = √V · ((1 − γ) Φ⁻¹(1 − 1/N) + γ Φ⁻¹(1 − 1/(N e))), γ the Euler–Mascheroni constant; 0 for a single trial.

    Parameters
    ----------
    n_trials : int
        Number of trials N ≥ 1; trials that share legs are not independent, so that N overstates and the result is
        conservative.
    trial_variance : float
        Variance V of the trials' Sharpe ratios per bar.

    Raises
    ------
    ValueError
        With fewer than one trial or a negative variance.

    References
    ----------
    Bailey & López de Prado (2014), The deflated Sharpe ratio, Journal of Portfolio Management 40(5), equation 1.
    """
    if n_trials < 1 or not trial_variance >= 0:
        raise ValueError(
            f"{n_trials} trials with variance {trial_variance}: at least one and a variance ≥ 0 are needed"
        )
    if n_trials == 1:
        return 0.0
    quantile = (1.0 - np.euler_gamma) * _NORMAL.inv_cdf(1.0 - 1.0 / n_trials) + np.euler_gamma * _NORMAL.inv_cdf(
        1.0 - 1.0 / (n_trials * math.e)
    )
    return math.sqrt(trial_variance) * float(quantile)


def deflated_sharpe_ratio(moments: SharpeMoments, *, n_trials: int, trial_variance: float) -> float:
    """Probability that the best trial's true Sharpe ratio exceeds what the best of `n_trials` reaches by luck.

    References
    ----------
    Bailey & López de Prado (2014), equation 2: the probabilistic Sharpe ratio against `expected_maximum_sharpe`.
    """
    return probabilistic_sharpe_ratio(moments, expected_maximum_sharpe(n_trials, trial_variance))
