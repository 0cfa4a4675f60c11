"""A spread that varies far more than it did: the conditional variance against its mean.

What does not belong here: the model of the variance (`core.volatility.garch`).
"""

import numpy as np

from pairs_platform.core.risk.drift.innovations import Innovations, MonitoredPair
from pairs_platform.core.risk.drift.result import DriftPath, DriftStatistic
from pairs_platform.core.risk.drift.settings import DriftSettings


def variance_path(pair: MonitoredPair, innovations: Innovations, settings: DriftSettings) -> DriftPath:
    """h_{t+1} / h̄, the forecast of the next bar over the mean of the estimation window.

    Over the horizon p is the share of windows of as many bars, of the estimation window and this one, whose largest
    h / h̄ is at least this one. Sixty sessions give no p below 1/61, so in a book of many pairs variance alone warns and
    does no more: bursts are part of the model, and the size of a trade falls with the forecast by itself.
    """
    mean = pair.fit.mean_variance
    value = innovations.variance[pair.first_bar + 1 :] / mean
    looks = pair.looks(settings)
    windows = pair.first_bar // looks
    before = innovations.variance[pair.first_bar - windows * looks + 1 : pair.first_bar + 1] / mean
    largest = np.sort(before.reshape(windows, looks).max(axis=1)) if windows else np.zeros(0)
    at_least = windows - np.searchsorted(largest, value, side="left")
    return DriftPath(
        statistic=DriftStatistic.VARIANCE,
        bound=settings.variance_multiple,
        value=value,
        p_value=(1.0 + at_least) / (1.0 + windows),
        alarm=value > settings.variance_multiple,
    )
