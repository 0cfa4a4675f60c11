import pandas as pd
import pytest
import yaml

from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.shipped import UNIVERSE_FILE, shipped_text
from pairs_platform.settings.variables import CONFIG_VARIABLE


@pytest.fixture
def folder(tmp_path, monkeypatch):
    path = tmp_path / "my config"
    path.mkdir()
    monkeypatch.setenv(CONFIG_VARIABLE, str(path))
    return path


def symbols(sector: str) -> list[str]:
    return [listing.symbol for listing in load_settings().listings(sector)]


def test_list_names_sectors_and_whether_they_are_active(console):
    shown = console("symbols", "list")
    assert shown.exit_code == 0
    words = " ".join(shown.output.split())
    assert "financial no 20" in words
    assert "technology yes 23" in words
    only = console("symbols", "list", "--sector", "healthcare")
    assert "technology" not in only.output


def test_add_makes_a_sector_inactive(console, folder):
    shown = console("symbols", "add", "xom", "CVX", "--sector", "energy")
    assert shown.exit_code == 0
    assert "energy: 2 symbols, 2 new" in shown.output
    assert "The simulated market follows the universe" in shown.output
    again = console("symbols", "add", "CVX", "--sector", "energy").output
    assert "simulated market" not in again, "nothing has changed"
    assert symbols("energy") == ["CVX", "XOM"]
    assert "energy" not in load_settings().active_sectors


def test_add_and_remove_keep_the_rest_of_a_sector(console, folder):
    before = symbols("technology")
    assert "24 symbols, 1 new" in console("symbols", "add", "AAPL", "WDAY", "--sector", "technology").output
    assert symbols("technology") == sorted([*before, "WDAY"])
    shown = console("symbols", "remove", "WDAY", "TXN", "--sector", "technology")
    assert "technology: 22 symbols left" in shown.output
    assert symbols("technology") == [symbol for symbol in before if symbol != "TXN"]
    assert "technology" in load_settings().active_sectors


def test_comments_order_and_what_is_no_number_are_kept(console, folder):
    written = """# mine
universe:
  technology:  # the ones I know
    active: true
    symbols:
      - AAPL  # the first
      - "ON"
      - TRUE
  energy: {active: false, symbols: [CVX, XOM]}
# the end
"""
    (folder / UNIVERSE_FILE).write_text(written)
    assert console("symbols", "add", "QCOM", "AMD", "--sector", "technology").exit_code == 0
    text = (folder / UNIVERSE_FILE).read_text()
    assert symbols("technology") == ["AAPL", "AMD", "ON", "QCOM", "TRUE"]
    for kept in ("# mine", "# the ones I know", "- AAPL  # the first", '- "ON"', "- TRUE", "# the end"):
        assert kept in text
    assert console("symbols", "remove", "QCOM", "AMD", "--sector", "technology").exit_code == 0
    assert (folder / UNIVERSE_FILE).read_text().split() == written.split()


def test_the_active_flag_is_kept(console, folder):
    (folder / UNIVERSE_FILE).write_text("universe: {healthcare: {active: true}}\n")
    console("symbols", "add", "MRNA", "--sector", "healthcare")
    assert "healthcare" in load_settings().active_sectors
    assert yaml.safe_load((folder / UNIVERSE_FILE).read_text())["universe"]["healthcare"]["active"] is True


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["add", "AAPL", "AMD", "--sector", "banking"], "unknown sector 'banking'; valid: "),
        (["add", "A!B", "--sector", "technology"], "is no symbol: write letters and digits"),
        (["remove", "XOM", "--sector", "technology"], "XOM not in technology; it has AAPL ADI"),
        (["remove", "XOM", "--sector", "energy"], "XOM not in energy; it has no symbols"),
        (
            ["status", "--sector", "energy"],
            "the universe has no sector 'energy'; it has financial, healthcare, technology",
        ),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(folder, begun, console, words, told):
    shown = console("symbols", *words)
    assert shown.exit_code == 1
    assert told in " ".join(shown.output.split())
    assert not (folder / UNIVERSE_FILE).exists()


def test_without_a_copy_nothing_is_edited(console):
    shown = console("symbols", "add", "WDAY", "--sector", "technology")
    assert shown.exit_code == 1
    assert "config init" in shown.output
    assert "WDAY" not in shipped_text(UNIVERSE_FILE)


def test_symbols_and_sectors_of_a_file(console, tmp_path):
    from pairs_platform.core.prices.calendar import sessions_ending
    from pairs_platform_tests.support.demo_profile import SESSION
    from pairs_platform_tests.support.fake_market import hourly_bars, walk

    bars = hourly_bars(sessions_ending(SESSION, 2), {"AAA": walk(14, 1), "BBB": walk(14, 2), "CCC": walk(14, 3)})
    bars["sector"] = bars["symbol"].map({"AAA": "Energy", "BBB": "Information Technology", "CCC": "Energy"})
    path = tmp_path / "own prices.csv"
    pd.DataFrame(bars).to_csv(path, index=False)
    shown = console("symbols", "list", "--data", str(path))
    assert shown.exit_code == 0
    words = " ".join(shown.output.split())
    assert "energy no 2 AAA CCC" in words
    assert "technology yes 1 BBB" in words
