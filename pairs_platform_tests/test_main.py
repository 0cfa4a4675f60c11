import os
import shutil
import sys
from pathlib import Path

import pytest

from pairs_platform_tests import __main__ as checks
from pairs_platform_tests.__main__ import FAST, PARTS, SCRIPTS, fast_files


def test_every_check_is_part_of_the_whole():
    assert PARTS["check"].items() <= PARTS["all"].items()
    assert PARTS["all"]["tests"] == PARTS["fast"]["tests"][: len(PARTS["all"]["tests"])]


def test_what_the_parts_name_is_there():
    for steps in PARTS.values():
        assert all((SCRIPTS / command[0]).exists() for command in steps.values())
    assert all((Path(__file__).parent / path).exists() for path in FAST)


@pytest.fixture
def memory(tmp_path, monkeypatch):
    """A folder in the place of the one that Linux keeps in memory, with no more room free than is needed."""
    monkeypatch.delenv("TMPDIR", raising=False)
    monkeypatch.setattr(checks, "MEMORY", tmp_path)
    monkeypatch.setattr(checks, "MEMORY_BYTES", shutil.disk_usage(tmp_path).free // 2)
    return tmp_path


def test_files_of_a_run_lie_in_memory_and_nothing_of_them_is_left(memory, monkeypatch):
    monkeypatch.setenv("PYTEST_ADDOPTS", "-x")
    with fast_files() as variables:
        folder = Path(variables["TMPDIR"])
        (folder / "of a test").write_text("")
        assert folder.parent == memory
        assert variables["PYTEST_ADDOPTS"] == f"-x --basetemp={folder}/t"
    assert list(memory.iterdir()) == []


def test_files_of_a_run_lie_where_they_did_if_memory_has_too_little_room(memory, monkeypatch):
    monkeypatch.setattr(checks, "MEMORY_BYTES", sys.maxsize)
    with fast_files() as variables:
        assert variables == {}


def test_a_folder_that_the_caller_names_is_used(memory, monkeypatch):
    monkeypatch.setenv("TMPDIR", os.fspath(memory))
    with fast_files() as variables:
        assert variables == {}


def test_where_no_files_are_kept_in_memory_nothing_is_said(memory, monkeypatch):
    monkeypatch.setattr(checks, "MEMORY", memory / "absent")
    with fast_files() as variables:
        assert variables == {}
