from dataclasses import replace

import numpy as np
import pytest
from scipy.special import ndtri

from pairs_platform.core.risk.drift.innovations import innovations, normal_scores
from pairs_platform.core.volatility.garch import standardised_residuals


class TestNormalScores:
    def test_a_value_gets_the_normal_quantile_of_its_place(self):
        reference = np.array([30.0, np.nan, 10.0, 20.0])
        levels = (np.array([1.0, 2.0, 3.0]) - 0.375) / 3.25
        low, middle, high = ndtri(levels)
        scores = normal_scores(np.array([10.0, 20.0, 30.0, 15.0, -1e9, 1e9, np.nan]), reference)
        expected = [low, middle, high, (low + middle) / 2, low, high, np.nan]
        np.testing.assert_allclose(scores, expected, rtol=1e-12)
        assert middle == pytest.approx(0.0, abs=1e-12)

    def test_the_tails_of_a_reference_make_no_difference(self):
        rng = np.random.default_rng(1)
        tailed = rng.standard_t(2.5, 5000)
        scores = normal_scores(rng.standard_t(2.5, 20_000), tailed)
        assert abs(scores.std() - 1.0) < 0.02
        assert np.mean(np.abs(scores) > 1.96) == pytest.approx(0.05, abs=0.01)

    def test_without_a_reference_there_is_no_score(self):
        assert np.isnan(normal_scores(np.array([1.0]), np.array([np.nan]))).all()


class TestInnovations:
    def test_they_keep_the_order_of_the_standardised_residuals(self, pair):
        whitened = innovations(pair)
        spread = pair.parameters.spread(pair.log_y, pair.log_x)
        z = standardised_residuals(pair.fit, spread, pair.bar_of_day, pair.shock_excluded)
        inside = slice(1, pair.first_bar)
        assert np.array_equal(np.argsort(whitened.score[inside]), np.argsort(z[inside]))
        np.testing.assert_allclose(
            z[1:] * whitened.scale[1:], spread[1:] - pair.fit.c - pair.fit.phi * spread[:-1], rtol=1e-9, atol=1e-15
        )

    def test_they_are_white_and_standard_normal_where_nothing_changes(self, pair):
        score = innovations(pair).score[1 : pair.first_bar]
        assert score.std() == pytest.approx(1.0, abs=0.01)
        assert abs(np.corrcoef(score[:-1], score[1:])[0, 1]) < 0.05

    def test_the_deviation_is_that_of_the_bar_before(self, pair):
        spread = pair.parameters.spread(pair.log_y, pair.log_x)
        deviation = innovations(pair).deviation
        assert np.isnan(deviation[0])
        assert deviation[5] == pytest.approx(spread[4] - pair.fit.c / (1 - pair.fit.phi))

    def test_a_pair_without_a_fit_has_none(self, pair):
        with pytest.raises(ValueError, match="not_converged"):
            innovations(replace(pair, fit=replace(pair.fit, status="not_converged")))


class TestMonitoredPair:
    def test_arrays_of_other_lengths_are_refused(self, pair):
        with pytest.raises(ValueError, match="are no monitored pair"):
            replace(pair, log_x=pair.log_x[:-1])

    @pytest.mark.parametrize("first_bar", [0, 10**6])
    def test_a_window_outside_the_bars_is_refused(self, pair, first_bar):
        with pytest.raises(ValueError, match=f"window of {first_bar}"):
            replace(pair, first_bar=first_bar)
