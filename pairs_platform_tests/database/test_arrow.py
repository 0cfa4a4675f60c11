from datetime import UTC, date, datetime

import duckdb
import pyarrow as pa
import pytest
import sqlalchemy as sa

from pairs_platform.core.errors import DatabaseMismatch
from pairs_platform.database.arrow import arrow_schemas, arrow_tables
from pairs_platform.database.models import Decision, record_training
from pairs_platform.database.store import Database
from pairs_platform.database.tables import METADATA, VIEWS
from pairs_platform_tests.support.decisions import store_decisions
from pairs_platform_tests.support.trainings import SESSION, TRAINED, performance, training

PROFILE = "simulated-5min-raw"


def filled(url: str) -> Database:
    database = Database(url, PROFILE)
    record_training(database, training(), performance())
    store_decisions(
        database,
        [
            Decision(
                sector="technology",
                session=SESSION,
                action="wait",
                reason="too few sessions",
                actor="a run",
                figures={"n": 3},
                decided_utc=datetime(2023, 3, 9, 11, 30, tzinfo=UTC),
            )
        ],
    )
    return database


def test_every_table_has_a_schema_with_its_columns():
    for name, schema in arrow_schemas().items():
        assert schema.names == [column.name for column in METADATA.tables[name].columns]
    assert set(arrow_schemas()) == set(METADATA.tables)
    assert arrow_schemas()["model_training"].field("trained_utc").type == pa.timestamp("us", tz="UTC")
    assert arrow_schemas()["model_training"].field("session").type == pa.date32()


def test_rows_come_through_with_their_types(url):
    tables = arrow_tables(filled(url), list(METADATA.tables))
    [stored] = tables["model_training"].to_pylist()
    assert stored["session"] == date(2023, 3, 8)
    assert stored["trained_utc"] == TRAINED
    assert stored["full_retrain"] is True
    assert stored["skill"] == 0.001
    assert stored["lift"] is None
    assert len(tables["model_performance"]) == 4
    assert [row["figures"] for row in tables["model_decisions"].to_pylist()] == ['{"n": 3}']
    assert tables["database_profile"].to_pylist() == [{"profile": PROFILE}]
    for name, table in tables.items():
        assert table.schema == arrow_schemas()[name]


def test_only_the_tables_that_are_asked_for_are_read(url):
    assert list(arrow_tables(filled(url), ["model_trends"])) == ["model_trends"]


def test_a_database_that_nobody_made_is_empty_and_stays_unmade(tmp_path):
    path = tmp_path / "database.db"
    tables = arrow_tables(Database(f"sqlite:///{path}", PROFILE), ["model_training", "model_trends"])
    assert {name: len(table) for name, table in tables.items()} == {"model_training": 0, "model_trends": 0}
    assert not path.exists()


def test_a_database_of_another_profile_is_refused_and_not_empty(url):
    filled(url)
    with pytest.raises(DatabaseMismatch, match=PROFILE):
        arrow_tables(Database(url, "yahoo-1d-split_adjusted"), ["model_training"])


def test_duckdb_makes_the_same_views_from_the_tables(url):
    database = filled(url)
    tables = arrow_tables(database, list(METADATA.tables))
    with duckdb.connect() as connection, database.begin() as database:
        for name, table in tables.items():
            connection.register(name, table)
        for name, statement in VIEWS.items():
            connection.execute(statement)
            again = connection.sql(f"SELECT * FROM {name} ORDER BY ALL").to_arrow_table().to_pylist()
            stored = [dict(row) for row in database.execute(sa.text(f"SELECT * FROM {name}")).mappings()]
            assert len(again) == len(stored) == 3
            assert again == [
                {**row, "session": date.fromisoformat(str(row["session"]))}
                for row in sorted(stored, key=lambda row: tuple(map(str, row.values())))
            ]
