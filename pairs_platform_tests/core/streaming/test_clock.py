from datetime import UTC, date, datetime

import pytest

from pairs_platform.core.streaming.clock import LiveClock
from pairs_platform.core.streaming.sessions import is_open, session_at
from pairs_platform.core.time import market_day

SECOND = 10**9
START = 1_711_632_600 * SECOND


class Clocks:
    def __init__(self) -> None:
        self.wall, self.monotonic = START, 7 * SECOND
        self.market = LiveClock(lambda: self.wall, lambda: self.monotonic)

    def run(self, seconds: int) -> None:
        self.wall += seconds * SECOND
        self.monotonic += seconds * SECOND

    def jump(self, seconds: int) -> None:
        self.wall += seconds * SECOND


def test_market_time_runs_with_the_wall_clock():
    clocks = Clocks()
    clocks.run(61)
    assert clocks.market.now_ns() == clocks.wall
    assert clocks.market.offset_seconds() == 0.0


@pytest.mark.parametrize("jump", [3600, -3600, 200])
def test_a_wall_clock_that_jumps_moves_nothing_and_the_offset_says_so(jump):
    clocks = Clocks()
    clocks.run(10)
    before = clocks.market.now_ns()
    clocks.jump(jump)
    assert clocks.market.now_ns() == before
    assert clocks.market.offset_seconds() == jump
    clocks.run(60)
    clocks.market.confirm(START + 60 * SECOND)  # a bar of the time that the market has
    assert clocks.market.now_ns() == before + 60 * SECOND


def test_a_wall_clock_that_was_set_right_is_adopted_with_the_next_bar():
    clocks = Clocks()
    clocks.jump(-3600)
    wrong = LiveClock(lambda: clocks.wall, lambda: clocks.monotonic)
    clocks.jump(3600)
    assert wrong.offset_seconds() == 3600
    wrong.confirm(START - 2 * SECOND)
    assert wrong.now_ns() == START
    assert wrong.offset_seconds() == 0.0


@pytest.mark.parametrize(("end", "agrees"), [(-91, False), (-90, True), (5, True), (6, False)])
def test_a_bar_confirms_the_wall_time_from_90_seconds_before_to_5_after(end, agrees):
    clocks = Clocks()
    clocks.jump(1000)
    clocks.market.confirm(clocks.wall + end * SECOND)
    assert (clocks.market.offset_seconds() == 0.0) is agrees


def ns(*moment: int) -> int:
    return int(datetime(*moment, tzinfo=UTC).timestamp()) * SECOND


def test_a_session_lasts_from_its_open_to_midnight_in_new_york():
    day = date(2024, 3, 28)
    assert session_at(ns(2024, 3, 28, 13, 29, 59)) is None
    assert session_at(ns(2024, 3, 28, 13, 30)) == day
    assert session_at(ns(2024, 3, 29, 3, 59, 59)) == day
    assert session_at(ns(2024, 3, 29, 4)) is None  # Good Friday
    assert session_at(ns(2024, 3, 30, 15)) is None
    assert market_day(ns(2024, 3, 29, 3)) == day


def test_the_market_is_open_until_the_close_also_an_early_one():
    assert is_open(ns(2024, 3, 28, 13, 30))
    assert not is_open(ns(2024, 3, 28, 20))
    assert is_open(ns(2024, 7, 3, 16, 59, 59))
    assert not is_open(ns(2024, 7, 3, 17))
