"""How good a model is on bars that it has never seen: metrics, and intervals that respect time and shared legs.

What does not belong here: the forecasts compared with (`baseline`), and what a report makes of many pairs (`report`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pairs_platform.core.models.baseline import log_loss
from pairs_platform.core.models.settings import EvaluationSettings

CALIBRATION_BINS = 10
CONFIDENCE = 0.95
"""Level of every interval."""


@dataclass(frozen=True, eq=False, kw_only=True)
class TestForecasts:
    """Forecasts and outcomes on the usable rows of one pair's test part, in time order.

    Attributes
    ----------
    pair : str
    session : ndarray of datetime64[D], shape (n,)
    label, probability, base_probability, baseline_probability : ndarray of float64, shape (n,)
        Outcome; forecast of the model, of the training base rate, of the baseline chosen on validation.
    """

    __test__ = False  # not a test, whatever pytest makes of the name

    pair: str
    session: np.ndarray
    label: np.ndarray
    probability: np.ndarray
    base_probability: np.ndarray
    baseline_probability: np.ndarray

    def gains(self) -> tuple[np.ndarray, np.ndarray]:
        """Loss saved at each label against the base rate and against the baseline, shape (n,) each."""
        own = log_loss(self.probability, self.label)
        return log_loss(self.base_probability, self.label) - own, log_loss(self.baseline_probability, self.label) - own


@dataclass(frozen=True)
class Interval:
    """A mean with its two-sided interval, and the one-sided p of "the mean is not above zero".

    NaN but for the mean where the values do not vary: they say nothing about their error, and p would be 0. Values that
    are all zero are two forecasts that are one: no gain, with certainty.
    """

    mean: float
    low: float
    high: float
    p: float


def choose_threshold(probability: np.ndarray, label: np.ndarray) -> float:
    """The probability from which "reverts" is predicted: the one with the largest MCC on the VALIDATION part.

    MCC and not F1, because F1 is largest for "always reverts". Candidates are the 5 %, 10 %, … 95 % quantiles of the
    forecasts; 0.5 where none tells the classes apart.

    Parameters
    ----------
    probability, label : ndarray, shape (n,)
        Of the validation part.
    """
    best, best_mcc = 0.5, 0.0
    positive = label == 1.0
    for candidate in np.unique(np.quantile(probability, np.linspace(0.05, 0.95, 19))):
        mcc = _mcc(probability >= candidate, positive)
        if mcc > best_mcc + 1e-12:
            best, best_mcc = float(candidate), mcc
    return best


def _mcc(predicted: np.ndarray, positive: np.ndarray) -> float:
    """Matthews correlation; 0 where a class is never seen or never predicted."""
    if predicted.all() or not predicted.any() or positive.all() or not positive.any():
        return 0.0
    return float(np.corrcoef(predicted, positive)[0, 1])


def calibration_error(probability: np.ndarray, label: np.ndarray) -> float:
    """Mean over ten bins of equal count of |mean forecast − share of outcomes|."""
    order = np.argsort(probability, kind="stable")
    bins = np.array_split(order, min(CALIBRATION_BINS, len(order)))
    errors = [abs(probability[rows].mean() - label[rows].mean()) * len(rows) for rows in bins]
    return float(sum(errors) / len(order))


def block_bootstrap(values: np.ndarray, *, block: int, settings: EvaluationSettings, seed: int) -> Interval:
    """Moving-block bootstrap of the mean of a series.

    Parameters
    ----------
    values : ndarray, shape (n,)
        In time order.
    block : int
        Length of a block; at most n.

    Returns
    -------
    Interval
        Percentiles of the resampled means; p is the share of resampled means, centred at zero, that reach the mean.

    References
    ----------
    Künsch (1989), The jackknife and the bootstrap for general stationary observations, Annals of Statistics 17;
    ``arch.bootstrap.MovingBlockBootstrap``.
    """
    n = len(values)
    block = min(block, n)
    mean = float(values.mean())
    if not varies(values):
        return _without_variance(values)
    rng = np.random.default_rng(seed)
    full, rest = divmod(n, block)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    starts = rng.integers(0, n - block + 1, (settings.n_bootstrap, full))
    drawn = (sums[starts + block] - sums[starts]).sum(axis=1)
    if rest:
        last = rng.integers(0, n - block + 1, settings.n_bootstrap)
        drawn += sums[last + rest] - sums[last]
    return _interval(mean, drawn / n)


def varies(values: np.ndarray) -> bool:
    """Whether values (n,) differ by more than their rounding."""
    return float(np.ptp(values)) > 1e-12 * max(1.0, float(np.abs(values).max()))


def _without_variance(values: np.ndarray) -> Interval:
    return Interval(float(values.mean()), np.nan, np.nan, np.nan) if values.any() else Interval(0.0, 0.0, 0.0, 1.0)


def _interval(mean: float, drawn: np.ndarray) -> Interval:
    tail = (1.0 - CONFIDENCE) / 2.0
    low, high = np.quantile(drawn, [tail, 1.0 - tail])
    centred = drawn - drawn.mean()
    p = (1.0 + float((centred >= mean).sum())) / (1.0 + len(drawn))
    return Interval(mean, float(low), float(high), p)


def evaluate_pair(
    forecasts: TestForecasts, *, threshold: float, block: int, settings: EvaluationSettings, seed: int
) -> dict[str, float | None]:
    """Every metric of `METRICS` for one pair; None where the test part has only one class and the metric needs two.

    Parameters
    ----------
    threshold : float
        Chosen on validation.
    block : int
        Length of a bootstrap block: at least the sequence length and twice the horizon.
    """
    from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

    label, probability = forecasts.label, forecasts.probability
    positive, predicted = label == 1.0, forecasts.probability >= threshold
    rate = float(label.mean())
    both = bool(positive.any() and not positive.all())
    return {
        "base_rate": rate,
        "f1": float(f1_score(positive, predicted, zero_division=0.0)),
        "f1_always": 2.0 * rate / (1.0 + rate),
        "accuracy": float((positive == predicted).mean()),
        "accuracy_always": rate,
        "mcc": _mcc(predicted, positive),
        "roc_auc": float(roc_auc_score(positive, probability)) if both else None,
        "pr_auc": float(average_precision_score(positive, probability)) if both else None,
        "log_loss": float(log_loss(probability, label).mean()),
        "log_loss_base": float(log_loss(forecasts.base_probability, label).mean()),
        "log_loss_baseline": float(log_loss(forecasts.baseline_probability, label).mean()),
        "brier": float(((probability - label) ** 2).mean()),
        "calibration_error": calibration_error(probability, label),
    } | gain_intervals([forecasts], block=block, settings=settings, seed=seed)


def gain_intervals(
    forecasts: Sequence[TestForecasts], *, block: int, settings: EvaluationSettings, seed: int
) -> dict[str, float | None]:
    """Skill and lift of a pair with their intervals and p-values: of one model, or of several seeds' mean losses.

    Interval and p are None where the gains do not vary.

    Parameters
    ----------
    forecasts : sequence of TestForecasts
        Of the same rows, one for each seed.
    """
    gains = (np.mean(parts, axis=0) for parts in zip(*(of_seed.gains() for of_seed in forecasts), strict=True))
    skill, lift = (block_bootstrap(values, block=block, settings=settings, seed=seed) for values in gains)
    figures = {
        "skill": skill.mean,
        "skill_low": skill.low,
        "skill_high": skill.high,
        "skill_p": skill.p,
        "lift": lift.mean,
        "lift_low": lift.low,
        "lift_high": lift.high,
        "lift_p": lift.p,
    }
    return {name: value if np.isfinite(value) else None for name, value in figures.items()}


@dataclass(frozen=True, kw_only=True)
class Pooled:
    """Skill and lift of all pairs of a sector together [nats per label]; sessions are the units of the intervals."""

    n_pairs: int
    n_labels: int
    n_sessions: int
    skill: float
    skill_low: float
    skill_high: float
    skill_p: float
    lift: float
    lift_low: float
    lift_high: float
    lift_p: float
    log_loss: float
    log_loss_baseline: float


def pool(forecasts: Sequence[TestForecasts]) -> Pooled | None:
    """Pooled skill and lift; None without forecasts, NaN intervals with one session or gains that do not vary.

    Pairs share legs, so they are never taken as independent: a session, with the labels of all its pairs, is the unit.

    Notes
    -----
    A test part has about twelve sessions. The mean per label is a ratio of session sums, its standard error comes from
    the sessions' deviations (the delta method), and the interval is Student's with n − 1 degrees of freedom.
    Percentiles of resampled sessions would be too narrow: with twelve normal sessions they cover 91 % where 95 % are
    meant.
    """
    if not forecasts:
        return None
    session = np.concatenate([pair.session for pair in forecasts])
    gains = [np.concatenate(parts) for parts in zip(*(pair.gains() for pair in forecasts), strict=True)]
    own = np.concatenate([log_loss(pair.probability, pair.label) for pair in forecasts])
    baseline = np.concatenate([log_loss(pair.baseline_probability, pair.label) for pair in forecasts])
    skill, lift = (session_interval(values, session) for values in gains)
    return Pooled(
        n_pairs=len(forecasts),
        n_labels=len(own),
        n_sessions=len(np.unique(session)),
        skill=skill.mean,
        skill_low=skill.low,
        skill_high=skill.high,
        skill_p=skill.p,
        lift=lift.mean,
        lift_low=lift.low,
        lift_high=lift.high,
        lift_p=lift.p,
        log_loss=float(own.mean()),
        log_loss_baseline=float(baseline.mean()),
    )


def session_interval(values: np.ndarray, session: np.ndarray) -> Interval:
    """Mean of `values` (n,) with an interval that is clustered by session (n,).

    References
    ----------
    Cluster-robust variance of a mean with the factor m / (m − 1) for m clusters, Student's t with m − 1 degrees of
    freedom.
    """
    _, cluster = np.unique(session, return_inverse=True)
    m = int(cluster.max()) + 1
    mean = float(values.mean())
    if m < 2:
        return Interval(mean, np.nan, np.nan, np.nan)
    deviations = np.bincount(cluster, weights=values - mean, minlength=m)
    error = float(np.sqrt(m / (m - 1.0) * (deviations**2).sum()) / len(values))
    if not (varies(values) and error > 0.0):
        return _without_variance(values)
    from scipy.stats import t as student

    width = float(student.ppf(0.5 + CONFIDENCE / 2.0, m - 1)) * error
    return Interval(mean, mean - width, mean + width, float(student.sf(mean / error, m - 1)))
