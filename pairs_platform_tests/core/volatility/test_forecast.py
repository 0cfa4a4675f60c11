import math

import numpy as np
import pytest
from scipy.stats import norm

from pairs_platform.core.volatility.forecast import VolatilitySkill, diebold_mariano, in_sample_bars, volatility_skill
from pairs_platform.core.volatility.garch import GarchSettings, fit_ar_garch
from pairs_platform_tests.support.garch_simulation import day, simulate, u_shape


def _daily_skill(spread: np.ndarray, **options: object) -> VolatilitySkill:
    return volatility_skill(spread, bar_of_day=np.zeros(len(spread), dtype=int), bars_per_session=1, **options)  # type: ignore[arg-type]


def test_diebold_mariano_equals_the_hac_t_statistic() -> None:
    import statsmodels.api as sm

    rng = np.random.default_rng(1)
    for n in (200, 343, 936):
        difference = np.convolve(rng.standard_normal(n + 2), [1.0, 0.5, 0.3], "valid") + 0.1
        lags = math.ceil(round(n ** (1 / 3), 9))
        reference = sm.OLS(difference, np.ones(n)).fit(
            cov_type="HAC", cov_kwds={"maxlags": lags, "use_correction": False}
        )
        assert diebold_mariano(difference) == pytest.approx(reference.tvalues[0], rel=1e-9)
    assert math.isnan(diebold_mariano(np.zeros(300)))
    assert math.isnan(diebold_mariano(np.full(300, 0.3)))


def test_forecasts_and_losses_written_out() -> None:
    bar_of_day = day(60, 20)
    spread = simulate(np.random.default_rng(2), 1200, d=u_shape(20)[bar_of_day])[:, 0]
    spread[1100:1105] = np.nan
    excluded = np.zeros(1200, dtype=bool)
    excluded[1000] = True
    skill = volatility_skill(spread, bar_of_day=bar_of_day, bars_per_session=20, shock_excluded=excluded)
    split = 960
    fit = fit_ar_garch(
        spread[:split], bar_of_day=bar_of_day[:split], bars_per_session=20, shock_excluded=excluded[:split]
    )
    d = np.asarray(fit.diurnal)
    e = np.concatenate([[np.nan], spread[1:] - fit.c - fit.phi * spread[:-1]])
    e[1000] = np.nan
    u2 = (e / d[bar_of_day]) ** 2
    training = float(np.nanmean(u2[:split]))
    model, ewma, losses = fit.last_variance, training, []
    for t in range(split, 1200):
        if math.isnan(u2[t]):
            continue
        square = d[bar_of_day[t]] ** 2
        losses.append([math.log(h * square) + e[t] ** 2 / (h * square) for h in (model, ewma, training)])
        model = fit.omega + fit.alpha1 * u2[t] + fit.beta1 * model
        ewma = 0.94 * ewma + 0.06 * u2[t]
    table = np.array(losses)
    assert skill.status == "ok"
    assert skill.n_test == len(table) == 240 - 1 - 6
    assert [skill.qlike_model, skill.qlike_ewma, skill.qlike_constant] == pytest.approx(
        table.mean(axis=0).tolist(), rel=1e-10
    )
    assert skill.dm_vs_ewma == pytest.approx(diebold_mariano(table[:, 1] - table[:, 0]), rel=1e-6)
    assert skill.dm_vs_constant == pytest.approx(diebold_mariano(table[:, 2] - table[:, 0]), rel=1e-6)
    assert skill.p_min == pytest.approx(norm.cdf(min(skill.dm_vs_ewma, skill.dm_vs_constant)))
    given = volatility_skill(spread, bar_of_day=bar_of_day, bars_per_session=20, shock_excluded=excluded, fit=fit)
    assert given == skill


def test_clustering_is_skill_and_its_absence_is_not() -> None:
    rng = np.random.default_rng(3)
    clustered = simulate(rng, 3000, 16, alpha1=0.12, beta1=0.83, omega=0.05)
    flat = simulate(rng, 3000, 16, alpha1=0.0, beta1=0.0, omega=1.0)
    high = [_daily_skill(clustered[:, j]).p_min for j in range(16)]
    low = [skill.p_min for j in range(16) if (skill := _daily_skill(flat[:, j])).status == "ok"]
    assert np.median(high) > 0.95
    assert np.median(low) < 0.6


def test_nothing_of_the_last_part_reaches_the_parameters() -> None:
    spread = simulate(np.random.default_rng(4), 1500)[:, 0]
    settings = GarchSettings()
    split = in_sample_bars(1500, settings)
    assert split == 1200
    fit = fit_ar_garch(spread[:split], bar_of_day=np.zeros(split, dtype=int), bars_per_session=1)
    future = spread.copy()
    future[split:] += np.random.default_rng(0).standard_normal(300)
    assert _daily_skill(future) == _daily_skill(future, fit=fit)
    assert _daily_skill(spread) == _daily_skill(spread, fit=fit)
    assert _daily_skill(spread) != _daily_skill(future)


def test_rescaling_leaves_the_skill() -> None:
    spread = simulate(np.random.default_rng(5), 1200)[:, 0]
    one, other = _daily_skill(spread), _daily_skill(spread * 1e4)
    assert other.p_min == pytest.approx(one.p_min, abs=1e-5)
    assert other.qlike_model - one.qlike_model == pytest.approx(2 * math.log(1e4), abs=1e-5)


def test_failures_are_typed() -> None:
    spread = simulate(np.random.default_rng(6), 900)[:, 0]
    short = _daily_skill(spread)
    assert (short.status, short.n_test) == ("short_sample", 180)
    assert "200" in short.reason
    assert math.isnan(short.p_min)
    assert math.isnan(short.qlike_model)
    constant = _daily_skill(np.full(2000, 0.1))
    assert constant.status == "not_fitted"
    assert "constant_spread" in constant.reason
    assert _daily_skill(spread, settings=GarchSettings(min_forecasts=100)).status == "ok"


def test_a_model_that_forecasts_a_constant_has_nothing_to_test() -> None:
    from dataclasses import replace

    spread = simulate(np.random.default_rng(7), 1500, alpha1=0.0, beta1=0.0, omega=1.0)[:, 0]
    fit = fit_ar_garch(spread[:1200], bar_of_day=np.zeros(1200, dtype=int), bars_per_session=1)
    shocks = spread[1:1200] - fit.c - fit.phi * spread[:1199]
    flat = replace(fit, alpha1=0.0, beta1=0.0, omega=float(np.mean(shocks**2)))
    skill = _daily_skill(spread, fit=flat)
    assert skill.status == "same_forecasts"
    assert math.isnan(skill.p_min)


@pytest.mark.parametrize("moving", [0, 5, 150])
def test_a_held_out_part_that_stands_still_has_a_status_and_no_p(moving: int) -> None:
    spread = simulate(np.random.default_rng(3), 2000)[:, 0]
    spread[1600 + moving :] = spread[1599 + moving]
    skill = _daily_skill(spread)
    assert (skill.status, skill.n_test) == ("flat_held_out", 400)
    assert skill.reason == f"the spread moves on {moving} of 400 held-out bars, 200 moves are needed"
    assert math.isnan(skill.p_min)
    assert math.isnan(skill.dm_vs_ewma)
