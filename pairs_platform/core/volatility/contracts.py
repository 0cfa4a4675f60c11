"""Contract of the volatility stage's table. What does not belong here: computing its rows (`parameters`)."""

import json
import math
from typing import Any, get_args

import pandera.pandas as pa

from pairs_platform.core.contract import Contract
from pairs_platform.core.screening.half_life import HalfLifeStatus
from pairs_platform.core.volatility.settings import FitStatus

IN_SAMPLE, FULL_WINDOW = "in_sample", "full_window"
"""Parameter sets: estimated on the first part of the window alone, or on all of it; as the tables store them."""

PARAMETER_SETS = (IN_SAMPLE, FULL_WINDOW)
FIT_STATUSES = get_args(FitStatus)
HALF_LIFE_STATUSES = tuple(status for status in get_args(HalfLifeStatus) if status != "phi_unknown")

_REQUIRED_WHEN_OK = (
    "alpha",
    "beta",
    "mu",
    "sigma",
    "c",
    "phi",
    "omega",
    "alpha1",
    "beta1",
    "persistence",
    "mean_variance",
    "backcast",
    "log_likelihood",
    "aic",
    "bic",
    "log_likelihood_random_walk",
    "log_likelihood_constant_variance",
    "lr_random_walk",
    "lr_constant_variance",
    "next_volatility",
    "last_variance",
)


def _is_factor_list(value: Any) -> bool:
    try:
        factors = json.loads(value)
    except (TypeError, ValueError):
        return False
    return isinstance(factors, list) and all(
        isinstance(factor, float) and math.isfinite(factor) and factor > 0 for factor in factors
    )


def _number(*checks: pa.Check) -> pa.Column:
    return pa.Column(float, list(checks), nullable=True)


def _text(values: tuple[str, ...] | None = None, *, nullable: bool = False) -> pa.Column:
    return pa.Column(str, [pa.Check.isin(values)] if values else [], nullable=nullable)


GARCH_FITS = Contract(
    table="garch_fits",
    version=2,
    schema=pa.DataFrameSchema(
        {
            "pair": _text(),
            "parameter_set": _text(PARAMETER_SETS),
            "spread_definition": _text(),
            "y": _text(nullable=True),
            "x": _text(nullable=True),
            "n_bars": pa.Column("int64", pa.Check.ge(0)),
            "alpha": _number(),
            "beta": _number(),
            "mu": _number(),
            "sigma": _number(pa.Check.ge(0)),
            "status": _text(FIT_STATUSES),
            "reason": _text(),
            "fitter": _text(("numba", "arch", "")),
            "distribution": _text(("normal", "t")),
            "n_obs": pa.Column("int64", pa.Check.ge(0)),
            "c": _number(),
            "phi": _number(),
            "omega": _number(pa.Check.gt(0)),
            "alpha1": _number(pa.Check.ge(0)),
            "beta1": _number(pa.Check.ge(0)),
            "nu": _number(pa.Check.gt(2)),
            "persistence": _number(pa.Check.in_range(0, 1 + 1e-6)),
            "unconditional_variance": _number(pa.Check.gt(0)),
            "mean_variance": _number(pa.Check.gt(0)),
            "backcast": _number(pa.Check.ge(0)),
            "diurnal": pa.Column(
                str, pa.Check(_is_factor_list, element_wise=True, name="JSON list of positive numbers")
            ),
            "log_likelihood": _number(),
            "aic": _number(),
            "bic": _number(),
            "log_likelihood_random_walk": _number(),
            "log_likelihood_constant_variance": _number(),
            "lr_random_walk": _number(),
            "lr_constant_variance": _number(),
            "ljung_box_p_z": _number(pa.Check.in_range(0, 1)),
            "ljung_box_p_z2": _number(pa.Check.in_range(0, 1)),
            "arch_lm_p": _number(pa.Check.in_range(0, 1)),
            "half_life_bars": _number(pa.Check.gt(0)),
            "half_life_status": _text(HALF_LIFE_STATUSES),
            "next_volatility": _number(pa.Check.gt(0)),
            "last_spread": _number(),
            "last_variance": _number(pa.Check.gt(0)),
        },
        checks=[
            pa.Check(
                lambda frame: (frame["status"] != "ok") | frame[list(_REQUIRED_WHEN_OK)].notna().all(axis=1),
                name="every number of a fit with status ok",
            ),
            pa.Check(
                lambda frame: (frame["status"] == "ok") | (frame["reason"] != ""), name="a reason for every failure"
            ),
            pa.Check(
                lambda frame: (
                    (frame["fitter"] != "numba")
                    | (frame[["lr_random_walk", "lr_constant_variance"]] > -1e-6).all(axis=1)
                ),
                name="no fit below its rivals",
            ),
            pa.Check(
                lambda frame: (frame["half_life_status"] == "ok") == frame["half_life_bars"].notna(),
                name="a half-life exactly when its status is ok",
            ),
        ],
        unique=["pair", "parameter_set"],
        strict=True,
        ordered=True,
        coerce=False,
    ),
)
"""One row per pair and parameter set. alpha, beta, mu, sigma, last_spread in ln units; omega, variances, backcast in ln
units squared; half_life_bars in bars; `diurnal` a JSON list of factors, [] without a fit."""
