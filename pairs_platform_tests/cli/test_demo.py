"""What a demo says of its sectors before it begins, and that a sector off the schedule is played too."""

import os

import pytest

from pairs_platform.cli.demo import _sectors, _with_active
from pairs_platform.cli.demo_live import why_no_replay
from pairs_platform.platform import Platform
from pairs_platform.processes.runtime.supervisor import the_only_one
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.production import live_folder
from pairs_platform_tests.support.file_platform import daily_rows, file_platform


def test_it_says_which_sector_it_takes_and_the_words_for_the_others():
    first, others, words = _sectors(Platform(load_settings()), ["technology"]).splitlines()
    assert first == "sector     technology (23 symbols)"
    assert others == "others     financial (20 symbols, not active), healthcare (20 symbols, not active)"
    assert "`" not in words
    assert words.strip() == "pairs-platform demo --sector NAME; every active one: --sector all"


def test_a_sector_that_the_schedule_does_not_run_is_active_in_its_demo():
    settings = _with_active(Platform(load_settings()), ["financial"])
    assert settings.active_sectors == ("financial", "technology")
    assert load_settings().listings("financial") == settings.listings("financial"), "child processes see the same"


def test_a_sector_of_a_file_is_active_in_its_demo(tmp_path):
    platform = file_platform(tmp_path / "prices.csv", daily_rows(3, ("MINE1", "MINE2")), origin="source")
    assert "unclassified" in _with_active(platform, ["unclassified"]).active_sectors


@pytest.mark.skipif(os.name == "nt", reason="there is no embedded Redis on Windows")
def test_beside_a_command_whose_sensors_see_the_stream_nothing_is_replayed():
    settings = load_settings()
    assert why_no_replay(settings) == ""
    with the_only_one(live_folder(settings), "ui"):
        assert f"`ui` (pid {os.getpid()}) runs already" in why_no_replay(settings)
    assert why_no_replay(settings) == ""
