"""Which revision a package's migrations end in, read from their files, as Alembic finds it by executing them."""

from importlib.util import find_spec
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from pairs_platform.core.errors import DatabaseMismatch
from pairs_platform.database.revisions import PREPARED_FILE, is_prepared, newest_revision, note_prepared

OWN = Path(__file__).resolve().parents[2] / "pairs_platform" / "database" / "migrations"


def folder_of(package: str, below: str) -> Path:
    spec = find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / below


@pytest.mark.parametrize("scripts", [folder_of("dagster", "_core/storage/alembic"), OWN], ids=["dagster", "own"])
def test_the_newest_revision_is_that_of_alembic_and_every_earlier_one_is_known(scripts):
    config = Config()
    config.set_main_option("script_location", str(scripts))
    directory = ScriptDirectory.from_config(config)
    head = directory.get_current_head()
    for script in directory.walk_revisions():
        assert newest_revision(scripts, script.revision, "a database") == head
    with pytest.raises(DatabaseMismatch, match=f"a database has schema of_tomorrow.*newest {head}"):
        newest_revision(scripts, "of_tomorrow", "a database")


def test_migrations_are_not_executed(tmp_path):
    folder = tmp_path / "versions"
    folder.mkdir()
    for name, follows in (("first", "None"), ("second", "'first'"), ("merged", "('second', 'other')"), ("other", "()")):
        text = f"revision: str = '{name}'\ndown_revision = {follows}\nimport no_such_package\nx = y = 1\n"
        (folder / f"{name}.py").write_text(text)
    (folder / "__init__.py").touch()
    assert newest_revision(tmp_path, "first", "a database") == "merged"


def test_a_folder_is_prepared_for_the_version_that_prepared_it_alone(tmp_path):
    assert not is_prepared(tmp_path, "dagster")
    note_prepared(tmp_path, "dagster")
    assert is_prepared(tmp_path, "dagster")
    (tmp_path / PREPARED_FILE).write_text("1.0.0")
    assert not is_prepared(tmp_path, "dagster")
