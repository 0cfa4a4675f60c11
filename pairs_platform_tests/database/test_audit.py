"""The audit log on both databases, and what the platform's user may do where another role owns the tables."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from pairs_platform.core.errors import SchemaOutdated
from pairs_platform.database.audit import AuditEntry, entries, record, record_configuration
from pairs_platform.database.models import Decision, read_decisions
from pairs_platform.database.replays import forget_replay
from pairs_platform.database.signals import store_signals
from pairs_platform.database.store import Database
from pairs_platform_tests.database.test_signals import GIVEN, REPLAY, SESSION, signal
from pairs_platform_tests.support.decisions import store_decisions

PROFILE = "simulated-5min-raw"


@pytest.fixture
def database(url) -> Database:
    return Database(url, PROFILE)


def add(database: Database, **more) -> None:
    with database.begin() as connection:
        record(connection, AuditEntry(**{"actor": "a test", "action": "data_deleted", "object": "a thing", **more}))


class TestRows:
    def test_a_row_comes_back_as_it_was_given(self, database):
        given = AuditEntry(
            actor="somebody@somewhere",
            action="data_deleted",
            object="signals",
            reason="why",
            detail={"rows": [3, 0]},
            sector="technology",
            session=SESSION,
            run_id="run",
            at_utc=datetime(2026, 3, 1, 12, 5, tzinfo=UTC),
        )
        with database.begin() as connection:
            record(connection, given)
        assert entries(database) == [given]

    def test_newest_first_by_action_and_since(self, database):
        old = datetime(2020, 1, 1, tzinfo=UTC)
        add(database, object="first", at_utc=old)
        add(database, object="second")
        add(database, object="third", action="run_retried")
        assert [one.object for one in entries(database)] == ["third", "second", "first"]
        assert [one.object for one in entries(database, actions=["data_deleted"])] == ["second", "first"]
        assert [one.object for one in entries(database, since=old + timedelta(1), limit=1)] == ["third"]

    @pytest.mark.parametrize("statement", ["UPDATE {} SET reason = 'other'", "DELETE FROM {}", "TRUNCATE {}"])
    @pytest.mark.parametrize("table", ["audit_log", "model_decisions"])
    def test_rows_are_only_added_whoever_asks(self, database, statement, table):
        decide(database)
        with database.begin() as connection:
            if "TRUNCATE" in statement and connection.dialect.name == "sqlite":
                pytest.skip("SQLite has no TRUNCATE")
        with (
            pytest.raises(sa.exc.DBAPIError, match=f"rows of {table} are only ever added"),
            database.begin() as connection,
        ):
            connection.execute(sa.text(statement.format(table)))
        assert len(entries(database)) == 1
        assert len(read_decisions(database, "technology")) == 1


def decide(database: Database, **more) -> None:
    given = {"alias": "champion", "version_before": 2, "version_after": 3, **more}
    decision = Decision(
        sector="technology",
        session=SESSION,
        action="manual_promote",
        reason="tried",
        actor="ann",
        figures={},
        decided_utc=datetime.now(UTC),
        **given,
    )
    store_decisions(database, [decision])


class TestWriters:
    def test_a_change_of_champion_is_recorded_with_it(self, database):
        decide(database)
        (entry,) = entries(database)
        assert (entry.actor, entry.action, entry.object) == ("ann", "model_alias_changed", "champion of technology")
        assert entry.detail == {"version": [2, 3]}
        assert entry.reason == "manual_promote: tried"

    def test_a_decision_that_changes_nothing_is_not(self, database):
        decide(database, alias=None, version_before=None, version_after=None)
        assert entries(database) == []

    def test_neither_is_stored_without_the_other(self, database):
        def fail(connection: sa.Connection) -> None:
            add_to(connection)
            raise RuntimeError("broken off")

        def add_to(connection: sa.Connection) -> None:
            record(connection, AuditEntry(actor="a", action="data_deleted", object="b"))

        with pytest.raises(RuntimeError), database.begin() as connection:
            fail(connection)
        assert entries(database) == []

    def test_forgotten_replays_are_recorded_with_their_number(self, database):
        assert forget_replay(database) == 0
        assert entries(database) == []
        store_signals(database, REPLAY, [signal()], GIVEN)
        assert forget_replay(database) == 1
        (entry,) = entries(database)
        assert (entry.object, entry.detail) == ("signals and trades of the run mode replay", {"signals": 1})


class TestConfiguration:
    def test_recorded_when_it_changes_and_only_then(self, database):
        first = {"costs.bps": 2.0, "gru.epochs": 50}
        assert record_configuration(database, first, actor="ann")
        assert not record_configuration(database, dict(reversed(first.items())), actor="bob")
        assert record_configuration(database, {"costs.bps": 3.0, "gru.hidden": 64}, actor="bob")
        newest, oldest = entries(database)
        assert oldest.reason == "first use"
        assert newest.detail["changed"] == {"costs.bps": [2.0, 3.0], "gru.epochs": [50, None], "gru.hidden": [None, 64]}
        assert newest.actor == "bob"
        assert newest.reason == "changed: costs.bps, gru.epochs, gru.hidden"


class TestRights:
    """On PostgreSQL, where the database belongs to one role and the platform works as another."""

    @pytest.fixture
    def app(self, owned):
        database = Database(owned.app, PROFILE, owner_url=owned.owner)
        database.upgrade()
        return Database(owned.app, PROFILE)

    def test_the_application_works_with_rows_alone(self, app):
        decide(app)
        assert len(entries(app)) == 1
        for statement in (
            "UPDATE audit_log SET reason = ''", "DELETE FROM audit_log", "TRUNCATE audit_log",
            "DELETE FROM model_decisions", "UPDATE alembic_version SET version_num = '0001'",
            "DROP TABLE audit_log", "ALTER TABLE audit_log DISABLE TRIGGER ALL", "CREATE TABLE mine (x int)",
            "DROP TRIGGER audit_log_only_added ON audit_log", "TRUNCATE signals",
        ):  # fmt: skip
            with (
                pytest.raises(sa.exc.ProgrammingError, match=r"permission denied|must be owner"),
                app.begin() as connection,
            ):
                connection.execute(sa.text(statement))
        assert len(entries(app)) == 1

    def test_replays_can_be_forgotten(self, app):
        store_signals(app, REPLAY, [signal()], GIVEN)
        assert forget_replay(app) == 1

    def test_without_the_owner_an_old_schema_is_an_error_that_says_what_to_do(self, owned):
        with pytest.raises(SchemaOutdated, match="does not have the tables of this version"):
            Database(owned.app, PROFILE).upgrade()
