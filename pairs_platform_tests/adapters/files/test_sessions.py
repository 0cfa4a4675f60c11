from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings

from pairs_platform.adapters.files.sessions import SessionRule, are_midnights, dates, edge_counts, placed
from pairs_platform.adapters.files.stamps import Fault, StampForm, Stamps, read_stamps
from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.prices.calendar import bar_grid, sessions_between

DAILY = SessionRule(Frequency.ONE_DAY)
WINTER, SUMMER = date(2025, 11, 4), date(2025, 7, 8)
YEAR = sessions_between(date(2025, 1, 2), date(2025, 12, 31))


def written(*texts: str) -> Stamps:
    return read_stamps(pa.array(texts), StampForm())


def in_column(utc: list[str], zone: str | None) -> Stamps:
    return read_stamps(pa.array(np.array(utc, "datetime64[s]")).cast(pa.timestamp("s", zone)), StampForm())


def date_of(text: str, **rule) -> str:
    day, fault = dates(written(text), replace(DAILY, **rule))
    assert (fault[0] == Fault.UNCLEAR_DATE) == bool(np.isnat(day[0]))
    return str(day[0])


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "Asia/Shanghai", "Australia/Sydney", "Europe/Berlin", "UTC"])
@pytest.mark.parametrize("day", [SUMMER, WINTER])
def test_a_midnight_in_utc_without_offset_is_never_dated_early_by_stating_its_zone(zone: str, day: date) -> None:
    midnight = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    rule = replace(DAILY, timezone=zone, no_closes=True)
    assert dates(written(f"{midnight:%Y-%m-%dT%H:%M:%SZ}"), rule)[0][0] == np.datetime64(day)
    without_offset = dates(written(f"{midnight:%Y-%m-%dT%H:%M:%S}"), rule)
    assert np.isnat(without_offset[0][0]) or without_offset[0][0] == np.datetime64(day)


class TestDates:
    @pytest.mark.parametrize(
        "text",
        [
            "2025-11-04",
            "2025-11-04T00:00:00",
            "2025-11-04T00:00:00Z",
            "2025-11-04 00:00:00+00",
            "2025-11-04T00:00:00+01:00",
            "2025-11-04T00:00:00+14:00",
            "2025-11-04T00:00:00-05:00",
            "2025-11-04T00:00:00-08:00",
            "2025-11-04T05:00:00Z",
            "2025-11-04T06:00:00Z",
            "2025-11-04T14:30:00Z",
            "2025-11-04T21:00:00Z",
            "2025-11-04T16:00:00-05:00",
            "2025-11-04T14:37:12Z",
            "2025-11-04T21:15:00Z",
            "2025-11-04T22:59:59Z",
            "2025-11-05T03:07:12+09:00",
            "2025-11-04T16:00:00",
            "2025-11-04T09:30:00",
            "2025-11-04T05:00:00",
            "2025-11-04T14:37:12",
        ],
    )
    def test_a_date_as_written_or_a_time_of_its_trading_day(self, text) -> None:
        assert date_of(text) == "2025-11-04"

    @pytest.mark.parametrize(
        "text",
        [
            "2025-11-03T23:00:00Z",
            "2025-11-03T22:00:00Z",
            "2025-07-07T21:00:00Z",
            "2025-07-07T22:00:00Z",
            "2025-11-03T15:00:00Z",
            "2025-11-03T18:30:00Z",
            "2025-11-03T18:15:00Z",
            "2025-11-03T18:00:00-05:00",
            "2025-11-03T23:12:13Z",
            "2025-11-04T01:30:00Z",
            "2025-11-03T22:00:00",
            "2025-11-03T15:00:00",
            "2025-11-03T23:59:59",
            "2025-11-04T01:12:13",
        ],
    )
    def test_a_date_that_may_be_another_is_none(self, text) -> None:
        assert date_of(text) == "NaT"

    @pytest.mark.parametrize(
        ("text", "timezone", "expected"),
        [
            ("2025-11-03T23:00:00Z", "Europe/Berlin", "2025-11-04"),
            ("2025-07-07T22:00:00Z", "Europe/Berlin", "2025-07-08"),
            ("2025-11-03T15:00:00Z", "Asia/Tokyo", "2025-11-04"),
            ("2025-11-03T16:00:00", "UTC", "NaT"),
            ("2025-11-03T21:00:00", "UTC", "2025-11-03"),
            ("2025-11-03T18:00:00", "America/New_York", "2025-11-03"),
            ("2025-11-03T23:00:00Z", "America/New_York", "NaT"),
            ("2025-11-04T00:00:00Z", "America/New_York", "2025-11-04"),
            ("2025-11-04", "Asia/Tokyo", "2025-11-04"),
        ],
    )
    def test_the_setting_tells_whose_midnight_it_is(self, text, timezone, expected) -> None:
        assert date_of(text, timezone=timezone) == expected

    def test_a_column_of_new_york_is_never_in_doubt(self) -> None:
        stamps = in_column(["2025-11-04T23:00", "2025-11-05T04:59", "2025-11-05T05:00"], "America/New_York")
        assert dates(stamps, DAILY)[0].astype(str).tolist() == ["2025-11-04", "2025-11-04", "2025-11-05"]

    def test_a_column_of_a_fixed_offset_has_its_own_midnight(self) -> None:
        stamps = in_column(["2025-07-08T05:00", "2025-07-08T13:30"], "-05:00")
        assert dates(stamps, DAILY)[0].astype(str).tolist() == 2 * ["2025-07-08"]

    def test_an_early_close_is_a_close(self) -> None:
        assert date_of("2025-11-28T18:00:00Z") == "2025-11-28"
        assert date_of("2025-11-28T13:00:00") == "2025-11-28"
        assert date_of("2025-11-26T18:00:00Z") == "NaT"

    @settings(max_examples=30)
    @given(st.sampled_from(sorted(available_timezones() - {"localtime", "Factory"})), st.integers(0, len(YEAR) - 10))
    def test_no_zone_s_midnight_is_ever_dated_early(self, zone, first) -> None:
        """Ten sessions are stored as midnights of a zone, in UTC; each is its own date or none."""
        days = YEAR[first : first + 10]
        midnights = [datetime.combine(day, datetime.min.time(), ZoneInfo(zone)) for day in days]
        utc_times = [midnight.astimezone(UTC) for midnight in midnights]
        utc = [str(moment.replace(tzinfo=None)) for moment in utc_times]
        own, truth = in_column(utc, zone), np.array(days, "datetime64[D]")
        exists = np.array([moment.astimezone(ZoneInfo(zone)).hour == 0 for moment in utc_times])
        assert (dates(own, DAILY)[0] == truth)[exists].all()
        for stamps in (in_column(utc, "UTC"), in_column(utc, None)):
            rule = replace(DAILY, no_closes=are_midnights(stamps, DAILY))
            got = dates(stamps, rule)[0]
            assert (np.isnat(got) | (got >= truth)).all()
            told = replace(rule, timezone=zone)
            got = dates(in_column(utc, "UTC"), told)[0]
            assert (got == truth)[exists].all()

    def test_closes_on_sundays_and_not_on_fridays_are_midnights_elsewhere(self) -> None:
        moscow = written(*(f"2025-11-{day:02}T21:00:00Z" for day in (2, 3, 4, 5, 6)))
        assert are_midnights(moscow, DAILY)
        assert np.isnat(dates(moscow, replace(DAILY, no_closes=True))[0]).all()
        closes = written(*(f"2025-11-{day:02}T21:00:00Z" for day in (3, 4, 5, 6, 7, 9)))
        assert not are_midnights(closes, DAILY)


class TestPlaced:
    def test_a_daily_row_starts_at_the_open(self) -> None:
        rows = placed(written("2025-11-04", "2025-07-08", "soon"), DAILY)
        assert rows.start.astype("datetime64[m]").astype(str).tolist() == [
            "2025-11-04T14:30",
            "2025-07-08T13:30",
            "NaT",
        ]
        assert rows.fault.tolist() == [0, 0, Fault.UNREADABLE]

    def test_an_intraday_row_needs_a_zone(self) -> None:
        stamps = written("2025-11-04T14:30:00Z", "2025-11-04T09:30:00", "2025-11-02T01:30:00", "2025-03-09T02:30:00")
        hours = SessionRule(Frequency.ONE_HOUR)
        assert placed(stamps, hours).fault.tolist() == [0, *3 * [Fault.NO_ZONE]]
        rows = placed(stamps, replace(hours, timezone="America/New_York"))
        assert rows.fault.tolist() == [0, 0, Fault.CLOCK_CHANGE, Fault.CLOCK_CHANGE]
        assert rows.start[0] == rows.start[1]
        assert np.isnat(rows.start[2:]).all()

    def test_a_row_after_midnight_utc_belongs_to_the_evening_in_new_york(self) -> None:
        rows = placed(written("2025-11-05T00:30:00Z"), SessionRule(Frequency.ONE_HOUR))
        assert rows.session.astype(str).tolist() == ["2025-11-04"]

    @pytest.mark.parametrize("frequency", [Frequency.ONE_MINUTE, Frequency.FIVE_MINUTES, Frequency.ONE_HOUR])
    def test_ends_become_starts_at_the_open_at_noon_and_at_every_close(self, frequency) -> None:
        grid = bar_grid(sessions_between(date(2025, 10, 31), date(2025, 11, 28)), frequency)
        starts = np.asarray(grid.ts_utc.tz_localize(None), "datetime64[ns]")
        closes = {day: closing(day) for day in np.unique(grid.session)}
        length = np.timedelta64(frequency.length_ns, "ns")
        ends = np.minimum(starts + length, [closes[day] for day in grid.session])
        stamps = Stamps(ends, ends, np.zeros(len(ends), np.int8))
        rows = placed(stamps, SessionRule(frequency, label="end"))
        np.testing.assert_array_equal(rows.start, starts)
        np.testing.assert_array_equal(rows.session, grid.session)

    def test_an_end_between_two_bars_stays_between_them(self) -> None:
        rows = placed(
            written("2025-11-04T15:07:00Z", "2025-11-04T14:30:00Z"), SessionRule(Frequency.ONE_HOUR, label="end")
        )
        assert rows.start.astype("datetime64[m]").astype(str).tolist() == ["2025-11-04T14:07", "2025-11-04T13:30"]


def minutes(moments: np.ndarray) -> list[str]:
    return moments.astype("datetime64[m]").astype(str).tolist()


def closing(day: np.datetime64) -> np.datetime64:
    local = pd.Timestamp(day) + timedelta(hours=13 if str(day) == "2025-11-28" else 16)
    return np.datetime64(local.tz_localize("America/New_York").tz_convert("UTC").tz_localize(None), "ns")


def test_rows_at_opens_and_closes_are_counted() -> None:
    stamps = written("2025-11-04T14:30:00Z", "2025-11-04T21:00:00Z", "2025-11-04T15:00:00Z", "2025-11-28T18:00:00Z")
    assert edge_counts(stamps.utc, np.array([5, 4, 3, 2])) == (5, 6, 2)
