"""Ctrl-C at ten moments of the demo, and in the middle of what takes longest and of what writes most."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from pairs_platform_tests.e2e.test_interrupts import interrupted
from pairs_platform_tests.support.demo_profile import PLATFORM

MOMENTS = (
    ("", 0.5), ("", 1.5), ("source  ", 0.0), ("price_history", 0.0), ("session 2023-03-06", 0.3),
    ("session 2023-03-06", 2.0), ("session 2023-03-06", 4.0), ("session 2023-03-07", 1.0), ("Selected: ", 1.0),
    ("Selected: ", 8.0),
)  # fmt: skip
"""What the terminal shows, and the seconds after it."""

LONG_TRAINING = PLATFORM.replace("max_epochs: 2", "max_epochs: 1000, patience: 1000")


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("words", "wait"), MOMENTS)
def test_the_demo_ends_at_any_moment(tmp_path, words, wait):
    assert interrupted(tmp_path, words, wait).count("stopped") == 1


def tracked(state: Path) -> list[str]:
    """The status of every run in MLflow."""
    (database,) = state.glob("*/mlflow/mlflow.db")
    with closing(sqlite3.connect(database)) as connection:
        return [status for (status,) in connection.execute("SELECT status FROM runs")]


def is_being_tracked(state: Path) -> bool:
    """Whether a training is being written into MLflow at this moment."""
    try:
        return "RUNNING" in tracked(state)
    except (ValueError, sqlite3.OperationalError):  # no database yet, or no table
        return False


def is_being_trained(state: Path) -> bool:
    """Whether Dagster's log of a run has the third epoch of a training."""
    for path in state.glob("*/dagster/history/runs/*-*.db"):
        try:
            with closing(sqlite3.connect(path)) as connection:
                if connection.execute("SELECT 1 FROM event_logs WHERE event LIKE '%epoch 3 of at most%'").fetchone():
                    return True
        except sqlite3.OperationalError:  # its tables are not made yet
            continue
    return False


@pytest.mark.timeout(600)
def test_a_training_ends_in_the_middle_of_its_epochs(tmp_path):
    shown = interrupted(tmp_path, is_being_trained, platform=LONG_TRAINING)
    assert shown.count("stopped") == 1
    assert not list((tmp_path / "state").glob("*/lake/gru_models/**/*.parquet")), "it was over"
    assert not is_being_tracked(tmp_path / "state")


@pytest.mark.timeout(600)
def test_what_is_being_written_into_mlflow_is_ended_as_killed(tmp_path):
    shown = interrupted(tmp_path, is_being_tracked)
    assert shown.count("stopped") == 1
    statuses = tracked(tmp_path / "state")
    assert "RUNNING" not in statuses
    assert set(statuses) <= {"KILLED", "FINISHED", "FAILED"}
