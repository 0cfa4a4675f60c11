import subprocess
import sys
from datetime import UTC, date, datetime, timedelta, timezone

import pandas as pd
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from pairs_platform.core.prices.calendar import session_offset
from pairs_platform.database.errors import DatabaseMismatch, DatabaseUnavailable
from pairs_platform.database.queries import best_performing_pairs, pair_performance_trends, recent_pair_performance
from pairs_platform.database.store import Database, Decision
from pairs_platform.database.tables import METADATA, MODEL_RANKINGS, VIEWS
from pairs_platform_tests.support.decisions import store_decisions
from pairs_platform_tests.support.waiting import WAIT_SECONDS

SESSION = date(2023, 3, 8)
TRAINED = datetime(2023, 3, 9, 11, tzinfo=UTC)
LIFTS = {"A_B": 0.002, "A_C": -0.001, "B_C": 0.004}


@pytest.fixture
def database(url) -> Database:
    return Database(url, "simulated-5min-raw")


def training(session: date = SESSION, run_id: str = "run", trained: datetime = TRAINED, **more) -> dict:
    return {
        "run_id": run_id, "run_name": f"GRU_Training_{run_id}", "dagster_run_id": "dagster", "sector": "technology",
        "session": session, "model_version": 1, "strategy": "all", "strategy_reason": "", "full_baseline": True,
        "n_candidates": 4, "n_trained": 3, "n_failed": 1, "n_pairs": 3, "seconds": 12.5, "skill": 0.001,
        "lift": float("nan"), "triggers": "{}", "trained_utc": trained, **more,
    }  # fmt: skip


def performance(lifts: dict[str, float] | None = None) -> pd.DataFrame:
    rows = [
        {"pair": pair, "status": "ok", "lift": lift, "f1": 0.7 - lift, "skill": lift, "n_test": 900}
        for pair, lift in (lifts or LIFTS).items()
    ]  # fmt: skip
    return pd.DataFrame([*rows, {"pair": "X_Y", "status": "failed", "reason": "the loss is not finite"}])


def rankings(database: Database, session: date = SESSION) -> dict[str, tuple[int, int]]:
    with database.begin() as connection:
        rows = connection.execute(sa.select(MODEL_RANKINGS).where(MODEL_RANKINGS.c.session == session)).all()
    return {row.pair: (row.rank_by_lift, row.rank_by_f1) for row in rows}


class TestSchema:
    def test_up_down_and_up_again_leaves_what_the_tables_say(self, database):
        assert database.revision() is None
        database.upgrade()
        database.downgrade()
        assert database.revision() is None
        database.upgrade()
        with database.begin() as connection:
            assert sa.inspect(connection).get_view_names() == list(VIEWS)
            assert compare_metadata(MigrationContext.configure(connection), METADATA) == []

    def test_a_migration_that_breaks_off_leaves_the_schema_as_it_was(self, database, url, monkeypatch):
        def fails(*_: object, **__: object) -> None:
            raise OSError("no space left on device")

        with monkeypatch.context() as patch:
            patch.setattr("alembic.op.create_index", fails)
            with pytest.raises(OSError, match="no space left"):
                database.upgrade()
        engine = sa.create_engine(url)
        assert sa.inspect(engine).get_table_names() == []
        engine.dispose()
        assert database.upgrade()

    def test_a_newer_schema_is_refused(self, database, url):
        database.upgrade()
        with database.begin() as connection:
            connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
        with pytest.raises(DatabaseMismatch, match="schema 9999, which this version of the platform does not know"):
            Database(url, "simulated-5min-raw").trainings("technology")

    def test_another_profile_is_refused(self, database, url):
        database.trainings("technology")
        with pytest.raises(DatabaseMismatch, match="belongs to profile simulated-5min-raw"):
            Database(url, "alpaca_iex-5min-raw").trainings("technology")

    def test_three_processes_that_come_first_at_once(self, url):
        code = f"from pairs_platform.database.store import Database; Database({url!r}, 'p').trainings('technology')"
        started = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE) for _ in range(3)]
        assert [(one.wait(WAIT_SECONDS), one.stderr.read()) for one in started] == [(0, b"")] * 3


class TestTraining:
    def test_what_is_stored_is_read_back(self, database):
        database.record_training(training(), performance())
        (stored,) = database.trainings("technology").to_dict("records")
        assert stored["session"] == SESSION
        assert stored["trained_utc"] == TRAINED
        assert stored["trained_utc"].tzinfo is not None
        assert stored["lift"] is None
        assert stored["seconds"] == 12.5
        assert database.pairs_of_run("run") == ("A_B", "A_C", "B_C")
        assert database.training_of_version("technology", 1) == ("run", SESSION)
        assert database.training_of_version("technology", 2) is None
        failed = database.performance("technology").set_index("pair").loc["X_Y"]
        assert failed["reason"] == "the loss is not finite"
        assert pd.isna(failed["lift"])

    def test_ranks_by_lift_and_by_f1(self, database):
        database.record_training(training(), performance())
        assert rankings(database) == {"B_C": (1, 3), "A_B": (2, 2), "A_C": (3, 1)}

    def test_storing_a_training_twice_changes_nothing(self, database):
        for _ in range(2):
            database.record_training(training(), performance())
        assert len(database.trainings("technology")) == 1
        assert len(database.performance("technology")) == 4
        assert len(rankings(database)) == 3

    def test_the_newest_training_of_a_session_counts_whatever_order_they_are_stored_in(self, database):
        again = training(run_id="again", trained=TRAINED + timedelta(hours=1))
        database.record_training(again, performance({"A_B": 0.5}))
        database.record_training(training(), performance())
        assert rankings(database) == {"A_B": (1, 1)}
        assert len(database.trainings("technology")) == 2

    def test_a_failure_in_the_middle_stores_nothing(self, database):
        database.record_training(training(), performance())
        broken = performance({"A_B": 1.0})
        broken.loc[0, "pair"] = None
        with pytest.raises(sa.exc.IntegrityError):
            database.record_training(training(), broken)
        assert rankings(database)["B_C"] == (1, 3)
        assert len(database.performance("technology")) == 4

    def test_a_moment_without_zone_is_refused(self, database):
        with pytest.raises(sa.exc.StatementError, match="has no time zone"):
            database.record_training(training(trained=datetime(2023, 3, 9, 11)), performance())  # noqa: DTZ001

    def test_a_moment_comes_back_in_utc(self, database):
        tokyo = datetime(2023, 3, 9, 20, tzinfo=timezone(timedelta(hours=9)))
        database.record_training(training(trained=tokyo), performance())
        assert database.trainings("technology")["trained_utc"].iloc[0].isoformat() == TRAINED.isoformat()


class TestTrends:
    def test_means_over_sessions_and_the_best_so_far(self, database):
        lifts = [0.001 * k for k in range(10)]
        for k, lift in enumerate(lifts):
            day = session_offset(SESSION, k)
            database.record_training(training(day, run_id=f"run {k}"), performance({"A_B": lift}))
        trend = pair_performance_trends(database, "technology", "A_B")
        newest = trend.iloc[-1]
        assert newest["lift_7"] == pytest.approx(sum(lifts[-7:]) / 7)
        assert newest["lift_30"] == pytest.approx(sum(lifts) / 10)
        assert (newest["n_7"], newest["n_30"], newest["n_trainings"]) == (7, 10, 10)
        assert newest["best_lift_session"] == session_offset(SESSION, 9)
        assert trend.iloc[0]["best_lift"] == 0.0

    def test_the_order_of_a_backfill_does_not_matter(self, database):
        later = session_offset(SESSION, 3)
        database.record_training(training(later, run_id="later"), performance({"A_B": 0.002}))
        database.record_training(training(), performance({"A_B": 0.004}))
        trend = pair_performance_trends(database, "technology", "A_B")
        assert trend["session"].tolist() == [SESSION, later]
        assert trend["lift_7"].tolist() == pytest.approx([0.004, 0.003])
        assert trend["best_lift"].tolist() == [0.004, 0.004]

    def test_questions(self, database):
        database.record_training(training(), performance())
        best = best_performing_pairs(database, "technology", rows=2)
        assert best["pair"].tolist() == ["B_C", "A_B"]
        recent = recent_pair_performance(database, "technology", as_of=session_offset(SESSION, 6), pair="A_B")
        assert recent["n_test"].tolist() == [900]
        assert recent_pair_performance(database, "technology", as_of=session_offset(SESSION, 7)).empty
        with database.begin() as connection:
            rows = connection.execute(sa.text("SELECT pair, model_version FROM current_best_models ORDER BY 1")).all()
        assert [tuple(row) for row in rows] == [("A_B", 1), ("A_C", 1), ("B_C", 1)]


class TestDecisions:
    def decision(self, session: date = SESSION, version: int | None = 3, alias: str = "champion") -> Decision:
        return Decision(
            sector="technology", session=session, action="promote_first", alias=alias, version_after=version,
            reason="pooled skill above zero", figures={"skill_low": 0.001}, actor="test", decided_utc=TRAINED,
        )  # fmt: skip

    def test_the_alias_as_of_a_session_knows_nothing_later(self, database):
        after = session_offset(SESSION, 1)
        given = [self.decision(), self.decision(after, 4), self.decision(after, 5, "challenger")]
        store_decisions(database, given)
        assert database.decisions("technology") == given
        assert database.alias_as_of("technology", "champion", SESSION).version_after == 3
        assert database.alias_as_of("technology", "champion", after).version_after == 4
        assert database.alias_as_of("technology", "champion", session_offset(SESSION, -1)) is None
        assert database.decisions("energy") == []

    def test_a_failure_of_the_caller_leaves_no_row(self, database):
        def fails_after_the_row() -> None:
            with database.begin() as connection:
                database.add_decisions(connection, [self.decision()])
                raise RuntimeError("the alias could not be set")

        with pytest.raises(RuntimeError):
            fails_after_the_row()
        assert database.decisions("technology") == []


class TestUnreachable:
    URL = "postgresql+psycopg2://trader:s3cret@127.0.0.1:9/nothing"

    def test_the_password_is_in_no_message(self):
        database = Database(self.URL, "p")
        with pytest.raises(DatabaseUnavailable, match="does not answer") as raised:
            database.trainings("technology")
        assert "s3cret" not in f"{raised.value}{database!r}"

    @pytest.mark.parametrize("url", ["postgresql://host/db", "nonsense", "mysql://host/db"])
    def test_an_url_of_another_kind_is_refused(self, url):
        with pytest.raises(DatabaseMismatch, match="postgresql\\+psycopg2"):
            Database(url, "p")
