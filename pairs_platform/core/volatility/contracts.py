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


def _number(description: str, *checks: pa.Check) -> pa.Column:
    return pa.Column(float, list(checks), nullable=True, description=description)


def _count(description: str) -> pa.Column:
    return pa.Column("int64", pa.Check.ge(0), description=description)


def _text(description: str, values: tuple[str, ...] | None = None, *, nullable: bool = False) -> pa.Column:
    return pa.Column(str, [pa.Check.isin(values)] if values else [], nullable=nullable, description=description)


GARCH_FITS = Contract(
    table="garch_fits",
    version=2,
    schema=pa.DataFrameSchema(
        {
            "pair": _text("Both symbols in alphabetical order, joined by an underscore."),
            "parameter_set": _text(
                "in_sample: the first part of the window alone; full_window: all of it.", PARAMETER_SETS
            ),
            "spread_definition": _text("Version of the definition of the spread."),
            "y": _text("Dependent leg of the spread.", nullable=True),
            "x": _text("Explanatory leg of the spread.", nullable=True),
            "n_bars": _count("Bars of the estimation sample [bars]."),
            "alpha": _number("Intercept of the spread [ln US dollars]."),
            "beta": _number("Hedge ratio: ln x for one ln y in the spread [1]."),
            "mu": _number("Mean of the spread [ln US dollars]."),
            "sigma": _number("Standard deviation of the spread [ln US dollars].", pa.Check.ge(0)),
            "status": _text("Whether there is a fit.", FIT_STATUSES),
            "reason": _text("Why there is none; empty where there is one."),
            "fitter": _text("numba, arch where that did not converge, empty without a fit.", ("numba", "arch", "")),
            "distribution": _text("Distribution of the shocks: normal or t.", ("normal", "t")),
            "n_obs": _count("Shocks of the fit [bars]."),
            "c": _number("Intercept of the AR(1) [ln US dollars]."),
            "phi": _number("AR(1) coefficient [1]."),
            "omega": _number("GARCH constant [(ln US dollars)²].", pa.Check.gt(0)),
            "alpha1": _number("GARCH reaction to the last squared shock [1].", pa.Check.ge(0)),
            "beta1": _number("GARCH memory of the last variance [1].", pa.Check.ge(0)),
            "nu": _number("Degrees of freedom; null for a normal fit [1].", pa.Check.gt(2)),
            "persistence": _number("alpha1 + beta1 [1].", pa.Check.in_range(0, 1 + 1e-6)),
            "unconditional_variance": _number(
                "omega / (1 − persistence); null from a persistence of 1 on [(ln US dollars)²].", pa.Check.gt(0)
            ),
            "mean_variance": _number("Mean of the variance over the sample [(ln US dollars)²].", pa.Check.gt(0)),
            "backcast": _number("Variance before the first shock [(ln US dollars)²].", pa.Check.ge(0)),
            "diurnal": pa.Column(
                str,
                pa.Check(_is_factor_list, element_wise=True, name="JSON list of positive numbers"),
                description="JSON list of the factors by bar of day, whose mean square is 1 [1].",
            ),
            "log_likelihood": _number("Log-likelihood with the diurnal factors [1]."),
            "aic": _number("Akaike's criterion [1]."),
            "bic": _number("Bayesian criterion [1]."),
            "log_likelihood_random_walk": _number("Log-likelihood of the rival with c = 0 and phi = 1 [1]."),
            "log_likelihood_constant_variance": _number("Log-likelihood of the rival with constant variance [1]."),
            "lr_random_walk": _number("Twice the log-likelihood gained over the random walk [1]."),
            "lr_constant_variance": _number("Twice the log-likelihood gained over constant variance [1]."),
            "ljung_box_p_z": _number("Ljung-Box p on z [1].", pa.Check.in_range(0, 1)),
            "ljung_box_p_z2": _number("Li-Mak p on squared z [1].", pa.Check.in_range(0, 1)),
            "arch_lm_p": _number("Engle's ARCH-LM p on z [1].", pa.Check.in_range(0, 1)),
            "half_life_bars": _number("Half-life by the φ of the fit [bars].", pa.Check.gt(0)),
            "half_life_status": _text("Why a half-life is null.", HALF_LIFE_STATUSES),
            "next_volatility": _number(
                "Standard deviation of the next bar's innovation [ln US dollars].", pa.Check.gt(0)
            ),
            "last_spread": _number("Spread at the sample's last close [ln US dollars]."),
            "last_variance": _number(
                "Variance of the next bar, known at that close [(ln US dollars)²].", pa.Check.gt(0)
            ),
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
