from datetime import UTC, date, datetime, timedelta, timezone

import hypothesis.strategies as st
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings

from pairs_platform.adapters.files.stamps import (
    Fault,
    StampForm,
    fault_reason,
    has_times,
    joined_text,
    read_stamps,
    stamp_form,
    stamp_text,
)
from pairs_platform.core.errors import DataError

naive = datetime.fromisoformat
DAYS = st.dates(date(1678, 1, 1), date(2261, 12, 31))
DAY_FORMS = {
    "iso": "{0:%Y}-{0:%m}-{0:%d}",
    "slashes": "{0:%Y}/{0:%m}/{0:%d}",
    "dots": "{0:%Y}.{0:%m}.{0:%d}",
    "no zeros": "{0:%Y}-{0.month}-{0.day}",
    "compact": "{0:%Y}{0:%m}{0:%d}",
    "words": "{0:%d}-{0:%b}-{0:%Y}",
    "american words": "{0:%B} {0.day}, {0:%Y}",
    "day first": "{0:%d}/{0:%m}/{0:%Y}",
    "month first": "{0.month}/{0.day}/{0:%Y}",
}
ORDERS = {"day first": "day_first", "month first": "month_first"}
CLOCK_FORMS = {
    "minutes": "%H:%M",
    "seconds": "%H:%M:%S",
    "microseconds": "%H:%M:%S.%f",
    "nanoseconds": "%H:%M:%S.%f000",
    "comma": "%H:%M:%S,%f",
    "compact": "%H%M%S",
    "twelve hours": "%I:%M:%S %p",
}
WITHOUT_SECONDS, WITHOUT_FRACTION = {"minutes"}, {"minutes", "seconds", "compact", "twelve hours"}
OFFSETS = st.one_of(
    st.none(), st.integers(-14 * 4, 14 * 4).map(lambda quarters: timezone(timedelta(minutes=15 * quarters)))
)
OFFSET_FORMS = ("colon", "four digits", "two digits", "Z")


def read(*texts: str | None, form: StampForm | None = None):
    return read_stamps(pa.array(texts, pa.string()), form or form_of(*texts))


def form_of(*texts: str | None, stated=None) -> StampForm:
    values = pa.array(texts, pa.string())
    return stamp_form(values, stated, name="date", row_of=lambda i: i + 1, path="prices.csv")


def offset_text(offset: timezone, how: str) -> str:
    seconds = int(offset.utcoffset(None).total_seconds())
    if how == "Z" and seconds == 0:
        return "Z"
    sign, (hours, rest) = "-" if seconds < 0 else "+", divmod(abs(seconds), 3600)
    if how == "two digits" and rest == 0:
        return f"{sign}{hours:02}"
    return f"{sign}{hours:02}{':' if how == 'colon' else ''}{rest // 60:02}"


class TestOracle:
    """A date or moment is written in one of many forms, and read back."""

    @given(DAYS, st.sampled_from(sorted(DAY_FORMS)), OFFSETS, st.sampled_from(OFFSET_FORMS), st.sampled_from(["", " "]))
    def test_a_date_is_the_date_as_written(self, day, form, offset, how, blank) -> None:
        written = blank + DAY_FORMS[form].format(day) + blank
        if offset is not None:
            written = f"{written.strip()} 00:00:00{offset_text(offset, how)}"
        stamps = read(written, form=StampForm(ORDERS.get(form)))
        assert (stamps.wall[0], stamps.fault[0]) == (np.datetime64(day, "ns"), Fault.NONE)
        assert np.isnat(stamps.utc[0]) == (offset is None)

    @given(
        st.datetimes(naive("1700-01-01"), naive("2261-01-01")),
        st.sampled_from(sorted(DAY_FORMS)),
        st.sampled_from(sorted(CLOCK_FORMS)),
        OFFSETS,
        st.sampled_from(OFFSET_FORMS),
    )
    @example(naive("2025-10-31 09:30"), "iso", "seconds", timezone(timedelta(hours=-4)), "two digits")
    def test_a_moment_is_an_instant_where_it_has_an_offset(self, moment, form, clock, offset, how) -> None:
        if clock in WITHOUT_FRACTION:
            moment = moment.replace(microsecond=0)
        if clock in WITHOUT_SECONDS:
            moment = moment.replace(second=0)
        between = " " if "words" in form else "T"
        day_form = "iso" if clock == "compact" and "words" in form else form
        written = DAY_FORMS[day_form].format(moment) + between + moment.strftime(CLOCK_FORMS[clock])
        stamps = read(written + (offset_text(offset, how) if offset else ""), form=StampForm(ORDERS.get(day_form)))
        assert stamps.wall[0] == np.datetime64(moment, "ns")
        if offset is None:
            assert np.isnat(stamps.utc[0])
        else:
            assert stamps.utc[0] == np.datetime64(moment.replace(tzinfo=offset).astimezone(UTC).replace(tzinfo=None))

    @given(
        st.lists(st.text(max_size=30) | st.from_regex(r"[0-9:+\-TZ/. ]{0,30}", fullmatch=True), min_size=1, max_size=6)
    )
    @settings(max_examples=40)
    def test_no_text_breaks_it_and_none_depends_on_another(self, texts) -> None:
        form = StampForm("day_first", 10**9)
        together = read(*texts, form=form)
        for i, text in enumerate(texts):
            alone = read(text, form=form)
            np.testing.assert_equal((alone.wall[0], alone.utc[0]), (together.wall[i], together.utc[i]))
            assert alone.fault[0] == together.fault[i]
            assert np.isnat(alone.wall[0]) == (alone.fault[0] != Fault.NONE)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (None, Fault.EMPTY),
        ("", Fault.EMPTY),
        ("\u00a0", Fault.EMPTY),
        ("NaT", Fault.EMPTY),
        ("null", Fault.EMPTY),
        ("-", Fault.EMPTY),
        ("soon", Fault.UNREADABLE),
        ("2025-02-29", Fault.UNREADABLE),
        ("2025-13-01", Fault.UNREADABLE),
        ("2025-05-12 24:00", Fault.UNREADABLE),
        ("2025-05-12 13:00 PM", Fault.UNREADABLE),
        ("2025-05-12T09:30:00+25:00", Fault.UNREADABLE),
        ("05/12/25", Fault.UNREADABLE),
        ("11/03/2025", Fault.DATE_ORDER),
        ("0000-01-01", Fault.YEAR),
        ("0001-01-01T00:00:00Z", Fault.YEAR),
        ("1677-12-31", Fault.YEAR),
        ("2262-01-01", Fault.YEAR),
        ("9999-12-31", Fault.YEAR),
        ("45964", Fault.NUMBER),
        ("45964.5", Fault.NUMBER),
        ("883612800", Fault.NUMBER),
        ("99999999999999999999", Fault.NUMBER),
        ("20251345", Fault.UNREADABLE),
    ],
)
def test_what_is_no_time_has_a_fault_and_says_the_remedy(text, fault) -> None:
    stamps = read(text)
    assert (stamps.fault[0], np.isnat(stamps.wall[0]), np.isnat(stamps.utc[0])) == (fault, True, True)
    reason = fault_reason(fault, name="date", value=text, zone=None)
    assert str(text)[:60] in reason or fault is Fault.EMPTY


class TestDateOrder:
    def test_a_value_above_twelve_proves_it(self) -> None:
        assert form_of("03/04/2025", "13/04/2025") == StampForm("day_first", note="day first: 1 value proves it")
        assert form_of("03.04.2025", "04/13/2025", "04/14/2025").date_order == "month_first"
        assert read("03/04/2025", "04/13/2025").wall[0] == np.datetime64("2025-03-04")

    def test_nothing_is_guessed(self) -> None:
        assert form_of("03/04/2025", "05/06/2025") == StampForm()
        assert form_of("03/04/2025", stated="day_first").date_order == "day_first"
        assert read("03/04/2025").fault[0] == Fault.DATE_ORDER
        assert read("2025-04-03", "03/04/2025").fault.tolist() == [Fault.NONE, Fault.DATE_ORDER]
        assert read("03/04/2025", form=StampForm("year_first")).fault[0] == Fault.UNREADABLE

    def test_two_orders_are_refused_with_both_rows(self) -> None:
        with pytest.raises(DataError, match=r"'13/04/2025' \(row 2\) has the day first and '04/13/2025' \(row 4\)"):
            form_of("03/04/2025", "13/04/2025", "05/05/2025", "04/13/2025")

    def test_a_setting_that_the_file_contradicts_is_refused(self) -> None:
        with pytest.raises(DataError, match=r"'04/13/2025' \(row 1\) is no date .* day_first; set it to month_first"):
            form_of("04/13/2025", stated="day_first")


class TestEpochs:
    @pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
    def test_the_size_of_most_numbers_proves_the_unit(self, unit) -> None:
        moments = np.array(["2025-05-12T13:30", "2025-11-03T14:30"], "datetime64[m]")
        texts = moments.astype(f"datetime64[{unit}]").astype(np.int64).astype(str).tolist()
        stamps = read(*texts, "5")
        np.testing.assert_array_equal(stamps.utc[:2], moments)
        np.testing.assert_array_equal(stamps.wall[:2], moments)
        assert stamps.fault[2] == Fault.NUMBER
        assert form_of(*texts).note.startswith("epoch in ")

    def test_numbers_of_a_column_are_read_as_text_is(self) -> None:
        column = pa.chunked_array([[1762178400.0, None, 20250512.0]])
        stamps = read_stamps(stamp_text(column).combine_chunks(), StampForm(epoch_ns=10**9))
        assert stamps.wall.astype("datetime64[m]").astype(str).tolist() == [
            "2025-11-03T14:00",
            "NaT",
            "2025-05-12T00:00",
        ]

    def test_an_epoch_in_another_unit_is_no_time(self) -> None:
        assert read("1762178400", "1762178401", "1762178400000").fault.tolist() == [0, 0, Fault.NUMBER]


class TestTypes:
    @pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
    def test_time_stamps_of_every_unit(self, unit) -> None:
        zoned = pa.array([0, None, 1_762_178_400], pa.int64()).cast(pa.timestamp("s")).cast(pa.timestamp(unit))
        stamps = read_stamps(zoned.cast(pa.timestamp(unit, "America/New_York")), StampForm())
        assert stamps.zone == "America/New_York"
        assert stamps.utc.astype("datetime64[m]").astype(str).tolist() == [
            "1970-01-01T00:00",
            "NaT",
            "2025-11-03T14:00",
        ]
        assert stamps.wall.astype("datetime64[m]").astype(str).tolist() == [
            "1969-12-31T19:00",
            "NaT",
            "2025-11-03T09:00",
        ]
        assert stamps.fault.tolist() == [0, Fault.EMPTY, 0]

    def test_dates_and_moments_beyond_nanoseconds(self) -> None:
        days = read_stamps(pa.array([date(2025, 5, 12), None, date(9999, 1, 1), date(1, 1, 1)]), StampForm())
        assert days.fault.tolist() == [0, Fault.EMPTY, Fault.YEAR, Fault.YEAR]
        moments = pa.array([naive("2300-01-01"), naive("2025-01-01")], pa.timestamp("us"))
        assert read_stamps(moments, StampForm()).fault.tolist() == [Fault.YEAR, 0]

    def test_a_column_of_another_kind_holds_no_times(self) -> None:
        assert read_stamps(pa.array([True, None]), StampForm()).fault.tolist() == [Fault.UNREADABLE, Fault.EMPTY]

    def test_an_unknown_zone_leaves_the_instants(self) -> None:
        stamps = read_stamps(pa.array([0], pa.timestamp("s", "Atlantis")), StampForm())
        assert stamps.utc[0] == stamps.wall[0] == np.datetime64(0, "s")


class TestDateAndTime:
    @pytest.mark.parametrize(
        ("days", "clocks", "expected"),
        [
            (["20250512"], ["153000"], "2025-05-12T15:30"),
            (["20250512"], ["000000"], "2025-05-12T00:00"),
            (["2025-05-12"], ["9:30"], "2025-05-12T09:30"),
            (["2025-05-12"], ["09:30:00-04:00"], "2025-05-12T09:30"),
            (["2025-05-12", "2025-05-12"], ["930", "1600"], "2025-05-12T09:30"),
            (["2025-05-12", "2025-05-12"], ["93000", "160000"], "2025-05-12T09:30"),
            (["2025-05-12T20:59:00Z"], [""], "2025-05-12T20:59"),
            (["2025-05-12"], [None], "2025-05-12T00:00"),
        ],
    )
    def test_they_are_joined(self, days, clocks, expected) -> None:
        text = joined_text(pa.chunked_array([days], pa.string()), pa.chunked_array([clocks], pa.string()))
        assert read(*text.to_pylist()).wall[0] == np.datetime64(expected)

    def test_of_any_types(self) -> None:
        moment = naive("2025-05-12 09:30")
        for day in (pa.array([moment.date()]), pa.array([20250512]), pa.array([naive("2025-05-12")])):
            for clock in (pa.array([moment.time()]), pa.array([93000]), pa.array([930])):
                text = joined_text(pa.chunked_array([day]), pa.chunked_array([clock]))
                assert read(*text.to_pylist()).wall[0] == np.datetime64(moment)


def test_most_values_decide_whether_there_are_times() -> None:
    assert has_times(read("2025-05-12 09:30", "2025-05-13 09:30", "2025-05-14"))
    assert not has_times(read("2025-05-12", "2025-05-13 14:03:12", "2025-05-14"))
    assert not has_times(read("soon"))
