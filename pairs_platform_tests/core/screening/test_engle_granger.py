"""The test against statsmodels, on simulated and on real prices."""

import warnings
from datetime import date

import numba
import numpy as np
import pytest
from statsmodels.regression.linear_model import OLS
from statsmodels.tools import add_constant
from statsmodels.tsa.adfvalues import mackinnonp
from statsmodels.tsa.stattools import adfuller, coint

from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.screening.engle_granger import engle_granger, mackinnon_p, run_tests
from pairs_platform.core.screening.outcomes import TESTED
from pairs_platform.core.screening.spread import pair_rows
from pairs_platform_tests.support.windows import needs_real_data, planted_pair, random_walks, real_window


def assert_equals_statsmodels(log_close: np.ndarray, pairs: np.ndarray) -> None:
    """Both directions of the chosen pairs (positions in `pair_rows`) of `log_close` (T, n): t, p, α, β and lag."""
    first, second = pair_rows(log_close.shape[1])
    tests = run_tests(log_close.T, first, second)
    for k in pairs:
        for direction, (y, x) in enumerate([(first[k], second[k]), (second[k], first[k])]):
            t_stat, p_value, _ = coint(log_close[:, y], log_close[:, x])
            assert tests.t_stat[k, direction] == pytest.approx(t_stat, abs=1e-8)
            assert tests.p_value[k, direction] == pytest.approx(p_value, abs=1e-8)
            levels = OLS(log_close[:, y], add_constant(log_close[:, x])).fit()
            assert [tests.alpha[k, direction], tests.beta[k, direction]] == pytest.approx(levels.params, abs=1e-9)
            if len(log_close) < 500:
                lags = adfuller(levels.resid, regression="n", autolag="aic", result_object=True).lags
                assert tests.lag[k, direction] == lags


@pytest.mark.parametrize("n_bars", [60, 127, 252, 800])
def test_random_walks_equal_statsmodels(n_bars):
    log_close = random_walks(n_bars, 5, seed=n_bars)
    assert_equals_statsmodels(log_close, np.arange(10 if n_bars < 500 else 1))


@pytest.mark.parametrize("phi", [-0.5, 0.0, 0.6, 0.95])
def test_planted_pairs_equal_statsmodels(phi):
    assert_equals_statsmodels(planted_pair(400, seed=3, phi=phi), np.array([0]))


def test_clustered_volatility_and_a_jump_in_the_last_bar_equal_statsmodels():
    rng = np.random.default_rng(5)
    scale = np.exp(np.repeat(rng.standard_normal((20, 1)), 20, axis=0))
    log_close = np.log(250.0) + (rng.standard_t(3, size=(400, 3)) * 0.01 * scale).cumsum(axis=0)
    log_close[-1, 0] += 0.5
    log_close[1, 1] -= 0.4
    assert_equals_statsmodels(log_close, np.arange(3))


@pytest.mark.parametrize("noise", [1e-4, 3e-4])
def test_legs_just_below_the_collinear_limit_equal_statsmodels(noise):
    log_close = planted_pair(500, seed=8, beta=1.0, phi=0.5, noise=noise)
    assert np.corrcoef(log_close.T)[0, 1] ** 2 > 0.9999
    assert_equals_statsmodels(log_close, np.array([0]))


@pytest.mark.parametrize("n_bars", [22, 26, 33])
def test_short_series_equal_statsmodels(n_bars):
    assert_equals_statsmodels(random_walks(n_bars, 3, seed=11), np.arange(3))


def test_identical_legs_where_statsmodels_reports_minus_infinity():
    legs = planted_pair(300, seed=1, phi=0.0, noise=1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert coint(legs[:, 0], legs[:, 1])[0] == -np.inf
    found = engle_granger(legs[:, 0], legs[:, 1])
    assert found.status == "identical_legs"
    assert np.isnan([found.t_stat, found.p_value, found.alpha, found.beta]).all()
    assert found.lag is None


def test_bars_that_either_leg_misses_are_dropped():
    legs = planted_pair(400, seed=2)
    legs[50:60, 0] = np.nan
    legs[300, 1] = np.nan
    complete = legs[np.isfinite(legs).all(axis=1)]
    found = engle_granger(legs[:, 0], legs[:, 1])
    assert found.n_bars == 389
    assert found.t_stat == pytest.approx(coint(complete[:, 0], complete[:, 1])[0], abs=1e-8)


@pytest.mark.parametrize("gap", ["all", "all but 21"])
def test_too_few_bars(gap):
    legs = planted_pair(100, seed=2)
    legs[: 100 if gap == "all" else 79, 0] = np.nan
    assert engle_granger(legs[:, 0], legs[:, 1]).status == "too_few_bars"


@pytest.mark.parametrize("constant", [0, 1])
def test_constant_leg(constant):
    legs = planted_pair(100, seed=2)
    legs[:, constant] = np.log(17.3)
    assert engle_granger(legs[:, 0], legs[:, 1]).status == "constant_leg"


def test_a_residual_without_noise_is_singular():
    time = np.arange(200.0)
    found = engle_granger(np.sin(time / 9.0), 0.01 * time)
    assert found.status == "singular_regression"
    assert np.isnan(found.t_stat)


def test_mackinnon_p_equals_statsmodels():
    t_stat = np.concatenate([np.linspace(-25.0, 3.0, 561), [-18.86, -2.62, 0.92, -np.inf]])
    expected = [mackinnonp(t, regression="c", N=2) for t in t_stat]
    np.testing.assert_allclose(mackinnon_p(t_stat), expected, rtol=1e-12, atol=1e-15)
    assert np.isnan(mackinnon_p(np.array([np.nan]))).all()


def test_the_number_of_threads_changes_nothing():
    log_close = random_walks(300, 12, seed=4).T
    first, second = pair_rows(12)
    before = numba.get_num_threads()
    results = []
    try:
        for threads in (1, before):
            numba.set_num_threads(threads)
            results.append(run_tests(log_close, first, second))
    finally:
        numba.set_num_threads(before)
    np.testing.assert_array_equal(results[0].t_stat, results[1].t_stat)
    assert (results[0].outcome == TESTED).all()


@needs_real_data
def test_real_daily_prices_equal_statsmodels():
    window = real_window("real_daily.parquet", "Information Technology", date(2023, 3, 8), 252, Frequency.ONE_DAY)
    assert_equals_statsmodels(window.log_close, np.random.default_rng(0).choice(1128, 40, replace=False))


@needs_real_data
def test_real_intraday_prices_equal_statsmodels():
    window = real_window(
        "real_intraday_5min.parquet", "Information Technology", date(2025, 12, 31), 60, Frequency.FIVE_MINUTES
    )
    assert window.n_bars == 58 * 78 + 2 * 42
    assert window.observed.all()
    first, second = pair_rows(len(window.symbols))
    tests = run_tests(window.log_close.T, first, second)
    k = int(np.random.default_rng(1).integers(len(first)))
    expected = coint(window.log_close[:, first[k]], window.log_close[:, second[k]])[0]
    assert tests.t_stat[k, 0] == pytest.approx(expected, abs=1e-8)
