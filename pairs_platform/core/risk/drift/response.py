"""From the statistics of many pairs to what is done about each: warn, take no entries, exit at the next close.

The three steps differ in how sure they are. A warning is a statistic beyond its own bound; over twenty pairs and the 78
bars of a session a few are false. What costs money is controlled over the whole book and the whole horizon: the pairs
that take no entries by the false discovery rate, those that are left by the family-wise rate.

What does not belong here: the statistics, and orders (`core.trading`).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from pairs_platform.core.risk.drift.beta import beta_path
from pairs_platform.core.risk.drift.correlation import correlation_path
from pairs_platform.core.risk.drift.innovations import MonitoredPair, innovations
from pairs_platform.core.risk.drift.mean import mean_path
from pairs_platform.core.risk.drift.result import DriftPath, DriftResult, DriftStatistic, DriftStatus
from pairs_platform.core.risk.drift.reversion import half_life_path, unit_root_result
from pairs_platform.core.risk.drift.settings import DriftSettings
from pairs_platform.core.risk.drift.variance import variance_path
from pairs_platform.core.screening.cointegration import benjamini_hochberg


class DriftAction(StrEnum):
    """What is done about a pair, each step including the ones before it."""

    NONE = "none"
    WARN = "warn"
    NO_ENTRIES = "no_entries"
    EXIT = "exit"


@dataclass(frozen=True, kw_only=True)
class DriftResponse:
    """What is done about one pair, and why.

    Attributes
    ----------
    action : DriftAction
        EXIT: at the next close, whatever the rule says.
    p_value : float
        Of the pair, `pair_p`; NaN where no statistic has one.
    message : str
        One sentence for a person; empty where nothing is done.
    telling : tuple of DriftResult
        The statistics that the message names: those in alarm; without one, that with the smallest p.
    """

    action: DriftAction
    p_value: float
    message: str
    telling: tuple[DriftResult, ...] = ()

    @property
    def words(self) -> str:
        """What has changed, without what is done about it."""
        return "; ".join(describe(result) for result in self.telling) or self.message

    @property
    def takes_entries(self) -> bool:
        """Whether entries of the pair are still made."""
        return self.action in (DriftAction.NONE, DriftAction.WARN)


def drift_paths(pair: MonitoredPair, settings: DriftSettings) -> tuple[DriftPath, ...]:
    """The statistics that have a p, at every bar since the estimate."""
    whitened = innovations(pair)
    return (
        correlation_path(pair, settings),
        mean_path(pair, whitened, settings),
        beta_path(pair, whitened, settings),
        half_life_path(pair, whitened, settings),
        variance_path(pair, whitened, settings),
    )


def pair_drift(pair: MonitoredPair, settings: DriftSettings) -> tuple[DriftResult, ...]:
    """What every statistic says of one pair, from its first bar after the estimate to its newest one."""
    return (*(path.result() for path in drift_paths(pair, settings)), unit_root_result(pair, settings))


def pair_p(results: tuple[DriftResult, ...]) -> float:
    """Probability that a pair that has not changed shows so small a p in any statistic: Bonferroni over them.

    Returns
    -------
    float
        NaN where no statistic has a p.
    """
    values = [result.p_value for result in results if not math.isnan(result.p_value)]
    return min(1.0, len(values) * min(values)) if values else math.nan


def drift_responses(drifts: Mapping[str, tuple[DriftResult, ...]], settings: DriftSettings) -> dict[str, DriftResponse]:
    """What is done about each pair of the book.

    Parameters
    ----------
    drifts : mapping of pair to results of `pair_drift`
        All pairs that are traded or held, those without an alarm too: the control counts them.

    Returns
    -------
    dict of str to DriftResponse
        In the order of `drifts`. WARN: some statistic is in alarm. NO_ENTRIES: the pair's p is a discovery at the false
        discovery rate (Benjamini & Hochberg 1995), or no statistic could be computed. EXIT: it is rejected at the
        family-wise rate (Holm 1979).

    Notes
    -----
    A p holds for the whole horizon and only falls from bar to bar, so what is rejected at any bar is what is rejected
    at the last one, and looking at every bar costs nothing more. Holm's rate holds whichever way pairs depend on each
    other, Benjamini's where they are independent or positively dependent.
    """
    names = list(drifts)
    p = np.array([pair_p(drifts[name]) for name in names], dtype=float)
    discovered = benjamini_hochberg(p) <= settings.false_discovery_rate
    rejected = holm(p) <= settings.family_wise_rate
    return {
        name: _response(drifts[name], float(p[i]), bool(discovered[i]), bool(rejected[i]), settings)
        for i, name in enumerate(names)
    }


def holm(p_values: np.ndarray) -> np.ndarray:
    """Holm's adjusted p of each test; NaN stays NaN and is not counted.

    References
    ----------
    ``statsmodels.stats.multitest.multipletests(p, method="holm")``; Holm (1979).
    """
    adjusted = np.full(len(p_values), np.nan)
    known = np.flatnonzero(~np.isnan(p_values))
    order = known[np.argsort(p_values[known], kind="stable")]
    falling = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(p_values[order] * falling))
    return adjusted


def describe(result: DriftResult) -> str:
    """A result in words, for a message."""
    value, bound = f"{result.value:.3g}", f"{result.bound:g}"
    return {
        DriftStatistic.CORRELATION: f"the legs move together less than they did (p {value} in both windows, "
        f"bound {bound})",
        DriftStatistic.MEAN: f"the mean of the spread shifts (CUSUM {value}, bound {bound})",
        DriftStatistic.BETA: f"β has moved by {value} standard deviations (bound {bound})",
        DriftStatistic.HALF_LIFE: f"the half-life is {value} times the estimated one (bound {bound})",
        DriftStatistic.UNIT_ROOT: f"the legs are no longer cointegrated (calibrated p {value}, bound {bound})",
        DriftStatistic.VARIANCE: f"the variance is {value} times its mean (bound {bound})",
    }[result.statistic]


def _response(
    results: tuple[DriftResult, ...], p_value: float, discovered: bool, rejected: bool, settings: DriftSettings
) -> DriftResponse:
    """One pair's response."""
    if all(result.status is DriftStatus.NOT_TESTED for result in results):
        reasons = "; ".join(dict.fromkeys(result.reason for result in results))
        return DriftResponse(
            action=DriftAction.NO_ENTRIES, p_value=p_value, message=f"no entries: drift is not known ({reasons})"
        )
    alarms = [result for result in results if result.status is DriftStatus.ALARM]
    if rejected:
        action = DriftAction.EXIT
        meaning = (
            "exit at the next close: one unchanged pair of the whole book shows this with probability "
            f"{settings.family_wise_rate:g} at most"
        )
    elif discovered:
        action = DriftAction.NO_ENTRIES
        meaning = f"no entries: of pairs like this one, {settings.false_discovery_rate:.0%} are unchanged"
    elif alarms:
        action, meaning = DriftAction.WARN, "watch it"
    else:
        return DriftResponse(action=DriftAction.NONE, p_value=p_value, message="")
    telling = tuple(alarms or [min(results, key=lambda result: np.nan_to_num(result.p_value, nan=1.0))])
    words = "; ".join(describe(result) for result in telling)
    return DriftResponse(action=action, p_value=p_value, message=f"{words}: {meaning}", telling=telling)
