import pytest
import yaml

from pairs_platform.core.errors import SettingsError
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.shipped import UNIVERSE_FILE, shipped_text
from pairs_platform.settings.universe_file import edit_universe


def test_only_the_users_universe_is_edited(folder):
    shipped = shipped_text(UNIVERSE_FILE)
    path = edit_universe("energy", ["CVX", "XOM"])
    edit_universe("technology", ["AAPL", "MSFT"])
    assert path == folder / UNIVERSE_FILE
    assert yaml.safe_load(path.read_text())["universe"]["energy"] == {"active": False, "symbols": ["CVX", "XOM"]}
    assert [listing.symbol for listing in load_settings().listings("technology")] == ["AAPL", "MSFT"]
    assert shipped_text(UNIVERSE_FILE) == shipped


def test_an_edit_that_would_not_be_valid_leaves_the_file_as_it_was(folder):
    path = edit_universe("energy", ["CVX", "XOM"])
    before = path.read_text()
    with pytest.raises(SettingsError, match="energy"):
        edit_universe("energy", ["CVX"])
    assert path.read_text() == before


def test_without_a_folder_nothing_is_edited():
    with pytest.raises(SettingsError, match="config init"):
        edit_universe("technology", ["AAPL", "MSFT"])
