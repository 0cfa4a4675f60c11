from datetime import UTC, datetime, timedelta

from pairs_platform.core.prices.calendar import CALENDAR_END, CALENDAR_START, all_sessions, is_session
from pairs_platform.defs.partitions import closed_weekdays, lake_keys, session_by_sector, sessions_definition


def test_the_closed_weekdays_are_those_of_the_calendar():
    span = (CALENDAR_START + timedelta(days=n) for n in range((CALENDAR_END - CALENDAR_START).days + 1))
    closed = [day for day in span if day.weekday() < 5 and not is_session(day)]
    assert [moment.date() for moment in closed_weekdays()] == closed


def test_partitions_are_the_sessions_that_are_over():
    keys = sessions_definition.get_partition_keys()
    expected = [day.isoformat() for day in all_sessions()]
    assert keys == expected[: len(keys)]
    assert keys[-1] < datetime.now(UTC).date().isoformat() or keys[-1] == expected[-1]


def test_a_key_names_session_and_sector():
    assert session_by_sector.has_partition_key("2023-03-08|technology")
    assert not session_by_sector.has_partition_key("2023-03-11|technology")
    keys = lake_keys(["2023-03-09|technology", "2023-03-08|technology", "2023-03-09|energy"])
    assert [str(key) for key in keys] == ["2023-03-09|energy", "2023-03-08|technology", "2023-03-09|technology"]
