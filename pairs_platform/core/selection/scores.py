"""The composite score of a pair: four components in [0, 1], each absolute, monotone and documented by its formula.

    score = w_fit·fit + w_volatility·volatility + w_trading·trading + w_diagnostics·diagnostics

The first part of the window (80 % by default) gives the in-sample parameters; volatility and trading are measured on
the rest. The cointegration gate has seen that rest, so they are pseudo-out-of-sample. Fit, volatility and
diagnostics do not change when the spread is rescaled; trading does, because costs are in basis points. What does not
belong here: gates and ranks (`ranking`), the models and their forecasts (`core.volatility`).
"""

import math
from collections.abc import Mapping, Sequence
from datetime import date
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

from pairs_platform.core.prices.window import PriceWindow
from pairs_platform.core.screening.calibration import calibrated_p
from pairs_platform.core.screening.engle_granger import run_tests
from pairs_platform.core.screening.spread import pair_table
from pairs_platform.core.selection.contracts import PAIR_SCORES
from pairs_platform.core.selection.settings import ScoreSettings
from pairs_platform.core.trading.backtest import BacktestReport, backtest
from pairs_platform.core.trading.settings import PairSettings
from pairs_platform.core.trading.sharpe import probabilistic_sharpe_ratio, sharpe_moments
from pairs_platform.core.volatility.contracts import FULL_WINDOW, IN_SAMPLE
from pairs_platform.core.volatility.forecast import VolatilitySkill, in_sample_bars, volatility_skill
from pairs_platform.core.volatility.garch import conditional_variance
from pairs_platform.core.volatility.parameters import leg_shocks_excluded, window_bars_per_session
from pairs_platform.core.volatility.rows import garch_fit, spread_parameters

_SKILL_FIGURES = ("dm_vs_ewma", "dm_vs_constant", "qlike_model", "qlike_ewma", "qlike_constant")
_REPORT_FIGURES = (
    *("n_entries", "net_return", "gross_return", "fill_cost", "borrow_cost", "sharpe_ann", "max_drawdown", "calmar"),
    *("win_rate", "profit_factor", "turnover", "mean_holding_bars", "break_even_cost_multiple"),
)
RESTRICTIONS = 2
"""Parameters that either rival of the fit component leaves out: c and φ, or α₁ and β₁."""


def evidence(likelihood_ratio: float, n_obs: int) -> float:
    """Mean of the rival's excess in AIC and in BIC over the model's: E = LR − q (1 + ln n / 2), q = 2.

    Parameters
    ----------
    likelihood_ratio : float
        Twice the gain in log-likelihood over a rival with `RESTRICTIONS` parameters less.
    n_obs : int
        Shocks n of the fit.
    """
    return likelihood_ratio - RESTRICTIONS * (1.0 + math.log(n_obs) / 2.0)


def fit_component(e_random_walk: float, e_constant_variance: float, settings: ScoreSettings) -> float:
    """1 − exp(−max(0, min(E_rw, E_cv) + offset) / scale).

    The MINIMUM of the evidence against a random walk with GARCH variance and against an AR(1) with constant variance:
    a pair without mean reversion scores low whatever its variance does, and so does a cointegrated pair without
    clustering.
    """
    return 1.0 - math.exp(-max(0.0, min(e_random_walk, e_constant_variance) + settings.fit_offset) / settings.fit_scale)


def volatility_component(skill: VolatilitySkill) -> float:
    """Φ(min(DM against EWMA, DM against a constant)); 0 where there is nothing to show.

    0.5 stands for a model that forecasts as well as the better rival. The component is 0 with a short sample or where
    the model forecasts exactly what a rival does: no evidence earns no score, as a backtest without a trade earns none.

    References
    ----------
    Diebold & Mariano (1995) on QLIKE losses (Patton 2011); positive favours the model.
    """
    if skill.status != "ok":
        return 0.0
    return NormalDist().cdf(min(skill.dm_vs_ewma, skill.dm_vs_constant))


def trading_component(psr: float | None, n_entries: int, *, training_p: float, settings: ScoreSettings) -> float:
    """Probabilistic Sharpe ratio of the backtest, capped where it rests on little.

    0 without a trade (or with returns that do not vary); at most `capped_trading` with fewer than `few_entries` entries
    or when the pair is not cointegrated on the training part alone (p ≥ `training_p`, or no p at all).
    """
    if psr is None or n_entries == 0:
        return 0.0
    capped = n_entries < settings.few_entries or not training_p < settings.training_p
    return min(psr, settings.capped_trading) if capped else psr


def diagnostics_component(p_values: Sequence[float], settings: ScoreSettings) -> float:
    """Share of the tests with p above `diagnostics_level`; a test without a p (NaN) is not passed."""
    return sum(p > settings.diagnostics_level for p in p_values) / len(p_values)


def composite_score(components: Mapping[str, float], settings: ScoreSettings) -> float:
    """Weighted sum of all four components, in [0, 1]."""
    return min(1.0, math.fsum(weight * components[name] for name, weight in settings.weights.items()))


def score_pairs(
    window: PriceWindow,
    fits: pd.DataFrame,
    *,
    session: date,
    scoring: ScoreSettings,
    pair_settings: PairSettings,
) -> pd.DataFrame:
    """Score every fitted pair of one sector-day.

    Parameters
    ----------
    window : PriceWindow
        The window of which `fits` were made; it ends with the close of `session`.
    fits : DataFrame
        `garch_fits`: the in-sample and the full-window row of each pair.

    Returns
    -------
    DataFrame
        One row per pair of `fits`, columns of `PAIR_SCORES`. A pair that cannot be scored has
        a status, a reason, and nulls.

    Notes
    -----
    fit and diagnostics rest on the full-window fit; volatility and trading on the in-sample parameters alone, measured
    on the bars after the first part.
    """
    whole_rows, part_rows = (
        {str(row["pair"]): row for _, row in fits[fits["parameter_set"] == name].iterrows()}
        for name in (FULL_WINDOW, IN_SAMPLE)
    )
    training_p = _training_p(window, part_rows, in_sample_bars(window.n_bars, pair_settings.garch))
    legs = {pair: (first, second) for pair, first, second in pair_table(window.symbols).itertuples(index=False)}
    rows = []
    for pair, whole in whole_rows.items():
        part = part_rows[pair]
        symbol_1, symbol_2 = legs[pair]
        row: dict[str, Any] = {"session": pd.Timestamp(session), "pair": pair}
        row |= {"symbol_1": symbol_1, "symbol_2": symbol_2, "y": whole["y"], "x": whole["x"]}
        if whole["status"] != "ok":
            row |= {"status": "not_fitted", "reason": f"{whole['status']}: {whole['reason']}"}
        elif part["status"] != "ok":
            reason = f"on the first part of the window {part['status']}: {part['reason']}"
            row |= {"status": "not_fitted_on_training", "reason": reason}
        else:
            row |= _score(window, whole, part, training_p[pair], scoring, pair_settings)
        rows.append(row)
    return PAIR_SCORES.frame(rows)


def _score(
    window: PriceWindow,
    whole: pd.Series,
    part: pd.Series,
    training_p: float,
    scoring: ScoreSettings,
    pair_settings: PairSettings,
) -> dict[str, Any]:
    """Score and ingredients of one pair from its full-window row, its in-sample row and the window."""
    parameters, fit = spread_parameters(part), garch_fit(part)
    y, x = window.column(parameters.y), window.column(parameters.x)
    spread = parameters.spread(window.log_close[:, y], window.log_close[:, x])
    excluded = leg_shocks_excluded(window, parameters.y, parameters.x)
    skill = volatility_skill(
        spread,
        bar_of_day=window.bar_of_day,
        bars_per_session=window_bars_per_session(window),
        shock_excluded=excluded,
        fit=fit,
        settings=pair_settings.garch,
    )
    report = held_out_backtest(window, part, pair_settings)
    e_random_walk = evidence(whole["lr_random_walk"], whole["n_obs"])
    e_constant_variance = evidence(whole["lr_constant_variance"], whole["n_obs"])
    tests = {name: float(whole[name]) for name in ("ljung_box_p_z", "ljung_box_p_z2", "arch_lm_p")}
    figures = _trading_figures(report)
    components = {
        "fit": fit_component(e_random_walk, e_constant_variance, scoring),
        "volatility": volatility_component(skill),
        "trading": trading_component(
            figures.get("psr"), figures.get("n_entries", 0), training_p=training_p, settings=scoring
        ),
        "diagnostics": diagnostics_component(list(tests.values()), scoring),
    }
    return {
        "status": "ok",
        "score": composite_score(components, scoring),
        **components,
        "n_obs": int(whole["n_obs"]),
        "e_random_walk": e_random_walk,
        "e_constant_variance": e_constant_variance,
        "volatility_status": skill.status,
        "n_forecasts": skill.n_test,
        **{name: getattr(skill, name) for name in _SKILL_FIGURES},
        "trading_status": _trading_status(report, training_p, scoring),
        "coint_p_training": training_p,
        **figures,
        **tests,
    }


def held_out_backtest(window: PriceWindow, part: pd.Series, pair_settings: PairSettings) -> BacktestReport | None:
    """The backtest that the trading component rests on: in-sample parameters on the held-out bars, net of costs.

    Parameters
    ----------
    window : PriceWindow
        The window of which `part` was fitted.
    part : Series
        The pair's in-sample row of `garch_fits`, with status "ok".

    Returns
    -------
    BacktestReport or None
        None where the spread has no half-life.
    """
    parameters, fit = spread_parameters(part), garch_fit(part)
    if fit.half_life_status != "ok":
        return None
    y, x = window.column(parameters.y), window.column(parameters.x)
    spread = parameters.spread(window.log_close[:, y], window.log_close[:, x])
    excluded = leg_shocks_excluded(window, parameters.y, parameters.x)
    return backtest(
        window,
        parameters,
        variance=conditional_variance(fit, spread, window.bar_of_day, excluded),
        reference_variance=fit.mean_variance,
        half_life_bars=fit.half_life_bars,
        trading=pair_settings.trading,
        costs=pair_settings.costs,
        first_bar=in_sample_bars(window.n_bars, pair_settings.garch),
    )


def _trading_figures(report: BacktestReport | None) -> dict[str, Any]:
    """Columns of the trading component; empty without a backtest."""
    if report is None:
        return {}
    moments = sharpe_moments(report.net_returns)
    figures = {name: getattr(report, name) for name in _REPORT_FIGURES} | {"n_returns": len(report.bars)}
    if moments is None:
        return figures
    return figures | {
        "psr": probabilistic_sharpe_ratio(moments),
        "sharpe_per_bar": moments.sharpe,
        "return_skewness": moments.skewness,
        "return_kurtosis": moments.kurtosis,
    }


def _trading_status(report: BacktestReport | None, training_p: float, settings: ScoreSettings) -> str:
    """Why the trading component is 0 or capped, the strongest reason first; "ok" where it is neither."""
    if report is None:
        return "no_half_life"
    if not report.trades:
        return "no_trade"
    if not training_p < settings.training_p:
        return "not_cointegrated_on_training"
    return "few_entries" if report.n_entries < settings.few_entries else "ok"


def _training_p(window: PriceWindow, fits: Mapping[str, pd.Series], n_training: int) -> dict[str, float]:
    """Calibrated p of the better direction on the first `n_training` bars, by pair; NaN where it cannot be tested."""
    legs = {symbol: row for row, symbol in enumerate(window.symbols)}
    fitted_legs = {pair: (legs[row["y"]], legs[row["x"]]) for pair, row in fits.items() if row["status"] == "ok"}
    rows = np.array(list(fitted_legs.values()), dtype=np.int64).reshape(-1, 2)
    log_prices = np.ascontiguousarray(window.log_close[:n_training].T)
    tests = run_tests(log_prices, rows[:, 0].copy(), rows[:, 1].copy())
    p_values = calibrated_p(np.fmin(tests.p_value[:, 0], tests.p_value[:, 1]), tests.n_bars)
    return dict(zip(fitted_legs, p_values.tolist(), strict=True))
