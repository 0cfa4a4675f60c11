import math
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.prices.calendar import bar_grid
from pairs_platform.core.screening.spread import estimate_spread
from pairs_platform.core.volatility.garch import (
    GarchFit,
    GarchSettings,
    advance,
    conditional_variance,
    final_state,
    fit_ar_garch,
    fit_many,
    shocks,
    standardised_residuals,
)
from pairs_platform_tests.support.garch_simulation import day, simulate, u_shape


def _daily(n_bars: int) -> np.ndarray:
    return np.zeros(n_bars, dtype=np.int64)


def _fit_daily(spreads: np.ndarray, **options: object) -> list[GarchFit]:
    return fit_many(spreads, bar_of_day=_daily(len(spreads)), bars_per_session=1, **options)  # type: ignore[arg-type]


def _arch_model(spread: np.ndarray, dist: str = "normal") -> tuple[object, float]:
    from arch import arch_model

    scale = 1.0 / float(np.std(np.diff(spread)))
    return arch_model(spread * scale, mean="AR", lags=1, vol="GARCH", p=1, q=1, dist=dist, rescale=False), scale


def _assert_at_least_arch(spread: np.ndarray, fit: GarchFit, dist: str = "normal") -> np.ndarray:
    """arch's recursion and likelihood at our parameters equal ours, its optimum is not above. Returns its optimum."""
    model, scale = _arch_model(spread, dist)
    shift = (len(spread) - 1) * math.log(scale)
    ours = [fit.c * scale, fit.phi, fit.omega * scale**2, fit.alpha1, fit.beta1] + ([fit.nu] if dist == "t" else [])
    fixed = model.fix(ours)  # type: ignore[attr-defined]
    assert fit.log_likelihood == pytest.approx(fixed.loglikelihood + shift, abs=1e-6)
    h = conditional_variance(fit, spread, _daily(len(spread)))
    np.testing.assert_allclose(np.sqrt(h[1:-1]) * scale, fixed.conditional_volatility[1:], rtol=1e-8)
    z = standardised_residuals(fit, spread, _daily(len(spread)))
    np.testing.assert_allclose(z[1:], fixed.std_resid[1:], rtol=1e-6, atol=1e-9)
    best = model.fit(disp="off", show_warning=False)  # type: ignore[attr-defined]
    assert fit.log_likelihood >= best.loglikelihood + shift - 1e-3
    c, phi, omega, *rest = best.params.to_numpy()
    return np.array([c / scale, phi, omega / scale**2, *rest])


@pytest.mark.parametrize(
    "series",
    [
        {"phi": 0.95},
        {"phi": 1.0},
        {"phi": 0.9, "degrees_of_freedom": 5.0},
        {"phi": 0.95, "omega": 1.0, "alpha1": 0.0, "beta1": 0.0},
        {"phi": 0.95, "omega": 0.002, "alpha1": 0.1, "beta1": 0.9},
        {"phi": 0.5, "omega": 0.3, "alpha1": 0.3, "beta1": 0.4},
    ],
)
@pytest.mark.parametrize("n_bars", [252, 1170])
def test_never_below_arch_by_its_own_conventions(series: dict[str, float], n_bars: int) -> None:
    spreads = simulate(np.random.default_rng(n_bars), n_bars, 6, **series)
    for j, fit in enumerate(_fit_daily(spreads)):
        assert fit.status == "ok"
        assert fit.fitter == "numba"
        _assert_at_least_arch(spreads[:, j], fit)


def test_parameters_equal_arch_where_they_are_well_determined() -> None:
    spreads = simulate(np.random.default_rng(5), 4680, 3, phi=0.9, omega=0.05, alpha1=0.12, beta1=0.83)
    for j, fit in enumerate(_fit_daily(spreads)):
        theirs = _assert_at_least_arch(spreads[:, j], fit)
        ours = np.array([fit.c, fit.phi, fit.omega, fit.alpha1, fit.beta1])
        np.testing.assert_allclose(ours[1:], theirs[1:], rtol=0.01)
        assert ours[0] == pytest.approx(theirs[0], abs=1e-6)
        assert fit.aic == pytest.approx(10 - 2 * fit.log_likelihood)
        assert fit.bic == pytest.approx(5 * math.log(4679) - 2 * fit.log_likelihood)
        assert fit.unconditional_variance == pytest.approx(fit.omega / (1 - fit.alpha1 - fit.beta1))


def test_student_t_is_joint_and_never_below_arch() -> None:
    spreads = simulate(np.random.default_rng(6), 1500, 4, degrees_of_freedom=5.0)
    for j, fit in enumerate(_fit_daily(spreads, settings=GarchSettings(distribution="t"))):
        assert fit.distribution == "t"
        assert 3 < fit.nu < 10
        _assert_at_least_arch(spreads[:, j], fit, "t")
        normal = _fit_daily(spreads[:, [j]])[0]
        assert fit.log_likelihood > normal.log_likelihood + 10
        assert math.isnan(normal.nu)
        assert min(fit.lr_random_walk, fit.lr_constant_variance) > -1e-6


def test_rivals_equal_their_own_maximum_likelihood() -> None:
    from arch import arch_model

    spread = simulate(np.random.default_rng(7), 1000)[:, 0]
    fit = _fit_daily(spread[:, None])[0]
    scale = 1.0 / float(np.std(np.diff(spread)))
    walk = arch_model(np.diff(spread) * scale, mean="Zero", vol="GARCH", rescale=False)
    walk_fit = walk.fit(disp="off", show_warning=False, backcast=fit.backcast * scale**2)
    assert fit.log_likelihood_random_walk == pytest.approx(walk_fit.loglikelihood + 999 * math.log(scale), abs=1e-3)
    flat = arch_model(spread * scale, mean="AR", lags=1, vol="Constant", rescale=False).fit(disp="off")
    assert fit.log_likelihood_constant_variance == pytest.approx(flat.loglikelihood + 999 * math.log(scale), abs=1e-6)
    assert fit.lr_random_walk == pytest.approx(2 * (fit.log_likelihood - fit.log_likelihood_random_walk))
    assert fit.lr_constant_variance == pytest.approx(2 * (fit.log_likelihood - fit.log_likelihood_constant_variance))


def test_homoskedastic_series_shows_no_clustering() -> None:
    spreads = simulate(np.random.default_rng(8), 1000, 60, omega=1.0, alpha1=0.0, beta1=0.0)
    fits = _fit_daily(spreads)
    assert np.median([fit.alpha1 for fit in fits]) < 0.03
    assert np.mean([fit.arch_lm_p < 0.05 for fit in fits]) < 0.15


def test_planted_parameters_are_recovered() -> None:
    fits = _fit_daily(simulate(np.random.default_rng(9), 4680, 40))
    for name, truth, bias in (
        ("phi", 0.95, 0.003),
        ("alpha1", 0.08, 0.0),
        ("beta1", 0.90, 0.004),
        ("omega", 2e-8, 1e-9),
    ):
        found = np.array([getattr(fit, name) for fit in fits])
        assert abs(found.mean() - truth) < 3 * found.std(ddof=1) / math.sqrt(40) + bias, name
    assert np.median([fit.half_life_bars for fit in fits]) == pytest.approx(-math.log(2) / math.log(0.95), rel=0.1)


@pytest.mark.parametrize("power", [-5, 3, 6])
def test_rescaling_moves_omega_alone(power: int) -> None:
    spreads = simulate(np.random.default_rng(10), 800, 3)
    bar_of_day = day(20, 40)
    plain = fit_many(spreads, bar_of_day=bar_of_day, bars_per_session=40)
    scaled = fit_many(spreads * 10.0**power, bar_of_day=bar_of_day, bars_per_session=40)
    for one, other in zip(plain, scaled, strict=True):
        assert other.omega == pytest.approx(one.omega * 10.0 ** (2 * power), rel=1e-4)
        for name in ("phi", "alpha1", "beta1", "lr_random_walk", "lr_constant_variance", "ljung_box_p_z2"):
            assert getattr(other, name) == pytest.approx(getattr(one, name), rel=1e-4, abs=1e-6), name
        np.testing.assert_allclose(other.diurnal, one.diurnal, rtol=1e-9)
        assert other.next_volatility == pytest.approx(one.next_volatility * 10.0**power, rel=1e-4)


def test_level_of_the_spread_moves_the_intercept_alone() -> None:
    spread = simulate(np.random.default_rng(11), 600)
    one, other = _fit_daily(spread)[0], _fit_daily(spread + 7.0)[0]
    assert other.phi == pytest.approx(one.phi, rel=1e-6)
    assert other.log_likelihood == pytest.approx(one.log_likelihood, abs=1e-6)
    assert other.c == pytest.approx(one.c + 7.0 * (1 - one.phi), rel=1e-6)


def test_recursion_reproduces_the_fit_and_streams_bit_for_bit() -> None:
    d = u_shape(20)
    bar_of_day = day(40, 20)
    spread = simulate(np.random.default_rng(12), 800, d=d[bar_of_day])[:, 0]
    spread[100:110] = np.nan
    excluded = np.zeros(800, dtype=bool)
    excluded[400] = True
    cut = 640
    fit = fit_ar_garch(spread[:cut], bar_of_day=bar_of_day[:cut], bars_per_session=20, shock_excluded=excluded[:cut])
    h = conditional_variance(fit, spread, bar_of_day, excluded)
    assert h[cut] == fit.last_variance
    assert h[0] == fit.initial_variance
    u = shocks(fit, spread, bar_of_day, excluded)
    d_hat = np.asarray(fit.diurnal)[bar_of_day]
    known = np.isfinite(u[:cut])
    assert known.sum() == fit.n_obs == cut - 1 - 11 - 1
    value = -0.5 * np.sum(np.log(2 * np.pi * h[:cut][known]) + u[:cut][known] ** 2 / h[:cut][known]) - np.sum(
        np.log(d_hat[:cut][known])
    )
    assert fit.log_likelihood == pytest.approx(value, rel=1e-10)
    assert fit.next_volatility == math.sqrt(h[cut]) * d_hat[cut]
    state = final_state(fit)
    for t in range(cut, 800):
        state = advance(fit, state, spread[t], int(bar_of_day[t]), shock_excluded=bool(excluded[t]))
        assert state.variance == h[t + 1]
    gap = h[101:112]
    assert np.all(gap == gap[0])
    assert h[401] == h[400]


def test_the_future_does_not_reach_the_recursion() -> None:
    spread = simulate(np.random.default_rng(13), 500)[:, 0]
    fit = _fit_daily(spread[:, None])[0]
    changed = spread.copy()
    changed[300:] += np.random.default_rng(0).standard_normal(200)
    before, after = (conditional_variance(fit, s, _daily(500)) for s in (spread, changed))
    assert np.array_equal(before[:301], after[:301])
    assert not np.array_equal(before[301:], after[301:])


def test_excluded_and_missing_shocks_have_no_influence() -> None:
    spread = simulate(np.random.default_rng(14), 600)
    excluded = np.zeros((600, 1), dtype=bool)
    excluded[300:302] = True
    corrupt = spread.copy()
    corrupt[300] += 5.0
    gap = spread.copy()
    gap[300] = np.nan
    fits = [_fit_daily(s, shock_excluded=excluded)[0] for s in (spread, corrupt)] + [_fit_daily(gap)[0]]
    for fit in fits[1:]:
        assert fit.n_obs == 597
        assert fit.log_likelihood == pytest.approx(fits[0].log_likelihood, abs=1e-9)
        assert fit.alpha1 == pytest.approx(fits[0].alpha1, rel=1e-9)
    assert _fit_daily(corrupt)[0].log_likelihood < fits[0].log_likelihood - 100


def test_degenerate_spreads_have_a_status_and_spare_the_others() -> None:
    good = simulate(np.random.default_rng(15), 400)[:, 0]
    columns = {
        "constant": np.full(400, 0.3),
        "missing": np.full(400, np.nan),
        "rounding": np.full(400, 0.3) + 1e-16 * np.random.default_rng(1).standard_normal(400),
        "ten": np.where(np.arange(400) < 10, good, np.nan),
        "good": good,
        "infinite": np.where(np.arange(400) == 5, np.inf, good),
    }
    fits = dict(zip(columns, _fit_daily(np.column_stack(list(columns.values()))), strict=True))
    assert {name: fit.status for name, fit in fits.items()} == {
        "constant": "constant_spread",
        "missing": "too_few_shocks",
        "rounding": "constant_spread",
        "ten": "too_few_shocks",
        "good": "ok",
        "infinite": "ok",
    }
    assert all((fit.reason == "") == (fit.status == "ok") for fit in fits.values())
    assert "9 valid shocks" in fits["ten"].reason
    assert fits["infinite"].n_obs == 397
    for fit in (fits["constant"], fits["ten"]):
        numbers = [getattr(fit, field.name) for field in fields(fit) if field.type is float]
        assert numbers
        assert all(math.isnan(number) for number in numbers)
        assert fit.half_life_status == "not_fitted"
        with pytest.raises(ValueError, match=fit.status):
            conditional_variance(fit, good, _daily(400))
    short = fit_ar_garch(good[:10], bar_of_day=_daily(10), bars_per_session=1)
    assert short.status == "too_few_shocks"
    assert fit_many(np.empty((0, 0)), bar_of_day=_daily(0), bars_per_session=1) == []


@pytest.mark.parametrize("distribution", ["normal", "t"])
@pytest.mark.parametrize("bars", [1, 20])
def test_a_fit_that_does_not_converge_is_handed_to_arch(bars: int, distribution: str) -> None:
    bar_of_day = day(800 // bars, bars)
    d = u_shape(20)[bar_of_day] if bars == 20 else 1.0
    spread = simulate(np.random.default_rng(16), 800, alpha1=0.15, beta1=0.8, omega=0.05, d=d)[:, 0]
    fit = {
        evaluations: fit_ar_garch(
            spread,
            bar_of_day=bar_of_day,
            bars_per_session=bars,
            settings=GarchSettings(distribution=distribution, max_evaluations=evaluations),  # type: ignore[arg-type]
        )
        for evaluations in (1, 300)
    }
    assert fit[1].fitter == "arch"
    assert fit[300].fitter == "numba"
    # Behind a diurnal shape arch gets a least-squares mean, so it is a little lower; never higher.
    assert -1e-3 < fit[300].log_likelihood - fit[1].log_likelihood < (0.01 if bars == 1 else 4.0)
    assert fit[1].alpha1 == pytest.approx(fit[300].alpha1, rel=0.3)
    u = shocks(fit[1], spread, bar_of_day)
    h = conditional_variance(fit[1], spread, bar_of_day)[:-1]
    assert fit[1].last_variance == conditional_variance(fit[1], spread, bar_of_day)[-1]
    if distribution == "normal":
        known = np.isfinite(u)
        log_d = np.log(np.asarray(fit[1].diurnal)[bar_of_day])
        value = np.sum((-0.5 * np.log(2 * np.pi * h) - 0.5 * u**2 / h - log_d)[known])
        assert fit[1].log_likelihood == pytest.approx(value, rel=1e-10)


def test_failure_of_both_fitters_is_typed() -> None:
    # Differences of nearly one step leave arch's optimiser without a direction; one evaluation leaves ours without one.
    lines = [np.arange(200.0) + 1e-9 * np.random.default_rng(seed).standard_normal(200) for seed in range(12)]
    fits = _fit_daily(np.column_stack(lines), settings=GarchSettings(max_evaluations=1))
    failed = [fit for fit in fits if fit.status == "not_converged"]
    assert failed
    for fit in failed:
        assert fit.n_obs == 199
        assert "arch did not converge either" in fit.reason
        assert math.isnan(fit.phi)
        assert fit.fitter == ""


def test_integrated_variance_has_no_unconditional_variance() -> None:
    spreads = simulate(np.random.default_rng(17), 800, 12, omega=0.02, alpha1=0.25, beta1=0.75)
    fits = [fit for fit in _fit_daily(spreads) if fit.persistence >= 1.0]
    assert fits
    for fit in fits:
        assert math.isnan(fit.unconditional_variance)
        h = conditional_variance(fit, spreads[:, 0], _daily(800))
        assert np.all(h > 0)
        assert fit.mean_variance > 0
    stable = _fit_daily(simulate(np.random.default_rng(1), 500))[0]
    assert math.isfinite(stable.unconditional_variance)


def test_batch_equals_one_by_one_and_repeats_itself() -> None:
    spreads = simulate(np.random.default_rng(18), 420, 8)
    bar_of_day = day(21, 20)
    batch = fit_many(spreads, bar_of_day=bar_of_day, bars_per_session=20)
    again = fit_many(spreads, bar_of_day=bar_of_day, bars_per_session=20)
    single = [fit_ar_garch(spreads[:, j], bar_of_day=bar_of_day, bars_per_session=20) for j in range(8)]
    # Comparing repr: NaN differs from itself. A pair's fit must not depend on the pairs beside it.
    assert repr(batch) == repr(again)
    assert repr(batch) == repr(single)


def test_next_bar_behind_an_early_close_is_the_overnight_one() -> None:
    bar_of_day = np.concatenate([day(29, 20), np.arange(11)])
    spread = simulate(np.random.default_rng(19), len(bar_of_day), d=u_shape(20)[bar_of_day])
    options = {"bar_of_day": bar_of_day, "bars_per_session": 20}
    plain = fit_many(spread, **options)[0]  # type: ignore[arg-type]
    told = fit_many(spread, **options, next_bar_of_day=0)[0]  # type: ignore[arg-type]
    assert plain.next_volatility == math.sqrt(plain.last_variance) * plain.diurnal[11]
    assert told.next_volatility == math.sqrt(plain.last_variance) * plain.diurnal[0]
    assert repr(replace(told, next_volatility=0.0)) == repr(replace(plain, next_volatility=0.0))


def test_wrong_shapes_are_refused() -> None:
    spread = np.zeros((30, 2))
    with pytest.raises(ValueError, match="bar_of_day"):
        fit_many(spread, bar_of_day=np.zeros(29), bars_per_session=1)
    with pytest.raises(ValueError, match="outside 1 bars a session"):
        fit_many(spread, bar_of_day=np.ones(30), bars_per_session=1)
    with pytest.raises(ValueError, match="shock_excluded"):
        fit_many(spread, bar_of_day=np.zeros(30), bars_per_session=1, shock_excluded=np.zeros(30, dtype=bool))


def _real_spreads(folder: Path, frequency: Frequency, sessions: int, symbols: int) -> tuple[np.ndarray, np.ndarray]:
    """Spreads of the first technology symbols over the file's last sessions, and the bar of day of their bars."""
    name = {Frequency.ONE_DAY: "real_daily.parquet", Frequency.FIVE_MINUTES: "real_intraday_5min.parquet"}[frequency]
    bars = pd.read_parquet(folder / name, columns=["symbol", "sector", "timestamp", "close"])
    bars = bars[bars["sector"] == "Information Technology"]
    table = bars.pivot(index="timestamp", columns="symbol", values="close").iloc[:, :symbols]
    days = sorted(set(table.index.tz_convert("America/New_York").date))[-sessions:]
    grid = bar_grid(days, frequency)
    if frequency is Frequency.FIVE_MINUTES:
        table = table.reindex(grid.ts_utc)
    close = np.log(table.to_numpy()[-len(grid.bar_of_day) :])
    pairs = [(close[:, i], close[:, j]) for i in range(symbols) for j in range(i + 1, symbols)]
    return np.column_stack([estimate_spread("y", "x", y, x).spread(y, x) for y, x in pairs]), grid.bar_of_day


@pytest.mark.parametrize(
    ("frequency", "sessions", "symbols"), [(Frequency.ONE_DAY, 252, 7), (Frequency.FIVE_MINUTES, 60, 5)]
)
def test_never_below_arch_on_real_spreads(real_data: Path, frequency: Frequency, sessions: int, symbols: int) -> None:
    spreads, _ = _real_spreads(real_data, frequency, sessions, symbols)
    for j, fit in enumerate(_fit_daily(spreads)):
        assert fit.fitter == "numba"
        _assert_at_least_arch(spreads[:, j], fit)


def test_the_day_explains_most_of_the_clustering_of_real_five_minute_spreads(real_data: Path) -> None:
    spreads, bar_of_day = _real_spreads(real_data, Frequency.FIVE_MINUTES, 60, 8)
    without = [fit.lr_constant_variance for fit in _fit_daily(spreads)]
    with_d = [fit.lr_constant_variance for fit in fit_many(spreads, bar_of_day=bar_of_day, bars_per_session=78)]
    assert np.median(with_d) < 0.75 * np.median(without)
