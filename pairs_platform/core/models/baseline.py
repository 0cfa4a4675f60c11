"""The simple forecasts that a network starts from and must beat: a constant, and what an AR(1) spread implies.

What does not belong here: metrics (`evaluation`) and the network (`network`).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from pairs_platform.core.models.inputs import FEATURES

_Z, _VOLATILITY = FEATURES.index("lag_1"), FEATURES.index("conditional_volatility")
SMALLEST_PROBABILITY = 1e-6


@dataclass(frozen=True)
class Baseline:
    """Probability of a label without a network.

    Attributes
    ----------
    kind : str
        "base_rate": the share of training labels that are 1; "ar1_logit": 1 / (1 + exp(−a − b·excess)).
    base_rate : float
        Of the training part, whichever kind.
    intercept, slope : float
        a and b of the forecast chosen; b = 0 for a base rate.
    """

    kind: Literal["base_rate", "ar1_logit"]
    base_rate: float
    intercept: float
    slope: float

    def logit(self, excess: np.ndarray) -> np.ndarray:
        """a + b·excess, same shape; NaN where the excess is unknown."""
        return self.intercept + self.slope * np.asarray(excess, dtype=np.float64)

    def probability(self, excess: np.ndarray) -> np.ndarray:
        """Probability at each bar, same shape."""
        return np.asarray(1.0 / (1.0 + np.exp(-self.logit(excess))))


def excess_of(features: np.ndarray) -> np.ndarray:
    """|s_t − μ| over the forecast standard deviation of the next shock, from unscaled features (…, 13)."""
    values = np.asarray(features, dtype=np.float64)
    return np.asarray(np.abs(values[..., _Z]) * np.exp(-values[..., _VOLATILITY]))


def log_loss(probability: np.ndarray, label: np.ndarray) -> np.ndarray:
    """−ln of the probability given to what happened, per label [nats]."""
    p = np.clip(probability, SMALLEST_PROBABILITY, 1.0 - SMALLEST_PROBABILITY)
    return np.asarray(-np.where(label == 1.0, np.log(p), np.log1p(-p)))


def choose_baseline(excess: np.ndarray, label: np.ndarray, train: np.ndarray, validation: np.ndarray) -> Baseline:
    """The better of base rate and AR(1)-logit on the validation part, both estimated on the training part.

    Parameters
    ----------
    excess, label : ndarray, shape (T,)
    train, validation : ndarray of bool, shape (T,)
        Usable rows of the two parts.

    Notes
    -----
    On an AR(1) the chance to revert is Φ((1 − φ)|s − μ|/σ_t): monotone in the excess, and "always reverts" is Bayes'
    rule. The logit needs no assumption about the shocks.
    """
    from sklearn.linear_model import LogisticRegression

    base_rate = float(np.clip(label[train].mean(), 0.01, 0.99))
    constant = Baseline("base_rate", base_rate, float(np.log(base_rate / (1.0 - base_rate))), 0.0)
    if len(np.unique(label[train])) < 2:
        return constant
    fitted = LogisticRegression(C=np.inf).fit(excess[train, None], label[train])
    logit = Baseline("ar1_logit", base_rate, float(fitted.intercept_[0]), float(fitted.coef_[0, 0]))
    losses = [
        log_loss(forecast.probability(excess[validation]), label[validation]).mean() for forecast in (constant, logit)
    ]
    return logit if losses[1] < losses[0] else constant
