import gzip
import os
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from pairs_platform.adapters.files.history import FileMarketData
from pairs_platform.adapters.files.settings import FileSourceSettings
from pairs_platform.core.errors import ConfigurationError, DataError, NotFound, PlatformError
from pairs_platform.core.prices.bars import ACTION_COLUMNS, BAR_COLUMNS, Frequency, PriceBasis
from pairs_platform.core.prices.calendar import bar_grid, session_of, sessions_between, sessions_ending
from pairs_platform.core.prices.settings import ValidationSettings
from pairs_platform.core.prices.validation import validate_bars
from pairs_platform.ports.market_data import Listing

SESSIONS = sessions_between(date(2025, 10, 30), date(2025, 11, 5))
FIRST, LAST = SESSIONS[0], SESSIONS[-1]


def example(frequency: Frequency = Frequency.ONE_DAY, symbols: tuple[str, ...] = ("AAPL", "BRK.B"), sessions=SESSIONS):
    """Sound bars of a few sessions around a clock change, in the platform's own columns."""
    stamps = bar_grid(sessions, frequency).ts_utc
    frames = []
    for k, symbol in enumerate(symbols):
        close = 100.0 * (k + 1) + np.arange(len(stamps)) / 4
        prices = {"open": close - 0.1, "high": close + 0.5, "low": close - 0.5, "close": close}
        frames.append(
            pd.DataFrame({"symbol": symbol, "ts_utc": stamps, **prices, "volume": 1_000.0 + np.arange(len(stamps))})
        )
    return pd.concat(frames, ignore_index=True)


def source(*paths: Path | str, frequency: Frequency = Frequency.ONE_DAY, **settings) -> FileMarketData:
    return FileMarketData(FileSourceSettings(paths=tuple(map(str, paths)), **settings), frequency=frequency)


def written(folder: Path, frame: pd.DataFrame, name: str = "prices.parquet") -> Path:
    path = folder / name
    frame.to_parquet(path, index=False) if name.endswith("parquet") else frame.to_csv(path, index=False)
    return path


def fetched(market: FileMarketData, *symbols: str, first: date = FIRST, last: date = LAST) -> pd.DataFrame:
    reply = market.fetch_bars(symbols or ("AAPL", "BRK.B"), first, last)
    assert not reply.unavailable
    return reply.bars


class TestColumns:
    @pytest.mark.parametrize("name", ["prices.parquet", "prices.csv"])
    @pytest.mark.parametrize(
        "names",
        [
            {},
            {
                "symbol": "Ticker",
                "ts_utc": "Date",
                "open": "Open",
                "high": "High",
                "low": "Low",
                "close": "Close",
                "volume": "Volume",
            },
            {"symbol": "SYMBOL", "ts_utc": "Datetime", "open": "OPEN", "volume": "VOL"},
            {
                "symbol": " ticker ",
                "ts_utc": "Bar Start",
                "open": "o",
                "high": "h",
                "low": "l",
                "close": "c",
                "volume": "v",
            },
            {"ts_utc": "ts"},
            {"ts_utc": "timestamp"},
        ],
    )
    def test_usual_spellings_are_recognised(self, tmp_path, names, name) -> None:
        bars = example()
        path = written(tmp_path, bars.rename(columns=names), name)
        pd.testing.assert_frame_equal(fetched(source(path)), bars)

    def test_other_columns_are_ignored_and_close_is_not_the_adjusted_one(self, tmp_path) -> None:
        bars = example()
        path = written(tmp_path, bars.assign(**{"Adj Close": 1.0, "vwap": 2.0}))
        assert list(fetched(source(path)).columns) == list(BAR_COLUMNS)
        assert fetched(source(path))["close"].min() > 50

    @pytest.mark.parametrize("column", ["symbol", "ts_utc", "open", "high", "low", "close", "volume"])
    @pytest.mark.parametrize("name", ["prices.parquet", "prices.csv"])
    def test_a_missing_column_is_named_with_what_the_file_has(self, tmp_path, column, name) -> None:
        path = written(tmp_path, example().drop(columns=column), name)
        shown = "timestamp" if column == "ts_utc" else column
        with pytest.raises(DataError, match=rf"prices.* no {shown} column; name it .*\(the file has ") as raised:
            source(path).fetch_bars(["AAPL"], FIRST, LAST)
        assert column not in str(raised.value).split("the file has")[1]


class TestTimeStamps:
    def test_midnight_in_new_york_is_the_session(self, tmp_path) -> None:
        bars = example()
        midnight = bars["ts_utc"].dt.tz_convert("America/New_York").dt.normalize()
        pd.testing.assert_frame_equal(fetched(source(written(tmp_path, bars.assign(ts_utc=midnight)))), bars)

    @pytest.mark.parametrize("name", ["prices.parquet", "prices.csv"])
    @pytest.mark.parametrize("how", ["naive midnight", "utc midnight", "date", "close", "text"])
    def test_daily_stamps_of_every_kind_mean_the_session(self, tmp_path, how, name) -> None:
        bars = example()
        session = session_of(bars["ts_utc"])
        stamps = {
            "naive midnight": session,
            "utc midnight": session.dt.tz_localize("UTC"),
            "date": session.dt.date,
            "close": (session + pd.Timedelta(hours=16)).dt.tz_localize("America/New_York"),
            "text": session.dt.strftime("%Y-%m-%d"),
        }[how]
        pd.testing.assert_frame_equal(fetched(source(written(tmp_path, bars.assign(ts_utc=stamps), name))), bars)

    @pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Europe/Berlin"])
    @pytest.mark.parametrize("name", ["prices.parquet", "prices.csv"])
    def test_intraday_stamps_with_a_zone_are_instants(self, tmp_path, zone, name) -> None:
        bars = example(Frequency.ONE_HOUR)
        path = written(tmp_path, bars.assign(ts_utc=bars["ts_utc"].dt.tz_convert(zone)), name)
        pd.testing.assert_frame_equal(fetched(source(path, frequency=Frequency.ONE_HOUR)), bars)

    @pytest.mark.parametrize("name", ["prices.parquet", "prices.csv"])
    def test_naive_intraday_stamps_need_the_setting(self, tmp_path, name) -> None:
        bars = example(Frequency.FIVE_MINUTES)
        naive = bars["ts_utc"].dt.tz_convert("America/New_York").dt.tz_localize(None)
        path = written(tmp_path, bars.assign(ts_utc=naive), name)
        with pytest.raises(DataError, match=r"ts_utc '2025-10-30 09:30:00' has no time zone.*timezone"):
            source(path, frequency=Frequency.FIVE_MINUTES).fetch_bars(["AAPL"], FIRST, LAST)
        told = source(path, frequency=Frequency.FIVE_MINUTES, timezone="America/New_York")
        pd.testing.assert_frame_equal(fetched(told), bars)


class TestFrequency:
    @pytest.mark.parametrize("frequency", list(Frequency))
    def test_it_is_told_from_the_steps(self, tmp_path, frequency) -> None:
        bars = example(frequency)
        path = written(tmp_path, bars.sample(frac=1.0, random_state=1))
        pd.testing.assert_frame_equal(fetched(source(path, frequency=frequency)), bars)

    @pytest.mark.parametrize(
        ("label", "frequency"), [("5Min", "5min"), ("1 Hour", "1h"), ("60m", "1h"), ("Daily", "1d")]
    )
    def test_it_is_read_from_a_column(self, tmp_path, label, frequency) -> None:
        bars = example(Frequency(frequency), sessions=SESSIONS[:1]).groupby("symbol").head(1).reset_index(drop=True)
        path = written(tmp_path, bars.assign(Interval=label))
        pd.testing.assert_frame_equal(fetched(source(path, frequency=Frequency(frequency))), bars)

    @pytest.mark.parametrize("target", [Frequency.FIVE_MINUTES, Frequency.ONE_HOUR, Frequency.ONE_DAY])
    def test_finer_bars_are_aggregated(self, tmp_path, target) -> None:
        sessions = sessions_between(date(2025, 11, 26), date(2025, 11, 28))
        fine = example(Frequency.ONE_MINUTE, sessions=sessions)
        bars = fetched(source(written(tmp_path, fine), frequency=target), first=sessions[0], last=sessions[-1])
        assert bars["ts_utc"].tolist() == 2 * bar_grid(sessions, target).ts_utc.tolist()
        assert bars["volume"].sum() == fine["volume"].sum()
        first = fine.head(target.minutes)
        got = bars.iloc[0]
        assert (got["open"], got["close"]) == (first["open"].iloc[0], first["close"].iloc[-1])
        assert (got["high"], got["low"]) == (first["high"].max(), first["low"].min())

    def test_unsound_rows_are_not_hidden_by_aggregation(self, tmp_path) -> None:
        fine = example(Frequency.ONE_MINUTE, ("AAPL",), SESSIONS[:1])
        fine.loc[1, "close"] = np.nan
        fine.loc[7, "low"] = 0.0
        early = fine.head(1).assign(ts_utc=fine["ts_utc"][0] - pd.Timedelta(minutes=30))
        path = written(tmp_path, pd.concat([fine, early, fine.loc[[20]].assign(close=1.0, low=0.5)]))
        bars = fetched(source(path, frequency=Frequency.FIVE_MINUTES), "AAPL", last=FIRST)
        checked = validate_bars(
            bars,
            symbols=["AAPL"],
            sessions=SESSIONS[:1],
            frequency=Frequency.FIVE_MINUTES,
            settings=ValidationSettings(),
        )
        assert len(checked.accepted) == 77
        assert len(checked.quarantined) == 6
        reasons = "; ".join(checked.quarantined["reason"])
        for reason in ("close is not a number", "low is not positive", "outside the regular session", "contradicts"):
            assert reason in reasons

    def test_coarser_bars_are_refused_with_the_remedy(self, tmp_path) -> None:
        with pytest.raises(ConfigurationError, match="bars are 1d long and 5min is set; set the frequency to 1d"):
            source(written(tmp_path, example()), frequency=Frequency.FIVE_MINUTES).fetch_bars(["AAPL"], FIRST, LAST)

    def test_bars_of_another_length_are_refused(self, tmp_path) -> None:
        bars = example(Frequency.FIVE_MINUTES, ("AAPL",)).iloc[::3]
        with pytest.raises(DataError, match="mostly 0 days 00:15:00 apart; only bars of 1min, 5min, 1h, 1d"):
            source(written(tmp_path, bars)).universe()

    def test_one_bar_does_not_tell_its_length(self, tmp_path) -> None:
        with pytest.raises(DataError, match=r"one bar a symbol.*add a column freq"):
            source(written(tmp_path, example(sessions=SESSIONS[:1]))).universe()

    @pytest.mark.parametrize("labels", [["2h"] * 10, ["1d"] * 5 + ["5min"] * 5])
    def test_a_frequency_column_must_hold_one_known_value(self, tmp_path, labels) -> None:
        with pytest.raises(DataError, match=r"freq holds .*a file needs one value of 1min, 5min, 1h, 1d"):
            source(written(tmp_path, example().assign(freq=labels))).universe()


class TestPaths:
    def test_a_folder_a_pattern_and_a_list_read_the_same(self, tmp_path) -> None:
        bars = example()
        for symbol, name in (("AAPL", "a.parquet"), ("BRK.B", "b.csv")):
            written(tmp_path, bars[bars["symbol"] == symbol], name)
        (tmp_path / "notes.txt").write_text("not prices")
        for paths in (
            [tmp_path],
            [tmp_path / "*"],
            [tmp_path / "b.csv", tmp_path / "a.parquet"],
            [tmp_path, tmp_path / "a.parquet"],
        ):
            pd.testing.assert_frame_equal(fetched(source(*paths)), bars)

    def test_a_path_with_spaces_brackets_and_umlauts(self, tmp_path) -> None:
        folder = tmp_path / "meine Kürse [2025]"
        folder.mkdir()
        path = written(folder, example(), "end of day.parquet")
        assert len(fetched(source(path))) == 10
        assert source(path).label == "files: end of day.parquet"

    def test_zipped_csv_and_other_delimiters(self, tmp_path) -> None:
        bars = example()
        with gzip.open(tmp_path / "prices.csv.gz", "wt", encoding="utf-8-sig") as file:
            bars.to_csv(file, index=False, sep=";")
        pd.testing.assert_frame_equal(fetched(source(tmp_path / "prices.csv.gz")), bars)

    def test_a_single_path_may_be_given_bare(self) -> None:
        assert FileSourceSettings(paths="x.csv").paths == ("x.csv",)
        assert FileSourceSettings(paths=Path("x.csv")).paths == ("x.csv",)

    @pytest.mark.parametrize(
        ("name", "content", "message"),
        [
            ("none.parquet", None, "does not exist; give a Parquet or CSV file"),
            ("zero.parquet", b"", "zero.parquet cannot be read as Parquet"),
            ("text.parquet", b"hello", "text.parquet cannot be read as Parquet"),
            ("zero.csv", b"", "zero.csv is empty; a CSV file needs"),
            ("header.csv", b"symbol,date,open,high,low,close,volume\n", "header.csv has no rows"),
            (
                "ragged.csv",
                b"symbol,date,open,high,low,close,volume\nA,2025-11-03,1\n",
                "row 1 has 3 cells",
            ),
            ("prices.xlsx", b"PK", "neither Parquet nor CSV by its name"),
        ],
    )
    def test_what_cannot_be_read_is_named(self, tmp_path, name, content, message) -> None:
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(PlatformError, match=message):
            source(tmp_path / name).fetch_bars(["AAPL"], FIRST, LAST)

    def test_an_empty_parquet_file_and_an_empty_folder(self, tmp_path) -> None:
        with pytest.raises(NotFound, match="holds no file that ends with"):
            source(tmp_path).universe()
        with pytest.raises(DataError, match="has no rows"):
            source(written(tmp_path, example().head(0))).universe()

    def test_files_of_different_frequencies_do_not_mix(self, tmp_path) -> None:
        written(tmp_path, example(), "days.parquet")
        written(tmp_path, example(Frequency.ONE_HOUR), "hours.parquet")
        with pytest.raises(DataError, match=r"different lengths \(1d: days.parquet; 1h: hours.parquet\)"):
            source(tmp_path).fetch_bars(["AAPL"], FIRST, LAST)

    def test_the_odd_files_of_a_folder_cost_themselves(self, tmp_path) -> None:
        bars = example()
        written(tmp_path, bars, "prices.csv")
        written(tmp_path, bars.assign(symbol="MSFT"), "more.parquet")
        weeks = example(symbols=("W",), sessions=sessions_between(date(2025, 9, 1), LAST)).iloc[::5]
        written(tmp_path, weeks, "weekly.csv")
        written(tmp_path, example(Frequency.ONE_HOUR, ("H",)), "hours.parquet")
        written(tmp_path, bars.head(1), "one.csv")
        written(tmp_path, bars.head(0), "header.csv")
        for name, content in {
            "empty.csv": b"",
            "._prices.csv": b"\0\5\x16\7",
            "README.csv": b"name,what\nx,y\n",
            "cut.csv.gz": gzip.compress(b"symbol,date\n" * 40)[:-9],
            "book.csv": b"PK\x03\x04....",
            "broken.parquet": b"PAR1",
        }.items():
            (tmp_path / name).write_bytes(content)
        market = source(tmp_path)
        pd.testing.assert_frame_equal(fetched(market), bars)
        assert [overview.path.name for overview in market.overviews] == ["more.parquet", "prices.csv"]
        reasons = {item.path.name: item.reason for item in market.files_left_out}
        assert len(reasons) == 10
        assert not any(str(tmp_path) in reason for reason in reasons.values())
        assert reasons["hours.parquet"] == "its bars are 1h long, those of most files 1d"
        assert reasons["weekly.csv"].startswith("bars are mostly 7 days")
        notes = market.fetch_bars(["AAPL"], FIRST, LAST).notes
        assert (
            "README.csv: left out: no symbol column; name it symbol or ticker or sym (the file has name, what)" in notes
        )

    def test_equal_reasons_are_one_line(self, tmp_path) -> None:
        for k in range(40):
            (tmp_path / f"{k:02d}.csv").touch()
        with pytest.raises(
            DataError, match=r"none of 40 files can be used: 00\.csv, .* and 35 more \(40 in all\): is empty;"
        ) as raised:
            source(tmp_path).universe()
        assert str(raised.value).count("is empty") == 1

    def test_a_file_that_was_named_itself_is_not_left_out(self, tmp_path) -> None:
        good, bad = written(tmp_path, example(), "good.csv"), tmp_path / "bad.csv"
        bad.touch()
        assert len(fetched(source(tmp_path))) == 10
        with pytest.raises(DataError, match=r"bad\.csv is empty"):
            source(good, bad).universe()
        hours = written(tmp_path, example(Frequency.ONE_HOUR), "hours.csv")
        written(tmp_path, example(), "also_good.csv")
        with pytest.raises(DataError, match="different lengths"):
            source(tmp_path, hours).universe()

    def test_rows_that_two_files_have_alike_count_once(self, tmp_path) -> None:
        bars = example()
        written(tmp_path, bars, "1.csv")
        written(tmp_path, bars.tail(3), "2.csv")
        pd.testing.assert_frame_equal(fetched(source(tmp_path)), bars)
        other = bars.tail(1).assign(close=bars["close"].iloc[-1] + 0.25)
        written(tmp_path, pd.concat([bars.tail(3), other]), "2.csv")
        got = fetched(source(tmp_path))
        assert len(got) == len(bars) + 1
        assert got["close"].tail(2).tolist() == [other["close"].item() - 0.25, other["close"].item()]

    def test_the_layout_of_a_folder_of_values(self, tmp_path) -> None:
        bars = example()
        for symbol, rows in bars.groupby("symbol"):
            folder = tmp_path / f"symbol={symbol}"
            folder.mkdir()
            written(folder, rows.drop(columns="symbol"), "part.parquet")
        pd.testing.assert_frame_equal(fetched(source(tmp_path)), bars)

    def test_a_file_a_symbol_takes_it_from_its_name(self, tmp_path) -> None:
        bars = example()
        for symbol, rows in bars.groupby("symbol"):
            written(tmp_path, rows.drop(columns="symbol"), f"{symbol}_daily.csv")
        market = source(tmp_path)
        pd.testing.assert_frame_equal(fetched(market), bars)
        assert {overview.layout for overview in market.overviews} == {"one symbol, from the file's name"}
        assert any("it is the file's name" in note for note in market.fetch_bars(["AAPL"], FIRST, LAST).notes)

    def test_closes_alone_are_bars_and_say_so(self, tmp_path) -> None:
        bars = example()
        wide = bars.assign(date=session_of(bars["ts_utc"])).pivot(index="date", columns="symbol", values="close")
        path = tmp_path / "wide.csv"
        wide.to_csv(path)
        market = source(path)
        got = fetched(market)
        assert got["close"].tolist() == bars["close"].tolist()
        assert (got[["open", "high", "low"]].eq(got["close"], axis=0)).all(axis=None)
        assert (got["volume"] == 0).all()
        assert any("closes alone" in note for note in market.fetch_bars(["AAPL"], FIRST, LAST).notes)

    @pytest.mark.parametrize("again", ["Close", "close"])
    @pytest.mark.parametrize("name", ["p.csv", "p.parquet"])
    def test_a_column_twice_is_named(self, tmp_path, again, name) -> None:
        bars = example().rename(columns={"close": "Close"})
        bars.insert(0, again, 1.0, allow_duplicates=True)
        if name == "p.csv":
            bars.to_csv(tmp_path / name, index=False)
        else:
            arrays = [pa.Array.from_pandas(bars.iloc[:, k]) for k in range(bars.shape[1])]
            pq.write_table(pa.table(arrays, names=list(bars.columns)), tmp_path / name)
        with pytest.raises(DataError, match=f"2 columns are named close \\({again}, Close\\).*keep one of them"):
            source(tmp_path / name).universe()

    def test_nothing_is_read_before_it_is_needed(self) -> None:
        market = source("nowhere.parquet", basis="raw")
        assert (market.basis, market.frequency) == (PriceBasis.RAW, Frequency.ONE_DAY)

    def test_many_names_make_a_short_label(self) -> None:
        assert source("a/1.csv", "2.csv", "3.csv", "4.csv", "5.csv").label == "files: 1.csv, 2.csv, 3.csv and 2 more"


class TestSelection:
    def test_only_the_asked_symbols_and_sessions_come(self, tmp_path) -> None:
        bars = example(Frequency.FIVE_MINUTES)
        market = source(written(tmp_path, bars), frequency=Frequency.FIVE_MINUTES)
        some = fetched(market, "BRK.B", first=date(2025, 11, 1), last=date(2025, 11, 3))
        day = bars["ts_utc"].dt.date == date(2025, 11, 3)
        pd.testing.assert_frame_equal(some, bars[day & (bars["symbol"] == "BRK.B")].reset_index(drop=True))

    def test_a_bar_after_midnight_utc_belongs_to_the_session_before(self, tmp_path) -> None:
        bars = example(Frequency.ONE_HOUR, ("AAPL",))
        evening = bars.head(1).assign(ts_utc=pd.Timestamp("2025-10-31T00:30:00Z"))
        market = source(written(tmp_path, pd.concat([bars, evening])), frequency=Frequency.ONE_HOUR)
        assert pd.Timestamp("2025-10-31T00:30:00Z") in fetched(market, "AAPL", last=FIRST)["ts_utc"].tolist()

    @pytest.mark.parametrize("name", ["prices.parquet", "prices.csv"])
    def test_symbols_that_look_like_something_else_are_symbols(self, tmp_path, name) -> None:
        symbols = ("BF_B", "BRK.B", "NA", "TRUE", "NAN", "0700", "^GSPC")
        market = source(written(tmp_path, example(symbols=symbols), name))
        assert set(fetched(market, *symbols)["symbol"]) == set(symbols)

    @pytest.mark.parametrize("name", ["prices.parquet", "prices.csv"])
    def test_spellings_of_one_symbol_are_one(self, tmp_path, name) -> None:
        bars = example(symbols=("brk-b",))
        bars.loc[[1, 2, 3], "symbol"] = ["BRK.B ", "Brk/b", "BRK B\xa0"]
        again = bars.iloc[[4]].assign(symbol="BRK.B", close=1.0)
        market = source(written(tmp_path, pd.concat([bars, again]), name))
        reply = market.fetch_bars(["BRK.B"], FIRST, LAST)
        assert len(reply.bars) == 6
        assert set(reply.bars["symbol"]) == {"BRK.B"}
        [overview] = market.overviews
        assert set(overview.respelled) == {"brk-b", "BRK.B ", "Brk/b", "BRK B\xa0"}
        assert set(overview.respelled.values()) == {"BRK.B"}
        assert any("'brk-b' is read as BRK.B" in note for note in reply.notes)

    def test_a_dictionary_encoded_file_is_read(self, tmp_path) -> None:
        bars = example()
        path = written(
            tmp_path, bars.assign(symbol=bars["symbol"].astype("category"), sector=pd.Categorical(["Energy"] * 10))
        )
        pd.testing.assert_frame_equal(fetched(source(path)), bars)
        assert source(path).universe() == (Listing("AAPL", "energy"), Listing("BRK.B", "energy"))

    def test_what_is_not_there_is_unavailable_with_the_reason(self, tmp_path) -> None:
        market = source(written(tmp_path, example()))
        reply = market.fetch_bars(["ZZZ", "AAPL", "BRK_B"], FIRST, LAST)
        assert set(reply.bars["symbol"]) == {"AAPL"}
        assert [(item.symbol, item.reason) for item in reply.unavailable] == [
            ("BRK_B", "BRK_B is not among the 2 symbols of the files; they have BRK.B, which may be the same share"),
            ("ZZZ", "ZZZ is not among the 2 symbols of the files"),
        ]
        later = market.fetch_bars(["AAPL"], date(2025, 12, 1), date(2025, 12, 5))
        assert later.bars.empty
        assert later.bars.dtypes.to_dict() == reply.bars.dtypes.to_dict()
        assert (
            "2025-12-01 to 2025-12-05; the files have it from 2025-10-30 to 2025-11-05" in later.unavailable[0].reason
        )

    def test_wrong_prices_are_passed_on_as_they_are(self, tmp_path) -> None:
        bars = example(symbols=("AAPL",)).astype({"close": object, "volume": object})
        bars.loc[0, "close"] = "n/a"
        bars.loc[1, "open"] = 0.0
        bars.loc[2, "high"] = -5.0
        bars.loc[3, "volume"] = ""
        path = written(tmp_path, pd.concat([bars, bars.tail(1)]), "prices.csv")
        got = fetched(source(path), "AAPL")
        assert len(got) == 6
        assert np.isnan(got["close"][0])
        assert got["open"][1] == 0.0
        assert got["high"][2] == -5.0
        assert np.isnan(got["volume"][3])
        assert got.duplicated().tolist() == [False] * 5 + [True]

    def test_a_daily_row_on_a_holiday_is_left_to_validation(self, tmp_path) -> None:
        bars = example(symbols=("AAPL",))
        stamps = session_of(bars["ts_utc"]).replace({pd.Timestamp(LAST): pd.Timestamp("2025-11-08")})
        got = fetched(source(written(tmp_path, bars.assign(ts_utc=stamps))), "AAPL", last=date(2025, 11, 10))
        checked = validate_bars(
            got, symbols=["AAPL"], sessions=SESSIONS, frequency=Frequency.ONE_DAY, settings=ValidationSettings()
        )
        assert checked.quarantined["reason"].tolist() == ["not a session of the exchange"]

    @pytest.mark.parametrize("name", ["prices.parquet", "prices.csv"])
    def test_a_row_without_symbol_costs_itself(self, tmp_path, name) -> None:
        bars = example()
        bars.loc[[3, 7], "symbol"] = [None, "  "]
        bars.loc[8, "symbol"] = "Apple Inc."
        market = source(written(tmp_path, bars, name))
        assert len(fetched(market)) == 7
        assert [(rows.first_row, rows.count) for rows in market.overviews[0].rows_left_out] == [(4, 2), (9, 1)]
        assert "'Apple Inc.' is no symbol" in market.overviews[0].rows_left_out[1].reason

    def test_a_file_without_any_symbol_is_refused(self, tmp_path) -> None:
        with pytest.raises(DataError, match="no row can be used; row 1: symbol ' ' is no symbol"):
            source(written(tmp_path, example().assign(symbol=" "))).universe()


class TestUniverse:
    def test_it_comes_from_the_sector_column(self, tmp_path) -> None:
        bars = example(symbols=("AAPL", "JNJ", "MSFT"))
        labels = bars["symbol"].map({"AAPL": "Information Technology", "MSFT": "technology", "JNJ": "Health Care"})
        market = source(written(tmp_path, bars.assign(GICS_Sector=labels)))
        assert market.universe() == (
            Listing("JNJ", "healthcare"),
            Listing("AAPL", "technology"),
            Listing("MSFT", "technology"),
        )
        assert market.sessions_available() == (FIRST, LAST)

    def test_without_the_column_the_symbols_are_one_universe(self, tmp_path) -> None:
        market = source(written(tmp_path, example()))
        assert market.universe() == (Listing("AAPL", "unclassified"), Listing("BRK.B", "unclassified"))
        assert market.sector_notes == ()

    @pytest.mark.parametrize("name", ["prices.parquet", "prices.csv"])
    @pytest.mark.parametrize(
        ("labels", "sectors", "note"),
        [
            (["Crypto"] * 5 + ["Energy"] * 5, ("unclassified", "energy"), "AAPL: its sector 'Crypto' is not known"),
            (["Energy"] * 5 + [None] * 5, ("energy", "unclassified"), "BRK.B: it has no sector"),
            (
                ["Energy"] * 4 + ["Materials"] + ["Energy"] * 5,
                ("unclassified", "energy"),
                "AAPL: its sector 'Energy / Materials' is not known",
            ),
            (["Information Technology"] * 4 + ["Tech", "IT", " ", None, "tech", "N/A"], ("technology",) * 2, None),
        ],
    )
    def test_labels_that_do_not_tell_the_sector_cost_their_symbol(self, tmp_path, labels, sectors, note, name) -> None:
        market = source(written(tmp_path, example().assign(sector=labels), name))
        assert {item.symbol: item.sector for item in market.universe()} == dict(
            zip(("AAPL", "BRK.B"), sectors, strict=True)
        )
        notes = (f"unclassified: {note}",) if note else ()
        assert market.sector_notes == notes
        assert set(notes) <= set(market.fetch_bars(["AAPL", "BRK.B"], FIRST, LAST).notes)

    def test_files_that_disagree_cost_the_symbols_that_they_disagree_about(self, tmp_path) -> None:
        written(tmp_path, example().assign(sector="Energy"), "1.csv")
        written(tmp_path, example(symbols=("AAPL", "MSFT")).assign(sector=["Materials"] * 5 + ["IT"] * 5), "2.csv")
        market = source(tmp_path)
        assert [(item.symbol, item.sector) for item in market.universe()] == [
            ("BRK.B", "energy"), ("MSFT", "technology"), ("AAPL", "unclassified"),
        ]  # fmt: skip
        assert market.sector_notes == ("unclassified: AAPL: it has several sectors: 'Energy', 'Materials'",)


class TestCommonSessions:
    def test_a_symbol_that_goes_on_longer_does_not_decide(self, tmp_path) -> None:
        bars = example(symbols=("AAPL", "MSFT", "JNJ", "BRK.B"))
        last = bars["ts_utc"].max()
        market = source(written(tmp_path, bars[(bars["symbol"] == "JNJ") | (bars["ts_utc"] < last)]))
        assert market.newest_common_session() == SESSIONS[-2]
        assert market.sessions_available() == (FIRST, SESSIONS[-2])
        assert market.newest_common_session(["JNJ"]) == LAST
        assert market.newest_common_session(["JNJ", "ZZZ"]) == LAST
        reply = market.fetch_bars(["JNJ"], FIRST, LAST)
        assert len(reply.bars) == 5
        assert f"{SESSIONS[-2]} is the newest session that most symbols have; JNJ go on" in reply.notes

    @pytest.mark.parametrize("stray", ["2099-01-05", "2025-11-08", "2025-12-25", "1950-01-03"])
    @pytest.mark.parametrize("whose", [("AAPL",), ("AAPL", "BRK.B")])
    def test_rows_on_days_without_a_session_do_not_decide(self, tmp_path, stray, whose) -> None:
        bars = example()
        moment = pd.Timestamp(f"{stray}T14:30:00Z")
        more = [bars[bars["symbol"] == symbol].tail(1).assign(ts_utc=moment) for symbol in whose]
        market = source(written(tmp_path, pd.concat([bars, *more])))
        assert market.sessions_available() == (FIRST, LAST)
        assert any(stray in note for note in market.notes)

    def test_symbols_without_a_session_in_common_take_the_one_that_most_have(self, tmp_path) -> None:
        for symbol, kept in (("AAPL", SESSIONS[:2]), ("MSFT", SESSIONS[2:4]), ("JNJ", SESSIONS[3:])):
            bars = example(symbols=(symbol,), sessions=kept)
            written(tmp_path, bars, f"{symbol}.csv")
        assert source(tmp_path).sessions_available() == (SESSIONS[3], SESSIONS[3])


class TestActions:
    def test_an_action_of_any_spelling_is_that_of_the_symbol(self, tmp_path) -> None:
        path = tmp_path / "actions.csv"
        rows = ["brk-b,2025-11-04,dividend,1", "BRK/B ,2025-11-04,dividend,1", "BRK.B.US,2025-11-05,dividend,2"]
        path.write_text("\n".join(["symbol,ex_date,kind,value", *rows, " ,2025-11-05,dividend,2"]))
        market = source(written(tmp_path, example()), actions_path=str(path), basis="raw")
        actions = market.fetch_actions(["BRK.B"], FIRST, LAST).actions
        assert actions[["symbol", "value"]].to_numpy().tolist() == [["BRK.B", 1.0], ["BRK.B", 2.0]]
        assert any("row 4: " in note and "is no symbol" in note for note in market.notes)

    def test_actions_of_symbols_without_prices_are_said(self, tmp_path) -> None:
        path = tmp_path / "actions.csv"
        path.write_text("symbol,ex_date,kind,value\nBRK.B,2025-11-04,dividend,1\nZZZ,2025-11-04,split,2\n")
        market = source(written(tmp_path, example()), actions_path=str(path))
        assert market.action_notes == ("no price file has ZZZ: actions without prices change nothing",)

    ROWS = (
        "Ticker,Ex Date,Type,Amount,Announced\nAAPL,2025-11-04,Split,4,2025-10-20T20:00:00Z\n"
        "BRK.B,2025-11-03,dividends,0.5,2025-10-21T20:00:00Z\n"
    )

    def test_without_a_file_there_are_none(self, tmp_path) -> None:
        actions = source(written(tmp_path, example())).fetch_actions(["AAPL"], FIRST, LAST).actions
        assert actions.empty
        assert list(actions.columns) == list(ACTION_COLUMNS)

    def test_they_are_read_and_selected(self, tmp_path) -> None:
        path = tmp_path / "actions.csv"
        path.write_text(self.ROWS)
        written(tmp_path, example())
        market = source(tmp_path, actions_path=str(path), basis="raw")
        assert len(fetched(market)) == 10
        actions = market.fetch_actions(["AAPL", "BRK.B"], FIRST, LAST).actions
        assert actions.to_numpy().tolist() == [
            ["AAPL", pd.Timestamp("2025-11-04"), "split", 4.0, pd.Timestamp("2025-10-20T20:00:00Z")],
            ["BRK.B", pd.Timestamp("2025-11-03"), "dividend", 0.5, pd.Timestamp("2025-10-21T20:00:00Z")],
        ]
        assert len(market.fetch_actions(["BRK.B"], FIRST, LAST).actions) == 1
        assert market.fetch_actions(["AAPL"], FIRST, date(2025, 11, 3)).actions.empty

    def test_the_moment_of_knowledge_may_be_missing(self, tmp_path) -> None:
        frame = pd.DataFrame({"symbol": ["AAPL"], "ex_date": [date(2025, 11, 4)], "kind": ["split"], "value": [4.0]})
        path = written(tmp_path, frame, "actions.parquet")
        actions = source(tmp_path, actions_path=str(path)).fetch_actions(["AAPL"], FIRST, LAST).actions
        assert actions["known_ts_utc"].tolist() == [pd.Timestamp("2025-11-04T05:00:00Z")]
        with pytest.raises(ConfigurationError, match="only the actions file is there"):
            source(tmp_path, actions_path=str(path)).universe()

    def test_a_missing_file_is_named(self) -> None:
        with pytest.raises(NotFound, match=r"actions.csv does not exist"):
            source("prices.csv", actions_path="nowhere/actions.csv").fetch_actions(["AAPL"], FIRST, LAST)


class TestSettings:
    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"paths": ()}, "paths"),
            (
                {"paths": "x.csv", "timezone": "New York"},
                "the name of an IANA time zone, such as America/New_York",
            ),
            ({"paths": "x.csv", "basis": "adjusted"}, "split_adjusted"),
        ],
    )
    def test_wrong_ones_are_named(self, settings, message) -> None:
        with pytest.raises(ValidationError, match=message):
            FileSourceSettings(**settings)


@pytest.fixture(scope="module")
def data() -> Path:
    folder = os.environ.get("PAIRS_PLATFORM_TEST_DATA")
    if not folder:
        pytest.skip("PAIRS_PLATFORM_TEST_DATA names no folder of real prices")
    return Path(folder)


def technology(market: FileMarketData) -> list[str]:
    return [listing.symbol for listing in market.universe() or () if listing.sector == "technology"]


class TestRealFiles:
    def test_daily(self, data) -> None:
        market = source(data / "real_daily.parquet")
        symbols = technology(market)
        assert (len(symbols), len(market.universe())) == (48, 142)
        assert market.sessions_available() == (date(2019, 3, 11), date(2023, 3, 8))
        sessions = sessions_ending(date(2023, 3, 8), 252)
        bars = fetched(market, *symbols, first=sessions[0], last=sessions[-1])
        grid = bar_grid(sessions, Frequency.ONE_DAY)
        assert bars["ts_utc"].tolist() == 48 * grid.ts_utc.tolist()
        pdfs = bars[bars["symbol"] == "PDFS"].iloc[-1]
        raw = pd.read_parquet(data / "real_daily.parquet", filters=[("symbol", "==", "PDFS")]).iloc[-1]
        assert (
            pdfs[["open", "high", "low", "close", "volume"]].tolist()
            == raw[["open", "high", "low", "close", "volume"]].tolist()
        )

    def test_five_minutes_across_a_clock_change_and_early_closes(self, data) -> None:
        market = source(data / "real_intraday_5min.parquet", frequency=Frequency.FIVE_MINUTES)
        symbols = technology(market)
        assert len(symbols) == 14
        sessions = sessions_ending(date(2025, 12, 31), 60)
        bars = fetched(market, *symbols, first=sessions[0], last=sessions[-1])
        checked = validate_bars(
            bars, symbols=symbols, sessions=sessions, frequency=Frequency.FIVE_MINUTES, settings=ValidationSettings()
        )
        assert checked.accepted["ts_utc"].tolist() == 14 * bar_grid(sessions, Frequency.FIVE_MINUTES).ts_utc.tolist()
        # The file holds a few prints after the early closes of 2025-11-28 and 2025-12-24.
        assert checked.quarantined["reason"].tolist() == 22 * ["outside the regular session"]
        hourly = source(data / "real_intraday_5min.parquet", frequency=Frequency.ONE_HOUR)
        hours = fetched(hourly, "AAPL", first=sessions[0], last=sessions[-1])
        assert hours["ts_utc"].tolist() == bar_grid(sessions, Frequency.ONE_HOUR).ts_utc.tolist()

    def test_one_hour(self, data) -> None:
        market = source(data / "real_intraday_1h.parquet", frequency=Frequency.ONE_HOUR)
        assert technology(market) == ["AAPL", "AMD", "INTC", "MSFT", "NVDA", "TSM"]
        assert len(fetched(market, "TSM", first=date(2023, 11, 22), last=date(2023, 11, 24))) == 7 + 3

    def test_one_minute_is_aggregated(self, data) -> None:
        market = source(data / "real_intraday.parquet", frequency=Frequency.FIVE_MINUTES)
        first, last = date(2018, 3, 8), date(2018, 3, 13)
        bars = fetched(market, "AAPL", "BRK.B", first=first, last=last)
        assert (
            bars["ts_utc"].tolist()
            == 2 * bar_grid(sessions_between(first, last), Frequency.FIVE_MINUTES).ts_utc.tolist()
        )
        daily = fetched(source(data / "real_intraday.parquet"), "AAPL", "BRK.B", first=first, last=last)
        assert daily["volume"].sum() == bars["volume"].sum()

    def test_a_folder_of_all_files_says_why_it_cannot_be_one_source(self, data) -> None:
        with pytest.raises(DataError, match="different lengths"):
            source(data).fetch_bars(["AAPL"], FIRST, LAST)
