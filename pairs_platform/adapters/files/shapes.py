"""Layouts that people have beside a row a bar: a symbol a file, a column a symbol, closes alone, folders `symbol=AAPL`.

Each becomes a table with a row a bar, so that nobody else knows of them. What does not belong here: reading cells
(`tables`), what they mean (`price_file`).
"""

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pairs_platform.adapters.files.columns import column_key, few, spelled
from pairs_platform.adapters.files.overview import ONE_SYMBOL, Layout, RowsLeftOut
from pairs_platform.adapters.files.tables import PRICE_FIELDS, FileTable, Selection, table_stem
from pairs_platform.core.errors import DataError

Spellings = Mapping[str, tuple[str, ...]]

CLOSES_ALONE = (
    "the file has closes alone: open, high and low are taken as the close and the volume as 0, so that an order of a "
    "backtest is filled at the close of its bar, not at its open"
)

_UNNAMED_STAMPS = {"", "index", "unnamed0", "indexlevel0", "level0"}
_UNNAMED_SYMBOLS = {"indexlevel1", "level1", "unnamed1"}
FIELDS = ("open", "high", "low", "close", "volume")
"""Columns of a bar that are numbers."""

_MANY = 16
_SYMBOL = re.compile(r"\^?[A-Z][A-Z0-9]{0,5}(?:[.\-/ ^][A-Z]{1,3})?|\d{4,6}\.[A-Z]{1,3}")
_FIELD = "|".join(FIELDS)
_FIELD_BESIDE_SYMBOL = re.compile(rf"({_FIELD})[ ._](.+)|(.+)[ ._]({_FIELD})", re.IGNORECASE)
_NO_SYMBOL_WORD = re.compile(
    r"adj(?:usted)?|all|bars?|candles?|chart|closes?|csv|dai?ly|data|datasets?|days?|demo|downloads?|eod|equit(?:y|ies)|"
    r"examples?|exports?|files?|final|full|hist(?:ory|orical)?|historicaldata|hour(?:ly)?|input|intraday|markets?|merged|"
    r"min(?:ute)?s?|month(?:ly)?|new|nyse|nasdaq|ohlcv?|old|out(?:put)?|parquet|part|panel|prices?|quotes?|raw|readme|"
    r"samples?|series|shares?|stocks?|tables?|te?mp|test|ticks?|train|universe|usa?|usd|week(?:ly)?|wide|yahoo|yfinance",
    re.IGNORECASE,
)
_BESIDE_SYMBOL = re.compile(r"(?:[a-z]+)?\d[\dtz:.\-]*[a-z]{0,4}|d|w|m|h|y|max|split|div|to|from|x", re.IGNORECASE)


@dataclass(frozen=True)
class Shape:
    """A table with a row a bar, and how the file was laid out."""

    table: FileTable
    layout: Layout
    notes: tuple[str, ...]


def in_rows(table: FileTable, spellings: Spellings) -> Shape:
    """A file's table with a row a bar and, wherever the file tells it in another way, a column for symbol and time.

    Parameters
    ----------
    table : FileTable
    spellings : mapping
        Spellings of symbol, timestamp, open, high, low, close and volume.

    Raises
    ------
    DataError
        When no column, folder or file name tells the symbol.
    """
    table, notes = _with_folder_values(table, spellings)
    table, index_notes = _named_index(table, spellings)
    notes += index_notes
    layout: Layout = "rows"
    stamp_keys = set(map(column_key, spellings["timestamp"]))
    stamps = list(dict.fromkeys(name for name in table.names if column_key(name) in stamp_keys))
    by_symbol = _by_symbol(table.names, spellings) or _closes_by_symbol(table, stamps, spellings)
    if by_symbol:
        layout = "one column a symbol"
        table = _InRows(table, tuple(stamps), by_symbol)
    elif spelled(table.names, spellings["close"]) and not spelled(table.names, spellings["symbol"]):
        layout = ONE_SYMBOL
        symbol = _symbol_of_name(table, spellings["symbol"])
        table = _WithColumns(table, constants={"symbol": symbol})
        notes += ("no column has the symbol: it is the file's name",)
    present = {name: spelled(table.names, spellings[name]) for name in FIELDS}
    if present["close"] and not any(present[name] for name in ("open", "high", "low")):
        close = present["close"][0]
        zero = {} if present["volume"] else {"volume": 0}
        table = _WithColumns(table, constants=zero, copies=dict.fromkeys(("open", "high", "low"), close))
        notes += (CLOSES_ALONE if zero else CLOSES_ALONE.replace(" and the volume as 0", ""),)
    return Shape(table, layout, notes)


def _symbol_of_name(table: FileTable, spellings: tuple[str, ...]) -> str:
    symbol = symbol_in_name(table.path)
    if symbol is None:
        raise DataError(
            f"{table.path}: no symbol column; name it {' or '.join(spellings[:3])}, or name the file by its symbol, "
            f"such as AAPL.csv (the file has {few(table.names)})"
        )
    return symbol


def symbol_in_name(path: Path) -> str | None:
    """The symbol in a file's name: `AAPL.csv`, `aapl.us.txt`, `BRK-B_daily.csv`, `daily_AAPL_2024.csv`.

    None when no part of the name, or more than one, may be a symbol.
    """
    stem = re.sub(r"[. _]us(?=$|[ _])", "", table_stem(path), flags=re.IGNORECASE)
    stem = re.sub(r"(?:-(?:\d\w*|daily|hourly|historical|history|data|prices?))+$", "", stem, flags=re.IGNORECASE)
    parts = [part for part in re.split(r"[ _()\[\],]+", stem) if part and not _NO_SYMBOL_WORD.fullmatch(part)]
    if len(parts) > 1:
        parts = [part for part in parts if not _BESIDE_SYMBOL.fullmatch(part)]
    return parts[0] if len(parts) == 1 and _SYMBOL.fullmatch(parts[0].upper()) else None


def _with_folder_values(table: FileTable, spellings: Spellings) -> tuple[FileTable, tuple[str, ...]]:
    """A table with the values of folders named `column=value` on the way to its file, where a bar needs them."""
    pairs = (part.split("=", 1) for part in table.path.parent.parts if "=" in part)
    needed = {column_key(word) for words in spellings.values() for word in words}
    keys = set(map(column_key, table.names))
    values = {name: value for name, value in pairs if value and column_key(name) in needed - keys}
    if not values:
        return table, ()
    taken = ", ".join(f"{name} is {value}" for name, value in values.items())
    return _WithColumns(table, constants=values), (f"{taken}: from the folder's name",)


def _named_index(table: FileTable, spellings: Spellings) -> tuple[FileTable, tuple[str, ...]]:
    """A table whose index without a name, as pandas writes it, is the time where no other column is, or the symbol.

    A letter t is the time beside the letters of all four prices alone, because T is a symbol too.
    """
    letters = {"o", "h", "l", "c"} <= {column_key(name) for name in table.names}
    unnamed = {*_UNNAMED_STAMPS, "t"} if letters else _UNNAMED_STAMPS
    copies = {}
    if not spelled(table.names, spellings["timestamp"]):
        copies["timestamp"] = next((name for name in table.names if column_key(name) in unnamed), None)
    if not spelled(table.names, spellings["symbol"]):
        copies["symbol"] = next((name for name in table.names if column_key(name) in _UNNAMED_SYMBOLS), None)
    named = {name: of for name, of in copies.items() if of is not None}
    if not named:
        return table, ()
    taken = ", ".join(f"{of!r} is taken as the {name}" for name, of in named.items())
    return _WithColumns(table, copies=named), (taken,)


def _by_symbol(names: Sequence[str], spellings: Spellings) -> dict[str, dict[str, str]]:
    """Column of each field by symbol, of names such as `('Close', 'AAPL')`, `AAPL.Close` and `Close_AAPL`.

    LOW and OPEN are symbols too: the part that is a field in more of the names is the field.
    """
    fields = {column_key(word): name for name in FIELDS for word in spellings[name] if len(word) > 1}
    if any(column_key(name) in fields for name in names) or spelled(names, spellings["symbol"]):
        return {}
    pairs = {name: pair for name in names if (pair := _pair(name)) is not None}
    first, second = (sum(column_key(pair[k]) in PRICE_FIELDS for pair in pairs.values()) for k in (0, 1))
    by_symbol: dict[str, dict[str, str]] = {}
    for name, pair in pairs.items():
        field_name, symbol = pair if first >= second else pair[::-1]
        if column_key(field_name) in fields:
            by_symbol.setdefault(symbol.strip(), {}).setdefault(fields[column_key(field_name)], name)
    return by_symbol


def _pair(name: str) -> tuple[str, str] | None:
    """The two parts of a name that has a field and a symbol in either order."""
    if name.startswith("("):
        try:
            value = ast.literal_eval(name)
        except (ValueError, SyntaxError):
            return None
        parts = [str(part) for part in value if str(part)] if isinstance(value, tuple) else []
        return (parts[0], parts[1]) if len(parts) == 2 else None
    match = _FIELD_BESIDE_SYMBOL.fullmatch(name)
    if match is None:
        return None
    pair = (match[1] or match[3], match[2] or match[4])
    has_other_word = any(_NO_SYMBOL_WORD.fullmatch(part.strip(" .")) and column_key(part) != "close" for part in pair)
    return None if has_other_word else pair


def _closes_by_symbol(table: FileTable, stamps: Sequence[str], spellings: Spellings) -> dict[str, dict[str, str]]:
    """Column of the closes by symbol, when every column but those of the time is named as a symbol and holds numbers.

    LOW, OPEN, C, O and V are symbols too: columns of prices are a close by its whole name, two such names, or all four
    letters with few other columns.
    """
    names = [name for name in table.names if name not in stamps and column_key(name) not in _UNNAMED_STAMPS]
    shouted = all(name == name.upper() for name in names)
    if not stamps or not names or not all(_SYMBOL.fullmatch(name.upper()) for name in names):
        return {}
    words = [name for name in FIELDS if spelled(names, tuple(word for word in spellings[name] if len(word) > 1))]
    letters = {"o", "h", "l", "c"} <= set(map(column_key, names)) and len(names) < _MANY
    alone = all(column_key(name) in {"o", "h", "l", "c", "v"} for name in names)
    if "close" in words or len(words) > 1 or letters or alone or not (shouted or len(names) > 2):
        return {}
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise DataError(f"{table.path}: {few(twice)} heads more than one column; keep one of them")
    cells = table.read(names)
    return {name: {"close": name} for name in names} if all(_holds_numbers(cells[name]) for name in names) else {}


def _holds_numbers(column: pa.ChunkedArray) -> bool:
    if pa.types.is_string(column.type):
        return bool(pc.any(pc.match_substring_regex(column, r"^\s*[$+-]?[\d.,]")).as_py())
    return bool(pa.types.is_integer(column.type) or pa.types.is_floating(column.type))


@dataclass(frozen=True)
class _Wrapped:
    table: FileTable

    @property
    def path(self) -> Path:
        return self.table.path

    @property
    def encoding(self) -> str:
        return self.table.encoding

    @property
    def notes(self) -> tuple[str, ...]:
        return self.table.notes

    @property
    def rows_left_out(self) -> tuple[RowsLeftOut, ...]:
        return self.table.rows_left_out

    def row(self, index: int) -> int:
        return self.table.row(index)


@dataclass(frozen=True)
class _WithColumns(_Wrapped):
    """A table with further columns: the same value in every row, or copies of another column."""

    constants: Mapping[str, str | int] = field(default_factory=dict)
    copies: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.table.names, *self.constants, *self.copies)

    def read(self, names: Sequence[str], only: Selection | None = None) -> pa.Table:
        inner = list(dict.fromkeys(self.copies.get(name, name) for name in names if name not in self.constants))
        read = self.table.read(inner or self.table.names[:1])
        columns = [
            pa.chunked_array([pa.repeat(self.constants[name], read.num_rows)])
            if name in self.constants
            else read[self.copies.get(name, name)]
            for name in names
        ]
        return pa.table(columns, names=list(names))


@dataclass(frozen=True)
class _InRows(_Wrapped):
    """A table of one column a symbol, read as a row a bar; a symbol has no bar where all its cells are empty."""

    stamps: tuple[str, ...]
    by_symbol: Mapping[str, Mapping[str, str]]

    @property
    def names(self) -> tuple[str, ...]:
        fields = [name for name in FIELDS if any(name in columns for columns in self.by_symbol.values())]
        return ("symbol", *self.stamps, *fields)

    @cached_property
    def _rows(self) -> tuple[pa.Table, np.ndarray]:
        needed = dict.fromkeys(name for columns in self.by_symbol.values() for name in columns.values())
        cells = self.table.read([*self.stamps, *needed])
        parts, rows = [], []
        for symbol, columns in self.by_symbol.items():
            fields = [
                cells[columns[name]] if name in columns else pa.chunked_array([pa.nulls(cells.num_rows)])
                for name in self.names[1 + len(self.stamps) :]
            ]
            present = np.zeros(cells.num_rows, bool)
            for column in fields:
                present |= _filled(column)
            one = pa.table(
                [
                    pa.chunked_array([pa.repeat(symbol, cells.num_rows)]),
                    *(cells[name] for name in self.stamps),
                    *fields,
                ],
                names=list(self.names),
            )
            parts.append(one.filter(pa.array(present)))
            rows.append(np.flatnonzero(present))
        return pa.concat_tables(parts, promote_options="permissive"), np.concatenate(rows)

    def read(self, names: Sequence[str], only: Selection | None = None) -> pa.Table:
        return self._rows[0].select(list(names))

    def row(self, index: int) -> int:
        return self.table.row(int(self._rows[1][index]))


def _filled(column: pa.ChunkedArray) -> np.ndarray:
    """Which cells hold anything."""
    if pa.types.is_string(column.type):
        column = pc.not_equal(pc.utf8_trim_whitespace(column), "")
        return np.asarray(column.fill_null(False).to_numpy(), bool)
    return ~np.asarray(pc.is_null(column, nan_is_null=True).to_numpy(), bool)
