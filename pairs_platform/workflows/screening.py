"""Correlation and cointegration of one sector-day: from the window into the lake.

What does not belong here: the tests themselves (`core.screening`) and what their pages show (`defs.screening`).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from pairs_platform.core.errors import PartitionStale
from pairs_platform.core.parallel import LOCAL, ComputeBackend
from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.core.prices.window import PriceWindow
from pairs_platform.core.screening.cointegration import screen_pairs
from pairs_platform.core.screening.contracts import COINTEGRATED_PAIRS, CORRELATION_MATRIX
from pairs_platform.core.screening.correlation import pair_correlations
from pairs_platform.core.screening.placebo import PlaceboResult, placebo_counts
from pairs_platform.core.screening.spread import pair_table
from pairs_platform.platform import Platform
from pairs_platform.views.windows import load_truncated_window, load_window, window_metadata
from pairs_platform.workflows.recomputed import RecomputedRow, row_values, sampled

_OF_ALL_PAIRS = ("q_value", "wild_bootstrap_p")
"""Columns whose values depend on every pair that was tested."""


@dataclass(frozen=True, eq=False)
class Correlations:
    """What was stored in `correlation_matrix`.

    Attributes
    ----------
    symbols : tuple of str
        Of the window.
    pairs : DataFrame
        The stored table.
    metadata : mapping
        What the partition says about itself.
    """

    symbols: tuple[str, ...]
    pairs: pd.DataFrame
    metadata: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class ScreeningInputs:
    """The window, and whether each of its pairs, in their order, is past the correlation gate."""

    window: PriceWindow
    correlated: np.ndarray


@dataclass(frozen=True, eq=False)
class Screening:
    """What was stored in `cointegrated_pairs`.

    Attributes
    ----------
    pairs : DataFrame
        The stored table.
    past_both_gates : DataFrame
        Its rows past the gates of correlation and cointegration.
    placebos : mapping of str to PlaceboResult
        By kind: "joint", "independent".
    metadata : mapping
        What the partition says about itself.
    """

    pairs: pd.DataFrame
    past_both_gates: pd.DataFrame
    placebos: Mapping[str, PlaceboResult]
    metadata: Mapping[str, Any]


def correlate_partition(platform: Platform, key: PartitionKey) -> Correlations:
    """Compute and store both correlations of every pair of the sector."""
    window = load_window(platform, key)
    metadata = window_metadata(platform, key, window)
    with platform.compute_backend() as backend:
        pairs = pair_correlations(window, platform.settings.correlation, backend=backend)
    platform.lake.write(CORRELATION_MATRIX, key, pairs, metadata)
    return Correlations(tuple(window.symbols), pairs, metadata)


def screen_partition(platform: Platform, key: PartitionKey) -> Screening:
    """Test and store every pair of the sector, with what the same gates let through by chance.

    Raises
    ------
    PartitionStale
        `correlation_matrix` was made from other prices.
    """
    inputs, settings = _gather(platform, key), platform.settings
    with platform.compute_backend() as backend:
        pairs = _screen(platform, inputs.window, inputs.correlated, backend)
        past_both_gates = pairs[inputs.correlated & pairs["passes_cointegration"]]
        placebos = placebo_counts(
            inputs.window,
            correlation=settings.correlation,
            cointegration=settings.cointegration,
            placebo=settings.placebo,
            found=len(past_both_gates),
            backend=backend,
        )
    metadata = {
        **window_metadata(platform, key, inputs.window),
        "placebo": {kind: asdict(result) for kind, result in placebos.items()},
    }
    platform.lake.write(COINTEGRATED_PAIRS, key, pairs, metadata)
    return Screening(pairs, past_both_gates, placebos, metadata)


def recomputed_pair(platform: Platform, key: PartitionKey) -> RecomputedRow:
    """A sampled pair, tested again on prices cut off at the session's close, without what depends on all pairs."""
    stored = sampled(platform.lake.read(COINTEGRATED_PAIRS, key), key)
    window = load_truncated_window(platform, key, [stored["symbol_1"], stored["symbol_2"]])
    again = _screen(platform, window).drop(columns=list(_OF_ALL_PAIRS))
    own = {name: value for name, value in stored.items() if name not in _OF_ALL_PAIRS}
    return RecomputedRow(stored["pair"], own, row_values(again))


def _gather(platform: Platform, key: PartitionKey) -> ScreeningInputs:
    window = load_window(platform, key)
    gates = platform.lake.read(CORRELATION_MATRIX, key).set_index("pair")["passes_correlation"]
    names = pair_table(window.symbols)["pair"]
    if set(names) != set(gates.index):
        raise PartitionStale(
            f"correlation_matrix {key} holds other pairs than the prices stored now",
            key,
            asset=CORRELATION_MATRIX.written_by,
        )
    return ScreeningInputs(window, gates.loc[names].to_numpy())


def _screen(
    platform: Platform, window: PriceWindow, correlated: np.ndarray | None = None, backend: ComputeBackend = LOCAL
) -> pd.DataFrame:
    settings = platform.settings
    return screen_pairs(
        window,
        settings=settings.cointegration,
        entry_z=settings.trading.entry_z,
        exit_z=settings.trading.exit_z,
        round_trip_cost_bps=settings.costs.round_trip_bps,
        correlated=correlated,
        backend=backend,
    )
