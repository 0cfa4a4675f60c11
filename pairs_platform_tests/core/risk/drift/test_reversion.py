from dataclasses import replace

import numpy as np
import pytest
from scipy.special import ndtr

from pairs_platform.core.risk.drift.innovations import innovations
from pairs_platform.core.risk.drift.result import DriftStatus
from pairs_platform.core.risk.drift.reversion import half_life_path, unit_root_result
from pairs_platform.core.risk.drift.settings import DriftSettings
from pairs_platform_tests.support.drifting import broken


class TestHalfLife:
    def test_phi_and_p_are_those_of_the_regression(self, pair):
        whitened, settings = innovations(pair), DriftSettings(half_life_window=2.0)
        length = int(np.ceil(2.0 * pair.fit.half_life_bars))
        bar = pair.first_bar + 60
        v, z = whitened.deviation / whitened.scale, whitened.score
        recent, used = slice(bar - length + 1, bar + 1), slice(1, pair.first_bar)
        noise = max(1.0, np.sum((z[used] * v[used]) ** 2) / np.sum(v[used] ** 2))
        zv, vv = z[recent] @ v[recent], v[recent] @ v[recent]
        path = half_life_path(pair, whitened, settings)
        t = zv / np.sqrt(noise * vv * (1 + vv / (v[used] @ v[used])))
        assert path.p_value[60] == pytest.approx(78 * ndtr(-t), rel=1e-9)
        phi = pair.fit.phi + zv / vv
        expected = np.inf if phi >= 1 else -np.log(2) / np.log(phi) / pair.fit.half_life_bars if phi > 0 else 0.0
        assert path.value[60] == pytest.approx(expected, rel=1e-9)

    def test_a_spread_that_does_not_come_back_is_an_alarm(self, unchanged):
        walking = [broken(each, "mean", 6.0) for each in unchanged[:10]]
        results = [half_life_path(each, innovations(each), DriftSettings()).result() for each in walking]
        assert sum(result.status is DriftStatus.ALARM for result in results) >= 8

    def test_a_long_half_life_of_a_few_bars_is_no_alarm(self, pair):
        whitened = innovations(pair)
        score = whitened.score.copy()
        score[pair.first_bar :] = 0.02 * np.sign(whitened.deviation[pair.first_bar :])
        path = half_life_path(pair, replace(whitened, score=score), DriftSettings(half_life_multiple=1.001))
        assert (path.value > 1.001).any()
        assert not path.alarm.any()

    def test_an_estimate_without_a_half_life_is_not_tested(self, pair):
        walk = replace(pair, fit=replace(pair.fit, half_life_status="phi_not_below_one"))
        result = half_life_path(walk, innovations(pair), DriftSettings()).result()
        assert result.reason == "the estimate has no half-life: phi_not_below_one"


class TestUnitRoot:
    def test_a_pair_that_is_still_cointegrated(self, pair):
        result = unit_root_result(pair, DriftSettings())
        assert result.status is DriftStatus.OK
        assert result.value < 0.05
        assert np.isnan(result.p_value)

    def test_legs_without_a_relation(self, pair):
        steps = np.random.default_rng(8).standard_normal(len(pair.log_y))
        apart = replace(pair, log_y=4.0 + np.cumsum(1e-3 * steps))
        assert unit_root_result(apart, DriftSettings()).status is DriftStatus.ALARM

    def test_what_is_tested_is_as_long_as_the_half_life_asks(self, pair):
        slow = replace(pair, fit=replace(pair.fit, half_life_bars=300.0))
        result = unit_root_result(slow, DriftSettings())
        assert result.status is DriftStatus.NOT_TESTED
        assert result.reason == "18000 bars are needed for 60 half-lives, there are 4758"

    def test_legs_that_cannot_be_tested(self, pair):
        result = unit_root_result(replace(pair, log_y=np.full_like(pair.log_y, 4.0)), DriftSettings())
        assert (result.status, result.reason) == (DriftStatus.NOT_TESTED, "constant leg")
