"""The desk is killed before and after every step of a pair's life: nothing is sent twice, no leg is forgotten."""

from pathlib import Path

import pytest

from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.model import Settings
from pairs_platform.settings.variables import variable
from pairs_platform_tests.support.killed_desk import (
    Steps,
    desk_with_steps,
    empty_database,
    live_through,
    require_nothing_lost,
)


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv(variable("broker.kind"), "alpaca")
    return load_settings()


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return empty_database(tmp_path_factory.mktemp("template"))


STEPS = 60
"""More than a life has: what is beyond kills nobody, and is a life of its own."""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("fill_later", [False, True], ids=["filled at once", "filled later"])
def test_one_kill_at_every_step(tmp_path, settings, template, fill_later):
    for at in range(STEPS):
        folder = tmp_path / str(at)
        folder.mkdir()
        desk = desk_with_steps(folder, settings, template, Steps(at))
        live_through(desk, fill_later=fill_later)
        require_nothing_lost(desk)


@pytest.mark.timeout(600)
def test_a_second_kill_while_the_first_is_mended(tmp_path, settings, template):
    for at in range(0, STEPS, 3):
        for after in (1, 2, 5):
            folder = tmp_path / f"{at}-{after}"
            folder.mkdir()
            desk = desk_with_steps(folder, settings, template, Steps(at, at + after))
            live_through(desk, fill_later=True)
            require_nothing_lost(desk)
