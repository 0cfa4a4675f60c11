"""Rows of `GARCH_FITS` as the fits and spreads that they were made from.

What does not belong here: making the rows (`parameters`).
"""

import json
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING

import numpy as np

from pairs_platform.core.screening.spread import SpreadParameters
from pairs_platform.core.volatility.fit import GarchFit

if TYPE_CHECKING:
    import pandas as pd

FIT_COLUMNS = [field.name for field in fields(GarchFit)]
SPREAD_COLUMNS = ["alpha", "beta", "mu", "sigma"]


def garch_fit(row: "pd.Series") -> GarchFit:
    """The `GarchFit` of one row of `GARCH_FITS`, equal in every value to the one that was stored."""
    values = {name: row[name] for name in FIT_COLUMNS}
    return GarchFit(**{**values, "diurnal": tuple(json.loads(row["diurnal"])), "n_obs": int(row["n_obs"])})


def parameter_values(row: Mapping[str, object]) -> dict[str, object]:
    """The values of one row of `GARCH_FITS` by name, the diurnal factors as numbers."""
    return {**row, "diurnal": json.loads(str(row["diurnal"]))}


def spread_parameters(row: "pd.Series") -> SpreadParameters:
    """The `SpreadParameters` of one row of `GARCH_FITS`; the row must have them."""
    if not np.isfinite(row["beta"]):
        raise ValueError(f"{row['pair']} has no spread: {row['status']} ({row['reason']})")
    return SpreadParameters(
        y=row["y"], x=row["x"], n_bars=int(row["n_bars"]), **{name: float(row[name]) for name in SPREAD_COLUMNS}
    )
