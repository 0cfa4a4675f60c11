"""Skill of the variance forecasts on held-out bars, against EWMA and a constant variance.

What does not belong here: turning the p-value into a score (`core.selection.scores`).
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import ndtr

from pairs_platform.core.volatility.diurnal import count_sessions
from pairs_platform.core.volatility.garch import GarchFit, conditional_variance, fit_ar_garch, shocks
from pairs_platform.core.volatility.likelihood import variance_path
from pairs_platform.core.volatility.settings import GarchSettings

SkillStatus = Literal["ok", "short_sample", "not_fitted", "flat_held_out", "same_forecasts"]

_LEAST_MOVE = 1e-12
"""Smallest change of a log spread that is one; prices that stand still give the same number each time."""


@dataclass(frozen=True, kw_only=True)
class VolatilitySkill:
    """Out-of-sample comparison of one-step variance forecasts. Every number is NaN unless `status` is "ok".

    Attributes
    ----------
    status, reason : str
        "ok"; "short_sample" with too few held-out shocks; "not_fitted" when the first part has no fit;
        "flat_held_out" when the spread moves on too few held-out bars: a market that stands still has no variance to
        forecast, and every comparison of forecasts with nothing is certain; "same_forecasts"
        when the model forecasts exactly what a rival does, so that there is nothing to test.
    n_test : int
        Held-out shocks.
    dm_vs_ewma, dm_vs_constant : float
        Diebold–Mariano statistics; positive favours the model.
    p_min : float
        Φ(min(dm_vs_ewma, dm_vs_constant)), in (0, 1); high is skill.
    qlike_model, qlike_ewma, qlike_constant : float
        Mean of ln(d² h) + e² / (d² h) over the held-out shocks; smaller is better.
    proxy : str
        What stands for the unseen variance: "squared_shock", the same for every pair.
    """

    status: SkillStatus
    reason: str = ""
    n_test: int = 0
    dm_vs_ewma: float = math.nan
    dm_vs_constant: float = math.nan
    p_min: float = math.nan
    qlike_model: float = math.nan
    qlike_ewma: float = math.nan
    qlike_constant: float = math.nan
    proxy: str = "squared_shock"


def in_sample_bars(n_bars: int, settings: GarchSettings) -> int:
    """Bars of the first part, which the in-sample parameters see: ⌊fraction · T⌋."""
    return math.floor(settings.in_sample_fraction * n_bars)


def volatility_skill(
    spread: np.ndarray,
    *,
    bar_of_day: np.ndarray,
    bars_per_session: int,
    shock_excluded: np.ndarray | None = None,
    fit: GarchFit | None = None,
    settings: GarchSettings | None = None,
) -> VolatilitySkill:
    """One-step forecasts on the last part of the window with everything estimated on the first (fixed scheme).

    Parameters
    ----------
    spread : ndarray, shape (T,)
        Whole window, made with the EVALUATION hedge ratio; NaN inside a gap.
    bar_of_day : ndarray of int, shape (T,)
    bars_per_session : int
    shock_excluded : ndarray of bool, shape (T,), optional
    fit : GarchFit, optional
        The in-sample fit of the first ⌊fraction · T⌋ bars; made here when not given.
    settings : GarchSettings, optional

    Returns
    -------
    VolatilitySkill
        Every forecast for bar t is known at the close of bar t − 1.

    Notes
    -----
    c, φ, d, ω, α₁, β₁ and the training variance (mean u² of the first part) come from the first part. The EWMA starts
    at the training variance on the first held-out bar; missing shocks carry every forecast on and are not compared.
    With loss L = ln h + u²/h, δ_t = L_rival − L_model and Newey–West long-run variance S at lag ⌈n^(1/3)⌉ (Bartlett
    weights), DM = mean(δ) √(n/S). The factor d, common to all three, cancels from δ.

    References
    ----------
    Patton (2011), Volatility forecast comparison using imperfect volatility proxies; Diebold & Mariano (1995),
    Comparing predictive accuracy; Newey & West (1987).
    """
    settings = settings or GarchSettings()
    spread, bar_of_day = np.asarray(spread, dtype=float), np.asarray(bar_of_day)
    split = in_sample_bars(len(spread), settings)
    if fit is None:
        fit = fit_ar_garch(
            spread[:split],
            bar_of_day=bar_of_day[:split],
            bars_per_session=bars_per_session,
            shock_excluded=None if shock_excluded is None else shock_excluded[:split],
            n_sessions=count_sessions(bar_of_day[:split]),
            settings=settings,
        )
    if fit.status != "ok":
        return VolatilitySkill(status="not_fitted", reason=f"{fit.status}: {fit.reason}")
    u = shocks(fit, spread, bar_of_day, shock_excluded)
    h = conditional_variance(fit, spread, bar_of_day, shock_excluded)[:-1]
    training, test = u[:split], u[split:]
    finite = np.isfinite(test)
    n = int(finite.sum())
    if n < settings.min_forecasts:
        return VolatilitySkill(
            status="short_sample", n_test=n, reason=f"{n} held-out shocks, {settings.min_forecasts} are needed"
        )
    n_moves = int((np.abs(np.diff(spread)[split - 1 :][finite]) > _LEAST_MOVE).sum())
    if n_moves < settings.min_forecasts:
        return VolatilitySkill(
            status="flat_held_out",
            n_test=n,
            reason=f"the spread moves on {n_moves} of {n} held-out bars, {settings.min_forecasts} moves are needed",
        )
    constant = float(np.nanmean(training**2))
    ewma = np.asarray(variance_path(test, 0.0, 1.0 - settings.ewma_decay, settings.ewma_decay, constant))[:-1]
    proxy = test[finite] ** 2
    losses = {
        name: np.log(variance) + proxy / variance
        for name, variance in (("model", h[split:][finite]), ("ewma", ewma[finite]), ("constant", np.full(n, constant)))
    }
    dm_vs_ewma = diebold_mariano(losses["ewma"] - losses["model"])
    dm_vs_constant = diebold_mariano(losses["constant"] - losses["model"])
    if not (math.isfinite(dm_vs_ewma) and math.isfinite(dm_vs_constant)):
        return VolatilitySkill(
            status="same_forecasts", n_test=n, reason="the model's losses equal a rival's on every bar"
        )
    shape = float(np.mean(2.0 * np.log(np.asarray(fit.diurnal)[bar_of_day[split:][finite]])))
    return VolatilitySkill(
        status="ok",
        n_test=n,
        dm_vs_ewma=dm_vs_ewma,
        dm_vs_constant=dm_vs_constant,
        p_min=float(ndtr(min(dm_vs_ewma, dm_vs_constant))),
        qlike_model=float(losses["model"].mean()) + shape,
        qlike_ewma=float(losses["ewma"].mean()) + shape,
        qlike_constant=float(losses["constant"].mean()) + shape,
    )


def diebold_mariano(difference: np.ndarray) -> float:
    """Diebold–Mariano statistic of a loss difference (n,) with Newey–West variance at lag ⌈n^(1/3)⌉.

    NaN when the difference does not vary.

    References
    ----------
    Must equal the t statistic of a constant in ``statsmodels`` OLS with HAC covariance (Bartlett, no correction).
    """
    n = len(difference)
    centred = difference - difference.mean()
    variance = float(centred @ centred) / n
    if not variance > 1e-24 * max(1.0, float(difference @ difference) / n):
        return math.nan
    lags = math.ceil(round(n ** (1.0 / 3.0), 9))
    for lag in range(1, lags + 1):
        variance += 2.0 * (1.0 - lag / (lags + 1.0)) * float(centred[lag:] @ centred[:-lag]) / n
    return float(difference.mean() / math.sqrt(variance / n))
