"""The audit log on both databases, and what the platform's user may do where another role owns the tables."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from pairs_platform.database.audit import AuditEntry, entries, record, record_configuration
from pairs_platform.database.errors import LedgerMismatch
from pairs_platform.database.signals import forget_replay, store_signals
from pairs_platform.database.store import Decision, Ledger
from pairs_platform_tests.database.test_signals import GIVEN, REPLAY, SESSION, signal
from pairs_platform_tests.support.decisions import store_decisions

PROFILE = "simulated-5min-raw"


@pytest.fixture
def ledger(url) -> Ledger:
    return Ledger(url, PROFILE)


def add(ledger: Ledger, **more) -> None:
    with ledger.begin() as connection:
        record(connection, AuditEntry(**{"actor": "a test", "action": "data_deleted", "object": "a thing", **more}))


class TestRows:
    def test_a_row_comes_back_as_it_was_given(self, ledger):
        given = AuditEntry(
            actor="somebody@somewhere", action="data_deleted", object="signals", reason="why", detail={"rows": [3, 0]},
            sector="technology", session=SESSION, run_id="run", at_utc=datetime(2026, 3, 1, 12, 5, tzinfo=UTC),
        )  # fmt: skip
        with ledger.begin() as connection:
            record(connection, given)
        assert entries(ledger) == [given]

    def test_newest_first_by_action_and_since(self, ledger):
        old = datetime(2020, 1, 1, tzinfo=UTC)
        add(ledger, object="first", at_utc=old)
        add(ledger, object="second")
        add(ledger, object="third", action="run_retried")
        assert [one.object for one in entries(ledger)] == ["third", "second", "first"]
        assert [one.object for one in entries(ledger, actions=["data_deleted"])] == ["second", "first"]
        assert [one.object for one in entries(ledger, since=old + timedelta(1), limit=1)] == ["third"]

    @pytest.mark.parametrize("statement", ["UPDATE {} SET reason = 'other'", "DELETE FROM {}", "TRUNCATE {}"])
    @pytest.mark.parametrize("table", ["audit_log", "model_decisions"])
    def test_rows_are_only_added_whoever_asks(self, ledger, statement, table):
        decide(ledger)
        with ledger.begin() as connection:
            if "TRUNCATE" in statement and connection.dialect.name == "sqlite":
                pytest.skip("SQLite has no TRUNCATE")
        with (
            pytest.raises(sa.exc.DBAPIError, match=f"rows of {table} are only ever added"),
            ledger.begin() as connection,
        ):
            connection.execute(sa.text(statement.format(table)))
        assert len(entries(ledger)) == 1
        assert len(ledger.decisions("technology")) == 1


def decide(ledger: Ledger, **more) -> None:
    given = {"alias": "champion", "version_before": 2, "version_after": 3, **more}
    decision = Decision(
        sector="technology", session=SESSION, action="manual_promote", reason="tried", actor="ann", figures={},
        decided_utc=datetime.now(UTC), **given,
    )  # fmt: skip
    store_decisions(ledger, [decision])


class TestWriters:
    def test_a_change_of_champion_is_recorded_with_it(self, ledger):
        decide(ledger)
        (entry,) = entries(ledger)
        assert (entry.actor, entry.action, entry.object) == ("ann", "model_alias_changed", "champion of technology")
        assert entry.detail == {"version": [2, 3]}
        assert entry.reason == "manual_promote: tried"

    def test_a_decision_that_changes_nothing_is_not(self, ledger):
        decide(ledger, alias=None, version_before=None, version_after=None)
        assert entries(ledger) == []

    def test_neither_is_stored_without_the_other(self, ledger):
        def fail(connection: sa.Connection) -> None:
            add_to(connection)
            raise RuntimeError("broken off")

        def add_to(connection: sa.Connection) -> None:
            record(connection, AuditEntry(actor="a", action="data_deleted", object="b"))

        with pytest.raises(RuntimeError), ledger.begin() as connection:
            fail(connection)
        assert entries(ledger) == []

    def test_forgotten_replays_are_recorded_with_their_number(self, ledger):
        assert forget_replay(ledger) == 0
        assert entries(ledger) == []
        store_signals(ledger, REPLAY, [signal()], GIVEN)
        assert forget_replay(ledger) == 1
        (entry,) = entries(ledger)
        assert (entry.object, entry.detail) == ("signals of the feed replay", {"rows": 1})


class TestConfiguration:
    def test_recorded_when_it_changes_and_only_then(self, ledger):
        first = {"costs.bps": 2.0, "gru.epochs": 50}
        assert record_configuration(ledger, first, actor="ann")
        assert not record_configuration(ledger, dict(reversed(first.items())), actor="bob")
        assert record_configuration(ledger, {"costs.bps": 3.0, "gru.hidden": 64}, actor="bob")
        newest, oldest = entries(ledger)
        assert oldest.reason == "first use"
        assert newest.detail["changed"] == {"costs.bps": [2.0, 3.0], "gru.epochs": [50, None], "gru.hidden": [None, 64]}
        assert newest.actor == "bob"
        assert newest.reason == "changed: costs.bps, gru.epochs, gru.hidden"


class TestRights:
    """On PostgreSQL, where the ledger belongs to one role and the platform works as another."""

    @pytest.fixture
    def app(self, owned):
        ledger = Ledger(owned.app, PROFILE, owner_url=owned.owner)
        ledger.upgrade()
        return Ledger(owned.app, PROFILE)

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
        with pytest.raises(LedgerMismatch, match="run `pairs-platform migrate` with the owner's URL"):
            Ledger(owned.app, PROFILE).upgrade()
