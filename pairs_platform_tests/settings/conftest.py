import pytest

from pairs_platform.settings.variables import CONFIG_VARIABLE
from pairs_platform_tests.support.console import console

__all__ = ["console", "folder"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    path = tmp_path / "my config"
    path.mkdir()
    monkeypatch.setenv(CONFIG_VARIABLE, str(path))
    return path
