import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.diagnostic import acorr_ljungbox, het_arch

from pairs_platform.core.volatility.diagnostics import arch_lm_p, li_mak_p, ljung_box_p, residual_diagnostics
from pairs_platform.core.volatility.garch import GarchSettings, fit_many
from pairs_platform_tests.support.garch_simulation import simulate


@pytest.mark.parametrize("n", [60, 251, 4679])
def test_equal_to_statsmodels(n: int) -> None:
    rng = np.random.default_rng(n)
    for z in (
        rng.standard_normal(n),
        rng.standard_t(3, n) + 0.3,
        np.convolve(rng.standard_normal(n + 3), [1, 0.3, 0.1, 0.1], "valid"),
    ):
        assert ljung_box_p(z) == pytest.approx(acorr_ljungbox(z, lags=[10], model_df=1)["lb_pvalue"].iloc[0], rel=1e-9)
        assert arch_lm_p(z) == pytest.approx(het_arch(z, nlags=5)[1], rel=1e-7, abs=1e-14)


def _li_mak_slowly(u: np.ndarray, omega: float, alpha1: float, beta1: float, backcast: float, paper: bool) -> float:
    """Li & Mak (1994), section 2, line by line: derivatives of h by differences, loops over t, a plain inverse."""

    def variance(parameters: np.ndarray) -> np.ndarray:
        h = [parameters[0] + (parameters[1] + parameters[2]) * backcast]
        for shock in u[:-1]:
            h.append(parameters[0] + parameters[1] * shock**2 + parameters[2] * h[-1])
        return np.array(h)

    parameters = np.array([omega, alpha1, beta1])
    h, n, m = variance(parameters), len(u), 10
    derivatives = np.empty((n, 3))
    for i in range(3):
        step = np.zeros(3)
        step[i] = 1e-6 * max(parameters[i], 1e-3 * omega)
        derivatives[:, i] = (variance(parameters + step) - variance(parameters - step)) / (2 * step[i])
    squares = u**2 / h
    mean = squares.mean()
    r = np.array([sum((squares[t] - mean) * (squares[t - k] - mean) for t in range(k, n)) for k in range(1, m + 1)])
    r /= np.sum((squares - mean) ** 2)
    x = np.zeros((m, 3))
    for k in range(1, m + 1):
        for t in range(k, n):
            x[k - 1] -= derivatives[t] / h[t] * (squares[t - k] - 1) / n
    information = 0.5 * (derivatives / h[:, None]).T @ (derivatives / h[:, None]) / n
    if paper:
        v = np.eye(m) - x @ np.linalg.inv(information) @ x.T / 4
    else:
        gamma = float(np.mean((squares - 1) ** 2))
        lagged = np.zeros((n, m))
        for k in range(1, m + 1):
            lagged[k:, k - 1] = squares[:-k] - 1
        v = lagged.T @ lagged / (n * gamma) - x @ np.linalg.inv(information) @ x.T / (2 * gamma)
    return float(stats.chi2.sf(n * r @ np.linalg.inv(v) @ r, m))


@pytest.mark.parametrize("df", [None, 5.0])
def test_li_mak_equals_the_paper_written_out(df: float | None) -> None:
    spreads = simulate(np.random.default_rng(4), 2500, 2, degrees_of_freedom=df, scale=1.0)
    for j, fit in enumerate(fit_many(spreads, bar_of_day=np.zeros(2500, dtype=int), bars_per_session=1)):
        u = spreads[1:, j] - fit.c - fit.phi * spreads[:-1, j]
        model = (fit.omega, fit.alpha1, fit.beta1, fit.backcast)
        assert fit.ljung_box_p_z2 == pytest.approx(_li_mak_slowly(u, *model, paper=False), rel=1e-4)
        if df is None:
            # The paper's plug-in is the limit of ours for Gaussian shocks.
            assert fit.ljung_box_p_z2 == pytest.approx(_li_mak_slowly(u, *model, paper=True), abs=0.04)


def test_li_mak_is_defined_at_the_length_of_a_year_of_days() -> None:
    spreads = simulate(np.random.default_rng(11), 252, 150, alpha1=0.1, beta1=0.8, omega=0.1)
    fits = fit_many(spreads, bar_of_day=np.zeros(252, dtype=int), bars_per_session=1)
    p = np.array([fit.ljung_box_p_z2 for fit in fits])
    assert np.isfinite(p).all()
    assert 0.0 < np.mean(p < 0.05) < 0.12


@pytest.mark.parametrize(("df", "distribution"), [(None, "normal"), (6.0, "normal"), (8.0, "t")])
def test_sizes_on_garch_residuals(df: float | None, distribution: str) -> None:
    n_series = 400
    spreads = simulate(
        np.random.default_rng(5), 1000, n_series, alpha1=0.1, beta1=0.8, omega=0.1, degrees_of_freedom=df
    )
    settings = GarchSettings(distribution=distribution)  # type: ignore[arg-type]
    fits = fit_many(spreads, bar_of_day=np.zeros(1000, dtype=int), bars_per_session=1, settings=settings)
    for name in ("ljung_box_p_z", "ljung_box_p_z2", "arch_lm_p"):
        p = np.array([getattr(fit, name) for fit in fits])
        assert np.all((p >= 0) & (p <= 1))
        share = float(np.mean(p < 0.05))
        # Three standard errors around 5 % and some; ARCH-LM on fitted residuals is known to reject too seldom.
        assert share < 0.09, (name, share)
        assert share > (0.0 if name == "arch_lm_p" else 0.015), (name, share)


def test_plain_portmanteau_of_squares_would_reject_too_seldom() -> None:
    spreads = simulate(np.random.default_rng(6), 1000, 300, alpha1=0.1, beta1=0.8, omega=0.1)
    below, plain_below = 0, 0
    for j, fit in enumerate(fit_many(spreads, bar_of_day=np.zeros(1000, dtype=int), bars_per_session=1)):
        u = spreads[1:, j] - fit.c - fit.phi * spreads[:-1, j]
        h = np.empty(999)
        h[0] = fit.initial_variance
        for t in range(998):
            h[t + 1] = fit.omega + fit.alpha1 * u[t] ** 2 + fit.beta1 * h[t]
        z2 = u**2 / h - np.mean(u**2 / h)
        r = np.array([z2[k:] @ z2[:-k] for k in range(1, 11)]) / (z2 @ z2)
        below += fit.ljung_box_p_z2 < 0.5
        plain_below += stats.chi2.sf(999 * r @ r, 10) < 0.5
    assert plain_below < below
    assert below / 300 == pytest.approx(0.5, abs=0.09)


def test_neglected_clustering_is_found() -> None:
    spreads = simulate(np.random.default_rng(7), 2000, 20, alpha1=0.15, beta1=0.8, omega=0.05, scale=1.0)
    for j in range(20):
        u = spreads[1:, j] - 0.95 * spreads[:-1, j]
        flat = float(np.var(u))
        found = residual_diagnostics(u, np.full(len(u), flat), omega=flat, alpha1=0.0, beta1=0.0, backcast=flat)
        assert found.ljung_box_p_z2 < 1e-3
        assert found.arch_lm_p < 1e-3


def test_undefined_tests_are_null() -> None:
    assert math.isnan(ljung_box_p(np.zeros(100)))
    assert math.isnan(arch_lm_p(np.ones(100)))
    assert math.isnan(li_mak_p(np.ones(100), 1.0, 0.0, 0.0, 1.0))


@pytest.mark.parametrize("value", [0.0, 0.1, 1.0, -1 / 3])
def test_residuals_that_do_not_vary_have_no_p(value: float) -> None:
    z = np.full(300, value)
    assert np.isnan([ljung_box_p(z), arch_lm_p(z)]).all()
