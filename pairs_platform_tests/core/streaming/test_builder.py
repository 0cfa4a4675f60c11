from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairs_platform.core.errors import ConfigurationError
from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.streaming.builder import BarBuilder, CompleteBar
from pairs_platform.core.streaming.intervals import bar_intervals

FULL, EARLY_CLOSE = date(2024, 7, 2), date(2024, 7, 3)
SYMBOLS = ("AAA", "BBB", "CCC")
INTERVALS = bar_intervals(FULL, Frequency.FIVE_MINUTES)
SECOND = 10**9
MINUTE = 60 * SECOND
BEFORE_OPEN = INTERVALS[0].start_ns - MINUTE


def builder(
    streamed: Frequency = Frequency.FIVE_MINUTES, session: date = FULL, announced: tuple[int, ...] = (), **changes
) -> BarBuilder:
    settings = {"grace_seconds": 5.0, "silent_bars": 2, **changes}
    made = BarBuilder(Frequency.FIVE_MINUTES, streamed, **settings)
    made.begin(session, announced)
    made.watch(SYMBOLS)
    return made


def places(found: list[CompleteBar]) -> list[int]:
    return [INTERVALS.index(item.interval) for item in found]


def fill(made: BarBuilder, place: int, symbols: tuple[str, ...] = SYMBOLS) -> None:
    for symbol in symbols:
        made.add(symbol, INTERVALS[place].start_ns)


def test_the_grid_ends_with_the_session():
    assert len(INTERVALS) == 78
    assert len(bar_intervals(EARLY_CLOSE, Frequency.FIVE_MINUTES)) == 42
    hours = bar_intervals(FULL, Frequency.ONE_HOUR)
    assert [(hour.end_ns - hour.start_ns) // MINUTE for hour in hours] == [60] * 6 + [30]


def test_a_bar_is_complete_when_all_symbols_are_in_and_said_once():
    made = builder()
    fill(made, 0, ("AAA", "BBB"))
    assert made.complete(INTERVALS[0].end_ns) == []
    fill(made, 0, ("CCC",))
    (found,) = made.complete(INTERVALS[0].end_ns)
    assert (found.interval, found.reason, found.symbols_in, found.symbols_expected) == (INTERVALS[0], "all_in", 3, 3)
    assert made.complete(INTERVALS[0].end_ns + 9 * SECOND) == []


def test_streamed_minutes_complete_a_bar_with_its_last_minute_alone():
    made = builder(Frequency.ONE_MINUTE)
    for symbol in SYMBOLS:
        for minute in range(4):
            made.add(symbol, INTERVALS[0].start_ns + minute * MINUTE)
    assert made.complete(None) == []
    for symbol in SYMBOLS:
        made.add(symbol, INTERVALS[0].start_ns + 4 * MINUTE)
    assert places(made.complete(None)) == [0]


def test_after_the_grace_time_a_bar_is_complete_anyway():
    made = builder()
    fill(made, 0, ("AAA",))
    assert made.complete(INTERVALS[0].end_ns + 5 * SECOND - 1) == []
    (found,) = made.complete(INTERVALS[0].end_ns + 5 * SECOND)
    assert (found.reason, found.symbols_in, found.symbols_expected) == ("grace", 1, 3)


def test_without_a_market_clock_no_grace_ends():
    made = builder()
    fill(made, 1)
    assert made.complete(None) == []
    fill(made, 0)
    assert places(made.complete(None)) == [0, 1]


def test_bars_come_in_order():
    made = builder()
    fill(made, 1)
    assert made.complete(INTERVALS[0].end_ns) == []
    assert places(made.complete(INTERVALS[0].end_ns + 5 * SECOND)) == [0, 1]


def test_a_symbol_that_stops_is_waited_for_as_long_as_the_rule_says():
    made = builder()
    for place in range(3):
        fill(made, place)
    made.complete(INTERVALS[2].end_ns)
    reasons = []
    for place in range(3, 7):
        fill(made, place, ("AAA", "BBB"))
        reasons += [
            (item.reason, item.symbols_expected) for item in made.complete(INTERVALS[place].end_ns + 5 * SECOND)
        ]
    assert reasons == [("grace", 3), ("grace", 3), ("all_in", 2), ("all_in", 2)]
    fill(made, 7)  # it is back
    (found,) = made.complete(INTERVALS[7].end_ns)
    assert (found.reason, found.symbols_in, found.symbols_expected) == ("all_in", 3, 3)


def test_when_nobody_is_waited_for_a_bar_still_waits_for_its_grace_time():
    made = builder()
    made.complete(INTERVALS[5].end_ns + 5 * SECOND)
    assert made.complete(INTERVALS[6].end_ns) == []
    (found,) = made.complete(INTERVALS[6].end_ns + 5 * SECOND)
    assert (found.reason, found.symbols_in, found.symbols_expected) == ("grace", 0, 0)


def test_a_late_streamed_bar_of_an_older_bar_announces_nothing():
    made = builder()
    fill(made, 0, ("AAA", "BBB"))
    assert places(made.complete(INTERVALS[0].end_ns + 5 * SECOND)) == [0]
    fill(made, 0)
    assert made.complete(INTERVALS[0].end_ns + 6 * SECOND) == []


def test_an_early_close_has_no_later_bar():
    made = builder(session=EARLY_CLOSE)
    found = made.complete(bar_intervals(EARLY_CLOSE, Frequency.FIVE_MINUTES)[-1].end_ns + 5 * SECOND)
    assert len(found) == 42
    assert made.complete(2 * INTERVALS[-1].end_ns) == []


def test_after_a_restart_announced_bars_are_not_said_again():
    made = builder(announced=(INTERVALS[0].start_ns, INTERVALS[1].start_ns))
    for place in range(3):
        fill(made, place)
    assert places(made.complete(INTERVALS[2].end_ns)) == [2]


def test_bars_of_other_sessions_and_of_symbols_that_are_not_watched_count_for_nothing():
    made = builder()
    made.add("AAA", bar_intervals(EARLY_CLOSE, Frequency.FIVE_MINUTES)[0].start_ns)
    fill(made, 0, ("BBB", "CCC", "ZZZ"))
    assert made.complete(None) == []
    made.watch(("BBB", "CCC"))
    (found,) = made.complete(None)
    assert (found.symbols_in, found.symbols_expected) == (2, 2)


def test_a_new_session_begins_with_nothing():
    made = builder()
    fill(made, 0)
    made.begin(EARLY_CLOSE)
    assert made.complete(None) == []


def test_streamed_bars_that_are_longer_than_bars_are_refused():
    with pytest.raises(ConfigurationError, match=r"set stream\.bar to 5min or shorter"):
        BarBuilder(Frequency.FIVE_MINUTES, Frequency.ONE_HOUR, grace_seconds=5.0, silent_bars=2)


events = st.one_of(
    st.tuples(st.just("bar"), st.sampled_from(SYMBOLS), st.integers(0, 20)),
    st.tuples(st.just("clock"), st.just(""), st.integers(-60, 20 * 300)),
    st.tuples(st.just("restart"), st.just(""), st.just(0)),
)


@given(st.lists(events, max_size=80))
def test_whatever_happens_bars_are_said_in_order_each_once_and_never_without_reason(history):
    made, said, bars, market = builder(), [], [], BEFORE_OPEN
    for kind, symbol, number in history:
        if kind == "bar":
            bars.append((symbol, INTERVALS[number].start_ns))
            made.add(*bars[-1])
        elif kind == "clock":
            market = max(market, INTERVALS[0].start_ns + number * SECOND)
        else:
            made = builder(announced=tuple(INTERVALS[place].start_ns for place in said))
            for held in bars:
                made.add(*held)
        found = made.complete(market)
        for item in found:
            place = INTERVALS.index(item.interval)
            arrived = {name for name, start in bars if start == item.interval.start_ns}
            assert item.symbols_in == len(arrived)
            if item.reason == "grace":
                assert market >= item.interval.end_ns + 5 * SECOND
            else:
                assert 0 < item.symbols_expected <= item.symbols_in
            said.append(place)
        assert said == list(range(len(said)))
    assert all(market < INTERVALS[place].end_ns + 5 * SECOND for place in range(len(said), 21))
