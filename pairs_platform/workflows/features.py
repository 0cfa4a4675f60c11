"""Features and labels of a sector-day: made from the window, stored, and read again by training and tuning.

What does not belong here: the features themselves (`core.models.features`) and their tables' contracts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pairs_platform.core.models.contracts import (
    FEATURE_FITS,
    FEATURE_SCALING,
    PAIR_FEATURES,
    datasets_of,
    feature_frame,
    scaling_frame,
)
from pairs_platform.core.models.features import PairDataset, pair_datasets
from pairs_platform.core.models.splits import SplitPlan
from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.core.prices.window import PriceWindow
from pairs_platform.platform import Platform
from pairs_platform.views.windows import load_window, past_correlation_gate, window_metadata


@dataclass(frozen=True, eq=False, kw_only=True)
class FeatureInputs:
    """What the features of a sector-day are made from.

    Attributes
    ----------
    window : PriceWindow
    pairs : DataFrame
        pair, y, x of every pair past the correlation gate.
    provenance : mapping
        What is stored with the tables about their window.
    """

    window: PriceWindow
    pairs: pd.DataFrame
    provenance: Mapping[str, Any]


@dataclass(frozen=True, eq=False, kw_only=True)
class FeatureTables:
    """The tables of one partition; see the contracts of the same names.

    Attributes
    ----------
    features, scaling, fits : DataFrame
    purge_bars : int
        Bars left out between two parts.
    """

    features: pd.DataFrame
    scaling: pd.DataFrame
    fits: pd.DataFrame
    purge_bars: int


@dataclass(frozen=True, eq=False, kw_only=True)
class StoredFeatures:
    """What one partition has become: its tables, what is stored with them, and the size of the features [bytes]."""

    tables: FeatureTables
    provenance: Mapping[str, Any]
    size_bytes: int


def feature_partition(platform: Platform, key: PartitionKey) -> StoredFeatures:
    """Make and store features, scaling constants and fits of one sector-day."""
    inputs = _gather(platform, key)
    tables = _make_tables(platform, inputs)
    return _store(platform, key, inputs, tables)


def _gather(platform: Platform, key: PartitionKey) -> FeatureInputs:
    window = load_window(platform, key)
    bars_per_session = int(window.bar_of_day.max()) + 1
    return FeatureInputs(
        window=window,
        pairs=past_correlation_gate(platform, key),
        provenance=window_metadata(platform, key, window) | {"bars_per_session": bars_per_session},
    )


def _make_tables(platform: Platform, inputs: FeatureInputs) -> FeatureTables:
    settings = platform.settings
    datasets, splits, fits = pair_datasets(
        inputs.window,
        inputs.pairs,
        settings=settings.gru,
        pair_settings=settings.pair_settings,
    )
    return FeatureTables(
        features=feature_frame(datasets, splits),
        scaling=scaling_frame(datasets),
        fits=fits,
        purge_bars=splits.purge_bars,
    )


def _store(platform: Platform, key: PartitionKey, inputs: FeatureInputs, tables: FeatureTables) -> StoredFeatures:
    """Store the features last: a partition of `pair_features` never stands without its fits and scaling."""
    lake, provenance = platform.lake, dict(inputs.provenance)
    lake.write(FEATURE_FITS, key, tables.fits, provenance)
    lake.write(FEATURE_SCALING, key, tables.scaling, provenance)
    path = lake.write(PAIR_FEATURES, key, tables.features, provenance)
    return StoredFeatures(tables=tables, provenance=provenance, size_bytes=path.stat().st_size)


def load_datasets(platform: Platform, key: PartitionKey) -> tuple[list[PairDataset], SplitPlan | None]:
    """The datasets that were stored and how they are split; no split where no pair has data.

    Raises
    ------
    PartitionMissing
        The partition has no features.
    """
    contracts = (PAIR_FEATURES, FEATURE_SCALING, FEATURE_FITS)
    features, scaling, fits = (platform.lake.read(contract, key) for contract in contracts)
    return datasets_of(features, scaling, fits)
