"""The desk is killed before and after every step of a pair's life: nothing is sent twice, no leg is forgotten."""

import pytest

from pairs_platform_tests.support.killed_desk import (
    Steps,
    desk_with_steps,
    live_through,
    require_nothing_lost,
)

STEPS = 60
"""More than a life has: what is beyond kills nobody, and is a life of its own."""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("fill_later", [False, True], ids=["filled at once", "filled later"])
def test_one_kill_at_every_step(tmp_path, alpaca_settings, template, fill_later):
    for at in range(STEPS):
        folder = tmp_path / str(at)
        folder.mkdir()
        desk = desk_with_steps(folder, alpaca_settings, template, Steps(at))
        live_through(desk, fill_later=fill_later)
        require_nothing_lost(desk)


@pytest.mark.timeout(600)
def test_a_second_kill_while_the_first_is_mended(tmp_path, alpaca_settings, template):
    for at in range(0, STEPS, 3):
        for after in (1, 2, 5):
            folder = tmp_path / f"{at}-{after}"
            folder.mkdir()
            desk = desk_with_steps(folder, alpaca_settings, template, Steps(at, at + after))
            live_through(desk, fill_later=True)
            require_nothing_lost(desk)
