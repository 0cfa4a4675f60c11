"""SQL over the lake and the database's tables: an in-memory DuckDB connection with one view per table, for people who
look around.

What does not belong here: reads of the assets (`store` opens files by name, which is faster and checks versions).
"""

import glob
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa

from pairs_platform.core.contract import Contract
from pairs_platform.core.errors import ConfigurationError
from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.lake.files import LakePath, names_in
from pairs_platform.lake.store import Lake, to_arrow


@dataclass(frozen=True)
class ExternalTables:
    """Tables that are stored outside the lake, and views over them.

    Attributes
    ----------
    schemas : mapping of str to Schema
        Columns of each table by name.
    views : mapping of str to str
        The statement that makes each view, in SQL that DuckDB understands, by name.
    read : callable
        The rows of the tables of these names, whole; called with those that a statement names, itself or by a view.
    """

    schemas: Mapping[str, pa.Schema]
    views: Mapping[str, str]
    read: Callable[[Collection[str]], Mapping[str, pa.Table]]


def query(
    lake: Lake, contracts: Iterable[Contract], statement: str, external: ExternalTables | None = None
) -> pd.DataFrame:
    """The rows of one reading statement over the lake's tables and external ones.

    Parameters
    ----------
    lake : Lake
    contracts : iterable of Contract
        One view each, see `sql_connection`. When the statement names some of the tables, only those are looked up; one
        that names none (``SHOW TABLES``) sees all of them, the external ones without rows.
    statement : str
        DuckDB SQL.
    external : ExternalTables, optional

    Raises
    ------
    ConfigurationError
        There is not exactly one statement, or it does more than read.
    PartitionUnreadable
        A partition of a table that it names is damaged.
    duckdb.Error
        The statement is wrong, or what DuckDB finds while it reads.
    """
    all_contracts, schemas, views = (
        list(contracts),
        external.schemas if external else {},
        external.views if external else {},
    )
    identifiers = _identifiers(statement)
    named = [contract for contract in all_contracts if contract.table in identifiers]
    named_views = [name for name in views if name in identifiers]
    identifiers = identifiers.union(*(_identifiers(views[name]) for name in named_views))
    named_external = [name for name in schemas if name in identifiers]
    if external is None or not (named or named_external):
        named = named or all_contracts
        tables: Mapping[str, pa.Table] = {name: schema.empty_table() for name, schema in schemas.items()}
        named_views = list(views)
    else:
        tables = external.read(named_external)
    with sql_connection(lake, named, tables, [views[name] for name in named_views]) as connection:
        statements = connection.extract_statements(statement)
        if len(statements) != 1:
            raise ConfigurationError(f"one statement at a time, please; found {len(statements)}")
        if statements[0].type not in (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN):
            raise ConfigurationError(
                "assets alone write what is stored: only statements that read are run, SELECT above all"
            )
        return connection.sql(statement).to_arrow_table().to_pandas()


def _identifiers(statement: str) -> set[str]:
    return {word.lower() for word in re.findall(r"\w+", statement)}


def sql_connection(
    lake: Lake,
    contracts: Iterable[Contract],
    tables: Mapping[str, pa.Table] | None = None,
    views: Iterable[str] = (),
) -> duckdb.DuckDBPyConnection:
    """An in-memory connection with a view per table: the columns `session` and `sector`, then the contract's own.

    It reads nothing but the lake and its arguments, loads no extension, and its configuration is locked. A table
    without partitions is an empty one. A table in which versions of the contract are mixed shows the columns of all of
    them.

    Parameters
    ----------
    lake : Lake
    contracts : iterable of Contract
    tables : mapping of str to Table, optional
        More tables by name.
    views : iterable of str, optional
        Statements that make views over `tables`.
    """
    connection = duckdb.connect()
    for name in ("autoinstall_known_extensions", "autoload_known_extensions", "allow_community_extensions"):
        connection.execute(f"SET {name} = false")
    root = _place(lake.root)
    if not isinstance(lake.root, Path):
        connection.register_filesystem(lake.root.fs)
    # A pattern is compared with the allowed folders as it is written, escaped characters included.
    connection.execute(f"SET allowed_directories = [{_quoted(root)}, {_quoted(glob.escape(root))}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET TimeZone = 'UTC'")
    for contract in contracts:
        folder = lake.root / contract.table
        samples = _oldest_and_newest(lake, contract.table)
        if samples:
            versions = {lake.file_metadata(contract, key).get("contract_version") for key in samples}
            _create_view(connection, contract, folder, mixed=len(versions) > 1)
        else:
            _create_empty(connection, contract)
    for name, table in (tables or {}).items():
        connection.register(name, table)
    for view in views:
        connection.execute(view)
    connection.execute("SET lock_configuration = true")
    return connection


def _create_view(connection: duckdb.DuckDBPyConnection, contract: Contract, folder: LakePath, *, mixed: bool) -> None:
    pattern = _quoted(f"{glob.escape(_place(folder))}/*/*.parquet")
    own = (
        ""
        if "session" in contract.columns
        else r"regexp_extract(filename, '([0-9-]{10})\.parquet$', 1)::DATE AS session, "
    )
    # Reading the columns of every file first costs seconds with years of partitions: only where it is needed.
    source = f"read_parquet({pattern}, hive_partitioning = true, filename = true, union_by_name = {str(mixed).lower()})"
    connection.execute(
        f'CREATE VIEW "{contract.table}" AS SELECT {own}sector, * EXCLUDE (sector, filename) FROM {source}'
    )


def _create_empty(connection: duckdb.DuckDBPyConnection, contract: Contract) -> None:
    own = "" if "session" in contract.columns else "NULL::DATE AS session, "
    sector = "" if "sector" in contract.columns else "NULL::VARCHAR AS sector, "
    connection.register("empty_partition", to_arrow(contract, contract.empty()))
    connection.execute(f'CREATE TABLE "{contract.table}" AS SELECT {own}{sector}* FROM empty_partition')
    connection.unregister("empty_partition")


def _oldest_and_newest(lake: Lake, table: str) -> list[PartitionKey]:
    """The first and last partition of each sector."""
    samples: list[PartitionKey] = []
    for folder in names_in(lake.root / table):
        if folder.startswith("sector="):
            sector = folder.removeprefix("sector=")
            sessions = lake.sessions(table, sector)
            samples += [PartitionKey(session, sector) for session in {*sessions[:1], *sessions[-1:]}]
    return samples


def _place(folder: LakePath) -> str:
    """The folder in the form that DuckDB reads."""
    return folder.absolute().as_posix() if isinstance(folder, Path) else str(folder)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
