"""GARCH fits of one sector-day: from the window and the screened pairs into the lake.

What does not belong here: estimating a fit (`core.volatility`) and what the page shows (`defs.volatility`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.core.prices.window import PriceWindow
from pairs_platform.core.volatility.contracts import GARCH_FITS
from pairs_platform.core.volatility.parameters import fit_parameter_sets
from pairs_platform.core.volatility.rows import parameter_values
from pairs_platform.platform import Platform
from pairs_platform.views.windows import load_truncated_window, load_window, past_correlation_gate, window_metadata
from pairs_platform.workflows.recomputed import RecomputedRow, row_values, sampled


@dataclass(frozen=True, eq=False)
class FitInputs:
    """The window, and the rows of `cointegrated_pairs` whose spreads are fitted."""

    window: PriceWindow
    pairs: pd.DataFrame


@dataclass(frozen=True, eq=False)
class Fits:
    """What was stored in `garch_fits`.

    Attributes
    ----------
    inputs : FitInputs
    fits : DataFrame
        The stored table.
    metadata : mapping
        What the partition says about itself.
    """

    inputs: FitInputs
    fits: pd.DataFrame
    metadata: Mapping[str, Any]


def fit_partition(platform: Platform, key: PartitionKey) -> Fits:
    """Fit and store the spread of every pair past the correlation gate, with both parameter sets."""
    inputs = FitInputs(load_window(platform, key), past_correlation_gate(platform, key))
    with platform.compute_backend() as backend:
        fits = fit_parameter_sets(inputs.window, inputs.pairs, settings=platform.settings.garch, backend=backend)
    metadata = window_metadata(platform, key, inputs.window)
    platform.lake.write(GARCH_FITS, key, fits, metadata)
    return Fits(inputs, fits, metadata)


def recomputed_fit(platform: Platform, key: PartitionKey) -> RecomputedRow | None:
    """A sampled fit, made again on prices cut off at the session's close; None where no pair was fitted."""
    fits = platform.lake.read(GARCH_FITS, key)
    if fits.empty:
        return None
    stored = sampled(fits, key)
    window = load_truncated_window(platform, key, [stored["y"], stored["x"]])
    again = fit_parameter_sets(window, pd.DataFrame([stored])[["pair", "y", "x"]], settings=platform.settings.garch)
    same_set = again[again["parameter_set"] == stored["parameter_set"]]
    name = f"{stored['pair']} ({stored['parameter_set']})"
    return RecomputedRow(name, parameter_values(stored), parameter_values(row_values(same_set)))
