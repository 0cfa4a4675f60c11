"""A daily asset is late when it lacks a session that is due, and never because the exchange is closed."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from pairs_platform.core.operations.freshness import up_to_date
from pairs_platform.core.operations.scheduling import READY_BY, as_of_session

NEW_YORK = ZoneInfo("America/New_York")
WEDNESDAY, THURSDAY, FRIDAY, TUESDAY = date(2023, 8, 30), date(2023, 8, 31), date(2023, 9, 1), date(2023, 9, 5)
"""Before and after Labor Day, Monday 2023-09-04."""


def judged(moment: str, newest: dict[str, date | None]):
    now = datetime.fromisoformat(moment).replace(tzinfo=NEW_YORK)
    return up_to_date(newest, as_of_session(now, at=READY_BY))


@pytest.mark.parametrize(
    ("moment", "newest", "behind"),
    [
        ("2023-09-01 07:59", WEDNESDAY, 0),
        ("2023-09-01 08:00", WEDNESDAY, 1),
        ("2023-09-01 11:30", THURSDAY, 0),
        ("2023-09-02 12:00", THURSDAY, 0),
        ("2023-09-03 23:00", THURSDAY, 0),
        ("2023-09-04 12:00", THURSDAY, 0),
        ("2023-09-04 12:00", WEDNESDAY, 1),
        ("2023-09-05 07:59", THURSDAY, 0),
        ("2023-09-05 08:00", THURSDAY, 1),
        ("2023-09-05 08:00", FRIDAY, 0),
        ("2023-09-06 08:00", THURSDAY, 2),
        ("2023-09-06 08:00", TUESDAY, 0),
    ],
)
def test_week_ends_holidays_and_early_mornings_make_nothing_late(moment, newest, behind):
    found = judged(moment, {"technology": newest})
    assert found.passed is (behind == 0)
    assert found.figures["sessions_behind"] == behind
    assert (f"{behind} session" in found.summary) is (behind > 0)


def test_each_sector_that_lacks_the_session_is_named_with_what_it_has():
    found = judged("2023-09-05 09:00", {"technology": FRIDAY, "financial": THURSDAY, "energy": None})
    assert not found.passed
    assert found.summary == (
        "energy has no session; financial ends with 2023-08-31, 1 session behind; session 2023-09-01 is due since "
        "2023-09-05 08:00 New York: look at the failed and queued daily runs"
    )
    assert (found.figures["sectors"], found.figures["sectors_behind"]) == (3, 2)


def test_nothing_is_due_where_nothing_has_begun():
    found = judged("2023-09-05 09:00", {})
    assert found.passed
    assert "no active sector has begun" in found.summary
