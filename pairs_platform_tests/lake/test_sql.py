import duckdb
import pandas as pd
import pandera.pandas as pa
import pyarrow
import pytest

from pairs_platform.core.contract import Contract
from pairs_platform.core.errors import ConfigurationError, PartitionUnreadable
from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.core.prices.contracts import PRICE_FLAGS, PRICE_HISTORY, PRICE_QUARANTINE
from pairs_platform.lake.files import replace
from pairs_platform.lake.sql import ExternalTables, query, sql_connection
from pairs_platform.lake.store import Lake
from pairs_platform_tests.support.price_samples import EARLY_CLOSE, FULL, make_bars

CONTRACTS = (PRICE_HISTORY, PRICE_QUARANTINE, PRICE_FLAGS)


@pytest.fixture
def lake(place) -> Lake:
    lake = Lake(place)
    for sector in ("technology", "energy"):
        for session in (FULL, EARLY_CLOSE):
            lake.write(PRICE_HISTORY, PartitionKey(session, sector), make_bars([session]), {})
    return lake


def test_a_table_shows_session_and_sector(lake):
    found = query(
        lake, CONTRACTS, "SELECT session, sector, count(*) AS bars FROM price_history GROUP BY ALL ORDER BY ALL"
    )
    assert found.astype({"session": str}).to_numpy().tolist() == [
        ["2024-07-02", "energy", 156],
        ["2024-07-02", "technology", 156],
        ["2024-07-03", "energy", 84],
        ["2024-07-03", "technology", 84],
    ]


def test_values_and_time_zones_come_through(lake):
    found = query(
        lake,
        CONTRACTS,
        "SELECT * EXCLUDE (session, sector) FROM price_history WHERE sector = 'energy' AND session = '2024-07-03'",
    )
    pd.testing.assert_frame_equal(found, make_bars([EARLY_CLOSE]))


def test_a_table_without_partitions_is_empty(lake):
    for table in ("price_quarantine", "price_flags"):
        found = query(lake, CONTRACTS, f"SELECT * FROM {table}")
        assert found.empty
        assert {"session", "sector", "symbol"} <= set(found.columns)


def test_an_empty_lake_answers(tmp_path):
    assert query(Lake(tmp_path / "nothing"), CONTRACTS, "SELECT count(*) AS n FROM price_history")["n"].tolist() == [0]


def test_tables_can_be_listed_and_described(lake):
    assert query(lake, CONTRACTS, "SHOW TABLES")["name"].tolist() == [
        "price_flags",
        "price_history",
        "price_quarantine",
    ]
    columns = query(lake, CONTRACTS, "DESCRIBE price_history").set_index("column_name")["column_type"]
    assert columns["session"] == "DATE"
    assert columns["ts_utc"].startswith("TIMESTAMP WITH TIME ZONE") or columns["ts_utc"].startswith("TIMESTAMPTZ")


def test_what_writers_left_behind_is_not_read(lake):
    folder = lake.path("price_history", PartitionKey(FULL, "energy")).parent
    (folder / ".2024-07-02.parquet.abc.tmp").write_bytes(b"half")
    assert query(lake, CONTRACTS, "SELECT count(*) AS n FROM price_history")["n"].tolist() == [480]


def test_a_damaged_partition_is_named(lake):
    key = PartitionKey(EARLY_CLOSE, "energy")
    replace(lake.path("price_history", key), b"")
    with pytest.raises(PartitionUnreadable, match=r"energy.*cannot be read") as raised:
        query(lake, CONTRACTS, "SELECT * FROM price_history")
    assert (raised.value.asset, raised.value.key) == ("price_history", key)


def test_mixed_versions_show_the_columns_of_both(lake):
    columns = {**PRICE_FLAGS.schema.columns, "severity": pa.Column(str)}
    newer = Contract(table="price_flags", version=2, schema=pa.DataFrameSchema(columns, strict=True))
    row = {"symbol": "AAA", "session": pd.Timestamp(FULL), "kind": "zero_volume", "detail": "d", "remedy": "r"}
    lake.write(PRICE_FLAGS, PartitionKey(FULL, "energy"), pd.DataFrame([row]), {})
    lake.write(newer, PartitionKey(EARLY_CLOSE, "energy"), pd.DataFrame([{**row, "severity": "low"}]), {})
    found = query(lake, [newer], "SELECT severity FROM price_flags ORDER BY severity NULLS FIRST")
    assert found["severity"].tolist() == [None, "low"]


class Notes:
    """A table of notes beside the lake, a view of the long ones, and which tables were read."""

    def __init__(self) -> None:
        self.rows = pyarrow.table({"symbol": ["AAA", "BBB"], "words": [3, 300]})
        self.read: list[str] = []

    def beside(self) -> ExternalTables:
        view = "CREATE VIEW long_notes AS SELECT * FROM notes WHERE words > 100"
        return ExternalTables({"notes": self.rows.schema, "other": self.rows.schema}, {"long_notes": view}, self._read)

    def _read(self, names):
        self.read += names
        return {name: self.rows for name in names}


def test_tables_beside_the_lake_are_joined_with_it(lake):
    notes = Notes()
    found = query(
        lake,
        CONTRACTS,
        "SELECT symbol, words, count(*) AS bars FROM price_history JOIN notes USING (symbol) GROUP BY ALL ORDER BY ALL",
        notes.beside(),
    )
    assert found.to_numpy().tolist() == [["AAA", 3, 240], ["BBB", 300, 240]]
    assert notes.read == ["notes"]


def test_a_view_reads_the_tables_that_it_needs(lake):
    notes = Notes()
    assert query(lake, CONTRACTS, "SELECT symbol FROM Long_Notes", notes.beside())["symbol"].tolist() == ["BBB"]
    assert notes.read == ["notes"]


def test_tables_beside_the_lake_are_listed_without_being_read(lake):
    notes = Notes()
    names = query(lake, CONTRACTS, "SHOW TABLES", notes.beside())["name"].tolist()
    assert names == ["long_notes", "notes", "other", "price_flags", "price_history", "price_quarantine"]
    assert notes.read == []


@pytest.mark.parametrize(
    "statement",
    [
        "DROP VIEW price_history",
        "COPY price_history TO 'x.parquet'",
        "SET enable_external_access = true",
        "INSTALL httpfs",
        "LOAD httpfs",
        "ATTACH 'x.db'",
        "CREATE TABLE t AS SELECT 1",
        "PRAGMA version",
        "SELECT 1; SELECT 2",
        "",
        "  -- nothing",
    ],
)
def test_only_one_reading_statement_is_run(lake, statement):
    with pytest.raises(ConfigurationError):
        query(lake, CONTRACTS, statement)


def test_nothing_outside_the_lake_can_be_read(lake, tmp_path):
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    for source in (f"read_csv('{secret}')", f"'{secret}'", "read_text('/etc/hostname')"):
        with pytest.raises(duckdb.PermissionException):
            query(lake, CONTRACTS, f"SELECT * FROM {source}")


@pytest.mark.parametrize(
    "statement",
    [
        "SET enable_external_access = true",
        "SET allowed_directories = ['/']",
        "SET autoload_known_extensions = true",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SELECT * FROM read_csv('https://example.com/x.csv')",
    ],
)
def test_the_connection_itself_is_locked(lake, statement):
    with sql_connection(lake, CONTRACTS) as connection, pytest.raises(duckdb.Error):
        connection.execute(statement)


def test_a_wrong_statement_says_what_is_wrong(lake):
    with pytest.raises(duckdb.BinderException, match="closed"):
        query(lake, CONTRACTS, "SELECT closed FROM price_history")
    with pytest.raises(duckdb.CatalogException, match="no_such_table"):
        query(lake, CONTRACTS, "SELECT * FROM no_such_table")
