"""SQL over the lake: an in-memory DuckDB connection with one view per table, for people who look around.

What does not belong here: reads of the assets (`store` opens files by name, which is faster and checks versions).
"""

import glob
import re
from collections.abc import Iterable
from pathlib import Path

import duckdb
import pandas as pd

from pairs_platform.core.contract import Contract
from pairs_platform.lake.store import Lake, contract_version, to_arrow


class SqlRefused(ValueError):
    """A statement that does more than read."""


def query(lake: Lake, contracts: Iterable[Contract], statement: str) -> pd.DataFrame:
    """The rows of one reading statement over the lake's tables.

    Parameters
    ----------
    lake : Lake
    contracts : iterable of Contract
        One view each, see `sql_connection`. When the statement names some of the tables, only those are looked up.
    statement : str
        DuckDB SQL.

    Raises
    ------
    SqlRefused
        There is not exactly one statement, or it does more than read.
    duckdb.Error
        The statement is wrong.
    """
    known = list(contracts)
    words = {word.lower() for word in re.findall(r"\w+", statement)}
    named = [contract for contract in known if contract.table in words]
    with sql_connection(lake, named or known) as connection:
        statements = connection.extract_statements(statement)
        if len(statements) != 1:
            raise SqlRefused(f"one statement at a time, please; found {len(statements)}")
        if statements[0].type not in (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN):
            raise SqlRefused("assets alone write to the lake: only statements that read are run, SELECT above all")
        return connection.sql(statement).to_arrow_table().to_pandas()


def sql_connection(lake: Lake, contracts: Iterable[Contract]) -> duckdb.DuckDBPyConnection:
    """An in-memory connection with a view per table: the columns `session` and `sector`, then the contract's own.

    Reads nothing outside the lake, loads no extension, and keeps it so. A table without partitions is an empty one.
    A table in which versions of the contract are mixed shows the columns of all of them.

    Parameters
    ----------
    lake : Lake
    contracts : iterable of Contract
    """
    connection = duckdb.connect()
    for name in ("autoinstall_known_extensions", "autoload_known_extensions", "allow_community_extensions"):
        connection.execute(f"SET {name} = false")
    root = lake.root.absolute().as_posix()
    # A pattern is compared with the allowed folders as it is written, escaped characters included.
    connection.execute(f"SET allowed_directories = [{_quoted(root)}, {_quoted(glob.escape(root))}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET TimeZone = 'UTC'")
    for contract in contracts:
        folder = lake.root.absolute() / contract.table
        samples = _oldest_and_newest(folder)
        if samples:
            _create_view(connection, contract, folder, mixed=len({contract_version(path) for path in samples}) > 1)
        else:
            _create_empty(connection, contract)
    connection.execute("SET lock_configuration = true")
    return connection


def _create_view(connection: duckdb.DuckDBPyConnection, contract: Contract, folder: Path, *, mixed: bool) -> None:
    pattern = _quoted(f"{glob.escape(folder.as_posix())}/*/*.parquet")
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


def _oldest_and_newest(folder: Path) -> list[Path]:
    """The first and last partition of each sector, by name."""
    samples: list[Path] = []
    for sector in sorted(folder.glob("sector=*")):
        names = sorted(path.name for path in sector.iterdir() if path.suffix == ".parquet")
        samples += [sector / name for name in {*names[:1], *names[-1:]}]
    return samples


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
