"""What bar-close events ask for."""

from dataclasses import replace
from datetime import date

import pytest

from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.prices.calendar import session_offset
from pairs_platform.core.signals.requests import StreamRequest, decide_signal_requests
from pairs_platform.core.streaming.intervals import BarClose, bar_intervals
from pairs_platform.core.streaming.sessions import newest_session

SESSION = date(2023, 3, 8)
"""10:00 New York is 15:00 UTC."""
EARLY = date(2022, 11, 25)
MINUTE_NS = 60 * 10**9
SECTORS = ("energy", "technology")


def announced(*positions: int, session: date = SESSION, frequency: Frequency = Frequency.FIVE_MINUTES):
    grid = bar_intervals(session, frequency)
    return [
        BarClose(grid[k], "all_in", 2, 2, grid[k].end_ns, grid[k].end_ns, f"{n}-0")
        for n, k in enumerate(positions, start=1)
    ]


def asked(found, *, market_ns: int | None = None, **given):
    now = found[-1].interval.end_ns if market_ns is None and found else market_ns or 0
    return decide_signal_requests(found, **{"market_ns": now, "sectors": SECTORS, "run_mode": "live", **given})


def test_the_newest_bar_alone_for_every_sector():
    due = asked(announced(1, 2, 3))
    start = bar_intervals(SESSION, Frequency.FIVE_MINUTES)[3].start_ns
    assert due.signals == tuple(
        StreamRequest(sector, SESSION, start, f"signals|live|{sector}|2023-03-08T14:50:00Z") for sector in SECTORS
    )
    assert (due.saves, due.reason) == ((), "")


def test_keys_tell_run_modes_events_sectors_and_bars_apart():
    def keys(*positions: int, id: str = "1-0", **given) -> set[str]:
        found = [replace(one, id=id) for one in announced(*positions)]
        return {one.run_key for one in asked(found, **given).signals}

    live, replayed = keys(3), keys(3, run_mode="replay")
    assert replayed == {f"signals|replay 1-0|{sector}|2023-03-08T14:50:00Z" for sector in SECTORS}
    assert live == keys(3, id="5-0"), "a live bar happens once"
    everything = [live, replayed, keys(3, id="5-0", run_mode="replay"), keys(4)]
    assert len(set().union(*everything)) == 8


def test_bars_are_saved_when_an_hour_of_the_clock_ends():
    assert asked(announced(4)).saves == ()
    (one, two) = asked(announced(5)).saves
    assert one.run_key == "save|live|energy|2023-03-08T15:00:00Z"
    assert two.sector == "technology"
    late = asked(announced(4, 5, 6)).saves
    assert [save.run_key for save in late] == [one.run_key, two.run_key], "of the bar that ended the hour"


@pytest.mark.parametrize(("session", "last", "close"), [(SESSION, 77, "21:00"), (EARLY, 41, "18:00")])
def test_and_at_the_close(session, last, close):
    due = asked(announced(last, session=session))
    assert [save.run_key.rsplit("|", 1)[1] for save in due.saves] == [f"{session}T{close}:00Z"] * 2
    assert due.signals[0].start_ns == due.saves[0].start_ns
    assert asked(announced(last - 1, session=session)).saves == ()


def test_at_the_close_where_it_is_no_end_of_an_hour_of_the_grid():
    hours = announced(6, frequency=Frequency.ONE_HOUR)
    assert hours[0].interval.end_ns - hours[0].interval.start_ns == 30 * MINUTE_NS
    assert len(asked(hours).saves) == 2
    assert asked(announced(5, frequency=Frequency.ONE_HOUR)).saves == ()


def test_a_bar_of_a_session_that_has_not_opened_asks_for_nothing():
    before = session_offset(SESSION, -1)
    now = bar_intervals(before, Frequency.FIVE_MINUTES)[0].start_ns
    due = asked(announced(0), market_ns=now)
    assert (due.signals, due.saves) == ((), ())
    assert due.reason == f"bars of {SESSION}, while the market clock is in {before}"


def test_an_earlier_session_is_brought_to_its_end():
    yesterday = announced(76, 77, session=session_offset(SESSION, -1))
    now = bar_intervals(SESSION, Frequency.FIVE_MINUTES)[0].end_ns
    mixed = asked([*yesterday, *announced(0)], market_ns=now)
    assert [(one.session, one.start_ns) for one in mixed.signals] == [
        (interval.session, interval.start_ns)
        for interval in (yesterday[1].interval, announced(0)[0].interval)
        for _ in SECTORS
    ]
    assert {one.session for one in mixed.saves} == {yesterday[0].interval.session}


def test_nothing_new():
    assert asked([]).reason == "no bar has become complete"


def test_before_the_calendar_there_is_no_session():
    assert newest_session(0) is None
    due = asked(announced(3), market_ns=1)
    assert due.signals == ()
    assert "while the market clock is in None" in due.reason


def test_the_session_begins_with_its_open():
    opened = bar_intervals(SESSION, Frequency.FIVE_MINUTES)[0].start_ns
    assert newest_session(opened) == SESSION
    assert newest_session(opened - 1) == session_offset(SESSION, -1)
