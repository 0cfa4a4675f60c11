import numpy as np
import pytest

from pairs_platform.core.volatility.diurnal import ar1_residuals, count_sessions, diurnal_factors
from pairs_platform.core.volatility.garch import fit_many
from pairs_platform_tests.support.garch_simulation import day, simulate, u_shape


def _factors(residuals: np.ndarray, bar_of_day: np.ndarray, bars: int, min_sessions: int = 20) -> np.ndarray:
    return diurnal_factors(
        residuals,
        bar_of_day=bar_of_day,
        bars_per_session=bars,
        n_sessions=count_sessions(bar_of_day),
        min_sessions=min_sessions,
    )


def test_residuals_are_those_of_least_squares() -> None:
    spreads = simulate(np.random.default_rng(1), 300, 2)
    spreads[50, 0] = np.nan
    excluded = np.zeros(spreads.shape, dtype=bool)
    excluded[100, 0] = True
    found = ar1_residuals(spreads, excluded)
    for j in range(2):
        use = np.isfinite(spreads[1:, j]) & np.isfinite(spreads[:-1, j]) & ~excluded[1:, j]
        design = np.column_stack([np.ones(299), spreads[:-1, j]])[use]
        coefficients = np.linalg.lstsq(design, spreads[1:, j][use], rcond=None)[0]
        np.testing.assert_allclose(found[1:, j][use], spreads[1:, j][use] - design @ coefficients, atol=1e-12)
        assert np.isnan(found[1:, j][~use]).all()
    assert np.isnan(found[0]).all()
    assert np.flatnonzero(np.isnan(found[:, 0])).tolist() == [0, 50, 51, 100]


def test_factors_are_the_root_mean_square_per_bar_of_day_with_mean_square_one() -> None:
    rng = np.random.default_rng(2)
    bar_of_day = day(30, 10)
    residuals = rng.standard_normal((300, 3)) * u_shape(10)[bar_of_day][:, None]
    residuals[rng.random((300, 3)) < 0.1] = np.nan
    factors = _factors(residuals, bar_of_day, 10)
    raw = np.array([[np.sqrt(np.nanmean(residuals[bar_of_day == b, j] ** 2)) for j in range(3)] for b in range(10)])
    np.testing.assert_allclose(factors / factors[0], raw / raw[0], rtol=1e-12)
    for j in range(3):
        known = np.isfinite(residuals[:, j])
        assert np.mean(factors[bar_of_day[known], j] ** 2) == pytest.approx(1.0)


def test_u_shaped_day_is_recovered_and_no_longer_looks_like_clustering() -> None:
    truth = u_shape(78)
    bar_of_day = day(60)
    spreads = simulate(np.random.default_rng(3), 4680, 12, omega=1.0, alpha1=0.0, beta1=0.0, d=truth[bar_of_day])
    with_d = fit_many(spreads, bar_of_day=bar_of_day, bars_per_session=78)
    without = fit_many(spreads, bar_of_day=np.zeros(4680, dtype=int), bars_per_session=1)
    factors = np.array([fit.diurnal for fit in with_d])
    np.testing.assert_allclose(factors.mean(axis=0), truth, rtol=0.12)
    assert factors[:, 0] == pytest.approx(np.full(12, truth[0]), rel=0.4)
    assert np.median([fit.lr_constant_variance for fit in without]) > 50
    assert np.median([fit.lr_constant_variance for fit in with_d]) < 6
    assert np.mean([a.log_likelihood - b.log_likelihood for a, b in zip(with_d, without, strict=True)]) > 100


def test_few_sessions_smooth_the_day_but_not_the_overnight_bar() -> None:
    truth = u_shape(78)
    bar_of_day = day(5)
    residuals = np.random.default_rng(4).standard_normal((390, 40)) * truth[bar_of_day][:, None]
    smooth, raw = (_factors(residuals, bar_of_day, 78, sessions) for sessions in (20, 5))
    assert np.abs(smooth[1:] - truth[1:, None]).mean() < 0.7 * np.abs(raw[1:] - truth[1:, None]).mean()
    assert smooth[0].mean() == pytest.approx(truth[0], rel=0.15)
    assert smooth[1].mean() < 0.7 * smooth[0].mean()


def test_overnight_bar_of_a_few_sessions_takes_the_pooled_level() -> None:
    bar_of_day = day(3, 20)
    residuals = np.random.default_rng(5).standard_normal((60, 1))
    residuals[0] = np.nan
    factors = _factors(residuals, bar_of_day, 20)
    assert factors[0, 0] == pytest.approx(1.0, abs=0.2)


def test_early_closes_just_lack_the_later_bars() -> None:
    bar_of_day = np.concatenate([day(15, 20), np.arange(11), day(14, 20), np.arange(11)])
    assert count_sessions(bar_of_day) == 31
    residuals = np.random.default_rng(6).standard_normal((len(bar_of_day), 1))
    factors = _factors(residuals, bar_of_day, 20)
    late = np.sqrt(np.mean(residuals[bar_of_day == 15] ** 2)) / np.sqrt(np.mean(residuals[bar_of_day == 3] ** 2))
    assert factors[15, 0] / factors[3, 0] == pytest.approx(late)


def test_bars_without_a_shock_or_without_a_move_keep_positive_factors() -> None:
    bar_of_day = day(25, 6)
    residuals = np.random.default_rng(7).standard_normal((150, 2))
    residuals[bar_of_day == 2, 0] = np.nan
    residuals[bar_of_day == 4, 0] = 0.0
    residuals[:, 1] = np.nan
    factors = _factors(residuals, bar_of_day, 6)
    assert np.all(factors > 0)
    assert factors[2, 0] == pytest.approx(1.0, abs=0.1)
    assert factors[4, 0] == pytest.approx(0.01, abs=0.002)
    assert np.all(factors[:, 1] == 1.0)


def test_daily_bars_have_no_shape() -> None:
    residuals = np.random.default_rng(8).standard_normal((40, 3))
    assert np.array_equal(_factors(residuals, np.zeros(40, dtype=int), 1), np.ones((1, 3)))
    assert count_sessions(np.zeros(40, dtype=int)) == 40
    assert count_sessions(np.zeros(0, dtype=int)) == 0
