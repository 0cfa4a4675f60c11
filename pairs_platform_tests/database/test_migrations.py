"""What schema 0006 renames: every figure stays, on both databases."""

from datetime import UTC, date, datetime

import pytest
import sqlalchemy as sa

from pairs_platform.core.errors import DatabaseMismatch
from pairs_platform.database.alerts import open_alerts
from pairs_platform.database.models import read_decisions, read_trainings
from pairs_platform.database.signals import SignalKey, bars_with_signals, last_signals
from pairs_platform.database.sizes import sizes_by_session
from pairs_platform.database.store import Database
from pairs_platform.database.tables import SCHEMA as NEWEST
from pairs_platform_tests.support.earlier_profile import SCHEMA, make_earlier_database

SESSION = date(2023, 3, 8)


def counts(database: Database) -> dict[str, int]:
    with database._engine.begin() as connection:
        names = [name for name in sa.inspect(connection).get_table_names() if not name.endswith("_profile")]
        return {name: connection.scalar(sa.text(f"SELECT count(*) FROM {name}")) for name in names}


def kept(database: Database, before: dict[str, int]) -> dict[str, int]:
    """Rows of the tables that the earlier schema has."""
    return {name: n for name, n in counts(database).items() if name in before}


@pytest.fixture
def earlier(database: Database) -> Database:
    make_earlier_database(database)
    return database


def test_a_database_of_the_version_before_is_upgraded_by_its_first_use(earlier):
    before = counts(earlier)
    training = read_trainings(earlier, "technology").iloc[0]
    assert training[["scope", "scope_reason", "full_retrain", "seconds"]].tolist() == ["all", "by default", True, 12.5]
    key = SignalKey(run_mode="replay", sector="technology", session=date(2023, 3, 9))
    assert bars_with_signals(earlier, key) == {datetime(2023, 3, 9, 14, 30, tzinfo=UTC)}
    assert {name: signal.role for name, signal in last_signals(earlier, key).items()} == {
        "selected_X": "selected", "pinned_X": "pinned", "watched_X": "watchlist", "left_X": "closing",
    }  # fmt: skip
    assert sizes_by_session(earlier)[SESSION] == {"database.db": 7, "database/signals": 7, "lake/garch_fits": 7}
    assert [alert.key for alert in open_alerts(earlier)] == ["key"]
    with earlier.begin() as connection:
        reported = connection.execute(sa.text("SELECT reported, resolution_reported FROM alerts")).one()
        best = connection.execute(sa.text("SELECT pair, model_version FROM current_best_models")).all()
    assert (bool(reported[0]), bool(reported[1])) == (True, False)
    assert [tuple(row) for row in best] == [("A_B", 1)]
    assert kept(earlier, before) == before
    assert earlier.revision() == NEWEST


def test_decisions_are_untouched_and_stay_append_only(earlier):
    earlier.upgrade()
    (decision,) = read_decisions(earlier, "technology")
    assert (decision.action, decision.reason) == ("keep", "no better one")
    for statement in ("UPDATE model_decisions SET reason = 'another'", "DELETE FROM model_decisions"):
        with pytest.raises(sa.exc.DBAPIError, match="only ever added"), earlier.begin() as connection:
            connection.execute(sa.text(statement))


def test_another_profiles_database_is_refused_after_the_upgrade_too(earlier):
    other = Database(earlier._url.render_as_string(hide_password=False), "alpaca_iex-5min-raw")
    with pytest.raises(DatabaseMismatch, match="belongs to profile simulated-5min-raw"):
        read_trainings(other, "technology")


def test_an_upgrade_that_breaks_off_leaves_the_earlier_schema(earlier, monkeypatch):
    before = counts(earlier)
    with monkeypatch.context() as patch:

        def fails(*_: object) -> None:
            raise OSError("no space left on device")

        patch.setattr("alembic.op.drop_table", fails)
        with pytest.raises(OSError, match="no space left"):
            earlier.upgrade()
    assert earlier.revision() == SCHEMA
    assert counts(earlier) == before
    assert earlier.upgrade()
    assert kept(earlier, before) == before
