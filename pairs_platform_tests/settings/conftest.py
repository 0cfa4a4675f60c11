import pytest

from pairs_platform.settings.variables import CONFIG_VARIABLE


@pytest.fixture
def folder(tmp_path, monkeypatch):
    path = tmp_path / "my config"
    path.mkdir()
    monkeypatch.setenv(CONFIG_VARIABLE, str(path))
    return path
