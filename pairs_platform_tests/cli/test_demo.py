"""What a demo says of its sectors before it begins, and that a sector off the schedule is played too."""

from pairs_platform.cli.demo import _sectors, _with_active
from pairs_platform.platform import Platform
from pairs_platform.settings.loading import load_settings
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
