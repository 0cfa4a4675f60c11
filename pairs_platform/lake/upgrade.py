"""Gives the partitions of an earlier version's lake the names and types of this one; no figure changes.

A file is replaced as a whole and says itself whether it was, so that an upgrade which was killed goes on where it was.
What does not belong here: the database's names (`database.migrations`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import PurePosixPath
from typing import Any

from pairs_platform.core.contract import Contract
from pairs_platform.core.models.contracts import FEATURE_FITS, GRU_MODELS
from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.core.prices.contracts import PRICE_HISTORY
from pairs_platform.core.streaming.contracts import STREAMED_BARS
from pairs_platform.core.volatility.contracts import FULL_WINDOW, GARCH_FITS, IN_SAMPLE
from pairs_platform.lake.files import LakePath, names_in
from pairs_platform.lake.store import Lake

_PARAMETER_SETS = {"parameter_set": {"evaluation": IN_SAMPLE, "production": FULL_WINDOW}}

_VOLUME = {"volume": "float64"}


@dataclass(frozen=True, kw_only=True)
class Change:
    """What of a table is another now: names and types of columns, values by column, names in metadata at any depth."""

    contract: Contract
    columns: Mapping[str, str] = field(default_factory=dict)
    types: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)


CHANGES = (
    Change(contract=GARCH_FITS, values=_PARAMETER_SETS),
    Change(contract=FEATURE_FITS, values=_PARAMETER_SETS),
    Change(
        contract=GRU_MODELS,
        metadata={"strategy": "scope", "strategy_reason": "scope_reason", "full_baseline": "full_retrain"},
    ),
    Change(contract=PRICE_HISTORY, types=_VOLUME),
    Change(contract=STREAMED_BARS, columns={"feed": "run_mode"}, types=_VOLUME, metadata={"feed": "run_mode"}),
)


def upgrade_lake(root: LakePath) -> dict[str, int]:
    """Rewrite every partition that has an earlier name or type in it.

    Parameters
    ----------
    root : Path or UPath
        Folder of the lake.

    Returns
    -------
    Partitions rewritten, by table; nothing where every partition is of this version.

    Raises
    ------
    ContractViolation, PartitionUnreadable
        A partition cannot be rewritten, and is left as it is.
    OSError
    """
    lake, rewritten = Lake(root), {}
    for change in CHANGES:
        n = sum(_upgrade_partition(lake, change, key) for key in _keys(root, change.contract.table))
        if n:
            rewritten[change.contract.table] = n
    return rewritten


def _upgrade_partition(lake: Lake, change: Change, key: PartitionKey) -> bool:
    contract = change.contract
    stored = lake.file_metadata(contract, key)
    metadata = _renamed(stored["metadata"], change.metadata)
    if stored["contract_version"] == contract.version and metadata == stored["metadata"]:
        return False
    frame = lake.stored_frame(contract, key)
    if frame is None:
        return False
    frame = frame.rename(columns=change.columns).astype(dict(change.types))
    for column, values in change.values.items():
        frame[column] = frame[column].replace(values)
    lake.write(contract, key, frame, metadata)
    return True


def _keys(root: LakePath, table: str) -> list[PartitionKey]:
    return [
        PartitionKey(date.fromisoformat(PurePosixPath(name).stem), sector.removeprefix("sector="))
        for sector in names_in(root / table)
        for name in names_in(root / table / sector)
        if name.endswith(".parquet") and not name.startswith(".")
    ]


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {names.get(name, name): _renamed(below, names) for name, below in value.items()}
    if isinstance(value, list):
        return [_renamed(below, names) for below in value]
    return value
