import bz2
import gzip
import lzma
from decimal import Decimal
from pathlib import Path

import hypothesis.strategies as st
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given

from pairs_platform.adapters.files.tables import FileTable, is_table_name, open_table, table_stem
from pairs_platform.core.errors import DataError, NotFound, PlatformError

TEXT = "symbol,date,close,name\nNESN,2025-11-03,1.5,Nestle\nABBN,2025-11-04,2.5,ABB\n"
ROWS = [["NESN", "2025-11-03", "1.5", "Nestle"], ["ABBN", "2025-11-04", "2.5", "ABB"]]


def opened(folder: Path, content: bytes | str, name: str = "prices.csv") -> FileTable:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return open_table(path)


def cells(table: FileTable, *names: str) -> list[list[str]]:
    return [list(row.values()) for row in table.read(names or table.names).to_pylist()]


class TestEncodings:
    @pytest.mark.parametrize(
        ("codec", "shown"),
        [
            ("utf-8", "UTF-8"),
            ("utf-8-sig", "UTF-8 with byte order mark"),
            ("utf-16", "UTF-16"),
            ("utf-32", "UTF-32"),
            ("utf-16-le", "UTF-8"),
            ("utf-16-be", "UTF-8"),
        ],
    )
    def test_it_is_told_by_the_mark(self, tmp_path, codec, shown) -> None:
        table = opened(tmp_path, TEXT.encode(codec))
        assert (table.encoding, table.names, cells(table)) == (shown, ("symbol", "date", "close", "name"), ROWS)

    def test_utf_16_in_the_other_order_of_bytes(self, tmp_path) -> None:
        assert cells(opened(tmp_path, b"\xfe\xff" + TEXT.encode("utf-16-be"))) == ROWS

    @pytest.mark.parametrize("where", ["Nestle", "name"])
    def test_a_byte_in_a_column_that_nobody_reads_costs_nothing(self, tmp_path, where) -> None:
        table = opened(tmp_path, TEXT.replace(where, "Nestl\xe9").encode("cp1252"))
        assert table.encoding == "UTF-8, and Windows-1252 where it is not"
        assert cells(table, "symbol", "close") == [["NESN", "1.5"], ["ABBN", "2.5"]]

    def test_bytes_that_are_not_utf_8_are_those_of_windows_beside_others_that_are(self, tmp_path) -> None:
        text = TEXT.replace("1.5", "1\xa0200.5").encode() + "\u20acX,2025-11-05,1\xa0000,\x9d\n".encode(
            "cp1252", "replace"
        )
        table = opened(tmp_path, text)
        assert cells(table, "symbol", "close") == [["NESN", "1\xa0200.5"], ["ABBN", "2.5"], ["\u20acX", "1\xa0000"]]

    def test_bytes_of_nothing_after_a_crash(self, tmp_path) -> None:
        assert cells(opened(tmp_path, TEXT.encode() + 200 * b"\0")) == ROWS

    def test_files_with_marks_that_were_joined(self, tmp_path) -> None:
        assert cells(opened(tmp_path, TEXT.encode("utf-8-sig") + "X,2025-11-05,1,x\n".encode("utf-8-sig")))[2][0] == "X"

    def test_utf_16_that_is_cut_off(self, tmp_path) -> None:
        with pytest.raises(DataError, match="begins as UTF-16 and goes on as something else"):
            opened(tmp_path, TEXT.encode("utf-16")[:-1])


class TestHeaders:
    @pytest.mark.parametrize(
        "before",
        [
            "\n\n",
            "# made on Monday\n",
            "#\n# a, b\n\n",
            ",,,\n",
            "Prices of the Swiss exchange\n",
            "https://example.org\n\n",
        ],
    )
    def test_lines_before_it_are_passed_over(self, tmp_path, before) -> None:
        assert cells(opened(tmp_path, before + TEXT)) == ROWS

    def test_a_comment_may_be_the_header(self, tmp_path) -> None:
        assert cells(opened(tmp_path, "# " + TEXT), "symbol", "name") == [["NESN", "Nestle"], ["ABBN", "ABB"]]

    @pytest.mark.parametrize("delimiter", list(",;\t|"))
    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    def test_delimiters_and_ends_of_lines(self, tmp_path, delimiter, end) -> None:
        assert cells(opened(tmp_path, TEXT.replace(",", delimiter).replace("\n", end))) == ROWS

    def test_the_line_of_excel_states_the_delimiter(self, tmp_path) -> None:
        table = opened(tmp_path, "sep=;\r\nsymbol;a,b,c,d\r\nX;1\r\n")
        assert (table.names, cells(table)) == (("symbol", "a,b,c,d"), [["X", "1"]])

    def test_quoted_names_hold_delimiters_and_quotes(self, tmp_path) -> None:
        table = opened(tmp_path, '"symbol","close, in ""USD"", of; the; day","two\nlines"\nX,1,2\n')
        assert table.names == ("symbol", 'close, in "USD", of; the; day', "two lines")
        assert cells(table) == [["X", "1", "2"]]

    def test_a_name_whose_quote_is_never_closed(self, tmp_path) -> None:
        assert cells(opened(tmp_path, 'symbol,5" pipe\n' + 9 * "X,1\n")) == 9 * [["X", "1"]]

    @pytest.mark.parametrize("content", ['a,5" x\rb,1"\r', "x" * 200_000 + "\n", '"' + "x" * 200_000 + ",a\n1,2\n"])
    def test_one_that_no_reader_of_csv_takes(self, tmp_path, content) -> None:
        assert all(name.isprintable() for name in opened(tmp_path, content).names)

    @pytest.mark.parametrize("both", [TEXT.replace("\n", ",\n"), TEXT.replace("\n", ",\n", 1)])
    def test_delimiters_at_the_end(self, tmp_path, both) -> None:
        assert cells(opened(tmp_path, both), "symbol", "date", "close", "name") == ROWS

    def test_delimiters_at_the_end_of_every_row_but_the_header(self, tmp_path) -> None:
        text = TEXT.replace("\n", ",\n").replace("name,", "name")
        assert cells(opened(tmp_path, text), "symbol", "date", "close", "name") == ROWS

    def test_empty_and_repeated_names_cost_nothing_where_nobody_reads_them(self, tmp_path) -> None:
        table = opened(tmp_path, ",a,a,,symbol\n0,1,2,3,X\n")
        assert cells(table, "symbol") == [["X"]]

    @pytest.mark.parametrize(
        "lines",
        [
            "Price,Close,Close,Open,Open\nTicker,A,B,A,B\nDate,,,,\n",
            "Ticker,A,B,A,B\nPrice,Close,Close,Open,Open\nDate,,,,\n",
            ",Close,Close,Open,Open\n,A,B,A,B\nDate,,,,\n",
            "Price,Close,Close,Open,Open\nTicker,A,B,A,B\n",
        ],
    )
    def test_two_lines_of_names_become_pairs(self, tmp_path, lines) -> None:
        table = opened(tmp_path, lines + "2025-11-03,1,2,3,4\n")
        pairs = [("Close", "A"), ("Close", "B"), ("Open", "A"), ("Open", "B")]
        pairs = [pair[::-1] for pair in pairs] if lines.startswith("Ticker") else pairs
        assert table.names == ("Date", *map(str, pairs))
        assert cells(table) == [["2025-11-03", "1", "2", "3", "4"]]

    def test_a_first_row_without_numbers_is_no_second_line_of_names(self, tmp_path) -> None:
        assert len(cells(opened(tmp_path, "date,open,close\nMon,N/A,N/A\nTue,1,2\n"))) == 2

    @pytest.mark.parametrize("content", ["", "\n\n", ",,,\n", "# nothing but this\n", "sep=;\n", "\ufeff"])
    def test_a_file_without_one_is_empty(self, tmp_path, content) -> None:
        with pytest.raises(DataError, match="is empty; a CSV file needs"):
            opened(tmp_path, content)


class TestRows:
    def test_too_many_or_too_few_cells_cost_the_row(self, tmp_path) -> None:
        table = opened(tmp_path, TEXT + "SHORT,2025\nUBSG,2025-11-05,3.5,UBS\nLONG,2025-11-05,3,5,UBS\nNOVN,,,\n")
        assert [row[0] for row in cells(table)] == ["NESN", "ABBN", "UBSG", "NOVN"]
        [left_out] = table.rows_left_out
        assert (left_out.first_row, left_out.count) == (3, 2)
        assert "has 2 cells where the header has 4 names; write one cell a name" in left_out.reason
        assert [table.row(index) for index in range(4)] == [1, 2, 4, 6]

    def test_a_row_that_does_not_fit_may_hold_any_bytes(self, tmp_path) -> None:
        table = opened(tmp_path, TEXT.encode() + b"\xe9\xff,\xfe\n")
        assert (cells(table), table.rows_left_out[0].count) == (ROWS, 1)

    def test_none_that_fits_is_an_error(self, tmp_path) -> None:
        table = opened(tmp_path, "symbol,date,close\n1,2\n1,2\n")
        with pytest.raises(DataError, match=r"header has 3 names \(symbol, date, close\) and row 1 has 2 cells"):
            table.read(["symbol"])

    @pytest.mark.parametrize("name", ['"ABB', 'ABB","x', '"ABB, Ltd'])
    def test_a_quote_that_is_not_closed_costs_no_other_row(self, tmp_path, name) -> None:
        more = "".join(f'"X{k}",2025-11-05,1,"name"\n' for k in range(5))
        table = opened(tmp_path, TEXT.replace("ABB\n", f"{name}\n") + more)
        read = [symbol for (symbol,) in cells(table, "symbol")]
        assert [symbol for symbol in read if symbol != "ABBN"] == ["NESN", *(f"X{k}" for k in range(5))]

    def test_one_quote_too_few_in_a_file_of_quoted_cells(self, tmp_path) -> None:
        row = '"NESN","1,000.5","2"\n'
        table = opened(tmp_path, '"symbol","close","open"\n' + 3 * row + row.replace('2"', "2") + 3 * row)
        read = cells(table)
        assert read[:3] == read[-3:] == 3 * [["NESN", "1,000.5", "2"]]
        assert len(read) + sum(rows.count for rows in table.rows_left_out) == 7

    def test_a_cell_of_two_lines(self, tmp_path) -> None:
        assert cells(opened(tmp_path, TEXT.replace("ABB\n", '"ABB\nLtd"\n')), "symbol") == [["NESN"], ["ABBN"]]

    def test_none_at_all_are_left_to_the_reader(self, tmp_path) -> None:
        assert opened(tmp_path, "symbol,date\n").read(["date", "symbol"]).num_rows == 0


class TestContent:
    @pytest.mark.parametrize(
        ("name", "compress"),
        [
            ("PRICES.CSV.GZ", gzip.compress),
            ("no_ending", gzip.compress),
            ("prices.csv", gzip.compress),
            ("prices.csv.bz2", bz2.compress),
            ("prices.csv.xz", lzma.compress),
            ("prices.csv.zst", lambda data: bytes(pa.Codec("zstd").compress(data))),
        ],
    )
    def test_compression_is_told_by_the_content(self, tmp_path, name, compress) -> None:
        assert cells(opened(tmp_path, compress(TEXT.encode()), name)) == ROWS

    @pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
    def test_damaged_data_are_said(self, tmp_path, compress) -> None:
        with pytest.raises(DataError, match="damaged or cut off; copy the file again"):
            opened(tmp_path, compress(TEXT.encode())[:-12], "prices.csv.gz")

    @pytest.mark.parametrize("name", ["p.parquet.gz", "p.parquet.gzip", "p.csv", "p.parq"])
    @pytest.mark.parametrize("whole", [False, True])
    def test_parquet_is_told_by_the_content(self, tmp_path, name, whole) -> None:
        sink = pa.BufferOutputStream()
        pq.write_table(pa.table({"symbol": ["NESN"]}), sink, compression="gzip")
        data = sink.getvalue().to_pybytes()
        table = opened(tmp_path, gzip.compress(data) if whole else data, name)
        assert (table.encoding, cells(table)) == ("Parquet", [["NESN"]])

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"PK\x03\x04" + bytes(40), "is a ZIP archive or an Excel workbook: unpack it"),
            (b"\xd0\xcf\x11\xe0" + bytes(40), "is an old Excel workbook"),
            (b"SQLite format 3\0" + bytes(40), "is a SQLite database"),
            (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "is neither text nor Parquet"),
            (b"<!DOCTYPE html><html>", "holds a web page"),
            (b'[{"date": 1}]', "holds a web page, XML or JSON"),
        ],
    )
    def test_what_is_no_table_is_said_in_words(self, tmp_path, content, message) -> None:
        with pytest.raises(DataError, match=message) as raised:
            opened(tmp_path, content)
        assert str(raised.value).isprintable()

    def test_a_name_in_angle_brackets_is_no_web_page(self, tmp_path) -> None:
        assert opened(tmp_path, "<TICKER>,<DATE>\nA,20251103\n").names == ("<TICKER>", "<DATE>")

    @pytest.mark.parametrize("content", [b"PAR1", b"PAR1" + bytes(range(200)) + b"PAR1", b"symbol,close\nA,1\n"])
    def test_damaged_parquet_is_said_in_words(self, tmp_path, content) -> None:
        with pytest.raises(DataError, match="cannot be read as Parquet") as raised:
            opened(tmp_path, content, "prices.parquet")
        assert str(raised.value).isprintable()

    def test_a_missing_file_and_one_that_must_not_be_read(self, tmp_path) -> None:
        with pytest.raises(NotFound, match="does not exist"):
            open_table(tmp_path / "none.csv")
        with pytest.raises(DataError, match="cannot be read: "):
            open_table(tmp_path)

    @given(st.binary(max_size=120), st.sampled_from(["p.csv", "p.parquet", "p.csv.gz"]))
    def test_any_bytes_are_a_table_or_refused_in_words(self, tmp_path_factory, content, name) -> None:
        path = tmp_path_factory.mktemp("any") / name
        path.write_bytes(content)
        message = ""
        try:
            table = open_table(path)
            table.read(table.names[:1])
        except PlatformError as error:
            message = str(error)
        assert message == "" or message.isprintable()


class TestParquet:
    @pytest.mark.parametrize(
        "kind",
        [
            pa.string(),
            pa.large_string(),
            pa.string_view(),
            pa.binary(),
            pa.large_binary(),
            pa.binary(1),
            pa.dictionary(pa.int32(), pa.string()),
            pa.dictionary(pa.int8(), pa.large_string()),
        ],
        ids=str,
    )
    def test_every_kind_of_text_is_a_string(self, tmp_path, kind) -> None:
        column = pa.array(["A", None, "B"]).cast(pa.binary()).cast(kind) if kind == pa.binary(1) else None
        pq.write_table(
            pa.table({"s": column if column is not None else pa.array(["A", None, "B"]).cast(kind)}), tmp_path / "p.pq"
        )
        read = open_table(tmp_path / "p.pq").read(["s"])["s"]
        assert (read.type, read.to_pylist()) == (pa.string(), ["A", None, "B"])

    @pytest.mark.parametrize("kind", [pa.decimal128(9, 3), pa.float16(), pa.float32(), pa.int8(), pa.uint64()], ids=str)
    def test_every_kind_of_number_is_one(self, tmp_path, kind) -> None:
        values = pa.array([Decimal("2.000")]) if pa.types.is_decimal(kind) else pa.array([2.0]).cast(kind)
        pq.write_table(pa.table({"n": values}), tmp_path / "p.pq")
        assert pd.to_numeric(open_table(tmp_path / "p.pq").read(["n"])["n"].to_pandas()).tolist() == [2.0]

    def test_nested_and_repeated_columns_cost_nothing_where_nobody_reads_them(self, tmp_path) -> None:
        nested = pa.array([{"a": [1, 2]}])
        table = pa.table(
            [pa.array(["A"]), nested, pa.array([1]), pa.array([2])], names=["('Close', 'BRK.B')", "x", "y", "y"]
        )
        pq.write_table(table, tmp_path / "p.pq")
        assert cells(open_table(tmp_path / "p.pq"), "('Close', 'BRK.B')") == [["A"]]
        with pytest.raises(
            DataError, match=r"p\.pq: x holds struct<a: list.* in each cell; store a single value there"
        ):
            open_table(tmp_path / "p.pq").read(["x"])


class TestNames:
    @pytest.mark.parametrize(
        ("name", "stem"),
        [
            ("A.csv", "A"),
            ("BRK.B.CSV.GZ", "BRK.B"),
            ("aapl.us.txt", "aapl.us"),
            ("x.tsv", "x"),
            ("B.parquet.gzip", "B"),
            ("b.parq", "b"),
            ("b.PQ", "b"),
        ],
    )
    def test_those_of_tables(self, name, stem) -> None:
        assert is_table_name(Path(name))
        assert table_stem(Path(name)) == stem

    @pytest.mark.parametrize("name", ["a.xlsx", "a.md", "csv", "a.csv.bak", "a.zip", "a.json"])
    def test_others(self, name) -> None:
        assert not is_table_name(Path(name))
