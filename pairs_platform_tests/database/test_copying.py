"""Rows of an embedded database in another one of each kind: all of them, once, and never beside others' trainings."""

import pytest
import sqlalchemy as sa

from pairs_platform.core.errors import Refused
from pairs_platform.database.audit import AuditEntry, record
from pairs_platform.database.copying import KEYED, NUMBERED, copy_history
from pairs_platform.database.models import record_training
from pairs_platform.database.store import Database
from pairs_platform.database.tables import METADATA, MODEL_TRAINING
from pairs_platform_tests.database.test_audit import decide
from pairs_platform_tests.database.test_replays import fill
from pairs_platform_tests.database.test_signals import LIVE
from pairs_platform_tests.support.trades import ORIGIN
from pairs_platform_tests.support.trainings import performance, training


@pytest.fixture
def embedded(tmp_path) -> Database:
    made = Database(f"sqlite:///{tmp_path / 'embedded.db'}", "simulated-5min-raw")
    record_training(made, training(), performance())
    decide(made)
    fill(made, LIVE, ORIGIN, "t1")
    with made.begin() as connection:
        record(connection, AuditEntry(actor="a person", action="state_restored", object="a file"))
    return made


def contents(database: Database) -> dict[str, list]:
    with database.begin() as connection:
        return {
            table.name: sorted(
                str([value for name, value in row._mapping.items() if name != "id"])
                for row in connection.execute(sa.select(table))
            )
            for table in (*KEYED, *NUMBERED)
        }


def test_every_table_is_copied_but_alerts_and_the_claim_of_the_profile():
    left = {"alerts", "alert_messages", "database_profile"}
    assert {table.name for table in (*KEYED, *NUMBERED)} == set(METADATA.tables) - left
    places = {table.name: place for place, table in enumerate(KEYED)}
    for table in KEYED:
        for key in table.foreign_keys:
            assert places[key.column.table.name] < places[table.name], "what is referred to comes first"


def test_every_row_is_added_once(embedded, database):
    added = copy_history(embedded, database)
    assert added["model_training"] == 1
    assert added["model_decisions"] >= 1
    assert added["orders"] == 2
    assert added["fills"] == 1
    assert contents(database) == contents(embedded)
    assert copy_history(embedded, database) == {}
    decide(database)
    assert len(contents(database)["model_decisions"]) > len(contents(embedded)["model_decisions"])


def test_a_database_that_has_trained_by_itself_is_refused_and_stays(embedded, database):
    record_training(database, training(run_id="of production"), performance())
    before = contents(database)
    with pytest.raises(Refused, match=r"has trainings of its own already .1, such as of production."):
        copy_history(embedded, database)
    assert contents(database) == before
    with database.begin() as connection:
        assert connection.scalars(sa.select(MODEL_TRAINING.c.run_id)).all() == ["of production"]
