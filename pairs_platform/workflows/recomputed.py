"""One stored row of a partition, and the same row computed again on prices cut off at the session's close.

What the checks against look-ahead compare. What does not belong here: computing a row again (each stage's workflow) and
comparing (`core.check_result`).
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pairs_platform.core.partition_key import PartitionKey


@dataclass(frozen=True)
class RecomputedRow:
    """A stored row and its recomputation, by column.

    Attributes
    ----------
    name : str
        Which row, for a person.
    stored, recomputed : mapping of str to value
    """

    name: str
    stored: Mapping[str, Any]
    recomputed: Mapping[str, Any]


def sampled(frame: pd.DataFrame, key: PartitionKey) -> dict[str, Any]:
    """One row of a stored frame by column, the same one whenever the partition is asked."""
    return row_values(frame, zlib.crc32(str(key).encode()) % len(frame))


def row_values(frame: pd.DataFrame, row: int = 0) -> dict[str, Any]:
    """One row of a frame by column."""
    return {str(name): value for name, value in frame.iloc[row].items()}
