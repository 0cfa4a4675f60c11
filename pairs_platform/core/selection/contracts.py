"""Contracts of the tables of this stage: `pair_scores`, `composite_rankings` and `trading_config`.

What does not belong here: how a figure is computed (`scores`, `ranking`, `trading_config`).
"""

import numpy as np
import pandas as pd
import pandera.pandas as pa

from pairs_platform.core.contract import Contract, reason_where_not_ok
from pairs_platform.core.screening.contracts import NAMED
from pairs_platform.core.selection.settings import COMPONENTS

GATES = ("correlation", "cointegration", "amplitude", "fit", "score", "ranking")
"""In the order in which a pair meets them."""

SCORE_STATUSES = ("ok", "not_fitted", "not_fitted_on_training")
TRADING_STATUSES = ("ok", "no_trade", "few_entries", "not_cointegrated_on_training", "no_half_life")
ROLES = ("selected", "pinned", "watched")

_UNIT = pa.Check.in_range(0.0, 1.0)
_NOT_NEGATIVE = pa.Check.ge(0.0)
_POSITIVE = pa.Check.gt(0.0)


def _finite(values: pd.Series) -> pd.Series:
    return pd.Series(np.isfinite(values.to_numpy(np.float64)), index=values.index)


def _number(description: str, *checks: pa.Check, nullable: bool = True) -> pa.Column:
    return pa.Column(float, [pa.Check(_finite, error="finite"), *checks], nullable=nullable, description=description)


def _text(description: str, *checks: pa.Check, nullable: bool = False) -> pa.Column:
    return pa.Column(str, list(checks), nullable=nullable, description=description)


def _flag(description: str) -> pa.Column:
    return pa.Column(bool, description=description)


def _count(description: str, nullable: bool = False) -> pa.Column:
    return pa.Column("Int64" if nullable else "int64", _NOT_NEGATIVE, nullable=nullable, description=description)


def _session(description: str) -> pa.Column:
    return pa.Column("datetime64[ns]", description=description)


_AS_OF = "As-of session, midnight without a zone."


def _pair() -> dict[str, pa.Column]:
    return {
        "pair": pa.Column(str, unique=True, description="Both symbols in alphabetical order, joined by an underscore."),
        "symbol_1": _text("First symbol of the pair, alphabetically."),
        "symbol_2": _text("Second symbol of the pair."),
    }


def _components() -> dict[str, pa.Column]:
    return {
        name: _number(f"Component {name} of the score; null where there is no score [1].", _UNIT) for name in COMPONENTS
    }


def _score_where_ok(frame: pd.DataFrame) -> pd.Series:
    there = frame[["score", *COMPONENTS]].notna()
    return there.all(axis=1).where(frame["status"] == "ok", ~there.any(axis=1))


def _selected_passes(frame: pd.DataFrame) -> pd.Series:
    return frame["selected"] == frame[[f"passes_{gate}" for gate in GATES]].all(axis=1)


def _size_where_selected(frame: pd.DataFrame) -> pd.Series:
    return (frame["size"] > 0) == frame["selected"]


def _ranks_without_holes(frame: pd.DataFrame) -> bool:
    ranks = frame["rank"].dropna().astype(int)
    return sorted(ranks) == list(range(1, len(ranks) + 1))


PAIR_SCORES = Contract(
    table="pair_scores",
    version=1,
    schema=pa.DataFrameSchema(
        {
            "session": _session(_AS_OF),
            **_pair(),
            "y": _text("Dependent leg of the spread.", nullable=True),
            "x": _text("Explanatory leg of the spread.", nullable=True),
            "status": _text("Whether the pair has a score.", pa.Check.isin(SCORE_STATUSES)),
            "reason": _text("Why the status is not ok.", nullable=True),
            "score": _number("Weighted sum of the components [1].", _UNIT),
            **_components(),
            "n_obs": _count("Shocks of the fit on the whole window [bars].", nullable=True),
            "e_random_walk": _number("Evidence against a random walk with GARCH variance [ln likelihood × 2]."),
            "e_constant_variance": _number("Evidence against an AR(1) with constant variance [ln likelihood × 2]."),
            "volatility_status": _text("Status of the volatility forecasts.", nullable=True),
            "n_forecasts": _count("Held-out variance forecasts [bars].", nullable=True),
            "dm_vs_ewma": _number("Diebold-Mariano statistic against EWMA; positive is better than it [1]."),
            "dm_vs_constant": _number("Diebold-Mariano statistic against a constant; positive is better than it [1]."),
            "qlike_model": _number("Mean QLIKE of the model [1]."),
            "qlike_ewma": _number("Mean QLIKE of EWMA [1]."),
            "qlike_constant": _number("Mean QLIKE of a constant variance [1]."),
            "trading_status": _text("What the backtest allows to say.", pa.Check.isin(TRADING_STATUSES), nullable=True),
            "coint_p_training": _number("Calibrated cointegration p on the first part of the window alone [1].", _UNIT),
            "psr": _number("Probabilistic Sharpe ratio of the net per-bar returns against 0 [1].", _UNIT),
            "n_returns": _count("Bars of the backtest [bars].", nullable=True),
            "n_entries": _count("Entries filled [entries].", nullable=True),
            "net_return": _number("Net return [share of gross value at entry]."),
            "gross_return": _number("Gross return [share of gross value at entry]."),
            "fill_cost": _number("Costs of fills [share of gross value at entry].", _NOT_NEGATIVE),
            "borrow_cost": _number("Costs of borrowing [share of gross value at entry].", _NOT_NEGATIVE),
            "sharpe_per_bar": _number("Sharpe ratio of the net per-bar returns, not annualised [1]."),
            "return_skewness": _number("Skewness of the net per-bar returns [1]."),
            "return_kurtosis": _number(
                "Kurtosis of the net per-bar returns; 3 for a normal [1].", pa.Check.ge(1.0 - 1e-9)
            ),
            "sharpe_ann": _number("Sharpe ratio, annualised with the window's bars per year [1]."),
            "max_drawdown": _number("Largest fall of the net value [share of gross value].", _NOT_NEGATIVE),
            "calmar": _number("Annual net return over the largest fall [1]."),
            "win_rate": _number("Share of trades with a net gain [1].", _UNIT),
            "profit_factor": _number("Net gains over net losses [1].", _NOT_NEGATIVE),
            "turnover": _number("Value traded [gross values at entry].", _NOT_NEGATIVE),
            "mean_holding_bars": _number("Mean age of a trade [bars].", _NOT_NEGATIVE),
            "break_even_cost_multiple": _number("Factor on all costs at which the net return is zero [1]."),
            "ljung_box_p_z": _number("Ljung-Box p on z [1].", _UNIT),
            "ljung_box_p_z2": _number("Li-Mak p on squared z [1].", _UNIT),
            "arch_lm_p": _number("Engle's ARCH-LM p on z [1].", _UNIT),
        },
        checks=[
            NAMED,
            pa.Check(_score_where_ok, error="score and components are there where, and only where, the status is ok"),
            pa.Check(reason_where_not_ok, error="a reason is there where, and only where, the status is not ok"),
        ],
        strict=True,
        ordered=True,
    ),
)
"""One row for each pair of `garch_fits`."""

COMPOSITE_RANKINGS = Contract(
    table="composite_rankings",
    version=1,
    schema=pa.DataFrameSchema(
        {
            "session": _session(_AS_OF),
            **_pair(),
            "rank": _count("Place among the scored pairs: by gates passed, then by ranking score [1].", nullable=True),
            "selected": _flag("Passes every gate."),
            "size": _number("Share of a full position; 0 unless selected [1].", _UNIT, nullable=False),
            "provisional": _flag("Scored, but in fewer sessions than the ranking score averages."),
            "watched": _flag("On the watch list."),
            "pinned": _flag("Always shown, by configuration."),
            "gates_passed": _count("Gates passed before the first that stopped the pair [gates]."),
            "first_failed_gate": _text(
                "Gate that stopped the pair; null when selected.", pa.Check.isin(GATES), nullable=True
            ),
            "explanation": _text("Why it was selected or where it stopped, in words."),
            "ranking_score": _number("Mean of the newest scores within the lookback [1].", _UNIT),
            "n_scored_sessions": _count("Scores in the ranking score [sessions]."),
            "score": _number("Score of today [1].", _UNIT),
            **_components(),
            "weakest_component": _text(
                "Component that costs the score most.", pa.Check.isin(COMPONENTS), nullable=True
            ),
            "passes_correlation": _flag("Correlation at or above its gate."),
            "passes_cointegration": _flag("Calibrated p below its gate."),
            "passes_amplitude": _flag("Expected move large enough for the cost."),
            "passes_fit": _flag("Fitted, and so scored, today."),
            "passes_score": _flag("Score of today above the gate."),
            "passes_ranking": _flag("Ranking score above the gate."),
            "status": _text('Status of the cointegration screen, or "not_in_window".'),
            "corr_log_price": _number("Correlation of log prices [1].", pa.Check.in_range(-1.0, 1.0)),
            "corr_log_return": _number("Correlation of log returns [1].", pa.Check.in_range(-1.0, 1.0)),
            "p_cal": _number("Calibrated cointegration p [1].", _UNIT),
            "q_value": _number("Benjamini-Hochberg q of p_cal over all pairs [1].", _UNIT),
            "half_life_bars": _number("Half-life by the screen's least-squares φ [bars].", _NOT_NEGATIVE),
            "half_life_days": _number("Half-life of a deviation [sessions].", _NOT_NEGATIVE),
            "beta": _number("Hedge ratio of the spread [1]."),
            "sigma": _number("Standard deviation of the spread [ln US dollars].", _NOT_NEGATIVE),
            "expected_move_bps": _number("Expected move from entry to exit [bp of gross].", _NOT_NEGATIVE),
            "round_trip_cost_bps": _number("Cost of a round trip [bp of gross].", _NOT_NEGATIVE),
            "n_entries": _count("Entries of the backtest [entries].", nullable=True),
            "net_return": _number("Net return of the backtest [share of gross value]."),
            "sharpe_ann": _number("Annualised Sharpe ratio of the backtest [1]."),
            "break_even_cost_multiple": _number("Factor on all costs at which the backtest's net return is zero [1]."),
        },
        checks=[
            NAMED,
            pa.Check(_selected_passes, error="selected means that every gate is passed"),
            pa.Check(_size_where_selected, error="a size is there where, and only where, a pair is selected"),
            pa.Check(_ranks_without_holes, error="ranks count from 1 without holes"),
        ],
        strict=True,
        ordered=True,
    ),
)
"""One row for each pair of the window, and for each pinned pair."""


def _follows_its_role(frame: pd.DataFrame) -> pd.Series:
    return (frame["size"] > 0) == (frame["role"] == "selected")


TRADING_CONFIG = Contract(
    table="trading_config",
    version=2,
    schema=pa.DataFrameSchema(
        {
            "session": _session(_AS_OF),
            "valid_for": _session("Session in which the configuration is traded."),
            "sector": _text("GICS sector."),
            "source_label": _text("Where the prices come from."),
            "content_hash": _text("SHA-256 of the JSON document."),
            **_pair(),
            "role": _text("Why the pair is listed.", pa.Check.isin(ROLES)),
            "size": _number("Share of a full position; 0 unless selected [1].", _UNIT, nullable=False),
            "provisional": _flag("Scored, but in fewer sessions than the ranking score averages."),
            "rank": _count("Place among the scored pairs [1].", nullable=True),
            "score": _number("Score of the as-of session [1].", _UNIT),
            "ranking_score": _number("Mean of the newest scores [1].", _UNIT),
            "explanation": _text("Why it was selected or where it stopped, in words."),
            "model_version": _count("Version of the model that holds the pair; null without one [1].", nullable=True),
            "y": _text("Dependent leg of the spread.", nullable=True),
            "x": _text("Explanatory leg of the spread.", nullable=True),
            "alpha": _number("Intercept of the spread [ln US dollars]."),
            "beta": _number("Hedge ratio of the spread [1]."),
            "mu": _number("Mean of the spread [ln US dollars]."),
            "sigma": _number("Standard deviation of the spread [ln US dollars].", _POSITIVE),
            "n_bars": _count("Bars of the estimation sample [bars].", nullable=True),
            "c": _number("Intercept of the AR(1) [ln US dollars]."),
            "phi": _number("AR(1) coefficient [1]."),
            "omega": _number("GARCH constant [(ln US dollars)²].", _POSITIVE),
            "alpha1": _number("GARCH reaction [1].", _NOT_NEGATIVE),
            "beta1": _number("GARCH memory [1].", _NOT_NEGATIVE),
            "nu": _number("Degrees of freedom; null for a Gaussian fit [1].", _POSITIVE),
            "last_spread": _number("Spread at the as-of session's last close [ln US dollars]."),
            "last_variance": _number("Variance of the next bar, known at that close [(ln US dollars)²].", _POSITIVE),
            "reference_variance": _number("Mean variance of the sample [(ln US dollars)²].", _POSITIVE),
            "next_volatility": _number("Standard deviation of the next bar's innovation [ln US dollars].", _POSITIVE),
            "half_life_bars": _number("Half-life by the φ of the fit [bars].", _POSITIVE),
            "max_hold_bars": _number("Age of the time stop [bars].", _POSITIVE),
        },
        checks=[NAMED, pa.Check(_follows_its_role, error="a size goes with the role selected, and only with it")],
        strict=True,
        ordered=True,
    ),
)
"""One row for each pair of the document, which also holds thresholds, costs and diurnal factors."""
