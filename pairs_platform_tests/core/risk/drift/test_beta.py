from dataclasses import replace

import numpy as np
import pytest

from pairs_platform.core.risk.drift.beta import _standardised_change, beta_path
from pairs_platform.core.risk.drift.innovations import innovations
from pairs_platform.core.risk.drift.result import DriftStatus
from pairs_platform.core.risk.drift.settings import DriftSettings
from pairs_platform_tests.support.drifting import broken


def test_the_filter_and_its_standard_deviation_are_those_of_the_matrices():
    """b_t as the mean of β given all observations, and its variance under a constant β, from their linear weights."""
    rng = np.random.default_rng(4)
    u, information, walk = rng.standard_normal(6), 50.0, 0.1
    # Under the model b has covariance P₀ + walk² min(s, t), observations u_t b_t + noise.
    steps = np.arange(1, 7)
    covariance = 1.0 / information + walk**2 * np.minimum.outer(steps, steps)
    for t in range(6):
        seen = slice(0, t + 1)
        design = np.diag(u[seen])
        gram = design @ covariance[seen, seen] @ design + np.eye(t + 1)
        weights = np.linalg.solve(gram, design @ covariance[seen, t])
        r = rng.standard_normal(6)
        constant = float(weights @ weights + (weights @ u[seen]) ** 2 / information)
        expected = abs(float(weights @ r[seen])) / np.sqrt(constant)
        assert _standardised_change(r, u, information, walk)[t] == pytest.approx(expected, rel=1e-10)


def test_it_is_standard_normal_where_beta_is_constant():
    rng = np.random.default_rng(5)
    u = rng.standard_normal(60)
    values = []
    for _ in range(400):
        error = rng.standard_normal() / np.sqrt(30.0)  # of b₀
        values.append(_standardised_change(rng.standard_normal(60) - error * u, u, 30.0, 0.05)[-1])
    assert np.mean(np.square(values)) == pytest.approx(1.0, abs=0.25)


class TestPath:
    def test_a_higher_beta_is_an_alarm_with_a_run_length(self, pair):
        result = beta_path(changed := broken(pair, "beta", 1.5), innovations(changed), DriftSettings()).result()
        assert result.status is DriftStatus.ALARM
        assert 1 <= result.run_length <= 40
        assert result.value > 3.0
        assert result.p_value < 1e-3

    def test_a_spread_that_varies_more_when_x_moves_more_has_wider_bounds(self, pair):
        whitened = innovations(pair)
        u = np.diff(pair.log_x, prepend=np.nan) / whitened.scale
        louder = replace(whitened, score=whitened.score * np.abs(u) / np.nanmean(np.abs(u)))
        used, after = slice(1, pair.first_bar), slice(pair.first_bar, None)
        z, information = louder.score, float(u[used] @ u[used])
        factor = np.sqrt(np.sum((z[used] * u[used]) ** 2) / information)
        assert factor > 1.5
        residual = z - (u[used] @ z[used]) / information * u
        expected = _standardised_change(residual[after], u[after], information, DriftSettings().beta_walk) / factor
        np.testing.assert_allclose(beta_path(pair, louder, DriftSettings()).value, expected, rtol=1e-9)

    def test_x_that_does_not_move_is_not_tested(self, pair):
        still = replace(pair, log_x=np.full_like(pair.log_x, 4.0))
        result = beta_path(still, innovations(pair), DriftSettings()).result()
        assert result.status is DriftStatus.NOT_TESTED
        assert "does not move" in result.reason
