"""Contracts of the screen's tables: `correlation_matrix` and `cointegrated_pairs`.

What does not belong here: how a figure is computed (`correlation`, `cointegration`).
"""

from typing import get_args

import numpy as np
import pandas as pd
import pandera.pandas as pa

from pairs_platform.core.contract import Contract, reason_where_not_ok
from pairs_platform.core.screening.half_life import HalfLifeStatus
from pairs_platform.core.screening.outcomes import TEST_STATUSES
from pairs_platform.core.screening.pair_names import pair_name

PAIR_STATUSES = (*TEST_STATUSES.values(), "beta_not_positive", "beta_out_of_range")
HALF_LIFE_STATUSES = tuple(status for status in get_args(HalfLifeStatus) if status != "not_fitted")


def _number(description: str, *checks: pa.Check, nullable: bool = False) -> pa.Column:
    return pa.Column(float, [pa.Check(_finite, error="finite"), *checks], nullable=nullable, description=description)


def _finite(values: pd.Series) -> pd.Series:
    return pd.Series(np.isfinite(values), index=values.index)


_UNIT = pa.Check.in_range(0.0, 1.0)
_CORRELATION = pa.Check.in_range(-1.0, 1.0)
_NOT_NEGATIVE = pa.Check.ge(0.0)


def _pair_columns() -> dict[str, pa.Column]:
    return {
        "pair": pa.Column(str, unique=True, description="Both symbols in alphabetical order, joined by an underscore."),
        "symbol_1": pa.Column(str, description="First symbol of the pair, alphabetically."),
        "symbol_2": pa.Column(str, description="Second symbol of the pair."),
        "n_bars": pa.Column(int, _NOT_NEGATIVE, description="Bars that both symbols have [bars]."),
    }


def _ordered(frame: pd.DataFrame) -> pd.Series:
    names = list(map(pair_name, frame["symbol_1"], frame["symbol_2"]))
    return (frame["symbol_1"] < frame["symbol_2"]) & (frame["pair"] == names)


def _figures_where_tested(frame: pd.DataFrame) -> pd.Series:
    """The figures that a status explains are there for every tested pair and for no other."""
    tested = frame["status"].isin(["ok", "beta_not_positive", "beta_out_of_range"])
    figures = frame[["y", "x", "alpha", "beta", "mu", "sigma", "t_stat", "lag", "p_value", "p_cal", "q_value"]]
    return figures.notna().all(axis=1).where(tested, figures.isna().all(axis=1))


def _half_life_where_ok(frame: pd.DataFrame) -> pd.Series:
    return frame["half_life_bars"].notna() == (frame["half_life_status"] == "ok")


NAMED = pa.Check(_ordered, error="pair is the name of symbol_1 and symbol_2, which are in alphabetical order")
"""Check of a frame that has pair, symbol_1 and symbol_2."""

CORRELATION_MATRIX = Contract(
    table="correlation_matrix",
    version=1,
    schema=pa.DataFrameSchema(
        _pair_columns()
        | {
            "corr_log_price": _number(
                "Correlation of log prices; null for a constant leg [1].", _CORRELATION, nullable=True
            ),
            "corr_log_return": _number(
                "Correlation of log returns; null for a constant leg [1].", _CORRELATION, nullable=True
            ),
            "passes_correlation": pa.Column(
                bool, description="Correlation at or above the gate on the configured basis."
            ),
        },
        checks=[NAMED],
        strict=True,
    ),
)
"""One row for each pair of a sector-day."""


def _direction(suffix: str, direction: str) -> dict[str, pa.Column]:
    return {
        f"t_stat{suffix}": _number(f"Dickey-Fuller t of the residuals, {direction} [1].", nullable=True),
        f"lag{suffix}": _number(f"Lagged differences in it, {direction} [bars].", _NOT_NEGATIVE, nullable=True),
        f"p_value{suffix}": _number(f"MacKinnon's p of it, {direction} [1].", _UNIT, nullable=True),
    }


COINTEGRATED_PAIRS = Contract(
    table="cointegrated_pairs",
    version=1,
    schema=pa.DataFrameSchema(
        _pair_columns()
        | {
            "y": pa.Column(str, nullable=True, description="Dependent leg of the better direction."),
            "x": pa.Column(str, nullable=True, description="Explanatory leg of the better direction."),
            "status": pa.Column(
                str, pa.Check.isin(PAIR_STATUSES), description="Whether it could be tested and traded."
            ),
            "reason": pa.Column(str, nullable=True, description="Why the status is not ok."),
            "alpha": _number("Intercept of the spread [ln US dollars].", nullable=True),
            "beta": _number("Hedge ratio: ln x for one ln y in the spread [1].", nullable=True),
            "mu": _number("Mean of the spread over the window [ln US dollars].", nullable=True),
            "sigma": _number(
                "Standard deviation of the spread over the window [ln US dollars].", _NOT_NEGATIVE, nullable=True
            ),
        }
        | _direction("", "better direction")
        | _direction("_12", "symbol_1 on symbol_2")
        | _direction("_21", "symbol_2 on symbol_1")
        | {
            "p_cal": _number("Calibrated p of the better direction [1].", _UNIT, nullable=True),
            "q_value": _number("Benjamini-Hochberg q of p_cal over all tested pairs [1].", _UNIT, nullable=True),
            "phi": _number("AR(1) coefficient of the spread [1].", nullable=True),
            "half_life_bars": _number(
                "Half-life by the screen's least-squares φ [bars].", _NOT_NEGATIVE, nullable=True
            ),
            "half_life_days": _number("Half-life of a deviation [sessions].", _NOT_NEGATIVE, nullable=True),
            "half_life_status": pa.Column(
                str, pa.Check.isin(HALF_LIFE_STATUSES), description="Why a half-life is null."
            ),
            "beta_first_half": _number("Hedge ratio on the first half of the window [1].", nullable=True),
            "beta_second_half": _number("Hedge ratio on the second half of the window [1].", nullable=True),
            "johansen_trace": _number("Johansen trace statistic of no cointegration [1].", nullable=True),
            "johansen_trace_crit_95": _number("5 % critical value of johansen_trace [1]."),
            "expected_move_bps": _number("Move from entry to exit [bp of gross].", _NOT_NEGATIVE, nullable=True),
            "round_trip_cost_bps": _number("Cost of a round trip [bp of gross].", _NOT_NEGATIVE),
            "passes_amplitude": pa.Column(bool, description="The expected move is large enough for the cost."),
            "wild_bootstrap_p": _number("Wild-bootstrap p, for pairs past both gates [1].", _UNIT, nullable=True),
            "passes_cointegration": pa.Column(bool, description="Status ok and p_cal below the gate."),
        },
        checks=[
            NAMED,
            pa.Check(_figures_where_tested, error="figures are there where, and only where, the pair was tested"),
            pa.Check(reason_where_not_ok, error="a reason is there where, and only where, the status is not ok"),
            pa.Check(_half_life_where_ok, error="a half-life is there where, and only where, its status is ok"),
        ],
        strict=True,
    ),
)
"""One row for each pair of a sector-day, tested or not; lags are whole numbers stored as float64, because they are null
where a pair was not tested."""
