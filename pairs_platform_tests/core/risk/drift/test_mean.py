from dataclasses import replace

import numpy as np
import pytest

from pairs_platform.core.risk.drift.innovations import innovations
from pairs_platform.core.risk.drift.mean import average_run_length, cusum, mean_path
from pairs_platform.core.risk.drift.settings import DriftSettings


def test_cusum_is_page_recursion():
    steps = np.random.default_rng(3).standard_normal(200)
    expected, level = [], 0.0
    for step in steps:
        level = max(0.0, level + step)
        expected.append(level)
    np.testing.assert_allclose(cusum(steps), expected, atol=1e-12)
    assert len(cusum(np.zeros(0))) == 0


@pytest.mark.parametrize(("bound", "exact"), [(4.0, 167.7), (5.0, 465.4)])
def test_the_run_length_is_that_of_the_literature(bound, exact):
    # Lucas & Crosier (1982), two-sided, k = ½: 168 and 465.
    assert float(average_run_length(np.array(bound), 0.5)) == pytest.approx(exact, rel=0.015)


def test_a_bound_that_is_never_passed_has_a_finite_run_length():
    assert np.isfinite(average_run_length(np.array([0.0, 1e4]), 0.5)).all()
    assert float(average_run_length(np.array(0.0), 0.5)) > 0


class TestPath:
    def test_it_is_the_larger_of_both_sides(self, pair):
        whitened = innovations(pair)
        score = whitened.score.copy()
        score[pair.first_bar :] = 0.0
        score[pair.first_bar : pair.first_bar + 4] = [2.0, np.nan, 2.0, -6.0]
        path = mean_path(pair, replace(whitened, score=score), DriftSettings())
        # Up 1.5, (no shock), 3.0, 0; down 0, 0, 0, 5.5, then 0.5 less at each bar.
        np.testing.assert_allclose(path.value[:6], [1.5, 1.5, 3.0, 5.5, 5.0, 4.5])
        assert path.alarm[:6].tolist() == [False, False, False, True, False, False]
        assert path.result().run_length == 4

    def test_p_is_that_of_a_run_within_the_horizon(self, pair):
        whitened = innovations(pair)
        long = mean_path(pair, whitened, DriftSettings(horizon_bars=465)).result()
        short = mean_path(pair, whitened, DriftSettings(horizon_bars=93)).result()
        assert np.log1p(-long.p_value) == pytest.approx(5 * np.log1p(-short.p_value), rel=1e-6)
