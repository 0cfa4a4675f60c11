"""Whether a feature is distributed as it was in training, by an index and by what the index is without any change.

What does not belong here: the check (`checks`), the features (`inputs`) and their parts (`splits`).
"""

from dataclasses import dataclass

import numpy as np

BINS = 10
LARGEST_P = 0.01
"""Largest p of an index that is more than the slow movement of its feature."""


@dataclass(frozen=True)
class Drift:
    """How far one feature of one pair moved since training.

    Attributes
    ----------
    index : float
        Population stability index, ≥ 0; see `population_stability`.
    expected : float
        Its mean where nothing changed.
    p : float
        Probability of such an index or a larger one where nothing changed.
    """

    index: float
    expected: float
    p: float


def population_stability(reference: np.ndarray, recent: np.ndarray) -> float:
    """Population stability index of two samples of one feature, over deciles of the reference.

    Parameters
    ----------
    reference, recent : ndarray
        Values; NaN is left out. Shares are kept above half an observation of the smaller sample, so that an empty bin
        gives a finite figure.

    Returns
    -------
    float
        Σ (recent − reference) ln(recent / reference) over bins, ≥ 0; NaN where a sample is empty. Below 0.1 is usually
        called stable, above 0.25 shifted: of independent values, not of one that moves slowly.
    """
    reference, recent = reference[np.isfinite(reference)], recent[np.isfinite(recent)]
    if not len(reference) or not len(recent):
        return float("nan")
    edges = _edges(reference)
    floor = 0.5 / min(len(reference), len(recent))
    shares = [
        np.maximum(np.bincount(np.searchsorted(edges, sample), minlength=len(edges) + 1) / len(sample), floor)
        for sample in (reference, recent)
    ]
    return float(np.sum((shares[1] - shares[0]) * np.log(shares[1] / shares[0])))


def autocorrelation_time(values: np.ndarray) -> float:
    """How many successive values tell as much as one independent value: 1 + 2 Σ ρ_k up to the first ρ_k ≤ 0.

    Parameters
    ----------
    values : ndarray
        In the order of time; NaN is left out.

    Returns
    -------
    float
        From 1 to the number of values; that number where they do not vary.

    References
    ----------
    Geyer (1992), Practical Markov chain Monte Carlo, Statistical Science 7, section 3.3: sums that stop at noise.
    """
    from scipy.fft import irfft, next_fast_len, rfft

    values = values[np.isfinite(values)]
    n = len(values)
    centred = values - values.mean() if n else values
    if n < 2 or not centred.any():
        return float(max(n, 1))
    size = next_fast_len(2 * n, real=True)
    covariance = irfft(np.abs(rfft(centred, size)) ** 2, size)[:n]
    correlation = covariance / covariance[0]
    until = int(np.argmax(correlation <= 0.0)) or n
    return float(np.clip(1.0 + 2.0 * correlation[1:until].sum(), 1.0, n))


def feature_drift(training: np.ndarray, recent: np.ndarray) -> Drift | None:
    """The index of a feature beside what it is where nothing changed.

    Values of a spread that reverts slowly resemble their neighbours: a test part of 936 bars then holds some ten
    independent ones, and an index of 1 is ordinary. Where nothing changed, the index of samples of n and m independent
    values is (1/n + 1/m) times a χ² with bins − 1 degrees of freedom (Yurdakul 2018); n and m are the numbers of bars
    over the `autocorrelation_time` in training.

    Parameters
    ----------
    training, recent : ndarray
        Values of the two parts in the order of time; NaN is left out.

    Returns
    -------
    Drift, or None where a part is empty or the training part does not vary.
    """
    from scipy.stats import chi2

    training, recent = training[np.isfinite(training)], recent[np.isfinite(recent)]
    if not len(recent) or not len(training) or training.min() == training.max():
        return None
    freedom = len(_edges(training))
    scale = autocorrelation_time(training) * (1.0 / len(training) + 1.0 / len(recent))
    index = population_stability(training, recent)
    return Drift(index, freedom * scale, float(chi2.sf(index / scale, freedom)))


def _edges(reference: np.ndarray) -> np.ndarray:
    return np.unique(np.quantile(reference, np.linspace(0, 1, BINS + 1)[1:-1]))
