from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from pairs_platform.adapters.files.conventions import (
    ReadColumn,
    StampColumn,
    check_label,
    chosen_column,
    commonest_step,
    frequency_of_step,
    stamp_candidates,
    stated_frequency,
)
from pairs_platform.core.errors import DataError
from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.prices.calendar import bar_grid, sessions_between
from pairs_platform_tests.support.price_samples import bar_ends

SPELLINGS = ("tsutc", "timestamp", "datetime", "ts", "barstart", "date", "time")


def chosen(columns: dict) -> StampColumn:
    return read(columns).column


def read(columns: dict) -> ReadColumn:
    table = pa.table(columns)
    candidates = stamp_candidates({name.lower(): name for name in columns}, SPELLINGS)
    return chosen_column(table, candidates, date_order=None, row_of=lambda i: i + 1, path="prices.csv")


class TestColumn:
    def test_a_date_is_better_than_an_epoch_and_that_is_said(self) -> None:
        column = chosen({"timestamp": ["1762214400", "1762300800"], "Date": ["2025-11-04", "2025-11-05"]})
        assert (column.names, column.note) == (("Date",), "chosen before timestamp")

    def test_an_epoch_is_better_than_a_time_without_zone(self) -> None:
        columns = {
            "timestamp": ["1762266600", "1762266900"],
            "gmtoffset": ["0", "0"],
            "datetime": ["2025-11-04 14:30:00", "2025-11-04 14:35:00"],
        }
        assert chosen(columns).names == ("timestamp",)
        assert chosen(columns).note == "chosen before datetime; epoch in seconds, by the size of its numbers"

    def test_an_epoch_alone_is_read(self) -> None:
        column = chosen({"ts": pa.array([1762266600000, 1762266900000])})
        assert column.form.epoch_ns == 10**6
        stamps, code = column.read(pa.table({"ts": pa.array([1762266900000])}))
        assert stamps.utc[code].astype("datetime64[m]").astype(str).tolist() == ["2025-11-04T14:35"]

    def test_it_comes_with_its_rows_read_and_why_one_has_no_session(self) -> None:
        rows = read({"date": ["2025-11-04", "soon", "2025-11-04"]})
        assert rows.stamps.wall[rows.code[[0, 2]]].astype("datetime64[D]").astype(str).tolist() == 2 * ["2025-11-04"]
        assert rows.reason(rows.stamps.fault, 1, None).startswith("date 'soon' is no date or time")

    def test_a_column_that_cannot_be_read_is_passed_over(self) -> None:
        assert chosen({"timestamp": ["", "soon"], "date": ["2025-11-04", "2025-11-05"]}).names == ("date",)
        contradictory = {"timestamp": ["13/11/2025", "11/13/2025"], "date": ["2025-11-13", "2025-11-13"]}
        assert chosen(contradictory).names == ("date",)
        with pytest.raises(DataError, match="the day first"):
            chosen({"timestamp": ["13/11/2025", "11/13/2025"]})

    def test_equally_good_ones_keep_their_order(self) -> None:
        column = chosen({"date": ["2025-11-04", "2025-11-05"], "ts_utc".replace("_", ""): ["2025-11-04", "2025-11-05"]})
        assert (column.names, column.note) == (("tsutc",), "")

    def test_a_date_has_its_time_beside_it_unless_it_has_one_itself(self) -> None:
        assert chosen({"date": ["20251104", "20251104"], "time": ["93000", "93500"]}).names == ("date", "time")
        whole = {"date": ["2025-11-04 09:30", "2025-11-04 09:35"], "time": ["09:30", "09:35"]}
        assert chosen(whole).names == ("date",)
        assert chosen({"time": ["2025-11-04 09:30"]}).names == ("time",)


class TestFrequency:
    @pytest.mark.parametrize(
        ("label", "frequency"),
        [
            ("5Min", "5min"),
            ("1 Hour", "1h"),
            ("60m", "1h"),
            ("Daily", "1d"),
            ("1m", "1min"),
            ("1MIN", "1min"),
            ("M5", "5min"),
        ],
    )
    def test_a_label_states_it(self, label, frequency) -> None:
        assert stated_frequency([label, None, f" {label}"], name="freq", path="x") is Frequency(frequency)

    @pytest.mark.parametrize(
        ("label", "word"),
        [
            *((label, "monthly") for label in ("1M", "M", "1mo", "Monthly", "1 month")),
            *((label, "weekly") for label in ("1wk", "W", "1w", "weekly")),
            ("1Y", "yearly"),
        ],
    )
    def test_a_longer_one_is_no_minute(self, label, word) -> None:
        with pytest.raises(DataError, match=rf"freq says '{label}', .*{word} bars"):
            stated_frequency([label], name="freq", path="x")

    @pytest.mark.parametrize("labels", [["2h"], ["1d", "5min"], ["soon"]])
    def test_an_unknown_one_or_several_are_refused(self, labels) -> None:
        with pytest.raises(DataError, match="a file needs one value of 1min, 5min, 1h, 1d"):
            stated_frequency(labels, name="freq", path="x")

    def test_empty_labels_state_nothing(self) -> None:
        assert stated_frequency([None, " "], name="freq", path="x") is None

    def test_a_stray_moves_no_step(self) -> None:
        days = np.array(["1970-01-01", "2025-11-03", "2025-11-04", "2025-11-05", "2025-11-06", "2099-01-01", "NaT"])
        moments = np.tile(days.astype("datetime64[ns]"), 2)[::-1]
        assert commonest_step(np.repeat([1, 0], 7), moments) == pd.Timedelta(days=1)
        assert commonest_step(np.arange(7), moments[:7]) is None

    def test_the_symbols_with_most_rows_decide(self) -> None:
        days = np.arange("2025-01-01", "2025-02-01", dtype="datetime64[D]").astype("datetime64[ns]")
        rare = np.array(["2025-01-01", "2025-01-15"] * 40, "datetime64[ns]")
        symbols = np.concatenate([np.repeat(np.arange(40), 2), np.repeat(np.arange(40, 60), len(days))])
        assert commonest_step(symbols, np.concatenate([rare, np.tile(days, 20)])) == pd.Timedelta(days=1)

    @pytest.mark.parametrize(("days", "word"), [(7, "weekly"), (31, "monthly"), (0.125, "0 days 03:00:00 apart;")])
    def test_a_step_of_another_length_is_refused_in_words(self, days, word) -> None:
        with pytest.raises(DataError, match=word):
            frequency_of_step(pd.Timedelta(days=days), path="x")


class TestLabel:
    """Grids of two symbols; the second one has no bar in every second session."""

    def rows(self, frequency: Frequency, *, end: bool, n_sessions: int = 5):
        grid = bar_grid(sessions_between(date(2025, 11, 3), date(2025, 11, 28))[-n_sessions:], frequency)
        starts = np.asarray(grid.ts_utc.tz_localize(None), "datetime64[ns]")
        stamps = bar_ends(grid, frequency) if end else starts
        code = np.concatenate([np.arange(len(stamps)), np.flatnonzero(grid.bar_of_day % 2 == 0)])
        symbol = np.concatenate([np.zeros(len(stamps), int), np.ones(len(code) - len(stamps), int)])
        return stamps, code, symbol

    @pytest.mark.parametrize("frequency", [Frequency.FIVE_MINUTES, Frequency.ONE_HOUR])
    @pytest.mark.parametrize("end", [False, True])
    def test_the_other_end_is_refused_with_the_setting(self, frequency, end) -> None:
        right, wrong = ("end", "start") if end else ("start", "end")
        check_label(right, *self.rows(frequency, end=end), path="x")
        with pytest.raises(DataError, match=f"set source.files.label to {right}"):
            check_label(wrong, *self.rows(frequency, end=end), path="x")

    def test_one_session_proves_nothing(self) -> None:
        check_label("start", *self.rows(Frequency.FIVE_MINUTES, end=True, n_sessions=1), path="x")

    def test_bars_outside_the_session_prove_nothing(self) -> None:
        stamps, code, symbol = self.rows(Frequency.FIVE_MINUTES, end=False)
        stamps = np.append(stamps, stamps[-1] + np.timedelta64(5, "m"))
        check_label("start", stamps, np.append(code, len(stamps) - 1), np.append(symbol, 0), path="x")

    def test_a_few_prints_at_the_close_of_a_thin_symbol_prove_nothing(self) -> None:
        stamps, code, symbol = self.rows(Frequency.FIVE_MINUTES, end=True, n_sessions=12)
        noon, close = np.isin(code % 78, (30, 31)), np.isin(code, (77, 155))
        rare = (noon | close) & (symbol == 0)
        check_label("start", stamps, code[rare], symbol[rare], path="x")
