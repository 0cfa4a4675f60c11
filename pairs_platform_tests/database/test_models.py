from dataclasses import replace
from datetime import date, datetime, timedelta, timezone

import pandas as pd
import pytest
import sqlalchemy as sa

from pairs_platform.core.errors import NoSuchModel
from pairs_platform.core.models.contracts import GRU_MODELS
from pairs_platform.core.prices.calendar import session_offset
from pairs_platform.database.models import (
    Decision,
    add_decisions,
    alias_as_of,
    models_of_run,
    pairs_of_run,
    read_decisions,
    read_performance,
    read_trainings,
    record_training,
    trained_version,
    trained_versions,
    training_of_version,
)
from pairs_platform.database.rows import read_frame
from pairs_platform.database.store import Database
from pairs_platform.database.tables import MODEL_PERFORMANCE, MODEL_RANKINGS, MODEL_TRENDS
from pairs_platform_tests.support.decisions import store_decisions
from pairs_platform_tests.support.trainings import SESSION, TRAINED, performance, training


def rankings(database: Database, session: date = SESSION) -> dict[str, tuple[int, int]]:
    with database.begin() as connection:
        rows = connection.execute(sa.select(MODEL_RANKINGS).where(MODEL_RANKINGS.c.session == session)).all()
    return {row.pair: (row.rank_by_lift, row.rank_by_f1) for row in rows}


def trends(database: Database, pair: str) -> pd.DataFrame:
    with database.begin() as connection:
        return read_frame(
            connection, sa.select(MODEL_TRENDS).where(MODEL_TRENDS.c.pair == pair).order_by(MODEL_TRENDS.c.session)
        )


class TestTraining:
    def test_what_is_stored_is_read_back(self, database):
        record_training(database, training(), performance())
        (stored,) = read_trainings(database, "technology").to_dict("records")
        assert stored["session"] == SESSION
        assert stored["trained_utc"] == TRAINED
        assert stored["trained_utc"].tzinfo is not None
        assert stored["lift"] is None
        assert stored["seconds"] == 12.5
        assert pairs_of_run(database, "run") == ("A_B", "A_C", "B_C")
        assert training_of_version(database, "technology", 1) == ("run", SESSION)
        assert training_of_version(database, "technology", 2) is None
        failed = read_performance(database, "technology").set_index("pair").loc["X_Y"]
        assert failed["reason"] == "the loss is not finite"
        assert pd.isna(failed["lift"])

    def test_versions_have_the_aliases_of_the_newest_decisions_and_their_newest_training(self, database):
        record_training(database, training(), performance())
        record_training(database, training(run_id="again", trained=TRAINED + timedelta(hours=1)), performance())
        record_training(database, training(run_id="second", model_version=2), performance({"A_B": 0.5}))
        record_training(database, training(run_id="none", model_version=None), performance({}))
        made = Decision(
            sector="technology", session=SESSION, action="a", reason="a test", actor="a test", alias="champion",
            version_after=1, figures={}, decided_utc=TRAINED,
        )  # fmt: skip
        store_decisions(database, [made, replace(made, version_before=1, version_after=2)])
        versions = trained_versions(database, "technology")
        assert [(one.version, one.aliases, one.training["run_id"]) for one in versions] == [
            (1, (), "again"),
            (2, ("champion",), "second"),
        ]
        assert trained_version(database, "technology", 2) == versions[1]
        with pytest.raises(NoSuchModel, match="technology has no version 3; it has 1, 2"):
            trained_version(database, "technology", 3)
        assert [row["pair"] for row in models_of_run(database, "again")] == ["A_B", "A_C", "B_C"]

    def test_ranks_by_lift_and_by_f1(self, database):
        record_training(database, training(), performance())
        assert rankings(database) == {"B_C": (1, 3), "A_B": (2, 2), "A_C": (3, 1)}

    def test_storing_a_training_twice_changes_nothing(self, database):
        for _ in range(2):
            record_training(database, training(), performance())
        assert len(read_trainings(database, "technology")) == 1
        assert len(read_performance(database, "technology")) == 4
        assert len(rankings(database)) == 3

    def test_the_newest_training_of_a_session_counts_whatever_order_they_are_stored_in(self, database):
        again = training(run_id="again", trained=TRAINED + timedelta(hours=1))
        record_training(database, again, performance({"A_B": 0.5}))
        record_training(database, training(), performance())
        assert rankings(database) == {"A_B": (1, 1)}
        assert len(read_trainings(database, "technology")) == 2

    def test_a_failure_in_the_middle_stores_nothing(self, database):
        record_training(database, training(), performance())
        broken = performance({"A_B": 1.0})
        broken.loc[0, "pair"] = None
        with pytest.raises(sa.exc.IntegrityError):
            record_training(database, training(), broken)
        assert rankings(database)["B_C"] == (1, 3)
        assert len(read_performance(database, "technology")) == 4

    def test_a_moment_without_zone_is_refused(self, database):
        with pytest.raises(sa.exc.StatementError, match="has no time zone"):
            record_training(database, training(trained=datetime(2023, 3, 9, 11)), performance())  # noqa: DTZ001

    def test_a_moment_comes_back_in_utc(self, database):
        tokyo = datetime(2023, 3, 9, 20, tzinfo=timezone(timedelta(hours=9)))
        record_training(database, training(trained=tokyo), performance())
        assert read_trainings(database, "technology")["trained_utc"].iloc[0].isoformat() == TRAINED.isoformat()


class TestTrends:
    def test_means_over_sessions_and_the_best_so_far(self, database):
        lifts = [0.001 * k for k in range(10)]
        for k, lift in enumerate(lifts):
            day = session_offset(SESSION, k)
            record_training(database, training(day, run_id=f"run {k}"), performance({"A_B": lift}))
        trend = trends(database, "A_B")
        newest = trend.iloc[-1]
        assert newest["lift_7"] == pytest.approx(sum(lifts[-7:]) / 7)
        assert newest["lift_30"] == pytest.approx(sum(lifts) / 10)
        assert (newest["n_7"], newest["n_30"], newest["n_trainings"]) == (7, 10, 10)
        assert newest["best_lift_session"] == session_offset(SESSION, 9)
        assert trend.iloc[0]["best_lift"] == 0.0

    def test_the_order_of_a_backfill_does_not_matter(self, database):
        later = session_offset(SESSION, 3)
        record_training(database, training(later, run_id="later"), performance({"A_B": 0.002}))
        record_training(database, training(), performance({"A_B": 0.004}))
        trend = trends(database, "A_B")
        assert trend["session"].tolist() == [SESSION, later]
        assert trend["lift_7"].tolist() == pytest.approx([0.004, 0.003])
        assert trend["best_lift"].tolist() == [0.004, 0.004]


class TestDecisions:
    def decision(self, session: date = SESSION, version: int | None = 3, alias: str = "champion") -> Decision:
        return Decision(
            sector="technology",
            session=session,
            action="promote_first",
            alias=alias,
            version_after=version,
            reason="pooled skill above zero",
            figures={"skill_low": 0.001},
            actor="test",
            decided_utc=TRAINED,
        )

    def test_the_alias_as_of_a_session_knows_nothing_later(self, database):
        after = session_offset(SESSION, 1)
        given = [self.decision(), self.decision(after, 4), self.decision(after, 5, "challenger")]
        store_decisions(database, given)
        assert read_decisions(database, "technology") == given
        assert alias_as_of(database, "technology", "champion", SESSION).version_after == 3
        assert alias_as_of(database, "technology", "champion", after).version_after == 4
        assert alias_as_of(database, "technology", "champion", session_offset(SESSION, -1)) is None
        assert read_decisions(database, "energy") == []

    def test_a_failure_of_the_caller_leaves_no_row(self, database):
        def fails_after_the_row() -> None:
            with database.begin() as connection:
                add_decisions(connection, [self.decision()])
                raise RuntimeError("the alias could not be set")

        with pytest.raises(RuntimeError):
            fails_after_the_row()
        assert read_decisions(database, "technology") == []


def test_performance_has_a_column_for_every_column_of_the_models_table():
    keys = {"run_id", "sector", "session"}
    assert {column.name for column in MODEL_PERFORMANCE.columns} == {*GRU_MODELS.columns, *keys}
