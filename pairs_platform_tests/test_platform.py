"""Every store of a profile, in a state folder of any name."""

from datetime import date
from pathlib import Path

import pytest

from pairs_platform.core.errors import SettingsError
from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.core.selection.contracts import COMPOSITE_RANKINGS
from pairs_platform.database.audit import AuditEntry, entries, record
from pairs_platform.lake.sql import query
from pairs_platform.platform import Platform, open_streams
from pairs_platform.processes.runtime.redis_server import embedded_redis
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.variables import variable
from pairs_platform_tests.support.odd_names import EVERY_CHARACTER, ODD_NAMES


@pytest.fixture
def settings_in(monkeypatch, tmp_path):
    def in_folder(name):
        monkeypatch.setenv(variable("state_root"), str(tmp_path / name))
        return load_settings()

    return in_folder


@pytest.mark.parametrize("name", ODD_NAMES)
def test_the_lake_is_written_and_read_in_any_folder(settings_in, tmp_path, name):
    platform, key = Platform(settings_in(name)), PartitionKey(date(2025, 6, 2), "technology")
    platform.lake.write(COMPOSITE_RANKINGS, key, COMPOSITE_RANKINGS.empty(), {})
    assert platform.lake.read(COMPOSITE_RANKINGS, key).empty
    assert platform.lake.read_many(COMPOSITE_RANKINGS, [key], with_session=True).empty
    counted = query(platform.lake, [COMPOSITE_RANKINGS], "select count(*) as n from composite_rankings")
    assert counted["n"].tolist() == [0]
    assert [file.relative_to(tmp_path).parts[: len(Path(name).parts)] for file in tmp_path.rglob("*.parquet")] == [
        Path(name).parts
    ]


def test_the_database_is_written_and_read_in_any_folder(settings_in, tmp_path):
    platform = Platform(settings_in(EVERY_CHARACTER))
    entry = AuditEntry(actor="a person", action="state_restored", object="a file", detail={})
    with platform.database.begin() as connection:
        record(connection, entry)
    assert [found.actor for found in entries(platform.database, actions=(), since=None, limit=2)] == ["a person"]
    assert platform.database.exists
    assert [file.parent for file in tmp_path.rglob("*.db")] == [platform.settings.profile_root]


@pytest.mark.parametrize("name", ["x" * 200, EVERY_CHARACTER])
def test_the_embedded_redis_serves_in_any_folder(settings_in, name):
    settings = settings_in(name)
    with embedded_redis(settings.profile_root / "redis"):
        streams = open_streams(settings)
        streams.symbols.switch("pairs")
        assert streams.symbols.current() == "pairs"


def test_a_backslash_is_refused_where_it_is_no_separator(settings_in):
    with pytest.raises(SettingsError, match="a backslash stands in the path"):
        settings_in("C:\\state")
