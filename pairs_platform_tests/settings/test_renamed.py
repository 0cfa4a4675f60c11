"""Every earlier name is refused with the new one, wherever it stands."""

import pytest
import yaml

from pairs_platform.core.errors import SettingsError
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.model import SECRET_FIELDS, Settings, described_fields
from pairs_platform.settings.renamed import RENAMED, new_path
from pairs_platform.settings.shipped import PLATFORM_FILE
from pairs_platform.settings.variables import FROM_FILE, variable

ROWS = pytest.mark.parametrize(("earlier", "now"), RENAMED.items())


def document(path: str) -> dict:
    value: object = "1"
    for name in reversed(path.split(".")):
        value = {name: value}
    return dict(value)


@ROWS
def test_the_new_name_is_that_of_a_setting(earlier, now):
    fields = {path for path, _ in described_fields()}
    assert now in fields | set(Settings.model_fields)
    assert earlier not in fields | set(Settings.model_fields)


@ROWS
def test_an_earlier_name_in_a_file(folder, earlier, now):
    (folder / PLATFORM_FILE).write_text(yaml.safe_dump(document(earlier)))
    with pytest.raises(SettingsError, match=f"{earlier} is called {now} now: rename it in .*{PLATFORM_FILE}"):
        load_settings()


@ROWS
def test_an_earlier_name_in_an_override(earlier, now):
    with pytest.raises(SettingsError, match=f"{earlier} is called {now} now"):
        load_settings(document(earlier))


@ROWS
def test_an_earlier_name_in_a_variable(monkeypatch, earlier, now):
    monkeypatch.setenv(variable(earlier), "1")
    with pytest.raises(SettingsError, match=f"variable {variable(earlier)} is called {variable(now)} now"):
        load_settings()


@pytest.mark.parametrize("earlier", [name for name, now in RENAMED.items() if now in SECRET_FIELDS])
def test_an_earlier_name_of_a_secret_in_a_file(monkeypatch, tmp_path, earlier):
    monkeypatch.setenv(variable(earlier) + FROM_FILE, str(tmp_path))
    with pytest.raises(SettingsError, match=f"is called {variable(RENAMED[earlier])}{FROM_FILE} now"):
        load_settings()


def test_what_is_in_a_group_goes_with_it(monkeypatch):
    assert new_path("executor.pair_block") == "compute.pairs_per_batch"
    assert new_path("look_back.daily") == "lookback.daily"
    monkeypatch.setenv("PAIRS_PLATFORM__EXECUTOR__KIND", "dask")
    with pytest.raises(SettingsError, match="EXECUTOR__KIND is called PAIRS_PLATFORM__COMPUTE__KIND now"):
        load_settings()
