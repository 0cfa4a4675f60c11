from dataclasses import replace

import numpy as np
import pytest

from pairs_platform.core.risk.drift.innovations import innovations
from pairs_platform.core.risk.drift.result import DriftStatus
from pairs_platform.core.risk.drift.settings import DriftSettings
from pairs_platform.core.risk.drift.variance import variance_path
from pairs_platform_tests.support.drifting import broken


def test_it_is_the_forecast_over_the_mean_of_the_estimate(pair):
    whitened = innovations(pair)
    path = variance_path(pair, whitened, DriftSettings())
    assert len(path.value) == pair.n_bars
    assert path.value[0] == pytest.approx(whitened.variance[pair.first_bar + 1] / pair.fit.mean_variance)


def test_p_is_a_share_of_the_sessions_of_the_estimate(pair):
    whitened = innovations(pair)
    variance = np.full(len(whitened.variance), pair.fit.mean_variance)
    variance[1:4681:78] *= 2.0 + np.arange(60)  # each session's largest: 2 to 61 times the mean
    variance[pair.first_bar + 1 :] = 50.5 * pair.fit.mean_variance
    result = variance_path(pair, replace(whitened, variance=variance), DriftSettings()).result()
    assert result.p_value == pytest.approx(12 / 61)
    assert result.status is DriftStatus.ALARM


def test_nine_times_the_variance_is_an_alarm(unchanged):
    louder = [broken(each, "variance", 9.0) for each in unchanged[:10]]
    results = [variance_path(each, innovations(each), DriftSettings()).result() for each in louder]
    assert all(result.status is DriftStatus.ALARM for result in results)


def test_a_window_shorter_than_the_horizon_gives_no_evidence(pair):
    path = variance_path(pair, innovations(pair), DriftSettings(horizon_bars=5000))
    assert (path.p_value == 1.0).all()
