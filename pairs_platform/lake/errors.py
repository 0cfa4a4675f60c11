"""What can go wrong with a stored partition, importable without a Parquet library."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pairs_platform.core.partition_key import PartitionKey, materialize_command

if TYPE_CHECKING:
    from pairs_platform.core.contract import Contract
    from pairs_platform.lake.files import LakePath


class PartitionMissing(LookupError):
    """Partitions that nobody has stored yet, with the command that makes them.

    Attributes
    ----------
    table : str
    keys : tuple of PartitionKey
    """

    def __init__(self, table: str, keys: Sequence[PartitionKey], *, asset: str) -> None:
        self.table = table
        self.keys = tuple(keys)
        shown = ", ".join(str(key) for key in keys[:3]) + (f" and {len(keys) - 3} more" if len(keys) > 3 else "")
        super().__init__(f"{table} has no partition {shown}; make it with\n  {materialize_command(asset, keys[0])}")


class VersionMismatch(ValueError):
    """A partition written under another version of its contract, with the command that writes it again."""

    def __init__(self, contract: "Contract", key: PartitionKey, found: int | None) -> None:
        written = "without a contract" if found is None else f"under version {found} of its contract"
        super().__init__(
            f"{contract.table} {key} was written {written}, version {contract.version} is needed; write it again with\n"
            f"  {materialize_command(contract.written_by, key)}"
        )


class PartitionUnreadable(OSError):
    """A partition whose file is damaged, with the command that writes it again."""

    def __init__(self, path: "LakePath", reason: str, *, asset: str, key: PartitionKey) -> None:
        super().__init__(f"{path} cannot be read ({reason}); write it again with\n  {materialize_command(asset, key)}")
