"""A profile that the version before made: refused until `pairs-platform migrate`, which keeps everything."""

import json
import sqlite3
from contextlib import closing

import pandas as pd
import pytest
from click.testing import CliRunner

from pairs_platform.cli import cli
from pairs_platform.core.errors import ConfigurationError, PlatformError, ProfileOutdated
from pairs_platform.core.volatility.contracts import GARCH_FITS
from pairs_platform.database.audit import AuditEntry, entries, record
from pairs_platform.database.models import read_decisions, read_trainings
from pairs_platform.database.sqlite_url import sqlite_url
from pairs_platform.database.store import Database
from pairs_platform.database.tables import SCHEMA
from pairs_platform.lake import upgrade
from pairs_platform.lake.profile import FORMAT, MANIFEST, Profile, claim_profile
from pairs_platform.platform import DATABASE_FILE, open_database, open_lake
from pairs_platform.processes.runtime.dagster_home import prepare_home
from pairs_platform.processes.runtime.migrations import upgrade_profile
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.variables import variable
from pairs_platform.views.remedies import with_remedy
from pairs_platform_tests.support.earlier_profile import KEYS, make_earlier_profile

SECTOR = "technology"


@pytest.fixture
def frames():
    settings = load_settings()
    return make_earlier_profile(settings.profile_root, settings.profile)


def console(*words: str) -> str:
    done = CliRunner().invoke(cli, list(words))
    if isinstance(done.exception, PlatformError):
        return with_remedy(done.exception)
    assert done.exit_code == 0, done.output
    return done.stdout


def assert_whole(frames):
    settings = load_settings()
    assert [one.reason for one in read_decisions(open_database(settings), SECTOR)] == ["no better one"]
    assert read_trainings(open_database(settings), SECTOR)["scope"].tolist() == ["all"]
    for key in KEYS:
        pd.testing.assert_frame_equal(open_lake(settings).read(GARCH_FITS, key), frames["garch_fits"][key])
    assert not (settings.profile_root / "ledger.db").exists()
    assert json.loads((settings.profile_root / MANIFEST).read_text())["format"] == FORMAT


def test_it_is_refused_with_the_command_that_helps_and_then_works(frames):
    assert console("signals", "--sector", SECTOR).endswith(
        "run `pairs-platform migrate`, which keeps everything that is stored"
    )
    said = console("migrate").splitlines()
    assert said[:5] == [
        f"database: {SCHEMA}",
        "garch_fits: 2 partitions rewritten",
        "gru_models: 2 partitions rewritten",
        "price_history: 2 partitions rewritten",
        "streamed_bars: 2 partitions rewritten",
    ]
    assert f"profile simulated-5min-raw: format {FORMAT}" in said
    assert console("migrate") == "every database is at this version already\n"
    assert_whole(frames)
    shown = console("signals", "--sector", SECTOR, "--run-mode", "replay")
    assert all(role in shown for role in ("selected", "pinned", "watchlist", "closing"))


@pytest.mark.parametrize(
    "step",
    [
        "lake.upgrade.upgrade_lake",
        "processes.runtime.migrations.mark_upgraded",
        "processes.runtime.migrations.database_in",
    ],
)
def test_a_killed_migration_goes_on(frames, monkeypatch, step):
    settings = load_settings()

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(f"pairs_platform.{step}", killed)
        with pytest.raises(KeyboardInterrupt):
            upgrade_profile(settings, lambda _: None)
    with pytest.raises(ProfileOutdated):
        open_lake(settings)
    upgrade_profile(settings, lambda _: None)
    assert_whole(frames)


def test_a_partition_that_cannot_be_rewritten_leaves_the_profile_as_it_was(frames, monkeypatch):
    settings = load_settings()

    def full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(upgrade.Lake, "write", full)
    with pytest.raises(OSError, match="no space left"):
        upgrade_profile(settings, lambda _: None)
    with pytest.raises(ProfileOutdated):
        open_lake(settings)


def test_a_database_that_is_in_use_stays(frames):
    settings = load_settings()
    path = settings.profile_root / "ledger.db"
    with closing(sqlite3.connect(path)) as theirs:
        theirs.execute("SELECT * FROM ledger_profile").fetchall()
        with pytest.raises(ConfigurationError, match="is in use: stop every process"):
            upgrade_profile(settings, lambda _: None)
    assert path.is_file()
    upgrade_profile(settings, lambda _: None)
    assert_whole(frames)


def test_two_databases_are_a_question_for_a_person(frames):
    settings = load_settings()
    (settings.profile_root / "database.db").touch()
    with pytest.raises(ConfigurationError, match=r"has ledger.db and database.db"):
        upgrade_profile(settings, lambda _: None)


def test_a_backup_that_the_version_before_made_is_brought_to_this_one(frames, monkeypatch, tmp_path):
    console("backup", str(tmp_path / "earlier.tar.gz"))
    monkeypatch.setenv(variable("state_root"), str(tmp_path / "another"))
    said = console("restore", str(tmp_path / "earlier.tar.gz"))
    assert "garch_fits: 2 partitions rewritten" in said
    assert "restored" in said
    assert_whole(frames)


class TestEarlierNameOfFiles:
    """Files were known by their path as it was typed."""

    @pytest.fixture
    def earlier(self, monkeypatch, tmp_path):
        """The folder of a profile with a database, under the name that the version before gave to `../prices`."""
        (tmp_path / "work").mkdir()
        monkeypatch.chdir(tmp_path / "work")
        monkeypatch.setenv(variable("source.kind"), "files")
        monkeypatch.setenv(variable("source.files.paths"), '["../prices"]')
        settings = load_settings()
        named = Profile("files 4f09489f", settings.frequency, settings.price_basis)
        folder = claim_profile(settings.state_root / named.name, named)
        with Database(sqlite_url(folder / DATABASE_FILE), named.name).begin() as connection:
            record(connection, AuditEntry(actor="a person", action="state_restored", object="a file", detail={}))
        return folder

    def test_no_command_begins_another_profile(self, earlier, monkeypatch, tmp_path):
        for typed in ("../prices", str(tmp_path / "prices")):
            monkeypatch.setenv(variable("source.files.paths"), json.dumps([typed]))
            settings = load_settings()
            for begin in (open_lake, open_database, prepare_home):
                with pytest.raises(ProfileOutdated, match=f"{earlier.name} holds this profile under the name"):
                    begin(settings)
            assert not settings.profile_root.exists()

    def test_migrate_renames_it_and_keeps_everything(self, earlier):
        said = console("migrate").splitlines()
        settings = load_settings()
        assert said[0] == f"profile {earlier.name}: called {settings.profile.name} now"
        assert not earlier.exists()
        assert open_lake(settings).root == settings.profile_root / "lake"
        kept = entries(open_database(settings), actions=(), since=None, limit=5)
        assert [entry.actor for entry in kept] == ["a person"]

    def test_what_was_killed_before_the_last_step_goes_on(self, earlier, monkeypatch):
        settings = load_settings()
        with monkeypatch.context() as killed:
            killed.setattr(
                "pairs_platform.lake.profile.while_locked", lambda _: (_ for _ in ()).throw(KeyboardInterrupt)
            )
            with pytest.raises(KeyboardInterrupt):
                upgrade_profile(settings, print)
        upgrade_profile(settings, print)
        assert not earlier.exists()
        assert open_database(settings).revision() is not None
        assert len(entries(open_database(settings), actions=(), since=None, limit=5)) == 1
