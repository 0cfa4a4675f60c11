"""SQLite files that may only be read: seen whole, never changed."""

import os
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from pairs_platform.core.errors import FolderReadOnly
from pairs_platform.database.alerts import recent_alerts
from pairs_platform.database.audit import AuditEntry, record
from pairs_platform.database.read_only import connect_to_read, copy_database, is_writable, may_be_written
from pairs_platform.database.sqlite_url import sqlite_url
from pairs_platform.database.store import Database

PROFILE = "simulated-5min-raw"


@pytest.fixture
def refused(monkeypatch, tmp_path):
    """A folder with a database in it that may only be read from then on."""
    folder = tmp_path / "may only be read, 50%"
    folder.mkdir()
    made = Database(sqlite_url(folder / "database.db"), PROFILE)
    with made.begin():
        pass
    made._engine.dispose()  # a connection that is collected later removes its log then
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: not str(path).startswith(str(folder)) and access(path, mode))
    return folder


def leave_a_log(file):
    """Add a row by a process that is killed: the row is in the log beside the file, and nowhere else."""
    killed = "import os, sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('PRAGMA journal_mode=WAL'); "
    killed += "c.execute('CREATE TABLE more (x)'); c.execute('INSERT INTO more VALUES (1)'); c.commit(); os._exit(0)"
    subprocess.run([sys.executable, "-S", "-c", killed, str(file)], check=True)


def test_what_is_missing_may_be_made_where_its_nearest_folder_may_be_written(refused, tmp_path):
    assert is_writable(tmp_path / "a" / "b")
    assert not is_writable(refused / "a" / "b")
    assert may_be_written(tmp_path / "new.db")
    assert not may_be_written(refused / "database.db")


def test_a_database_is_read_and_nothing_is_made_beside_it(refused, tmp_path):
    before = {path.name: path.stat().st_mtime_ns for path in refused.iterdir()}
    database = Database(sqlite_url(refused / "database.db"), PROFILE)
    assert not database.is_writable
    assert recent_alerts(database, datetime(2020, 1, 1, tzinfo=UTC)) == []
    assert {path.name: path.stat().st_mtime_ns for path in refused.iterdir()} == before


def test_a_database_that_may_only_be_read_refuses_a_row_by_the_name_of_its_folder(refused):
    entry = AuditEntry(actor="a test", action="state_restored", object="nothing", detail={})
    with (
        pytest.raises(FolderReadOnly, match="50% may only be read"),
        Database(sqlite_url(refused / "database.db"), PROFILE).begin() as connection,
    ):
        record(connection, entry)


def test_a_missing_database_is_not_made(refused):
    with pytest.raises(FolderReadOnly), Database(sqlite_url(refused / "other.db"), PROFILE).begin():
        pass


def test_what_a_killed_process_left_in_the_log_is_seen(refused, tmp_path):
    file = refused / "database.db"
    leave_a_log(file)
    assert connect_to_read(file).execute("SELECT x FROM more").fetchall() == [(1,)]
    copy_database(file, tmp_path / "copy.db")
    assert sqlite3.connect(tmp_path / "copy.db").execute("SELECT x FROM more").fetchall() == [(1,)]
