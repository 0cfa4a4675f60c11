from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest

from pairs_platform.core.errors import NotFound
from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.prices.calendar import (
    CALENDAR_END,
    CALENDAR_START,
    all_sessions,
    bar_grid,
    closed_weekdays,
    is_session,
    last_session_before,
    require_session,
    session_close,
    session_of,
    session_offset,
    session_open,
    session_positions,
    session_table,
    sessions_between,
    sessions_ending,
)
from pairs_platform_tests.support.price_samples import EARLY_CLOSE, FULL, GOOD_FRIDAY, HOLIDAY


def test_holidays_and_weekends_are_no_sessions():
    for day in (HOLIDAY, GOOD_FRIDAY, date(2024, 7, 6), date(2025, 1, 9), date(2024, 6, 19)):
        assert not is_session(day)
        with pytest.raises(NotFound, match="not an XNYS session"):
            require_session(day)
    assert is_session(EARLY_CLOSE)


def test_the_error_names_the_session_before_a_holiday():
    with pytest.raises(NotFound, match="2024-03-28"):
        require_session(GOOD_FRIDAY)


def test_days_outside_the_calendar_are_refused_as_such():
    with pytest.raises(NotFound, match="outside the calendar"):
        require_session(date(1999, 1, 4))
    with pytest.raises(NotFound, match="no session before"):
        last_session_before(CALENDAR_START)
    with pytest.raises(NotFound, match="outside the calendar"):
        session_offset(CALENDAR_START, -1)
    assert all_sessions()[0] == CALENDAR_START
    assert all_sessions()[-1] == CALENDAR_END


def test_neighbours_across_a_holiday():
    assert last_session_before(date(2024, 7, 5)) == EARLY_CLOSE
    assert last_session_before(HOLIDAY) == EARLY_CLOSE
    assert session_offset(EARLY_CLOSE, 1) == date(2024, 7, 5)
    assert sessions_ending(date(2024, 7, 5), 3) == [FULL, EARLY_CLOSE, date(2024, 7, 5)]
    assert sessions_between(HOLIDAY, HOLIDAY) == []


def test_open_and_close_follow_new_york_through_both_clock_changes():
    assert session_open(date(2024, 3, 8)) == datetime(2024, 3, 8, 14, 30, tzinfo=UTC)
    assert session_open(date(2024, 3, 11)) == datetime(2024, 3, 11, 13, 30, tzinfo=UTC)
    assert session_open(date(2024, 11, 1)) == datetime(2024, 11, 1, 13, 30, tzinfo=UTC)
    assert session_open(date(2024, 11, 4)) == datetime(2024, 11, 4, 14, 30, tzinfo=UTC)
    assert session_close(EARLY_CLOSE) == datetime(2024, 7, 3, 17, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("frequency", "full", "early"),
    [
        (Frequency.ONE_MINUTE, 390, 210),
        (Frequency.FIVE_MINUTES, 78, 42),
        (Frequency.ONE_HOUR, 7, 4),
        (Frequency.ONE_DAY, 1, 1),
    ],
)
def test_bars_of_full_and_early_sessions(frequency, full, early):
    grid = bar_grid([FULL, EARLY_CLOSE], frequency)
    assert len(grid.ts_utc) == full + early
    assert grid.bar_of_day.tolist() == [*range(full), *range(early)]
    assert (grid.session == np.datetime64(EARLY_CLOSE)).sum() == early
    assert grid.ts_utc[full] == pd.Timestamp(session_open(EARLY_CLOSE))
    assert grid.ts_utc.is_monotonic_increasing


def test_the_shipped_sessions_are_those_of_the_calendar_library():
    import exchange_calendars

    xnys = exchange_calendars.get_calendar("XNYS", start=str(CALENDAR_START), end=str(CALENDAR_END))
    known = {
        day.date(): (opens.to_pydatetime(), closes.to_pydatetime())
        for day, opens, closes in zip(xnys.sessions, xnys.opens, xnys.closes, strict=True)
    }
    shipped = {day: (session_open(day), session_close(day)) for day in all_sessions()}
    differences = {str(day) for day in {*known, *shipped} if known.get(day) != shipped.get(day)}
    assert not differences, (
        f"{sorted(differences)}: exchange_calendars {exchange_calendars.__version__} knows other sessions than the "
        "shipped file; make it anew with `python benchmarks/make_calendar_table.py` and look at the difference"
    )


def test_closed_weekdays_are_the_holidays():
    closed = closed_weekdays()
    assert {HOLIDAY, GOOD_FRIDAY, date(2025, 1, 9)} <= set(closed)
    assert len(closed) == 125
    assert all(day.weekday() < 5 and not is_session(day) for day in closed)


def test_grid_agrees_with_the_calendar_library():
    import exchange_calendars

    sessions = sessions_between(date(2024, 10, 28), date(2024, 12, 31))
    minutes = exchange_calendars.get_calendar("XNYS").sessions_minutes(str(sessions[0]), str(sessions[-1]))
    assert (bar_grid(sessions, Frequency.ONE_MINUTE).ts_utc == minutes).all()


def test_an_empty_grid_is_refused():
    with pytest.raises(ValueError, match="at least one session"):
        bar_grid([], Frequency.ONE_DAY)


def test_positions_know_trading_hours():
    stamps = pd.DatetimeIndex(
        ["2024-07-03 13:29:59Z", "2024-07-03 13:30Z", "2024-07-03 16:59Z", "2024-07-03 17:00Z", "2024-07-04 15:00Z"]
    ).as_unit("ns")
    found = session_positions(stamps.asi8)
    assert (found >= 0).tolist() == [False, True, True, False, False]
    assert session_table().day[found[1]] == np.datetime64(EARLY_CLOSE)
    assert session_positions(np.array([0])).tolist() == [-1]


def test_session_of_a_late_bar_is_the_day_in_new_york():
    late = pd.Series(pd.DatetimeIndex(["2024-01-03 00:30Z"]))
    assert session_of(late).tolist() == [pd.Timestamp("2024-01-02")]
