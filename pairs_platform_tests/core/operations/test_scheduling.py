from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from pairs_platform.core.operations.scheduling import (
    READY_BY,
    AutomationSettings,
    Failure,
    SectorState,
    as_of_session,
    due_retries,
    due_sessions,
    missing_prices,
)
from pairs_platform.core.prices.calendar import CALENDAR_START, sessions_between, sessions_ending

NEW_YORK = ZoneInfo("America/New_York")
RULES = AutomationSettings()


def new_york(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=NEW_YORK)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (new_york(2023, 3, 10, 6, 0), date(2023, 3, 9)),  # Friday
        (new_york(2023, 3, 10, 5, 59), date(2023, 3, 8)),
        (new_york(2023, 3, 11, 12, 0), date(2023, 3, 9)),  # Saturday: still Friday's tick
        (new_york(2023, 3, 13, 6, 0), date(2023, 3, 10)),  # Monday after the clocks went forward
        (new_york(2023, 11, 6, 6, 0), date(2023, 11, 3)),  # Monday after they went back
        (new_york(2023, 9, 4, 6, 0), date(2023, 8, 31)),  # Labor Day
        (new_york(2023, 9, 5, 6, 0), date(2023, 9, 1)),  # the day after it
    ],
)
def test_as_of_session(now, expected):
    assert as_of_session(now) == expected
    assert as_of_session(now.astimezone(UTC)) == expected


def test_the_deadline_moves_the_session_that_must_be_there():
    assert as_of_session(new_york(2023, 3, 10, 7, 59), at=READY_BY) == date(2023, 3, 8)
    assert as_of_session(new_york(2023, 3, 10, 8, 0), at=READY_BY) == date(2023, 3, 9)


def state(configured=(), priced=(), in_flight=(), failures=None):
    return SectorState("technology", frozenset(priced), frozenset(configured), frozenset(in_flight), failures or {})


def test_a_new_sector_starts_with_the_as_of_session_alone():
    assert due_sessions(state(), as_of=date(2023, 3, 9), settings=RULES) == (date(2023, 3, 9),)


def test_missed_sessions_are_caught_up_oldest_first_and_not_beyond_the_limit():
    done = sessions_between(date(2023, 1, 3), date(2023, 3, 6))
    assert due_sessions(state(done), as_of=date(2023, 3, 9), settings=RULES) == (
        date(2023, 3, 7),
        date(2023, 3, 8),
        date(2023, 3, 9),
    )
    done = sessions_between(date(2023, 1, 3), date(2023, 1, 31))
    assert len(due_sessions(state(done), as_of=date(2023, 3, 9), settings=RULES)) == RULES.catch_up_sessions


def test_what_is_stored_or_under_way_is_not_requested():
    as_of = date(2023, 3, 9)
    assert due_sessions(state([as_of]), as_of=as_of, settings=RULES) == ()
    assert due_sessions(state(in_flight=[as_of]), as_of=as_of, settings=RULES) == ()


def test_missing_prices_span_the_gaps_of_the_lookback_and_leave_out_the_session_itself():
    as_of = date(2023, 3, 9)
    window = sessions_ending(as_of, 60)
    assert missing_prices(state(), [as_of], lookback=60, earliest=CALENDAR_START) == (window[0], window[-2])
    assert missing_prices(state(priced=window[:-1]), [as_of], lookback=60, earliest=CALENDAR_START) is None
    holes = [day for day in window[:-1] if day not in (window[5], window[40])]
    assert missing_prices(state(priced=holes), [as_of], lookback=60, earliest=CALENDAR_START) == (window[5], window[40])
    assert missing_prices(state(), [as_of], lookback=60, earliest=window[7]) == (window[7], window[-2])


def test_retries_wait_twice_as_long_after_every_failure_and_end():
    session, ended = date(2023, 3, 9), new_york(2023, 3, 10, 6, 5)

    def due(runs, minutes):
        failed = state(failures={session: Failure(runs, "last", ended)})
        return due_retries(failed, as_of=session, now=ended + timedelta(minutes=minutes), settings=RULES)

    assert not due(1, 4.9)
    assert [retry.attempt for retry in due(1, 5)] == [1]
    assert not due(2, 9.9)
    assert [retry.attempt for retry in due(2, 10)] == [2]
    assert not due(3, 19.9)
    assert [retry.attempt for retry in due(3, 20)] == [3]
    assert not due(4, 10_000)


def test_no_retry_of_what_runs_or_is_long_past():
    session, ended = date(2023, 3, 9), new_york(2023, 3, 10, 6, 5)
    failures = {session: Failure(1, "last", ended)}
    later = ended + timedelta(hours=1)
    assert not due_retries(state(in_flight=[session], failures=failures), as_of=session, now=later, settings=RULES)
    assert not due_retries(state(failures=failures), as_of=date(2023, 4, 6), now=later, settings=RULES)


def test_a_stored_configuration_stays_and_only_its_models_are_made_again():
    session, ended = date(2023, 3, 9), new_york(2023, 3, 10, 6, 5)
    failures = {session: Failure(1, "last", ended)}
    for configured in ([], [session]):
        (retry,) = due_retries(
            state(configured, failures=failures), as_of=session, now=ended + timedelta(hours=1), settings=RULES
        )
        assert retry.models_only == bool(configured)
