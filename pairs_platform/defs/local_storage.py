"""Dagster's storage in SQLite files in a folder whose path has characters that a URL or a glob pattern gives a meaning.

What does not belong here: where the folder is, and when dagster.yaml names this class
(`processes.runtime.dagster_home`).
"""

import glob
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dagster._core.storage.event_log.sqlite import sqlite_event_log
from dagster._core.storage.runs.sqlite import sqlite_run_storage
from dagster._core.storage.schedules.sqlite import sqlite_schedule_storage
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData

from pairs_platform.database.sqlite_url import sqlite_url


class AnyPathStorage(DagsterSqliteStorage):
    """`DagsterSqliteStorage`, which otherwise takes ``?`` and ``%`` in a path for parts of a URL."""

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "AnyPathStorage":
        """Made by Dagster from dagster.yaml."""
        return cls.from_local(inst_data=inst_data, **config_value)


def _url(base_dir: str, db_name: str) -> str:
    return sqlite_url(Path(base_dir).absolute() / f"{db_name}.db")


def _run_ids(storage: sqlite_event_log.SqliteEventLogStorage) -> list[str]:
    files = glob.glob("*.db", root_dir=storage._base_dir)
    return [Path(file).stem for file in files if Path(file).stem != sqlite_event_log.INDEX_SHARD_NAME]


# Dagster 1.13 has no hook for either; to be removed when its `create_db_conn_string` quotes the path.
for _module in (sqlite_event_log, sqlite_run_storage, sqlite_schedule_storage):
    vars(_module)["create_db_conn_string"] = _url
sqlite_event_log.SqliteEventLogStorage.get_all_run_ids = _run_ids  # type: ignore[method-assign, assignment]
