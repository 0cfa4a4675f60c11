import pytest

from pairs_platform.core.errors import SettingsError
from pairs_platform.core.settings import SettingsGroup
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.model import described_fields
from pairs_platform.settings.universe_file import edit_universe
from pairs_platform.settings.variables import variable


def test_every_setting_has_a_unit_and_a_description_and_numbers_have_bounds():
    for path, info in described_fields():
        if isinstance(info.annotation, type) and issubclass(info.annotation, SettingsGroup):
            continue
        assert info.description, path
        assert (info.json_schema_extra or {}).get("unit"), path
        if info.annotation in (int, float):
            assert info.metadata, f"{path} has no bounds"


def test_daily_bars_have_the_longer_lookback(monkeypatch):
    monkeypatch.setenv(variable("frequency"), "1d")
    assert load_settings().lookback_sessions == 252


def test_profiles_keep_sources_frequencies_and_files_apart(monkeypatch):
    names = [load_settings().profile.name]
    monkeypatch.setenv(variable("frequency"), "1h")
    names.append(load_settings().profile.name)
    monkeypatch.setenv(variable("source.simulated.seed"), "8")
    names.append(load_settings().profile.name)
    monkeypatch.setenv(variable("source.kind"), "files")
    for path in ("a.parquet", "b.parquet"):
        monkeypatch.setenv(variable("source.files.paths"), f'["{path}"]')
        names.append(load_settings().profile.name)
    assert names[0] == "simulated-5min-raw"
    assert len(set(names)) == len(names)


def test_another_universe_is_another_simulated_market(folder):
    symbols = [listing.symbol for listing in load_settings().listings("technology")]
    edit_universe("technology", [*symbols, "SMCI"])
    assert load_settings().profile.name != "simulated-5min-raw"


def test_live_bars_and_history_come_from_one_vendor():
    with pytest.raises(
        SettingsError, match=r"stream.mode is alpaca and source.kind simulated.*set source.kind to alpaca"
    ):
        load_settings({"stream": {"mode": "alpaca"}})
    assert load_settings({"stream": {"mode": "alpaca"}, "source": {"kind": "alpaca"}}).stream.run_mode == "live"
