"""Small tables of the neighbouring stages, as they publish them, for the tests of this package."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from pairs_platform.core.prices.bars import Frequency, PriceBasis
from pairs_platform.core.prices.window import ExcludedSymbol
from pairs_platform.core.screening.contracts import COINTEGRATED_PAIRS
from pairs_platform.core.screening.spread import SPREAD_DEFINITION
from pairs_platform.core.selection.contracts import PAIR_SCORES
from pairs_platform.core.selection.ranking import rank_pairs
from pairs_platform.core.selection.settings import COMPONENTS, FunnelSettings, SelectionSettings
from pairs_platform.core.selection.trading_config import ConfigOrigin, ModelSection, TradingConfig, build_trading_config
from pairs_platform.core.trading.settings import CostSettings, TradingSettings
from pairs_platform.core.volatility.contracts import FULL_WINDOW, GARCH_FITS, IN_SAMPLE
from pairs_platform.core.volatility.garch import GarchFit

_PASSING = {
    "status": "ok", "reason": None, "n_bars": 4680, "alpha": 1.0, "beta": 1.0, "mu": 0.0, "sigma": 0.01,
    "t_stat": -5.0, "lag": 1.0, "p_value": 0.001, "t_stat_12": -5.0, "lag_12": 1.0, "p_value_12": 0.001,
    "t_stat_21": -4.0, "lag_21": 1.0, "p_value_21": 0.01, "p_cal": 0.01, "q_value": 0.02, "phi": 0.95,
    "half_life_bars": 13.5, "half_life_days": 0.2, "half_life_status": "ok", "beta_first_half": 1.0,
    "beta_second_half": 1.0, "johansen_trace": 30.0, "johansen_trace_crit_95": 15.49, "expected_move_bps": 75.0,
    "round_trip_cost_bps": 4.0, "wild_bootstrap_p": np.nan,
}  # fmt: skip


def correlations_of(pairs: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    rows = []
    for pair, given in pairs.items():
        one, two = pair.split("_")
        level = given.get("corr_log_price", 0.95)
        rows.append((pair, one, two, 4680, level, 0.5, bool(level >= 0.8)))
    names = ["pair", "symbol_1", "symbol_2", "n_bars", "corr_log_price", "corr_log_return", "passes_correlation"]
    types = {"n_bars": "int64", "corr_log_price": float, "corr_log_return": float, "passes_correlation": bool}
    return pd.DataFrame(rows, columns=names).astype(types)


def screen_of(pairs: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    rows = []
    for pair, given in pairs.items():
        one, two = pair.split("_")
        own = {name: value for name, value in given.items() if name != "corr_log_price"}
        row = _PASSING | {"pair": pair, "symbol_1": one, "symbol_2": two, "y": one, "x": two} | own
        row["passes_cointegration"] = row["status"] == "ok" and row["p_cal"] < 0.05
        row["passes_amplitude"] = row["expected_move_bps"] >= 2 * row["round_trip_cost_bps"]
        rows.append(row)
    return COINTEGRATED_PAIRS.frame(rows)


def scores_of(session: date, scores: Mapping[str, float | None]) -> pd.DataFrame:
    """`pair_scores` of one session; None marks a pair that could not be fitted."""
    rows = []
    for pair, score in scores.items():
        one, two = pair.split("_")
        row = {"session": pd.Timestamp(session), "pair": pair, "symbol_1": one, "symbol_2": two, "y": one, "x": two}
        if score is None:
            row |= {"status": "not_fitted", "reason": "stopped at iteration 200"}
        else:
            row |= {"status": "ok", "score": score} | dict.fromkeys(COMPONENTS, score)
            row |= {"n_entries": 5, "n_returns": 936, "sharpe_per_bar": 0.01, "sharpe_ann": 1.4, "return_skewness": 0.0}
            row |= {"return_kurtosis": 3.0, "net_return": 0.01, "break_even_cost_multiple": 2.0, "trading_status": "ok"}
        rows.append(row)
    return PAIR_SCORES.frame(rows)


def history_of(rows: Sequence[tuple[date, str, float]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["session", "pair", "score"])
    return frame.astype({"session": "datetime64[ns]", "pair": object, "score": float})


def fits_of(pairs: Sequence[str]) -> pd.DataFrame:
    """`garch_fits` with round numbers; α of the in-sample rows is 99, so that a mix-up shows."""
    rows: list[dict[str, Any]] = []
    for i, pair in enumerate(pairs):
        one, two = pair.split("_")
        fit = GarchFit(
            status="ok",
            fitter="numba",
            n_obs=4679,
            c=0.0,
            phi=0.95,
            omega=1e-8,
            alpha1=0.08,
            beta1=0.9,
            persistence=0.98,
            unconditional_variance=5e-7,
            mean_variance=5.1e-7,
            backcast=5e-7,
            log_likelihood=1.0,
            aic=8.0,
            bic=40.0,
            log_likelihood_random_walk=0.5,
            log_likelihood_constant_variance=0.5,
            lr_random_walk=1.0,
            lr_constant_variance=1.0,
            half_life_bars=13.5134,
            half_life_status="ok",
            next_volatility=1.7e-3,
            last_spread=0.02,
            last_variance=1 / 3 * 1e-6,
        )
        row = {field.name: getattr(fit, field.name) for field in dataclasses.fields(fit)}
        row |= {"pair": pair, "spread_definition": SPREAD_DEFINITION, "y": two, "x": one, "n_bars": 4680}
        row |= {"diurnal": json.dumps([2.8, 0.9, 0.1 + 0.2]), "beta": 1.0 + 0.1 * i, "mu": 1e-17, "sigma": 0.01}
        rows += [
            row | {"parameter_set": IN_SAMPLE, "alpha": 99.0},
            row | {"parameter_set": FULL_WINDOW, "alpha": 0.1},
        ]
    frame = pd.DataFrame(rows, columns=list(GARCH_FITS.columns))
    return frame.astype({name: GARCH_FITS.dtype(name) for name in GARCH_FITS.columns})


def configured(
    scores: Mapping[str, float | None],
    session: date,
    *,
    fits: pd.DataFrame | None = None,
    model: ModelSection | None = None,
    excluded: Sequence[ExcludedSymbol] = (),
    held_back: Mapping[str, str] | None = None,
    remarks: Mapping[str, str] | None = None,
    **selection: Any,
) -> tuple[pd.DataFrame, TradingConfig]:
    """`composite_rankings` and the configuration of pairs that pass every gate but that of the score.

    Fits are those of all pairs unless given; further names are settings of the selection.
    """
    screen: dict[str, dict[str, Any]] = {pair: {} for pair in scores}
    rankings = rank_pairs(
        correlations_of(screen),
        screen_of(screen),
        scores_of(session, scores),
        history_of([]),
        session=session,
        settings=FunnelSettings(selection=SelectionSettings(**selection)),
        excluded=excluded,
    )
    config = build_trading_config(
        rankings,
        fits_of(list(scores)) if fits is None else fits,
        ConfigOrigin(
            session=session,
            sector="technology",
            source_label="SIMULATED market",
            frequency=Frequency.FIVE_MINUTES,
            price_basis=PriceBasis.RAW,
        ),
        trading=TradingSettings(),
        costs=CostSettings(),
        model=model,
        model_reason="champion" if model else "no model was trained",
        held_back=held_back,
        remarks=remarks,
    )
    return rankings, config
