"""Partitions and documents: one file per session and sector, replaced as a whole, read many at a time.

`<root>/<table>/sector=<slug>/<YYYY-MM-DD>.parquet`. A frame is held against its contract before anything is published.
What does not belong here: what the tables mean (`core/<stage>/contracts.py`) and SQL over them (`lake.sql`).
"""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pairs_platform.core.contract import Contract
from pairs_platform.core.errors import PartitionMissing, PartitionUnreadable, VersionMismatch
from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.lake.atomic import while_locked
from pairs_platform.lake.documents import Documents
from pairs_platform.lake.files import LakePath, is_stored, read_file, replace

_METADATA_KEY = b"pairs_platform"
_READ_THREADS = 4
_OBJECT_THREADS = 16
"""Object storage answers each request after a while, and many at once."""


class Lake(Documents):
    """The Parquet store below one folder, on a disk or on object storage; safe for many processes
    at once.

    Parameters
    ----------
    root : Path or UPath
        On a disk it is made by the first write.
    """

    def write(self, contract: Contract, key: PartitionKey, frame: pd.DataFrame, metadata: dict[str, Any]) -> LakePath:
        """Replace partition `key` as a whole by `frame`, or leave the previous one untouched.

        Parameters
        ----------
        contract : Contract
        key : PartitionKey
        frame : DataFrame
            Without a row it is a valid partition. The index is not stored.
        metadata : dict
            Values about this partition that JSON can hold; stored inside the file, see `metadata`.

        Returns
        -------
        Path of the partition's file.

        Raises
        ------
        ContractViolation
            Nothing was written.
        OSError
            The disk is full or not writable, or object storage does not answer; the previous partition is whole.
        """
        contract.require(frame)
        file_metadata = {
            "table": contract.table,
            "contract_version": contract.version,
            "session": key.session.isoformat(),
            "sector": key.sector,
            "metadata": metadata,
        }
        table = to_arrow(contract, frame)
        table = table.replace_schema_metadata({**(table.schema.metadata or {}), _METADATA_KEY: _to_json(file_metadata)})
        buffer = pa.BufferOutputStream()
        pq.write_table(table, buffer, compression="zstd", compression_level=3, **_encoding(table.schema))
        path = self.path(contract.table, key)
        replace(path, buffer.getvalue().to_pybytes())
        return path

    def read(self, contract: Contract, key: PartitionKey, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """The frame of partition `key`; see `read_many`."""
        return self.read_many(contract, [key], columns)

    def read_many(
        self,
        contract: Contract,
        keys: Sequence[PartitionKey],
        columns: Sequence[str] | None = None,
        *,
        with_session: bool = False,
    ) -> pd.DataFrame:
        """The frames of many partitions, one below the other in the order of `keys`.

        Parameters
        ----------
        contract : Contract
        keys : sequence of PartitionKey
            Files are opened by name: the time does not grow with what else the lake holds. Without a key the frame
            is empty.
        columns : sequence of str, optional
            A choice of the contract's columns.
        with_session : bool
            Whether each row carries its partition's session (datetime64[ns], midnight) in a column `session`, for a
            table that has none.

        Raises
        ------
        PartitionMissing
            Naming every key that is not stored.
        VersionMismatch
            A partition was written under another version of the contract.
        PartitionUnreadable
            A file is damaged.
        """
        names = list(contract.columns) if columns is None else list(columns)
        unknown = [name for name in names if name not in contract.columns]
        if unknown:
            raise KeyError(f"{contract.table} has no column {', '.join(unknown)}; it has {', '.join(contract.columns)}")
        if not keys:
            tables = [to_arrow(contract, contract.empty()).select(names)]
        else:
            tables_by_key = self._each(keys, lambda key: self._read_table(contract, key, names))
            missing = [key for key, table in zip(keys, tables_by_key, strict=True) if table is None]
            if missing:
                raise PartitionMissing(contract.table, missing, asset=contract.written_by)
            tables = [table for table in tables_by_key if table is not None]
        frame = pa.concat_tables(tables).to_pandas()
        if with_session and "session" not in contract.columns:
            days = np.array([key.session for key in keys], dtype="datetime64[ns]")
            frame["session"] = np.repeat(days, [table.num_rows for table in tables] if keys else [])
        return frame

    def metadata(self, contract: Contract, key: PartitionKey) -> dict[str, Any]:
        """The metadata that the writer of partition `key` stored with it.

        Raises
        ------
        PartitionMissing, VersionMismatch, PartitionUnreadable
            As `read_many`.
        """
        file_metadata = self._open(contract, key, _file_metadata)
        if file_metadata is None:
            raise PartitionMissing(contract.table, [key], asset=contract.written_by)
        _require_version(contract, key, file_metadata)
        return dict(file_metadata["metadata"])

    def exists(self, table: str, key: PartitionKey) -> bool:
        """Whether partition `key` of `table` is stored."""
        return is_stored(self.path(table, key))

    def path(self, table: str, key: PartitionKey) -> LakePath:
        """Where partition `key` of `table` is, or would be."""
        return self._stem(table, key).with_suffix(".parquet")

    def file_metadata(self, contract: Contract, key: PartitionKey) -> dict[str, Any]:
        """What the writer of a partition stored with its rows: table, version, partition, metadata.

        Empty where there is no file, or one that the platform did not write.

        Raises
        ------
        PartitionUnreadable
        """
        return self._open(contract, key, _file_metadata) or {}

    def row_count(self, contract: Contract, key: PartitionKey) -> int:
        """Rows of a partition, from the end of its file; 0 where there is none.

        Raises
        ------
        PartitionUnreadable
        """
        return self._open(contract, key, lambda file: int(file.metadata.num_rows)) or 0

    def stored_frame(self, contract: Contract, key: PartitionKey) -> pd.DataFrame | None:
        """The rows of a partition, under whichever version of its contract they were written; None where none are.

        Raises
        ------
        PartitionUnreadable
        """
        return self._open(contract, key, lambda file: file.read(use_threads=False).to_pandas())

    def write_document(self, name: str, key: PartitionKey, document: dict[str, Any]) -> LakePath:
        """Replace the JSON document `name` of partition `key` as a whole; `read_document` gives it back."""
        path = self.document_path(name, key)
        replace(path, _to_json(document, indent=2) + b"\n")
        return path

    def _each(
        self, keys: Sequence[PartitionKey], read: Callable[[PartitionKey], pa.Table | None]
    ) -> list[pa.Table | None]:
        if len(keys) == 1:
            return [read(keys[0])]
        threads = _READ_THREADS if isinstance(self.root, Path) else _OBJECT_THREADS
        with ThreadPoolExecutor(max_workers=min(threads, len(keys))) as pool:
            return list(pool.map(read, keys))

    def _read_table(self, contract: Contract, key: PartitionKey, columns: list[str]) -> pa.Table | None:
        def read(file: pq.ParquetFile) -> pa.Table:
            _require_version(contract, key, _file_metadata(file))
            return file.read(columns=columns, use_threads=False).select(columns)

        return self._open(contract, key, read)

    def _open(self, contract: Contract, key: PartitionKey, read: Callable[[pq.ParquetFile], Any]) -> Any:
        """`read` applied to the partition's file; None where there is none."""
        path = self.path(contract.table, key)

        def opened() -> Any:
            with pq.ParquetFile(_source(path)) as file:
                return read(file)

        try:
            return while_locked(opened)
        except FileNotFoundError:
            return None
        except pa.ArrowInvalid as error:
            raise PartitionUnreadable(path, str(error), asset=contract.written_by, key=key) from error


def to_arrow(contract: Contract, frame: pd.DataFrame) -> pa.Table:
    """`frame` with the Arrow types that follow from the contract alone, so that empty and full partitions agree."""
    fields = [(name, _arrow_type(contract.dtype(name), contract, name)) for name in contract.columns]
    return pa.Table.from_pandas(frame[list(contract.columns)], schema=pa.schema(fields), preserve_index=False)


def _source(path: LakePath) -> Path | pa.BufferReader:
    """A file of a disk is read in parts, an object as a whole: partitions are small, and each request takes time."""
    return path if isinstance(path, Path) else pa.BufferReader(read_file(path))


def _arrow_type(dtype: str, contract: Contract, column: str) -> pa.DataType:
    if dtype == "object":
        is_text = str(contract.schema.columns[column].dtype) == "str"
        return pa.string() if is_text else pa.list_(pa.float64())
    return pa.array(pd.Series(dtype=dtype), from_pandas=True).type


def _encoding(schema: pa.Schema) -> dict[str, Any]:
    """Single-precision columns hold computed values, which hardly repeat: split by bytes they compress better than in a
    dictionary. Prices repeat, to the cent, and stay in one.
    """
    split = {field.name: "BYTE_STREAM_SPLIT" for field in schema if field.type == pa.float32()}
    if not split:
        return {}
    return {"use_dictionary": [name for name in schema.names if name not in split], "column_encoding": split}


def _file_metadata(file: pq.ParquetFile) -> dict[str, Any]:
    content = (file.metadata.metadata or {}).get(_METADATA_KEY)
    return {} if content is None else dict(json.loads(content))


def _require_version(contract: Contract, key: PartitionKey, file_metadata: dict[str, Any]) -> None:
    version = file_metadata.get("contract_version")
    if version != contract.version or file_metadata.get("table") != contract.table:
        raise VersionMismatch(contract.table, key, stored=version, needed=contract.version, asset=contract.written_by)


def _to_json(document: dict[str, Any], indent: int | None = None) -> bytes:
    text = json.dumps(
        document, default=_plain, allow_nan=False, sort_keys=indent is None, indent=indent, ensure_ascii=False
    )
    return text.encode()


def _plain(value: Any) -> Any:
    """JSON form of the values that appear in metadata: NumPy scalars and arrays, dates, moments."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} cannot be stored in a JSON document")
