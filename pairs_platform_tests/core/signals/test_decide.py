"""What announced buckets ask for."""

from datetime import date

import pytest

from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.prices.calendar import session_offset
from pairs_platform.core.signals.decide import StreamRequest, decide, session_at
from pairs_platform.core.streaming.buckets import Announcement, session_buckets

SESSION = date(2023, 3, 8)
"""10:00 New York is 15:00 UTC."""
EARLY = date(2022, 11, 25)
MINUTE_NS = 60 * 10**9
SECTORS = ("energy", "technology")


def announced(*positions: int, session: date = SESSION, frequency: Frequency = Frequency.FIVE_MINUTES):
    grid = session_buckets(session, frequency)
    return [
        Announcement(grid[k], "all_in", 2, 2, grid[k].end_ns, grid[k].end_ns, f"{n}-0")
        for n, k in enumerate(positions, start=1)
    ]


def asked(found, *, market_ns: int | None = None, **given):
    now = found[-1].bucket.end_ns if market_ns is None and found else market_ns or 0
    return decide(found, **{"market_ns": now, "sectors": SECTORS, "feed": "live", "generation": 0, **given})


def test_the_newest_bucket_alone_for_every_sector():
    due = asked(announced(1, 2, 3))
    start = session_buckets(SESSION, Frequency.FIVE_MINUTES)[3].start_ns
    assert due.signals == tuple(
        StreamRequest(sector, SESSION, start, f"signals|live|{sector}|2023-03-08T14:50:00Z") for sector in SECTORS
    )
    assert (due.saves, due.reason) == ((), "")


def test_keys_tell_feeds_generations_sectors_and_buckets_apart():
    def keys(*positions: int, **given) -> set[str]:
        return {one.run_key for one in asked(announced(*positions), **given).signals}

    live, replay = keys(3), keys(3, feed="replay", generation=2)
    assert replay == {f"signals|replay 2|{sector}|2023-03-08T14:50:00Z" for sector in SECTORS}
    assert live == keys(3, generation=5), "a live bucket happens once"
    everything = [live, replay, keys(3, feed="replay", generation=3), keys(4)]
    assert len(set().union(*everything)) == 8


def test_bars_are_saved_when_an_hour_of_the_clock_ends():
    assert asked(announced(4)).saves == ()
    (one, two) = asked(announced(5)).saves
    assert one.run_key == "save|live|energy|2023-03-08T15:00:00Z"
    assert two.sector == "technology"
    late = asked(announced(4, 5, 6)).saves
    assert [save.run_key for save in late] == [one.run_key, two.run_key], "of the bucket that ended the hour"


@pytest.mark.parametrize(("session", "last", "close"), [(SESSION, 77, "21:00"), (EARLY, 41, "18:00")])
def test_and_at_the_close(session, last, close):
    due = asked(announced(last, session=session))
    assert [save.run_key.rsplit("|", 1)[1] for save in due.saves] == [f"{session}T{close}:00Z"] * 2
    assert due.signals[0].start_ns == due.saves[0].start_ns
    assert asked(announced(last - 1, session=session)).saves == ()


def test_at_the_close_where_it_is_no_end_of_an_hour_of_the_grid():
    hours = announced(6, frequency=Frequency.ONE_HOUR)
    assert hours[0].bucket.end_ns - hours[0].bucket.start_ns == 30 * MINUTE_NS
    assert len(asked(hours).saves) == 2
    assert asked(announced(5, frequency=Frequency.ONE_HOUR)).saves == ()


def test_a_bucket_of_another_session_asks_for_nothing():
    yesterday = announced(77, session=session_offset(SESSION, -1))
    now = session_buckets(SESSION, Frequency.FIVE_MINUTES)[0].start_ns
    due = asked(yesterday, market_ns=now)
    assert (due.signals, due.saves) == ((), ())
    assert due.reason == "buckets of 2023-03-07, while the market clock is in 2023-03-08"
    mixed = asked([*yesterday, *announced(0)], market_ns=now + 5 * MINUTE_NS)
    assert {one.session for one in mixed.signals} == {SESSION}
    assert mixed.saves == (), "the close of the session before is not this session's"


def test_after_the_close_the_session_is_still_the_one_that_was_in():
    found = announced(77)
    assert asked(found, market_ns=found[0].bucket.end_ns + 10 * 60 * MINUTE_NS).signals
    assert asked(found, market_ns=found[0].bucket.end_ns + 18 * 60 * MINUTE_NS).signals == ()


def test_nothing_new():
    assert asked([]).reason == "no bucket has become complete"


def test_before_the_calendar_there_is_no_session():
    assert session_at(0) is None
    due = asked(announced(3), market_ns=1)
    assert due.signals == ()
    assert "while the market clock is in None" in due.reason


def test_the_session_begins_with_its_open():
    opened = session_buckets(SESSION, Frequency.FIVE_MINUTES)[0].start_ns
    assert session_at(opened) == SESSION
    assert session_at(opened - 1) == session_offset(SESSION, -1)
