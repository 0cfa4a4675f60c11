import math

import numpy as np
import pytest
from scipy import stats

from pairs_platform.core.trading.sharpe import (
    SharpeMoments,
    deflated_sharpe_ratio,
    expected_maximum_sharpe,
    probabilistic_sharpe_ratio,
    sharpe_moments,
)


def test_published_example_of_the_probabilistic_sharpe_ratio():
    # Bailey & López de Prado (2012): two years of monthly returns with an annual Sharpe ratio of 1.59 (0.458 a month);
    # 0.982 if they were normal, 0.913 with their skewness and kurtosis
    sharpe = 0.458
    normal = SharpeMoments(n_returns=24, sharpe=sharpe, skewness=0.0, kurtosis=3.0)
    actual = SharpeMoments(n_returns=24, sharpe=sharpe, skewness=-2.448, kurtosis=10.164)
    assert probabilistic_sharpe_ratio(normal) == pytest.approx(0.982, abs=5e-4)
    assert probabilistic_sharpe_ratio(actual) == pytest.approx(0.913, abs=5e-4)


def test_published_example_of_the_deflated_sharpe_ratio():
    # Bailey & López de Prado (2014), numerical example: annual Sharpe 2.5 over 1,250 days, best of 100 trials whose
    # annual Sharpe ratios have variance 1/2; expected maximum 0.1132 a day, deflated Sharpe ratio 0.9004
    moments = SharpeMoments(n_returns=1250, sharpe=2.5 / math.sqrt(250), skewness=-3.0, kurtosis=10.0)
    assert expected_maximum_sharpe(100, 0.5 / 250) == pytest.approx(0.1132, abs=5e-5)
    assert deflated_sharpe_ratio(moments, n_trials=100, trial_variance=0.5 / 250) == pytest.approx(0.9004, abs=5e-5)


def test_moments_equal_scipys():
    returns = np.random.default_rng(1).gamma(2.0, 1.0, 500) - 1.9
    moments = sharpe_moments(returns)
    assert moments.sharpe == pytest.approx(returns.mean() / returns.std(ddof=1), rel=1e-12)
    assert moments.skewness == pytest.approx(stats.skew(returns), rel=1e-12)
    assert moments.kurtosis == pytest.approx(stats.kurtosis(returns, fisher=False), rel=1e-12)


@pytest.mark.parametrize("returns", [[], [0.1], [0.1, 0.2], [0.0] * 50])
def test_returns_without_spread_have_no_sharpe_ratio(returns):
    assert sharpe_moments(np.array(returns)) is None


def test_returns_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="not finite"):
        sharpe_moments(np.array([0.1, np.nan, 0.2]))


def test_a_tie_of_two_values_leaves_no_scatter():
    # the extreme two-point distribution: γ₄ = 1 + γ₃² and SR = 2/γ₃ make the standard error zero
    moments = SharpeMoments(n_returns=10, sharpe=2.0, skewness=1.0, kurtosis=1.0)
    assert probabilistic_sharpe_ratio(moments) == 1.0
    assert probabilistic_sharpe_ratio(moments, 2.0) == 0.5
    assert probabilistic_sharpe_ratio(moments, 3.0) == 0.0


def test_probability_is_uniform_for_returns_without_edge():
    rng = np.random.default_rng(5)
    values = [probabilistic_sharpe_ratio(sharpe_moments(row)) for row in rng.standard_t(5, (1000, 400))]
    assert stats.kstest(values, "uniform").pvalue > 0.01


def test_expected_maximum_is_near_the_best_of_many_normal_draws():
    draws = np.random.default_rng(2).normal(0, 0.3, (4000, 50)).max(axis=1)
    assert expected_maximum_sharpe(50, 0.09) == pytest.approx(draws.mean(), rel=0.02)
    assert expected_maximum_sharpe(1, 0.09) == 0.0
    with pytest.raises(ValueError, match="at least one"):
        expected_maximum_sharpe(0, 0.09)
