"""The shipped table: known quantiles, shape of the interpolation, and the size of the calibrated test."""

import numpy as np
import pytest

from pairs_platform.core.screening.calibration import _table, calibrated_p
from pairs_platform.core.screening.engle_granger import run_tests


def smaller_p(n_bars: int, n_pairs: int, seed: int) -> np.ndarray:
    walks = np.random.default_rng(seed).standard_normal((2 * n_pairs, n_bars)).cumsum(axis=1)
    rows = 2 * np.arange(n_pairs)
    return run_tests(walks, rows, rows + 1).p_value.min(axis=1)


@pytest.mark.parametrize(("n_bars", "quantile"), [(252, 0.0215), (4680, 0.0295)])
def test_the_smaller_p_that_happens_in_five_of_a_hundred(n_bars, quantile):
    assert calibrated_p(np.array([quantile]), n_bars).item() == pytest.approx(0.05, abs=0.0015)


@pytest.mark.parametrize(("n_bars", "n_pairs"), [(126, 8000), (252, 8000), (900, 2500)])
def test_size_on_fresh_random_walks(n_bars, n_pairs):
    p_cal = calibrated_p(smaller_p(n_bars, n_pairs, seed=n_bars), n_bars)
    for level in (0.01, 0.05, 0.2, 0.7):
        standard_error = np.sqrt(level * (1.0 - level) / n_pairs)
        assert abs((p_cal < level).mean() - level) < 3.5 * standard_error


def test_the_raw_minimum_is_too_large_a_test():
    assert (smaller_p(252, 8000, seed=1) < 0.05).mean() > 0.09


@pytest.mark.parametrize("n_bars", [50, 126, 200, 252, 1000, 4680, 20_000])
def test_p_rises_with_the_smaller_raw_p_between_zero_and_one(n_bars):
    p_cal = calibrated_p(np.concatenate([[0.0], np.geomspace(1e-12, 1.0, 2000)]), n_bars)
    assert (np.diff(p_cal) >= 0.0).all()
    assert p_cal[0] == 0.0
    assert p_cal[-1] == 1.0
    assert (np.diff(p_cal[1500:]) > 0.0).all()


def test_windows_outside_the_table_use_its_nearest_column():
    p = np.array([1e-6, 0.001, 0.02, 0.5])
    np.testing.assert_array_equal(calibrated_p(p, 60), calibrated_p(p, 126))
    np.testing.assert_array_equal(calibrated_p(p, 9360), calibrated_p(p, 4680))
    between = calibrated_p(p, 350)
    assert ((calibrated_p(p, 252) > between) & (between > calibrated_p(p, 504)))[1:].all()


def test_each_pair_has_its_own_number_of_bars_and_missing_stays_missing():
    p, n_bars = np.array([0.02, np.nan, 0.02]), np.array([252, 252, 4680])
    found = calibrated_p(p, n_bars)
    assert np.isnan(found[1])
    assert found[0] == calibrated_p(p[:1], 252).item() > found[2]


def test_the_table_rises_down_its_columns():
    _, levels, quantiles = _table()
    assert (np.diff(levels) > 0.0).all()
    assert (np.diff(quantiles, axis=0) > 0.0).all()
