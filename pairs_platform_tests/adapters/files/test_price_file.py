from datetime import UTC, date, datetime
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from pydantic import ValidationError

from pairs_platform.adapters.files.history import FileMarketData
from pairs_platform.adapters.files.overview import FileOverview
from pairs_platform.adapters.files.price_file import PriceFile
from pairs_platform.adapters.files.settings import FileSourceSettings, is_fixed_offset
from pairs_platform.core.errors import DataError
from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.prices.calendar import bar_grid, sessions_between
from pairs_platform.core.prices.settings import ValidationSettings
from pairs_platform.core.prices.validation import validate_bars
from pairs_platform_tests.support.price_samples import bar_ends

HEADER = "symbol,date,open,high,low,close,volume"
DAYS_OF_BOTH = (("2025-10-31", "-04"), ("2025-11-03", "-05"))
FIRST, LAST = date(2018, 1, 2), date(2030, 12, 31)


def price_file(folder: Path, stamps, *, symbols=None, header=HEADER, **settings) -> PriceFile:
    """A CSV file with a row for each of `stamps`; the close is the row's number."""
    path = folder / "prices.csv"
    symbols = symbols or ["A"] * len(stamps)
    rows = [
        f"{symbol},{stamp},{i}.5,{i}.9,{i - 1}.1,{i},1"
        for i, (symbol, stamp) in enumerate(zip(symbols, stamps, strict=True), 1)
    ]
    path.write_text("\n".join([header, *rows, ""]))
    return PriceFile(path, FileSourceSettings(paths=str(path), **settings))


def overview(file: PriceFile) -> FileOverview:
    return file.overview


def dated(file: PriceFile) -> dict[int, str]:
    """Session of each row by its number."""
    bars = file.read(set(file.overview.symbols.index), FIRST, LAST)
    local = bars["ts_utc"].dt.tz_convert("America/New_York")
    return dict(zip(bars["close"].astype(int), local.dt.strftime("%Y-%m-%d"), strict=True))


class TestDailyRows:
    def test_one_row_with_a_time_of_day_changes_no_other(self, tmp_path) -> None:
        midnights = [f"2025-11-0{day}T00:00:00Z" for day in (3, 4, 5)]
        assert dated(price_file(tmp_path, [*midnights, "2025-11-06T15:42:07Z"])) == {
            1: "2025-11-03",
            2: "2025-11-04",
            3: "2025-11-05",
            4: "2025-11-06",
        }

    def test_a_live_row_and_the_final_one_are_both_there(self, tmp_path) -> None:
        file = price_file(tmp_path, ["2025-11-03", "2025-11-04", "2025-11-04 15:42:07"])
        checked = validate_bars(
            file.read({"A"}, FIRST, LAST),
            symbols=["A"],
            sessions=sessions_between(date(2025, 11, 3), date(2025, 11, 4)),
            frequency=Frequency.ONE_DAY,
            settings=ValidationSettings(),
        )
        assert len(checked.accepted) == 1
        assert checked.quarantined["reason"].tolist() == 2 * ["contradicts another row of the same symbol and time"]

    def test_a_row_without_a_clear_date_is_left_out_and_named(self, tmp_path) -> None:
        file = price_file(
            tmp_path, ["2025-11-03", "2025-11-04", "2025-11-04T23:00:00Z", "soon", "", "2025-11-05T23:00Z"]
        )
        assert set(dated(file)) == {1, 2}
        left_out = [(rows.first_row, rows.count, rows.reason) for rows in file.overview.rows_left_out]
        assert [row for row, _, _ in left_out] == [3, 4, 5]
        assert left_out[0][1] == 2
        assert "'2025-11-04T23:00:00Z' may be midnight of another time zone" in left_out[0][2]
        assert "source.files.timezone" in left_out[0][2]
        assert "'soon' is no date or time; write ISO 8601" in left_out[1][2]
        assert str(file.overview.rows_left_out[0]).startswith("row 3: date '2025-11-04T23:00:00Z'")

    def test_a_file_without_a_clear_date_is_refused(self, tmp_path) -> None:
        stamps = ["2025-11-02T23:00:00Z", "2025-11-03T23:00:00Z", "2025-11-04T23:00:00Z"]
        with pytest.raises(DataError, match=r"no row can be used; row 1: .*set source.files.timezone.*\(3 such rows\)"):
            overview(price_file(tmp_path, stamps))
        told = dated(price_file(tmp_path, stamps, timezone="Europe/Berlin"))
        assert told == {1: "2025-11-03", 2: "2025-11-04", 3: "2025-11-05"}

    def test_strays_cost_themselves(self, tmp_path) -> None:
        stamps = ["2025-11-03", "2025-11-04", "2099-01-01", "1970-01-01", "2025-11-08", "9999-12-31"]
        seen = price_file(tmp_path, stamps).overview
        assert seen.frequency is Frequency.ONE_DAY
        [symbol] = seen.symbols.reset_index().to_dict("records")
        assert (symbol["first_session"], symbol["last_session"]) == (
            pd.Timestamp("2025-11-03"),
            pd.Timestamp("2025-11-04"),
        )
        assert symbol["bars"] == 5
        assert [rows.first_row for rows in seen.rows_left_out] == [6]
        assert "2 rows are on days without a session, the first is row 3: A 2099-01-01" in seen.notes

    @pytest.mark.parametrize("sentinel", [2**62, -(2**62), 253402300800000])
    def test_a_moment_beyond_the_years_of_python_costs_its_row(self, tmp_path, sentinel) -> None:
        path = tmp_path / "prices.parquet"
        prices = {name: [1.0, 2.0, 3.0] for name in ("open", "high", "low", "close", "volume")}
        stamps = pa.array([1762180200000, 1762266600000, sentinel], pa.int64()).cast(pa.timestamp("ms", "UTC"))
        pq.write_table(pa.table({"symbol": 3 * ["A"], "ts": stamps, **prices}), path)
        [left_out] = PriceFile(path, FileSourceSettings(paths=str(path))).overview.rows_left_out
        assert left_out.first_row == 3
        assert "is not in the years 1678 to 2261" in left_out.reason

    def test_times_of_zero_beside_a_date_are_the_date(self, tmp_path) -> None:
        header = HEADER.replace("date", "<DATE>,<TIME>")
        file = price_file(tmp_path, ["20251103,000000", "20251104,000000"], header=header)
        assert dated(file) == {1: "2025-11-03", 2: "2025-11-04"}
        assert [(use.meaning, use.name) for use in file.overview.columns[:2]] == [
            ("date", "<DATE>"),
            ("time", "<TIME>"),
        ]
        assert file.overview.timezone == "dates without time"

    def test_the_order_of_dates_is_proven_set_or_refused(self, tmp_path) -> None:
        proven = price_file(tmp_path, ["03/11/2025", "04/11/2025", "13/11/2025"])
        assert dated(proven) == {1: "2025-11-03", 2: "2025-11-04", 3: "2025-11-13"}
        assert proven.overview.columns[0].note == "day first: 1 value proves it"
        unproven = ["03/11/2025", "04/11/2025"]
        assert dated(price_file(tmp_path, unproven, date_order="day_first"))[1] == "2025-11-03"
        assert dated(price_file(tmp_path, ["11/03/2025", "11/04/2025"], date_order="month_first"))[1] == "2025-11-03"
        with pytest.raises(DataError, match=r"row 1: .* set source.files.date_order to day_first or month_first"):
            overview(price_file(tmp_path, unproven))

    def test_a_frequency_that_the_steps_contradict_is_said(self, tmp_path) -> None:
        header = HEADER.replace("date", "date,freq")
        file = price_file(
            tmp_path, ["2025-11-03,5min", "2025-11-04,5min", "2025-11-05,5min"], header=header, timezone="UTC"
        )
        assert "freq says 5min, but the bars are mostly 1 days 00:00:00 apart" in file.overview.notes
        with pytest.raises(DataError, match="monthly bars"):
            overview(price_file(tmp_path, ["2025-11-03,1M", "2025-11-04,1M"], header=header))

    def test_weekly_bars_are_named_so(self, tmp_path) -> None:
        with pytest.raises(DataError, match="weekly bars"):
            overview(price_file(tmp_path, ["2025-11-03", "2025-11-10", "2025-11-17"]))


class TestIntradayRows:
    def test_two_digit_offsets_across_a_clock_change(self, tmp_path) -> None:
        stamps = [
            "2025-10-31 09:30:00-04",
            "2025-10-31 09:35:00-04",
            "2025-11-03 09:30:00-05",
            "2025-11-03 09:35:00-05",
        ]
        bars = price_file(tmp_path, stamps).read({"A"}, FIRST, LAST)
        assert bars["ts_utc"].dt.strftime("%d %H:%M").tolist() == ["31 13:30", "31 13:35", "03 14:30", "03 14:35"]

    def test_a_naive_row_among_others_is_left_out_unless_the_zone_is_set(self, tmp_path) -> None:
        stamps = ["2025-11-03T14:30:00Z", "2025-11-03T14:35:00Z", "2025-11-03 09:40:00", "2025-11-03T14:45:00Z"]
        file = price_file(tmp_path, stamps)
        assert set(dated(file)) == {1, 2, 4}
        [left_out] = file.overview.rows_left_out
        assert (left_out.first_row, left_out.count) == (3, 1)
        assert "'2025-11-03 09:40:00' has no time zone" in left_out.reason
        assert set(dated(price_file(tmp_path, stamps, timezone="America/New_York"))) == {1, 2, 3, 4}

    def test_a_moment_that_does_not_exist_costs_its_row(self, tmp_path) -> None:
        stamps = [f"2025-03-09 0{hour}:00" for hour in (0, 1, 2, 3, 4)]
        file = price_file(tmp_path, stamps, timezone="America/New_York")
        [left_out] = file.overview.rows_left_out
        assert left_out.first_row == 3
        assert "is no single moment in America/New_York" in left_out.reason

    @pytest.mark.parametrize("frequency", [Frequency.FIVE_MINUTES, Frequency.ONE_HOUR])
    def test_ends_of_bars_are_noticed_and_shifted_by_the_setting(self, tmp_path, frequency) -> None:
        grid = bar_grid(sessions_between(date(2025, 11, 24), date(2025, 11, 28)), frequency)
        starts = np.asarray(grid.ts_utc.tz_localize(None), "datetime64[s]")
        ends = bar_ends(grid, frequency).astype("datetime64[s]")
        with pytest.raises(DataError, match=r"set source\.files\.label to end"):
            overview(price_file(tmp_path, [f"{end}Z" for end in ends]))
        file = price_file(tmp_path, [f"{end}Z" for end in ends], label="end")
        assert file.read({"A"}, FIRST, LAST)["ts_utc"].tolist() == grid.ts_utc.tolist()
        assert file.overview.label == "end"
        assert any("they are shifted to its start" in note for note in file.overview.notes)
        with pytest.raises(DataError, match=r"set source\.files\.label to start"):
            overview(price_file(tmp_path, [f"{start}Z" for start in starts], label="end"))

    def test_a_column_of_a_fixed_offset_is_said(self, tmp_path) -> None:
        stamps = pa.array(np.array(["2025-07-08T13:30", "2025-07-08T13:35"], "datetime64[s]")).cast(
            pa.timestamp("s", "-05:00")
        )
        path = tmp_path / "prices.parquet"
        prices = {name: [1.0, 1.0] for name in ("open", "high", "low", "close", "volume")}
        pq.write_table(pa.table({"symbol": ["A", "A"], "ts": stamps, **prices}), path)
        file = PriceFile(path, FileSourceSettings(paths=str(path)))
        assert file.read({"A"}, FIRST, LAST)["ts_utc"].dt.strftime("%H:%M").tolist() == ["13:30", "13:35"]
        assert file.overview.timezone == "-05:00"
        assert any("a fixed offset that does not follow New York's clock" in note for note in file.overview.notes)


class TestSettings:
    @pytest.mark.parametrize("zone", ["EST", "MST", "HST", "Etc/GMT+5", "Etc/GMT-1"])
    def test_a_fixed_offset_is_refused_with_the_remedy(self, zone) -> None:
        assert is_fixed_offset(zone)
        with pytest.raises(ValidationError, match=r"a fixed offset from UTC all year.*use America/New_York"):
            FileSourceSettings(paths="x.csv", timezone=zone)

    @pytest.mark.parametrize("zone", ["UTC", "Etc/UTC", "GMT", "Etc/GMT", "Etc/GMT+0", "EST5EDT", "US/Eastern"])
    def test_utc_and_clocks_of_places_are_taken(self, zone) -> None:
        assert not is_fixed_offset(zone)
        assert FileSourceSettings(paths="x.csv", timezone=zone).timezone == zone


DAYS = sessions_between(date(2025, 10, 27), date(2025, 11, 14))
STAMPS = {
    "date": lambda moment: f"{moment:%Y-%m-%d}",
    "midnight": lambda moment: f"{moment:%Y-%m-%d}T00:00:00Z",
    "berlin": lambda moment: f"{moment:%Y-%m-%d} 00:00:00+01",
    "day first": lambda moment: f"{moment:%d/%m/%Y}",
    "live": lambda moment: f"{moment:%Y-%m-%dT%H:%M:%SZ}",
    "unclear": lambda moment: f"{moment:%Y-%m-%d}T23:00:00Z",
    "bad": lambda moment: "soon",
}


@settings(max_examples=15)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["A", "B", "C"]), st.sampled_from(DAYS), st.sampled_from(sorted(STAMPS)), st.integers(0, 59)
        ),
        min_size=1,
        max_size=20,
    ),
    st.sets(st.sampled_from(["A", "B", "C"]), min_size=1),
    st.sampled_from(DAYS),
    st.integers(0, 10),
)
def test_a_row_means_the_same_whichever_rows_are_read_with_it(tmp_path_factory, rows, symbols, first, length) -> None:
    """Files that mix every form: a subset has the rows of the whole, and a row that is written as a date has it."""
    header = HEADER.replace("date", "date,freq")
    rows = [*rows, ("D", date(2025, 10, 31), "day first", 0)]
    cells = [
        f"{STAMPS[how](datetime(day.year, day.month, day.day, 15, 42, second, tzinfo=UTC))},1d"
        for _, day, how, second in rows
    ]
    folder = tmp_path_factory.mktemp("subset", numbered=True)
    file = price_file(folder, cells, symbols=[symbol for symbol, *_ in rows], header=header)
    whole = file.read({"A", "B", "C", "D"}, FIRST, LAST)
    last = DAYS[min(DAYS.index(first) + length, len(DAYS) - 1)]
    session = whole["ts_utc"].dt.tz_convert("America/New_York").dt.date
    expected = whole[whole["symbol"].isin(symbols) & (session >= first) & (session <= last)]
    pd.testing.assert_frame_equal(file.read(symbols, first, last), expected.reset_index(drop=True))
    for number, day in zip(whole["close"].astype(int), session, strict=True):
        assert day == rows[number - 1][1]
    left_out = sum(rows.count for rows in file.overview.rows_left_out)
    assert len(whole) + left_out == len(rows)


def test_rows_left_out_come_with_the_bars(tmp_path) -> None:
    file = price_file(tmp_path, ["2025-11-03", "2025-11-04", "soon"])
    market = FileMarketData(FileSourceSettings(paths=str(file.path)), frequency=Frequency.ONE_DAY)
    [note] = market.fetch_bars(["A"], FIRST, LAST).notes
    assert "row 3: date 'soon' is no date or time" in note


def test_several_symbols_under_a_column_that_is_not_known_are_not_one_symbol(tmp_path) -> None:
    days = sessions_between(date(2025, 11, 3), date(2025, 11, 14))
    rows = [f"{day},{name},1,2,1,1.5,10" for name in ("AAPL", "MSFT") for day in days]
    path = tmp_path / "kaggle_stocks.csv"
    path.write_text("\n".join(["date,Name,open,high,low,close,volume", *rows, ""]))
    with pytest.raises(DataError, match=r"20 rows have 10 different time stamps.*the file has date, Name"):
        overview(PriceFile(path, FileSourceSettings(paths=str(path))))
