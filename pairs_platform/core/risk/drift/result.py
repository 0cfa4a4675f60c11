"""What a statistic of drift says: at every bar since the estimate, and altogether.

What does not belong here: the statistics, and what is done about them (`response`).
"""

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np


class DriftStatistic(StrEnum):
    """The statistics; each has its own module or function of this folder."""

    CORRELATION = "correlation"
    MEAN = "mean"
    BETA = "beta"
    HALF_LIFE = "half_life"
    UNIT_ROOT = "unit_root"
    VARIANCE = "variance"


class DriftStatus(StrEnum):
    """OK: not beyond the bound. ALARM: beyond it. NOT_TESTED: there is no statistic, and `reason` says why."""

    OK = "ok"
    ALARM = "alarm"
    NOT_TESTED = "not_tested"


@dataclass(frozen=True, kw_only=True)
class DriftResult:
    """What one statistic says of one pair after a bar.

    Attributes
    ----------
    statistic : DriftStatistic
    status : DriftStatus
        ALARM once the bound was passed at any bar since the estimate.
    value : float
        The statistic at the bar at which it was most extreme; NaN where nothing was tested.
    bound : float
        What `value` must not pass.
    p_value : float
        Probability that a pair that has not changed shows such a value or a more extreme one at any bar of the
        horizon; NaN where none is known, and then the statistic can warn and nothing else.
    run_length : int or None
        Bars from the estimate to the first alarm, from 1.
    reason : str
        Why nothing was tested.
    """

    statistic: DriftStatistic
    status: DriftStatus
    value: float = math.nan
    bound: float = math.nan
    p_value: float = math.nan
    run_length: int | None = None
    reason: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class DriftPath:
    """One statistic at every bar since the estimate. Row t is a function of data up to bar t alone.

    Attributes
    ----------
    statistic : DriftStatistic
    bound : float
    value : ndarray, shape (n,)
        NaN where there is none yet.
    p_value : ndarray, shape (n,)
        Of that bar's value, for the whole horizon; a bound of a probability, which may be above 1. Infinite where there
        is no value.
    alarm : ndarray of bool, shape (n,)
        Whether that bar's value is beyond the bound.
    reason : str
        Why there is no value at all; empty else.
    """

    statistic: DriftStatistic
    bound: float
    value: np.ndarray
    p_value: np.ndarray
    alarm: np.ndarray
    reason: str = ""

    def result(self) -> DriftResult:
        """The most extreme bar, and when the first alarm was."""
        if self.reason or not len(self.value) or np.isnan(self.value).all():
            return not_tested(self.statistic, self.reason or "no bar since the estimate has a value")
        most = int(np.argmin(self.p_value))
        alarms = np.flatnonzero(self.alarm)
        return DriftResult(
            statistic=self.statistic,
            status=DriftStatus.ALARM if len(alarms) else DriftStatus.OK,
            value=float(self.value[most]),
            bound=self.bound,
            p_value=min(1.0, float(self.p_value[most])),
            run_length=int(alarms[0]) + 1 if len(alarms) else None,
        )


def not_tested(statistic: DriftStatistic, reason: str) -> DriftResult:
    """The result of a statistic that could not be computed."""
    return DriftResult(statistic=statistic, status=DriftStatus.NOT_TESTED, reason=reason)


def empty_path(statistic: DriftStatistic, bound: float, n_bars: int, reason: str) -> DriftPath:
    """The path of a statistic that could not be computed."""
    return DriftPath(
        statistic=statistic,
        bound=bound,
        value=np.full(n_bars, np.nan),
        p_value=np.full(n_bars, np.inf),
        alarm=np.zeros(n_bars, bool),
        reason=reason,
    )
