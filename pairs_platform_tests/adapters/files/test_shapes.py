from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pairs_platform.adapters.files.price_file import OPTIONAL_SPELLINGS, PRICE_SPELLINGS
from pairs_platform.adapters.files.shapes import CLOSES_ALONE, Shape, in_rows, symbol_in_name
from pairs_platform.adapters.files.tables import open_table
from pairs_platform.core.errors import DataError

SPELLINGS = {**PRICE_SPELLINGS, **OPTIONAL_SPELLINGS}
DATES = ["2025-11-03", "2025-11-04"]


def shaped(path: Path, text: str | None = None) -> Shape:
    if text is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return in_rows(open_table(path), SPELLINGS)


def rows(shape: Shape, *names: str) -> list[tuple]:
    return [tuple(row.values()) for row in shape.table.read(names).to_pylist()]


class TestSymbolOfTheName:
    @pytest.mark.parametrize(
        ("name", "symbol"),
        [
            ("AAPL.csv", "AAPL"),
            ("aapl.us.txt", "aapl"),
            ("aapl_us_d.csv", "aapl"),
            ("BRK-B_daily.csv", "BRK-B"),
            ("BRK.B.parquet", "BRK.B"),
            ("daily_AAPL.csv.gz", "AAPL"),
            ("AAPL_2020-01-01_2025-01-01.csv", "AAPL"),
            ("AAPL_1d.csv", "AAPL"),
            ("AAPL-5min.csv", "AAPL"),
            ("MSFT Historical Data.csv", "MSFT"),
            ("F.csv", "F"),
            ("D_daily.csv", "D"),
            ("AAPL (1).csv", "AAPL"),
            ("^GSPC.csv", "^GSPC"),
            ("prices.csv", None),
            ("AAPL_MSFT.csv", None),
            ("HistoricalData_1699999999999.csv", None),
            ("README.csv", None),
            ("my prices of last year.csv", None),
            ("2025-11-03.csv", None),
            ("20251103.csv", None),
            ("0700.HK.csv", "0700.HK"),
        ],
    )
    def test_it_is_the_one_part_that_may_be_one(self, name, symbol) -> None:
        assert symbol_in_name(Path(name)) == symbol

    def test_it_becomes_a_column_and_is_said(self, tmp_path) -> None:
        shape = shaped(tmp_path / "AAPL.csv", "Date,Open,High,Low,Close,Volume\n2025-11-03,1,2,1,1.5,10\n")
        assert shape.layout == "one symbol, from the file's name"
        assert rows(shape, "symbol", "Close") == [("AAPL", "1.5")]
        assert shape.notes == ("no column has the symbol: it is the file's name",)

    def test_a_name_that_tells_none_is_refused_with_both_remedies(self, tmp_path) -> None:
        with pytest.raises(DataError, match=r"no symbol column; name it symbol .*or name the file by its symbol"):
            shaped(tmp_path / "prices.csv", "Date,Close\n2025-11-03,1\n")

    def test_a_folder_tells_it_before_the_file(self, tmp_path) -> None:
        shape = shaped(tmp_path / "symbol=BRK.B" / "year=2025" / "part.csv", "date,close\n2025-11-03,1\n")
        assert (shape.layout, rows(shape, "symbol", "close")) == ("rows", [("BRK.B", "1")])
        assert "symbol is BRK.B: from the folder's name" in shape.notes


class TestOneColumnASymbol:
    TRUE = (("AAPL", DATES[0], "1"), ("AAPL", DATES[1], "2"), ("LOW", DATES[1], "4"))

    def test_closes_alone(self, tmp_path) -> None:
        shape = shaped(tmp_path / "wide.csv", "Date,AAPL,LOW\n2025-11-03,1,\n2025-11-04,2,4\n")
        assert shape.layout == "one column a symbol"
        assert rows(shape, "symbol", "Date", "close") == list(self.TRUE)
        assert rows(shape, "open", "high", "low", "volume") == [
            ("1", "1", "1", 0),
            ("2", "2", "2", 0),
            ("4", "4", "4", 0),
        ]
        assert shape.notes == (CLOSES_ALONE,)
        assert [shape.table.row(index) for index in range(3)] == [1, 2, 2]

    @pytest.mark.parametrize(
        "names",
        [
            "AAPL,C,V",
            "F,GM",
            "OPEN,AAPL",
            "aapl,msft,brk.b",
            "O,H,L,C,AAPL," + ",".join(f"A{k}" for k in range(12)),
            "SYM,A",
        ],
    )
    def test_symbols_that_are_names_of_prices_too(self, tmp_path, names) -> None:
        symbols = names.split(",")
        shape = shaped(tmp_path / "wide.csv", f"Date,{names}\n2025-11-03{',1' * len(symbols)}\n")
        assert [row[0] for row in rows(shape, "symbol")] == symbols

    @pytest.mark.parametrize(
        "names",
        [
            "o,h,l,c,v",
            "O,H,L,C,V,VWAP",
            "open,high,low,volume,x",
            "C,V",
            "close,AAPL",
            "Amount,Note",
            "o,h,l,c,v,Adj. Volume",
        ],
    )
    def test_columns_of_prices_are_no_symbols(self, tmp_path, names) -> None:
        cells = ",1" * len(names.split(","))
        assert shaped(tmp_path / "AAPL.csv", f"date,{names}\n2025-11-03{cells}\n").layout != "one column a symbol"

    def test_a_column_of_words_is_no_symbol(self, tmp_path) -> None:
        assert shaped(tmp_path / "x.csv", "date,NOTE,AMT,KIND\n2025-11-03,hello,1,2\n").layout == "rows"

    def test_a_symbol_twice_is_refused(self, tmp_path) -> None:
        with pytest.raises(DataError, match="AAPL heads more than one column"):
            shaped(tmp_path / "wide.csv", "Date,AAPL,AAPL\n2025-11-03,1,2\n")

    @pytest.mark.parametrize(
        "header",
        [
            "Price,Close,Close,Open,Open\nTicker,AAPL,LOW,AAPL,LOW\nDate,,,,\n",
            "Ticker,AAPL,LOW,AAPL,LOW\nPrice,Close,Close,Open,Open\nDate,,,,\n",
            "Date,AAPL.Close,LOW.Close,AAPL.Open,LOW.Open\n",
            "Date,Close AAPL,Close LOW,Open AAPL,Open LOW\n",
            "Date,AAPL_close,LOW_close,AAPL_open,LOW_open\n",
        ],
    )
    def test_a_column_for_each_price_of_a_symbol(self, tmp_path, header) -> None:
        shape = shaped(tmp_path / "wide.csv", f"{header}2025-11-03,1,,1,\n2025-11-04,2,4,2,4\n")
        assert rows(shape, "symbol", "Date", "close") == list(self.TRUE)
        assert rows(shape, "open") == [("1",), ("2",), ("4",)]

    @pytest.mark.parametrize("named", [True, False])
    def test_parquet_of_pandas(self, tmp_path, named) -> None:
        index = pd.DatetimeIndex(DATES, name="Date" if named else None)
        columns = pd.MultiIndex.from_product([["Close", "Open"], ["AAPL", "LOW"]], names=["Price", "Ticker"])
        frame = pd.DataFrame([[1.0, None, 1.0, None], [2.0, 4.0, 2.0, 4.0]], index=index, columns=columns)
        frame.to_parquet(tmp_path / "wide.parquet")
        shape = shaped(tmp_path / "wide.parquet")
        stamp = "Date" if named else "timestamp"
        read = [(symbol, str(day)[:10], close) for symbol, day, close in rows(shape, "symbol", stamp, "close")]
        assert read == [("AAPL", DATES[0], 1.0), ("AAPL", DATES[1], 2.0), ("LOW", DATES[1], 4.0)]


class TestIndexes:
    def test_one_without_a_name_is_the_time(self, tmp_path) -> None:
        frame = pd.DataFrame({"close": [1.0, 2.0]}, index=pd.DatetimeIndex(DATES))
        frame.to_parquet(tmp_path / "AAPL.parquet")
        frame.to_csv(tmp_path / "AAPL.csv")
        frame.reset_index().to_csv(tmp_path / "AAPL_1d.csv", index=False)
        for name in ("AAPL.parquet", "AAPL.csv", "AAPL_1d.csv"):
            shape = shaped(tmp_path / name)
            assert [str(day)[:10] for (day,) in rows(shape, "timestamp")] == DATES
            assert any("is taken as the timestamp" in note for note in shape.notes)

    def test_letters_alone(self, tmp_path) -> None:
        shape = shaped(tmp_path / "NVDA.csv", "t,o,h,l,c,v,vw\n1762180200000,1,2,0.5,1.5,10,1\n")
        assert rows(shape, "symbol", "timestamp", "c") == [("NVDA", "1762180200000", "1.5")]
        wide = shaped(tmp_path / "wide.csv", ",AAPL,T\n2025-11-03,1,2\n")
        assert rows(wide, "symbol", "timestamp") == [("AAPL", "2025-11-03"), ("T", "2025-11-03")]

    def test_two_without_names_are_time_and_symbol(self, tmp_path) -> None:
        index = pd.MultiIndex.from_product([pd.DatetimeIndex(DATES), ["AAPL"]])
        pd.DataFrame({"close": [1.0, 2.0]}, index=index).to_parquet(tmp_path / "prices.parquet")
        assert rows(shaped(tmp_path / "prices.parquet"), "symbol") == 2 * [("AAPL",)]

    def test_it_is_left_alone_where_a_column_has_the_time(self, tmp_path) -> None:
        shape = shaped(tmp_path / "AAPL.csv", ",date,close\n0,2025-11-03,1\n")
        assert shape.table.names == ("", "date", "close", "symbol", "volume", "open", "high", "low")


def test_a_row_a_bar_stays_as_it_is(tmp_path) -> None:
    table = pa.table(
        {
            "symbol": ["A"],
            "date": ["2025-11-03"],
            **{name: [1.0] for name in ("open", "high", "low", "close", "volume")},
        }
    )
    pq.write_table(table, tmp_path / "prices.parquet")
    shape = shaped(tmp_path / "prices.parquet")
    assert (shape.layout, shape.notes, shape.table.names) == ("rows", (), tuple(table.column_names))
