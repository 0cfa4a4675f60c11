import subprocess
import sys
from datetime import UTC, date, datetime, timedelta, timezone

import pandas as pd
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from pairs_platform.core.prices.calendar import session_offset
from pairs_platform.database.errors import LedgerMismatch, LedgerUnavailable
from pairs_platform.database.queries import best_performing_pairs, pair_performance_trends, recent_pair_performance
from pairs_platform.database.store import Decision, Ledger
from pairs_platform.database.tables import METADATA, MODEL_RANKINGS, VIEWS
from pairs_platform_tests.support.decisions import store_decisions

SESSION = date(2023, 3, 8)
TRAINED = datetime(2023, 3, 9, 11, tzinfo=UTC)
LIFTS = {"A_B": 0.002, "A_C": -0.001, "B_C": 0.004}


@pytest.fixture
def ledger(url) -> Ledger:
    return Ledger(url, "simulated-5min-raw")


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


def rankings(ledger: Ledger, session: date = SESSION) -> dict[str, tuple[int, int]]:
    with ledger.begin() as connection:
        rows = connection.execute(sa.select(MODEL_RANKINGS).where(MODEL_RANKINGS.c.session == session)).all()
    return {row.pair: (row.rank_by_lift, row.rank_by_f1) for row in rows}


class TestSchema:
    def test_up_down_and_up_again_leaves_what_the_tables_say(self, ledger):
        assert ledger.revision() is None
        ledger.upgrade()
        ledger.downgrade()
        assert ledger.revision() is None
        ledger.upgrade()
        with ledger.begin() as connection:
            assert sa.inspect(connection).get_view_names() == list(VIEWS)
            assert compare_metadata(MigrationContext.configure(connection), METADATA) == []

    def test_a_migration_that_breaks_off_leaves_the_schema_as_it_was(self, ledger, url, monkeypatch):
        def fails(*_: object, **__: object) -> None:
            raise OSError("no space left on device")

        with monkeypatch.context() as patch:
            patch.setattr("alembic.op.create_index", fails)
            with pytest.raises(OSError, match="no space left"):
                ledger.upgrade()
        engine = sa.create_engine(url)
        assert sa.inspect(engine).get_table_names() == []
        engine.dispose()
        assert ledger.upgrade()

    def test_a_newer_schema_is_refused(self, ledger, url):
        ledger.upgrade()
        with ledger.begin() as connection:
            connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
        with pytest.raises(LedgerMismatch, match="schema 9999, which this version of the platform does not know"):
            Ledger(url, "simulated-5min-raw").trainings("technology")

    def test_another_profile_is_refused(self, ledger, url):
        ledger.trainings("technology")
        with pytest.raises(LedgerMismatch, match="belongs to profile simulated-5min-raw"):
            Ledger(url, "alpaca_iex-5min-raw").trainings("technology")

    def test_three_processes_that_come_first_at_once(self, url):
        code = f"from pairs_platform.database.store import Ledger; Ledger({url!r}, 'p').trainings('technology')"
        started = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE) for _ in range(3)]
        assert [(one.wait(60), one.stderr.read()) for one in started] == [(0, b"")] * 3


class TestTraining:
    def test_what_is_stored_is_read_back(self, ledger):
        ledger.record_training(training(), performance())
        (stored,) = ledger.trainings("technology").to_dict("records")
        assert stored["session"] == SESSION
        assert stored["trained_utc"] == TRAINED
        assert stored["trained_utc"].tzinfo is not None
        assert stored["lift"] is None
        assert stored["seconds"] == 12.5
        assert ledger.pairs_of_run("run") == ("A_B", "A_C", "B_C")
        failed = ledger.performance("technology").set_index("pair").loc["X_Y"]
        assert failed["reason"] == "the loss is not finite"
        assert pd.isna(failed["lift"])

    def test_ranks_by_lift_and_by_f1(self, ledger):
        ledger.record_training(training(), performance())
        assert rankings(ledger) == {"B_C": (1, 3), "A_B": (2, 2), "A_C": (3, 1)}

    def test_storing_a_training_twice_changes_nothing(self, ledger):
        for _ in range(2):
            ledger.record_training(training(), performance())
        assert len(ledger.trainings("technology")) == 1
        assert len(ledger.performance("technology")) == 4
        assert len(rankings(ledger)) == 3

    def test_the_newest_training_of_a_session_counts_whatever_order_they_are_stored_in(self, ledger):
        again = training(run_id="again", trained=TRAINED + timedelta(hours=1))
        ledger.record_training(again, performance({"A_B": 0.5}))
        ledger.record_training(training(), performance())
        assert rankings(ledger) == {"A_B": (1, 1)}
        assert len(ledger.trainings("technology")) == 2

    def test_a_failure_in_the_middle_stores_nothing(self, ledger):
        ledger.record_training(training(), performance())
        broken = performance({"A_B": 1.0})
        broken.loc[0, "pair"] = None
        with pytest.raises(sa.exc.IntegrityError):
            ledger.record_training(training(), broken)
        assert rankings(ledger)["B_C"] == (1, 3)
        assert len(ledger.performance("technology")) == 4

    def test_a_moment_without_zone_is_refused(self, ledger):
        with pytest.raises(sa.exc.StatementError, match="has no time zone"):
            ledger.record_training(training(trained=datetime(2023, 3, 9, 11)), performance())  # noqa: DTZ001

    def test_a_moment_comes_back_in_utc(self, ledger):
        tokyo = datetime(2023, 3, 9, 20, tzinfo=timezone(timedelta(hours=9)))
        ledger.record_training(training(trained=tokyo), performance())
        assert ledger.trainings("technology")["trained_utc"].iloc[0].isoformat() == TRAINED.isoformat()


class TestTrends:
    def test_means_over_sessions_and_the_best_so_far(self, ledger):
        lifts = [0.001 * k for k in range(10)]
        for k, lift in enumerate(lifts):
            day = session_offset(SESSION, k)
            ledger.record_training(training(day, run_id=f"run {k}"), performance({"A_B": lift}))
        trend = pair_performance_trends(ledger, "technology", "A_B")
        newest = trend.iloc[-1]
        assert newest["lift_7"] == pytest.approx(sum(lifts[-7:]) / 7)
        assert newest["lift_30"] == pytest.approx(sum(lifts) / 10)
        assert (newest["n_7"], newest["n_30"], newest["n_trainings"]) == (7, 10, 10)
        assert newest["best_lift_session"] == session_offset(SESSION, 9)
        assert trend.iloc[0]["best_lift"] == 0.0

    def test_the_order_of_a_backfill_does_not_matter(self, ledger):
        later = session_offset(SESSION, 3)
        ledger.record_training(training(later, run_id="later"), performance({"A_B": 0.002}))
        ledger.record_training(training(), performance({"A_B": 0.004}))
        trend = pair_performance_trends(ledger, "technology", "A_B")
        assert trend["session"].tolist() == [SESSION, later]
        assert trend["lift_7"].tolist() == pytest.approx([0.004, 0.003])
        assert trend["best_lift"].tolist() == [0.004, 0.004]

    def test_questions(self, ledger):
        ledger.record_training(training(), performance())
        best = best_performing_pairs(ledger, "technology", rows=2)
        assert best["pair"].tolist() == ["B_C", "A_B"]
        recent = recent_pair_performance(ledger, "technology", as_of=session_offset(SESSION, 6), pair="A_B")
        assert recent["n_test"].tolist() == [900]
        assert recent_pair_performance(ledger, "technology", as_of=session_offset(SESSION, 7)).empty
        with ledger.begin() as connection:
            rows = connection.execute(sa.text("SELECT pair, model_version FROM current_best_models ORDER BY 1")).all()
        assert [tuple(row) for row in rows] == [("A_B", 1), ("A_C", 1), ("B_C", 1)]


class TestDecisions:
    def decision(self, session: date = SESSION, version: int | None = 3, alias: str = "champion") -> Decision:
        return Decision(
            sector="technology", session=session, action="promote_first", alias=alias, version_after=version,
            reason="pooled skill above zero", figures={"skill_low": 0.001}, actor="test", decided_utc=TRAINED,
        )  # fmt: skip

    def test_the_alias_as_of_a_session_knows_nothing_later(self, ledger):
        after = session_offset(SESSION, 1)
        given = [self.decision(), self.decision(after, 4), self.decision(after, 5, "challenger")]
        store_decisions(ledger, given)
        assert ledger.decisions("technology") == given
        assert ledger.alias_as_of("technology", "champion", SESSION).version_after == 3
        assert ledger.alias_as_of("technology", "champion", after).version_after == 4
        assert ledger.alias_as_of("technology", "champion", session_offset(SESSION, -1)) is None
        assert ledger.decisions("energy") == []

    def test_a_failure_of_the_caller_leaves_no_row(self, ledger):
        def fails_after_the_row() -> None:
            with ledger.begin() as connection:
                ledger.add_decisions(connection, [self.decision()])
                raise RuntimeError("the alias could not be set")

        with pytest.raises(RuntimeError):
            fails_after_the_row()
        assert ledger.decisions("technology") == []


class TestUnreachable:
    URL = "postgresql+psycopg2://trader:s3cret@127.0.0.1:9/nothing"

    def test_the_password_is_in_no_message(self):
        ledger = Ledger(self.URL, "p")
        with pytest.raises(LedgerUnavailable, match="does not answer") as raised:
            ledger.trainings("technology")
        assert "s3cret" not in f"{raised.value}{ledger!r}"

    @pytest.mark.parametrize("url", ["postgresql://host/db", "nonsense", "mysql://host/db"])
    def test_an_url_of_another_kind_is_refused(self, url):
        with pytest.raises(LedgerMismatch, match="postgresql\\+psycopg2"):
            Ledger(url, "p")
