"""The desk is killed before and after steps of its work: the next one sends nothing twice and forgets no leg.

Every step is tried by `soak/test_killed_desk.py`; here are those around the orders of an entry.
"""

import pytest

from pairs_platform_tests.support.killed_desk import (
    Steps,
    desk_with_steps,
    live_through,
    require_nothing_lost,
)


def test_a_life_without_a_kill(tmp_path, alpaca_settings, template):
    steps = Steps()
    desk = desk_with_steps(tmp_path, alpaca_settings, template, steps)
    assert live_through(desk) == 0
    require_nothing_lost(desk)
    assert [name for name in steps.names if "submit" in name] == ["before submit", "after submit"] * 4


@pytest.mark.parametrize("which", [0, 1, 2, 3], ids=["entry not sent", "entry sent", "hedge not sent", "hedge sent"])
def test_a_process_that_dies_around_an_order_forgets_no_leg_and_sends_nothing_twice(
    tmp_path, alpaca_settings, template, which
):
    desk = desk_with_steps(tmp_path, alpaca_settings, template, Steps(kill_at_submit=which))
    assert live_through(desk) == 1
    require_nothing_lost(desk)
