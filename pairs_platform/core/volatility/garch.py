"""AR(1)-GARCH(1,1) of a spread: fit, rivals, and the variance recursion that backtests and live trading go on with.

    s_t = c + φ s_{t−1} + e_t,   e_t / d_{b(t)} = u_t = √h_t z_t,   h_{t+1} = ω + α₁ u_t² + β₁ h_t

with the diurnal factor d of the bar's position in its session. What does not belong here: hedge ratios
(`core.screening`), forecasts on held-out bars (`forecast`), rows of the lake (`parameters`).
"""

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Literal

import numba
import numpy as np

from pairs_platform.core.screening.half_life import half_life
from pairs_platform.core.volatility import likelihood as kernel
from pairs_platform.core.volatility.diagnostics import residual_diagnostics
from pairs_platform.core.volatility.diurnal import ar1_residuals, count_sessions, diurnal_factors
from pairs_platform.core.volatility.fit import GarchFit, GarchState
from pairs_platform.core.volatility.likelihood import SeriesFit
from pairs_platform.core.volatility.settings import GarchSettings

__all__ = [
    "GarchFit",
    "GarchSettings",
    "GarchState",
    "advance",
    "conditional_variance",
    "final_state",
    "fit_ar_garch",
    "fit_many",
    "shocks",
    "standardised_residuals",
]

CONVERGENCE_FALL = 1e-4
"""A fit counts as converged when its information predicts less than this much more log-likelihood."""


def fit_ar_garch(
    spread: np.ndarray,
    *,
    bar_of_day: np.ndarray,
    bars_per_session: int,
    shock_excluded: np.ndarray | None = None,
    n_sessions: int | None = None,
    next_bar_of_day: int | None = None,
    settings: GarchSettings | None = None,
) -> GarchFit:
    """Fit one spread (T,); the batch of one of `fit_many`."""
    excluded = None if shock_excluded is None else np.asarray(shock_excluded)[:, None]
    return fit_many(
        np.asarray(spread, dtype=float)[:, None],
        bar_of_day=bar_of_day,
        bars_per_session=bars_per_session,
        shock_excluded=excluded,
        n_sessions=n_sessions,
        next_bar_of_day=next_bar_of_day,
        settings=settings,
    )[0]


def fit_many(
    spreads: np.ndarray,
    *,
    bar_of_day: np.ndarray,
    bars_per_session: int,
    shock_excluded: np.ndarray | None = None,
    n_sessions: int | None = None,
    next_bar_of_day: int | None = None,
    settings: GarchSettings | None = None,
) -> list[GarchFit]:
    """Joint maximum likelihood of k spreads on one bar grid, in parallel.

    Parameters
    ----------
    spreads : ndarray, shape (T, k)
        Spreads in ln units; NaN inside a gap. A shock needs s_t and s_{t−1}.
    bar_of_day : ndarray of int, shape (T,)
        Position of each bar in its session.
    bars_per_session : int
        Bars of a full session; 1 (daily) means d = 1.
    shock_excluded : ndarray of bool, shape (T, k), optional
        True where the shock of bar t must not count (unadjusted dividend). Missing and excluded shocks contribute
        nothing to the likelihood and carry h on unchanged.
    n_sessions : int, optional
        Sessions in the sample; counted from `bar_of_day` when not given.
    next_bar_of_day : int, optional
        Position of the bar that follows the sample, for `next_volatility`; by default the one after the last, which is
        wrong only behind an early close (0 there).
    settings : GarchSettings, optional

    Returns
    -------
    list of GarchFit, length k
        A spread that cannot be fitted has a status and a reason; it never raises and never stops the others.

    Raises
    ------
    ValueError
        When shapes disagree or `bar_of_day` leaves [0, bars_per_session).

    Notes
    -----
    The factors d come from AR(1) least-squares residuals; then c, φ, ω, α₁, β₁ (and ν) maximise, for the Gaussian,
    ``Σ −½ (ln 2π + ln h_t + u_t²/h_t) − ln d_t`` jointly. Conventions are arch's: the first bar is held back, the
    back-cast is the exponentially weighted mean (0.94, 75 shocks) of the squared weighted-least-squares shocks, 1e-8 ≤
    ω/variance ≤ 10, α₁, β₁ ≥ 0, α₁ + β₁ ≤ 1. Rivals use the same d, shocks and back-cast: they are nested exactly and
    no likelihood ratio is negative. Scaling a spread by 10ᵏ scales ω by 10²ᵏ and leaves φ, α₁, β₁ alone.

    References
    ----------
    With d = 1 and no gap: ``arch.arch_model(s, mean="AR", lags=1, vol="GARCH", p=1, q=1, dist=…)``. A fit that fails
    the convergence test is handed to arch: the joint model where d = 1 and nothing is missing, else weighted least
    squares for c, φ and arch's zero-mean fit on e/d; its likelihood is evaluated by the same function as ours.
    """
    settings = settings or GarchSettings()
    spreads, bar_of_day, excluded = _checked(spreads, bar_of_day, bars_per_session, shock_excluded)
    if n_sessions is None:
        n_sessions = count_sessions(bar_of_day)
    factors = np.ones((bars_per_session, spreads.shape[1]))
    if bars_per_session > 1:
        # Column by column: sums over several columns run in another order, and no fit may depend on its neighbours.
        for j in range(spreads.shape[1]):
            factors[:, [j]] = diurnal_factors(
                ar1_residuals(np.ascontiguousarray(spreads[:, [j]]), excluded[:, [j]]),
                bar_of_day=bar_of_day,
                bars_per_session=bars_per_session,
                n_sessions=n_sessions,
                min_sessions=settings.min_sessions_diurnal,
            )
    valid = valid_shocks(spreads, excluded)
    inverse_d = 1.0 / factors[bar_of_day]
    if next_bar_of_day is None:
        next_bar_of_day = (int(bar_of_day[-1]) + 1) % bars_per_session if len(bar_of_day) else 0

    def fit(j: int) -> tuple[SeriesFit, GarchFit | None]:
        series = kernel.fit_series(
            np.ascontiguousarray(spreads[:, j]),
            inverse_d[:, j],
            valid[:, j],
            student=settings.distribution == "t",
            max_evaluations=settings.max_evaluations,
            min_shocks=settings.min_shocks,
        )
        if series.code in (kernel.TOO_FEW, kernel.CONSTANT):
            return series, _no_fit(series, settings)
        if _converged(series):
            return series, _result(
                series, "numba", spreads[:, j], bar_of_day, excluded[:, j], factors[:, j], next_bar_of_day, settings
            )
        return series, None

    # Threads over kernels that release the GIL, not prange: as fast, without compiling one more copy of every kernel.
    with ThreadPoolExecutor(max_workers=numba.get_num_threads()) as pool:
        pending = list(pool.map(fit, range(spreads.shape[1])))
    fits: list[GarchFit] = []
    for j, (series, result) in enumerate(pending):
        if result is None:
            arch_fit = _fit_with_arch(spreads[:, j], factors[bar_of_day, j], valid[:, j], series, settings)
            result = (
                _no_fit(series, settings)
                if arch_fit is None
                else _result(
                    arch_fit,
                    "arch",
                    spreads[:, j],
                    bar_of_day,
                    excluded[:, j],
                    factors[:, j],
                    next_bar_of_day,
                    settings,
                )
            )
        fits.append(result)
    return fits


def shocks(
    fit: GarchFit, spread: np.ndarray, bar_of_day: np.ndarray, shock_excluded: np.ndarray | None = None
) -> np.ndarray:
    """u_t = (s_t − c − φ s_{t−1}) / d_{b(t)}, shape (T,); NaN at bar 0, beside a gap and where excluded."""
    out = np.full(len(spread), np.nan)
    out[1:] = (spread[1:] - fit.c - fit.phi * spread[:-1]) / np.asarray(fit.diurnal)[bar_of_day[1:]]
    if shock_excluded is not None:
        out[shock_excluded] = np.nan
    return out


def conditional_variance(
    fit: GarchFit, spread: np.ndarray, bar_of_day: np.ndarray, shock_excluded: np.ndarray | None = None
) -> np.ndarray:
    """h by the fit's recursion from its own start, on the fit's sample or on bars that go on after it.

    Parameters
    ----------
    fit : GarchFit
        With status "ok".
    spread, bar_of_day, shock_excluded : ndarray, shape (T,)
        Starting with the bar that the fit's sample started with.

    Returns
    -------
    ndarray, shape (T + 1,)
        h[t], the variance of bar t's shock without d, is known at the close of bar t − 1; h[T] belongs to the next bar.
        The innovation's standard deviation at bar t is d_{b(t)} √h[t].

    Raises
    ------
    ValueError
        When the fit has no parameters.
    """
    _require(fit)
    u = shocks(fit, np.asarray(spread, dtype=float), np.asarray(bar_of_day), shock_excluded)
    return np.asarray(kernel.variance_path(u, fit.omega, fit.alpha1, fit.beta1, fit.initial_variance))


def standardised_residuals(
    fit: GarchFit, spread: np.ndarray, bar_of_day: np.ndarray, shock_excluded: np.ndarray | None = None
) -> np.ndarray:
    """z_t = u_t / √h_t, shape (T,), known at the close of bar t; NaN where there is no shock."""
    spread, bar_of_day = np.asarray(spread, dtype=float), np.asarray(bar_of_day)
    h = conditional_variance(fit, spread, bar_of_day, shock_excluded)
    return shocks(fit, spread, bar_of_day, shock_excluded) / np.sqrt(h[:-1])


def final_state(fit: GarchFit) -> GarchState:
    """State after the last bar of the fit's sample."""
    _require(fit)
    return GarchState(last_spread=fit.last_spread, variance=fit.last_variance)


def advance(
    fit: GarchFit, state: GarchState, spread: float, bar_of_day: int, *, shock_excluded: bool = False
) -> GarchState:
    """State after one more bar: the streaming form of `conditional_variance`, equal to it bit for bit."""
    _require(fit)
    shock = math.nan if shock_excluded else (spread - fit.c - fit.phi * state.last_spread) / fit.diurnal[bar_of_day]
    variance = kernel.next_variance(state.variance, shock, fit.omega, fit.alpha1, fit.beta1)
    return GarchState(last_spread=spread, variance=variance)


def valid_shocks(spreads: np.ndarray, shock_excluded: np.ndarray) -> np.ndarray:
    """Which shocks count: s_t and s_{t−1} known and not excluded. Shape (T, k)."""
    valid = np.zeros(spreads.shape, dtype=bool)
    valid[1:] = np.isfinite(spreads[1:]) & np.isfinite(spreads[:-1]) & ~shock_excluded[1:]
    return valid


def _require(fit: GarchFit) -> None:
    if fit.status != "ok":
        raise ValueError(f"no variance recursion without a fit: {fit.status} ({fit.reason})")


def _checked(
    spreads: np.ndarray, bar_of_day: np.ndarray, bars_per_session: int, shock_excluded: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    spreads, bar_of_day = np.asarray(spreads, dtype=float), np.asarray(bar_of_day, dtype=np.int64)
    if spreads.ndim != 2 or bar_of_day.shape != (len(spreads),):
        raise ValueError(f"spreads {spreads.shape} and bar_of_day {bar_of_day.shape}: (T, k) and (T,) are needed")
    if len(bar_of_day) and not 0 <= bar_of_day.min() <= bar_of_day.max() < bars_per_session:
        raise ValueError(
            f"bar_of_day spans {bar_of_day.min()} to {bar_of_day.max()}: outside {bars_per_session} bars a session"
        )
    excluded = np.zeros(spreads.shape, dtype=bool) if shock_excluded is None else np.asarray(shock_excluded, dtype=bool)
    if excluded.shape != spreads.shape:
        raise ValueError(f"shock_excluded {excluded.shape} differs from spreads {spreads.shape}")
    return np.where(np.isfinite(spreads), spreads, np.nan), bar_of_day, excluded


def _converged(series: SeriesFit) -> bool:
    return math.isfinite(series.log_likelihood) and series.predicted_rise < CONVERGENCE_FALL


def _fit_with_arch(
    spread: np.ndarray, d: np.ndarray, valid: np.ndarray, series: SeriesFit, settings: GarchSettings
) -> SeriesFit | None:
    """arch's parameters with the likelihood that our definition gives them; None where arch does not converge."""
    from arch import arch_model

    dist: Any = settings.distribution
    at = np.flatnonzero(valid)
    scale, centre = math.sqrt(series.backcast), float(np.mean(spread[at]))
    y, a, b = (spread[at] - centre) / (scale * d[at]), 1.0 / d[at], (spread[at - 1] - centre) / (scale * d[at])
    if valid[1:].all() and np.all(d == 1.0):
        model = arch_model(
            (spread - centre) / scale, mean="AR", lags=1, vol="GARCH", p=1, q=1, dist=dist, rescale=False
        )
        result = model.fit(disp="off", show_warning=False)
        c, phi, omega, alpha1, beta1, *nu = (float(value) for value in result.params)
    else:
        (c, phi), *_ = np.linalg.lstsq(np.column_stack([a, b]), y, rcond=None)
        model = arch_model(y - c * a - phi * b, mean="Zero", vol="GARCH", p=1, q=1, dist=dist, rescale=False)
        result = model.fit(disp="off", show_warning=False)
        omega, alpha1, beta1, *nu = (float(value) for value in result.params)
    alpha1, beta1 = max(alpha1, 0.0), max(beta1, 0.0)
    theta = np.array(
        [c, phi, omega, alpha1 + beta1, alpha1 / max(alpha1 + beta1, 1e-300), math.log(nu[0] - 2.0) if nu else 0.0]
    )
    value = kernel.negative_log_likelihood(theta, y, a, b, series.backcast / scale**2, bool(nu), np.empty(len(theta)))
    if result.convergence_flag != 0 or not math.isfinite(value):
        return None
    return replace(
        series,
        c=scale * c + centre * (1.0 - phi),
        phi=phi,
        omega=omega * scale**2,
        alpha1=alpha1,
        beta1=beta1,
        nu=nu[0] if nu else math.nan,
        log_likelihood=-value - len(at) * math.log(scale) + float(np.sum(np.log(a))),
    )


def _no_fit(series: SeriesFit, settings: GarchSettings) -> GarchFit:
    n = series.n_shocks
    if series.code == kernel.TOO_FEW:
        return GarchFit(
            status="too_few_shocks",
            reason=f"{n} valid shocks, {settings.min_shocks} are needed",
            n_obs=n,
            distribution=settings.distribution,
        )
    if series.code == kernel.CONSTANT:
        return GarchFit(
            status="constant_spread",
            reason=f"the spread does not move over {n} shocks",
            n_obs=n,
            distribution=settings.distribution,
        )
    return GarchFit(
        status="not_converged",
        n_obs=n,
        distribution=settings.distribution,
        reason=f"after {series.evaluations} evaluations a rise of ln L by {series.predicted_rise:.1e} is still "
        f"predicted, and arch did not converge either",
    )


def _result(
    series: SeriesFit,
    fitter: Literal["numba", "arch"],
    spread: np.ndarray,
    bar_of_day: np.ndarray,
    excluded: np.ndarray,
    d: np.ndarray,
    next_bar_of_day: int,
    settings: GarchSettings,
) -> GarchFit:
    bare = GarchFit(
        status="ok",
        c=series.c,
        phi=series.phi,
        omega=series.omega,
        alpha1=series.alpha1,
        beta1=series.beta1,
        backcast=series.backcast,
        diurnal=tuple(d.tolist()),
    )
    u = shocks(bare, spread, bar_of_day, excluded)
    h = np.asarray(kernel.variance_path(u, bare.omega, bare.alpha1, bare.beta1, bare.initial_variance))
    finite = np.isfinite(u)
    tests = residual_diagnostics(
        u[finite],
        h[:-1][finite],
        omega=series.omega,
        alpha1=series.alpha1,
        beta1=series.beta1,
        backcast=series.backcast,
        nu=series.nu,
    )
    value, n_parameters = series.log_likelihood, 5 if math.isnan(series.nu) else 6
    persistence = series.alpha1 + series.beta1
    bars, bars_status = half_life(series.phi)
    return replace(
        bare,
        fitter=fitter,
        distribution=settings.distribution,
        n_obs=series.n_shocks,
        nu=series.nu,
        persistence=persistence,
        unconditional_variance=series.omega / (1.0 - persistence) if persistence < 1.0 else math.nan,
        mean_variance=float(h[:-1][finite].mean()),
        log_likelihood=value,
        aic=2.0 * n_parameters - 2.0 * value,
        bic=n_parameters * math.log(series.n_shocks) - 2.0 * value,
        log_likelihood_random_walk=series.log_likelihood_random_walk,
        log_likelihood_constant_variance=series.log_likelihood_constant_variance,
        lr_random_walk=2.0 * (value - series.log_likelihood_random_walk),
        lr_constant_variance=2.0 * (value - series.log_likelihood_constant_variance),
        ljung_box_p_z=tests.ljung_box_p_z,
        ljung_box_p_z2=tests.ljung_box_p_z2,
        arch_lm_p=tests.arch_lm_p,
        half_life_bars=bars,
        half_life_status=bars_status,
        next_volatility=float(math.sqrt(h[-1]) * d[next_bar_of_day]),
        last_spread=float(spread[-1]),
        last_variance=float(h[-1]),
    )
