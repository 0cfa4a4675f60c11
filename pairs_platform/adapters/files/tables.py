"""From the bytes of a file to named columns: compression, encoding, delimiter, rows that do not fit, Parquet types.

What a file is, its content decides and not its name. What does not belong here: which column means what (`columns`),
layouts other than a row a bar (`shapes`), what a cell means (`stamps`, `numbers`).
"""

import bz2
import codecs
import csv
import gzip
import io
import itertools
import lzma
import re
import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import NoReturn, Protocol

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from pairs_platform.adapters.files.columns import column_key, few
from pairs_platform.adapters.files.overview import RowsLeftOut
from pairs_platform.core.errors import DataError, NotFound

TABLE_NAMES = ".parquet, .pq, .parq, .csv, .tsv or .txt, perhaps with .gz, .gzip, .bz2, .xz or .zst after it"
"""How names of price files end, for messages."""

_TABLE_NAME = re.compile(r"\.(?:csv|tsv|txt|parquet|parq|pq)(?:\.(?:gz|gzip|bz2|xz|zst))?$", re.IGNORECASE)

_PARQUET_NAME = re.compile(r"\.(?:parquet|parq|pq)(?:\.\w+)?$", re.IGNORECASE)
_PARQUET = b"PAR1"
_NOT_TABLES = {
    b"PK\x03\x04": "a ZIP archive or an Excel workbook: unpack it, or save the sheet as CSV UTF-8",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook: save the sheet as CSV UTF-8",
    b"ARROW1": "an Arrow or Feather file: store it as Parquet",
    b"\x89HDF": "an HDF5 file: store it as Parquet",
    b"SQLite format 3": "a SQLite database: export the table as CSV",
}
_DELIMITERS = ",;\t|"
_NO_SPACE = re.compile(rb"\S")
_LINE_END = re.compile(rb"\r\n|\n|\r")
_CONTROL = re.compile(r"[\x01-\x08\x0b\x0e-\x1f\x7f\ufffd]")
_LONGEST_HEADER = 5
"""Lines over which a quoted name may go."""
_LEVEL_NAMES = {"", "ticker", "tickers", "symbol", "symbols", "price", "prices", "attributes", "date", "datetime"}
"""What may stand above dates in the second line of a header of two levels."""
PRICE_FIELDS = {"open", "high", "low", "close", "adjclose", "volume", "dividends", "stocksplits", "capitalgains"}
"""Columns of a symbol in files of vendors, as `column_key` writes them."""


@dataclass(frozen=True)
class Selection:
    """Rows that a reader needs: those of some symbols, as the file writes them, in a range of days.

    A table may return more; a range of time stamps is two days wider, whatever their zone.
    """

    symbol_column: str
    symbols: Collection[str]
    stamp_column: str
    first: date
    last: date


class FileTable(Protocol):
    """Named columns of a file.

    Attributes
    ----------
    path : Path
    names : tuple of str
        As the file has them, in its order; a name may stand there twice.
    encoding : str
        Of a text file, for a person; "Parquet".
    notes : tuple of str
        What a person should know and cost no row.
    """

    @property
    def path(self) -> Path: ...  # noqa: D102 - the class documents its attributes

    @property
    def names(self) -> tuple[str, ...]: ...  # noqa: D102

    @property
    def encoding(self) -> str: ...  # noqa: D102

    @property
    def notes(self) -> tuple[str, ...]: ...  # noqa: D102

    @property
    def rows_left_out(self) -> tuple[RowsLeftOut, ...]:
        """Rows that have another number of cells than the header has names; `read` does not return them."""
        ...

    def read(self, names: Sequence[str], only: Selection | None = None) -> pa.Table:
        """The columns `names`, strings for text; of a Parquet file perhaps `only` some rows, to be quicker.

        Raises
        ------
        DataError
            When one of the columns cannot be read.
        """
        ...

    def row(self, index: int) -> int:
        """Data row of the file (the line after the header is 1) of a row that `read` returned without a selection."""
        ...


def is_table_name(path: Path) -> bool:
    """Whether a file's name says that it may hold prices."""
    return _TABLE_NAME.search(path.name) is not None


def table_stem(path: Path) -> str:
    """A file's name without the endings that say what it is."""
    return _TABLE_NAME.sub("", path.name)


def open_table(path: Path) -> FileTable:
    """The columns of a Parquet or text file; the cells are read when they are asked for.

    Raises
    ------
    NotFound
        When there is no such file.
    DataError
        When the file cannot be read, is neither, or has no header.
    """
    try:
        with path.open("rb") as file:
            parquet = file.read(len(_PARQUET)) == _PARQUET
            file.seek(0)
            data = b"" if parquet else _unpacked(file.read(), path)
    except FileNotFoundError as error:
        raise NotFound(f"{path} does not exist") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or type(error).__name__}") from error
    if parquet:
        return _ParquetTable(path, None)
    if data.startswith(_PARQUET):
        return _ParquetTable(path, data)
    if _PARQUET_NAME.search(path.name):
        raise DataError(
            f"{path} cannot be read as Parquet: its content is none; write it again, or name it .csv if it is text"
        )
    return _text_table(path, data)


def _unpacked(data: bytes, path: Path) -> bytes:
    """The content of a compressed file; other content as it is."""
    for start, (name, unpack) in _COMPRESSIONS.items():
        if data.startswith(start):
            try:
                return unpack(data)
            except (EOFError, OSError, zlib.error, lzma.LZMAError, ValueError) as error:
                raise DataError(
                    f"{path} is compressed with {name}, and the compressed data are damaged or cut "
                    "off; copy the file again"
                ) from error
    return data


def _unpacked_zstd(data: bytes) -> bytes:
    with pa.input_stream(pa.py_buffer(data), compression="zstd") as stream:
        return stream.read()


_COMPRESSIONS: Mapping[bytes, tuple[str, Callable[[bytes], bytes]]] = {
    b"\x1f\x8b": ("gzip", gzip.decompress),
    b"BZh": ("bzip2", bz2.decompress),
    b"\xfd7zXZ\x00": ("xz", lzma.decompress),
    b"\x28\xb5\x2f\xfd": ("Zstandard", _unpacked_zstd),
}


class _ParquetTable:
    """A Parquet file; `data` is its content where the file was compressed as a whole."""

    encoding = "Parquet"
    notes: tuple[str, ...] = ()
    rows_left_out: tuple[RowsLeftOut, ...] = ()

    def __init__(self, path: Path, data: bytes | None) -> None:
        self.path = path
        self._data = data
        try:
            self._schema = pq.read_schema(self._source())
        except (OSError, pa.ArrowException) as error:
            self._refuse(error)
        self.names = tuple(self._schema.names)

    def _source(self) -> Path | pa.BufferReader:
        return self.path if self._data is None else pa.BufferReader(self._data)

    def read(self, names: Sequence[str], only: Selection | None = None) -> pa.Table:
        nested = next((name for name in names if pa.types.is_nested(self._schema.field(name).type)), None)
        if nested is not None:
            kind = str(self._schema.field(nested).type)[:40]
            raise DataError(f"{self.path}: {nested} holds {kind} in each cell; store a single value there")
        # https://github.com/apache/arrow/issues/43010: rows with views of text cannot be filtered.
        views = {pa.string_view(), pa.binary_view()} & {self._schema.field(name).type for name in names}
        filters = None if only is None or views else self._filter(only)
        try:
            table = pq.read_table(self._source(), columns=list(names), filters=filters, partitioning=None)
        except (OSError, pa.ArrowException) as error:
            self._refuse(error)
        try:
            return pa.table([_plain(table[name]) for name in names], names=list(names))
        except pa.ArrowInvalid as error:
            raise DataError(f"{self.path}: one of {few(names)} holds bytes that are no text in UTF-8") from error

    def _filter(self, only: Selection) -> pc.Expression | None:
        expression = None
        kind = self._schema.field(only.symbol_column).type
        text = kind.value_type if pa.types.is_dictionary(kind) else kind
        if pa.types.is_string(text) or pa.types.is_large_string(text):
            expression = pc.field(only.symbol_column).cast(text).isin(pa.array(sorted(only.symbols), text))
        kind = self._schema.field(only.stamp_column).type
        if pa.types.is_timestamp(kind):
            zone = "UTC" if kind.tz else None
            low = pd.Timestamp(only.first, tz=zone) - timedelta(days=2)
            high = pd.Timestamp(only.last, tz=zone) + timedelta(days=3)
            stamp = pc.field(only.stamp_column)
            in_range = (stamp >= pa.scalar(low, kind)) & (stamp < pa.scalar(high, kind))
            expression = in_range if expression is None else expression & in_range
        return expression

    def row(self, index: int) -> int:
        return index + 1

    def _refuse(self, error: Exception) -> NoReturn:
        words = _CONTROL.sub("?", str(error).split("\n", 1)[0])
        raise DataError(f"{self.path} cannot be read as Parquet: {words[:200]}") from error


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column in one of few types: every kind of text is a string, every decimal or short float a double."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        chunks = [
            _plain(pa.chunked_array([chunk.dictionary])).combine_chunks().take(chunk.indices) for chunk in column.chunks
        ]
        return (
            pa.chunked_array(chunks)
            if chunks
            else pa.chunked_array([], _plain(pa.chunked_array([], kind.value_type)).type)
        )
    if isinstance(kind, pa.BaseExtensionType):
        return _plain(column.cast(kind.storage_type))
    if kind in _TEXT_TYPES or pa.types.is_fixed_size_binary(kind):
        return column.cast(pa.string())
    if pa.types.is_decimal(kind) or pa.types.is_float16(kind):
        return column.cast(pa.float64())
    return column


_TEXT_TYPES = {pa.large_string(), pa.string_view(), pa.binary(), pa.large_binary(), pa.binary_view()}


@dataclass(frozen=True)
class _OddRow:
    """A row with another number of cells than the header has names; `text` as far as it is at hand."""

    number: int
    cells: int
    text: str = ""


@dataclass(frozen=True)
class _TextTable:
    """A text file with a delimiter; `body` begins after the header."""

    path: Path
    names: tuple[str, ...]
    encoding: str
    notes: tuple[str, ...]
    body: bytes = field(repr=False)
    delimiter: str

    @cached_property
    def _parsed(self) -> tuple[pa.Table, list[_OddRow]]:
        """Cells as text, columns named by position, and the rows that do not fit."""
        if not self.body.strip():
            return self._table([]), []
        table, odd = self._rows()
        if b'"' in self.body and self._swallows_rows(table, odd):
            table, odd = self._rows_by_line()
        if table.num_rows == 0 and odd:
            raise DataError(
                f"{self.path}: the header has {len(self.names)} names ({few(self.names)}) and row {odd[0].number} has "
                f"{odd[0].cells} cells; write one cell a name"
            )
        return table, odd

    def _table(self, rows: Sequence[Sequence[str]]) -> pa.Table:
        columns = zip(*rows, strict=True) if rows else [()] * len(self.names)
        return pa.table({str(k): pa.array(column, pa.string()) for k, column in enumerate(columns)})

    def _swallows_rows(self, table: pa.Table, odd: Sequence[_OddRow]) -> bool:
        """Whether a quote that is not closed has made cells of whole rows."""
        row = rf"[\r\n](?:[^\r\n]*{re.escape(self.delimiter)}){{{len(self.names) - 1}}}"
        return len(self.names) > 1 and (
            any(re.search(row, one.text) for one in odd)
            or any(pc.any(pc.match_substring_regex(column, row)).as_py() for column in table.columns)
        )

    def _rows(self) -> tuple[pa.Table, list[_OddRow]]:
        odd: list[_OddRow] = []

        def leave_out(row: pa.csv.InvalidRow) -> str:
            odd.append(_OddRow(row.number, row.actual_columns, row.text))
            return "skip"

        try:
            return self._parse(None), odd
        except pa.ArrowInvalid:
            return self._parse(leave_out), odd

    def _parse(self, on_odd_row: Callable[[pa.csv.InvalidRow], str] | None) -> pa.Table:
        names = [str(k) for k in range(len(self.names))]
        return pa.csv.read_csv(
            pa.BufferReader(self.body),
            read_options=pa.csv.ReadOptions(column_names=names, use_threads=on_odd_row is None),
            parse_options=pa.csv.ParseOptions(
                delimiter=self.delimiter, newlines_in_values=True, invalid_row_handler=on_odd_row
            ),
            convert_options=pa.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
        )

    def _rows_by_line(self) -> tuple[pa.Table, list[_OddRow]]:
        """Rows when a quote that is not closed ends with its line; a cell of several lines does not fit then."""
        rows, odd = [], []
        lines = [line for line in re.split(r"\r\n|\n|\r", self.body.decode()) if line]
        for number, cells in enumerate((_cells(line, self.delimiter) for line in lines), 1):
            if len(cells) == len(self.names):
                rows.append(cells)
            else:
                odd.append(_OddRow(number, len(cells)))
        return self._table(rows), odd

    @property
    def rows_left_out(self) -> tuple[RowsLeftOut, ...]:
        odd = self._parsed[1]
        if not odd:
            return ()
        reason = (
            f"has {odd[0].cells} cells where the header has {len(self.names)} names; write one cell a name, and quote "
            "a cell that holds the delimiter"
        )
        return (RowsLeftOut(reason, len(odd), odd[0].number),)

    def read(self, names: Sequence[str], only: Selection | None = None) -> pa.Table:
        cells = self._parsed[0]
        return pa.table([cells[str(self.names.index(name))] for name in names], names=list(names))

    def row(self, index: int) -> int:
        number = index + 1
        for odd in self._parsed[1]:
            number += odd.number <= number
        return number


def _text_table(path: Path, data: bytes) -> _TextTable:
    """A text file as a table: its encoding, lines before the header, the header and the delimiter.

    Raises
    ------
    DataError
        When the content is no text, or there is no header.
    """
    for start, words in _NOT_TABLES.items():
        if data.startswith(start):
            raise DataError(f"{path} is {words}")
    data, encoding = _as_utf8(data, path)
    first = data[:4096].decode(errors="ignore").lstrip()
    if re.match(r"(?:<!doctype|<html|<\?xml|[{\[]\s*[\"{\[])", first, re.IGNORECASE):
        raise DataError(f"{path} holds a web page, XML or JSON, and no table; store it as CSV or Parquet")
    if len(_CONTROL.findall(first)) > len(first) // 20:
        raise DataError(f"{path} is neither text nor Parquet")
    header = _header(path, data)
    return _TextTable(path, header.names, encoding, header.notes, data[header.end :], header.delimiter)


def _as_utf8(data: bytes, path: Path) -> tuple[bytes, str]:
    """The text in UTF-8 without byte order mark and NUL bytes, and its encoding in words."""
    for mark, codec in (
        (b"\xff\xfe\x00\x00", "UTF-32"),
        (b"\x00\x00\xfe\xff", "UTF-32"),
        (b"\xff\xfe", "UTF-16"),
        (b"\xfe\xff", "UTF-16"),
    ):
        if data.startswith(mark):
            try:
                return data.decode(codec).encode(), codec
            except UnicodeDecodeError as error:
                raise DataError(f"{path} begins as {codec} and goes on as something else; save it as UTF-8") from error
    mark = b"\xef\xbb\xbf"
    encoding = "UTF-8 with byte order mark" if data.startswith(mark) else "UTF-8"
    # Files that were joined have further marks.
    data = data.replace(mark, b"")
    # UTF-16 without a mark is text once its NUL bytes are gone, and so is a file that a crash padded with them.
    data = data.replace(b"\x00", b"")
    try:
        data.decode()
    except UnicodeDecodeError:
        data, encoding = data.decode(errors=_OR_WINDOWS_1252).encode(), "UTF-8, and Windows-1252 where it is not"
    return data, encoding


def _windows_1252(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return error.object[error.start : error.end].decode("cp1252", errors="replace"), error.end


_OR_WINDOWS_1252 = "pairs_platform.windows_1252"
codecs.register_error(_OR_WINDOWS_1252, _windows_1252)


@dataclass(frozen=True)
class _Header:
    names: tuple[str, ...]
    delimiter: str
    end: int
    notes: tuple[str, ...]


def _header(path: Path, data: bytes) -> _Header:
    """The line of names, perhaps after comments, a title and Excel's `sep=`, perhaps of two levels."""
    notes: list[str] = []
    stated, comment, start, end, text = "", "", 0, 0, ""
    while True:
        start, (text, end) = end, _line(data, end)
        if end == start:
            raise DataError(f"{path} is empty; a CSV file needs a line of column names and a line per bar")
        more = _NO_SPACE.search(data, end)
        following = _line(data, more.start())[0] if more else ""
        separator = re.fullmatch(r'"?sep=(.)"?', text, re.IGNORECASE)
        if separator:
            stated = separator[1]
        elif text.startswith("#"):
            comment = text
        elif text.strip(f'{_DELIMITERS} "'):
            width, width_below = (len(_cells(line, stated or _delimiter(line))) for line in (text, following))
            if width > 1 or width_below < 4:
                break
            notes.append(f"the line {text[:40]!a} before the header is no part of the table")
    delimiter = stated or _delimiter(text)
    names = _cells(text, delimiter)
    commented = _cells(comment.lstrip("# "), delimiter)
    if len(commented) == len(names) > 2 and any(name[:1].isdigit() for name in names):
        names, end = commented, start
    names, end = _joined_names(names, data, end, delimiter)
    below = _cells(_line(data, end)[0], delimiter)
    if names[-1] == "" and len(below) == len(names) - 1:
        names = names[:-1]
    elif len(below) == len(names) + 1 and below[-1] == "":
        names = [*names, ""]
    return _Header(tuple(names), delimiter, end, tuple(notes))


def _joined_names(names: list[str], data: bytes, end: int, delimiter: str) -> tuple[list[str], int]:
    """Names of two header lines, prices and symbols in either order, as pandas writes them into Parquet."""
    text, after = _line(data, end)
    second = _cells(text, delimiter)
    levels = [{column_key(name) for name in level[1:]} for level in (names, second)]
    if (
        len(second) != len(names)
        or column_key(second[0]) not in _LEVEL_NAMES
        or not any(level and level <= PRICE_FIELDS for level in levels)
    ):
        return names, end
    text, after_text = _line(data, after)
    first, *empty = _cells(text, delimiter)
    if first and not any(empty):
        return [first, *_pairs(names, second)], after_text
    return ["Date", *_pairs(names, second)], after


def _pairs(first: list[str], second: list[str]) -> list[str]:
    return [str(pair) for pair in zip(first[1:], second[1:], strict=True)]


def _line(data: bytes, start: int) -> tuple[str, int]:
    """A line from `start`, on until its quotes are closed, and where the next one begins."""
    ends = [match.end() for match in itertools.islice(_LINE_END.finditer(data, start), _LONGEST_HEADER)]
    ends += [len(data)] if len(ends) < _LONGEST_HEADER else []
    end = next((end for end in ends if data.count(b'"', start, end) % 2 == 0), ends[0])
    return data[start:end].decode().strip(" \r\n\f"), end


def _delimiter(line: str) -> str:
    return max(_DELIMITERS, key=re.sub(r'"[^"]*"', "", line).count)


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        rows = list(csv.reader(io.StringIO(line), delimiter=delimiter))
    except csv.Error:
        rows = [line.split(delimiter)]
    return [re.sub(r"\s+", " ", cell).strip() for cell in rows[0]] if rows else [""]
