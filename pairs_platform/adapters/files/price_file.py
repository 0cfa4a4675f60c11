"""One price file: which of its columns is which, what its time stamps mean, how long its bars are.

Wrong prices are none of its business: what is no number becomes NaN, for validation to quarantine. What does not belong
here: choosing files, the sector of a symbol, aggregation (`history`).
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pairs_platform.adapters.files.columns import column_key, few, match_columns
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
from pairs_platform.adapters.files.numbers import read_numbers
from pairs_platform.adapters.files.overview import (
    DATES_WITHOUT_TIME,
    OFFSETS_IN_THE_FILE,
    ONE_SYMBOL,
    ColumnUse,
    FileOverview,
    RowsLeftOut,
)
from pairs_platform.adapters.files.sessions import SessionRule, are_midnights, instants, placed
from pairs_platform.adapters.files.settings import FileSourceSettings, is_fixed_offset
from pairs_platform.adapters.files.shapes import FIELDS, in_rows
from pairs_platform.adapters.files.stamps import Stamps
from pairs_platform.adapters.files.tables import Selection, open_table
from pairs_platform.core.errors import DataError
from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.prices.calendar import session_table
from pairs_platform.core.prices.sectors import UNCLASSIFIED, sector_of_labels
from pairs_platform.core.prices.symbols import Spellings, read_spellings

PRICE_SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "symbol": ("symbol", "ticker", "sym"),
    "timestamp": ("ts_utc", "timestamp", "datetime", "ts", "bar_start", "date", "time"),
    "open": ("open", "o"),
    "high": ("high", "h"),
    "low": ("low", "l"),
    "close": ("close", "c", "closelast", "price"),
    "volume": ("volume", "vol", "v"),
}
"""Spellings of each column, the preferred one first; case, spaces and punctuation do not matter."""

OPTIONAL_SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "sector": ("sector", "gics_sector"),
    "freq": ("freq", "frequency", "interval", "timeframe"),
}

_MOST_REPEATED = 1.5
"""Rows a time stamp, above which a file without a symbol column has several symbols."""


@dataclass(frozen=True, eq=False)
class _Rules:
    """How the rows of a file are read, decided once from all of them."""

    stamps: StampColumn
    sessions: SessionRule
    spellings: Spellings


@dataclass(frozen=True, eq=False)
class _Understood:
    overview: FileOverview
    rules: _Rules
    presence: pd.DataFrame


class PriceFile:
    """A Parquet or CSV file of bars; its overview and the parsed text of a CSV file are kept.

    Parameters
    ----------
    path : Path
    settings : FileSourceSettings
        What the file does not say itself: time zone, label of the bars, order of dates.

    Raises
    ------
    DataError
        When the file cannot be read or lacks a column.
    """

    def __init__(self, path: Path, settings: FileSourceSettings) -> None:
        self.path = path
        self._settings = settings
        opened = open_table(path)
        self._names = opened.names
        keys = set(map(column_key, opened.names))
        if "exdate" in keys and keys.isdisjoint({"open", "close", "price"}):
            raise DataError(
                f"{path} looks like a file of corporate actions, not of prices (it has {few(opened.names)}); name "
                "it in source.files.actions_path, or with --actions"
            )
        self._shape = in_rows(opened, {**PRICE_SPELLINGS, **OPTIONAL_SPELLINGS})
        names = self._shape.table.names
        self._columns = match_columns(names, path, PRICE_SPELLINGS, OPTIONAL_SPELLINGS)
        by_key = {column_key(name): name for name in names[::-1]}
        self._candidates = stamp_candidates(by_key, [column_key(name) for name in PRICE_SPELLINGS["timestamp"]])
        self._stamp_names = list(dict.fromkeys(name for names in self._candidates for name in names))

    @property
    def overview(self) -> FileOverview:
        """Symbols, sessions, sectors, frequency and how the file was understood, from one pass over it."""
        return self._understood.overview

    @property
    def presence(self) -> pd.DataFrame:
        """Which symbol has a row in which session: bool, index symbol, columns session as datetime64."""
        return self._understood.presence

    @cached_property
    def _understood(self) -> _Understood:
        meanings: list[str] = [name for name in ("symbol", "sector", "freq") if name in self._columns]
        table = self._table(meanings, self._stamp_names)
        if table.num_rows == 0:
            raise DataError(f"{self.path} has no rows; it holds no bar at all")
        spellings = read_spellings(pc.unique(_texts(table)).to_pylist())
        table, row_of, nameless = self._with_symbols(table, spellings)
        date_order = self._settings.date_order
        read = chosen_column(table, self._candidates, date_order=date_order, row_of=row_of, path=self.path)
        unread = self._left_out(read, read.stamps.fault, row_of)
        self._require_one_symbol(read)
        symbol = _symbols(table, spellings)
        frequency, frequency_notes = self._frequency(table, read, symbol, unread)
        rule, rule_notes = self._rule(frequency, read, symbol)
        rows = placed(read.stamps, rule)
        left_out = self._left_out(read, rows.fault, row_of)
        notes = (*frequency_notes, *rule_notes, *_strays(rows.session, read.code, symbol, row_of))
        overview = FileOverview(
            path=self.path,
            layout=self._shape.layout,
            encoding=self._shape.table.encoding,
            names=self._names,
            columns=self._column_uses(read.column),
            frequency=frequency,
            timezone=_zone(read.stamps, rule),
            label=rule.label,
            symbols=_symbol_table(symbol, rows.session, read.code, self._sectors(table, symbol)),
            respelled=spellings.respelled,
            rows_left_out=(*self._shape.table.rows_left_out, *nameless, *left_out),
            notes=(*self._shape.table.notes, *self._shape.notes, *notes),
        )
        return _Understood(overview, _Rules(read.column, rule, spellings), _presence(symbol, rows.session, read.code))

    def read(self, symbols: Collection[str], first: date, last: date) -> pd.DataFrame:
        """Bars of `symbols` in the sessions from `first` to `last` as the file has them.

        Returns
        -------
        DataFrame with the columns of `BAR_COLUMNS`, in the file's order
            `ts_utc` is the bar's start as in `core.prices.bars`; prices and volume are float64, NaN where the file has
            no number. A row is read as it is in `overview`, whichever rows are read with it.
        """
        rules = self._understood.rules
        written = [text for text, symbol in rules.spellings.symbols.items() if symbol in symbols]
        only = Selection(self._columns["symbol"], written, rules.stamps.names[0], first, last)
        table = self._table(["symbol", *FIELDS], rules.stamps.names, only)
        if any(pa.types.is_string(table[name].type) for name in FIELDS):
            table = self._text_numbers[0]
        else:
            table = _with_numbers(table)[0]
        table = table.filter(pc.is_in(_texts(table), pa.array(written, pa.string())))
        stamps, code = rules.stamps.read(table)
        rows = placed(stamps, rules.sessions)
        start = pd.DatetimeIndex(rows.start).tz_localize("UTC")
        frame = pd.DataFrame({"symbol": _symbols(table, rules.spellings).astype("object"), "ts_utc": start[code]})
        for name in FIELDS:
            frame[name] = table[name].to_numpy()
        in_range = (rows.session >= np.datetime64(first)) & (rows.session <= np.datetime64(last))
        return frame[in_range[code]].reset_index(drop=True)

    @cached_property
    def _text_numbers(self) -> tuple[pa.Table, dict[str, str]]:
        """Every row, prices and volume as numbers, and how those were understood: one file has one notation."""
        return _with_numbers(self._table(["symbol", *FIELDS], self._stamp_names))

    def _require_one_symbol(self, read: ReadColumn) -> None:
        """Refuse a file without a symbol column whose time stamps come again and again: it has several symbols."""
        rows, distinct = len(read.code), len(read.values)
        if self._shape.layout == ONE_SYMBOL and rows > _MOST_REPEATED * distinct:
            raise DataError(
                f"{self.path}: {rows} rows have {distinct} different time stamps, so that they are of several "
                "symbols, and no column is named as the symbol's; name it symbol or ticker (the file has "
                f"{few(self._shape.table.names)})"
            )

    def _row(self, position: int) -> int:
        """Number in the file of a row that was read with all others."""
        return self._shape.table.row(position)

    def _table(self, meanings: Sequence[str], stamps: Sequence[str], only: Selection | None = None) -> pa.Table:
        """Columns under their meaning, and those of the time stamps under their own names."""
        names = [*(self._columns[name] for name in meanings), *stamps]
        return self._shape.table.read(names, only).rename_columns([*meanings, *stamps])

    def _with_symbols(
        self, table: pa.Table, spellings: Spellings
    ) -> tuple[pa.Table, Callable[[int], int], list[RowsLeftOut]]:
        """The rows that have a symbol, the number in the file of each, and the rows without one by reason."""
        texts = _texts(table)
        has_symbol = np.asarray(pc.is_in(texts, pa.array(list(spellings.symbols), pa.string())).to_numpy())
        kept = np.flatnonzero(has_symbol)
        firsts: dict[str, list[tuple[int, str]]] = {}
        for position in np.flatnonzero(~has_symbol).tolist():
            refusal = spellings.refused[texts[position].as_py()]
            firsts.setdefault(refusal.reason, []).append((position, str(refusal)))
        left_out = [
            RowsLeftOut(f"{self._columns['symbol']} {rows[0][1]}", len(rows), self._row(rows[0][0]))
            for rows in firsts.values()
        ]
        if not len(kept):
            raise DataError(f"{self.path}: no row can be used; {left_out[0]}")
        return table.filter(pa.array(has_symbol)), lambda position: self._row(int(kept[position])), left_out

    def _sectors(self, table: pa.Table, symbols: pd.Series) -> pd.Series | None:
        if "sector" not in table.column_names:
            return None
        sector = table["sector"].cast(pa.string()).combine_chunks().dictionary_encode()
        labels = sector.dictionary.to_pandas().astype("object")
        there = ~sector.is_null().to_numpy(zero_copy_only=False)
        code = sector.indices.fill_null(0).to_numpy().astype(np.int64)
        of_row = symbols.cat.codes.to_numpy(np.int64)
        distinct = pd.unique((of_row * len(labels) + code)[there])
        of_symbol, of_label = np.divmod(distinct, max(len(labels), 1))
        names = symbols.cat.categories.to_numpy()[of_symbol]
        pairs = pd.DataFrame({"symbol": names, "sector": labels.to_numpy()[of_label]})
        return pairs.groupby("symbol")["sector"].agg(_label)

    def _frequency(
        self, table: pa.Table, read: ReadColumn, symbol: pd.Series, unread: Sequence[RowsLeftOut]
    ) -> tuple[Frequency, list[str]]:
        """Frequency that a column states, else that of the steps; a note where both are there and disagree."""
        moment = np.where(np.isnat(read.stamps.utc), read.stamps.wall, read.stamps.utc)
        step = commonest_step(symbol.cat.codes.to_numpy(np.int64), moment[read.code])
        stated = None
        if "freq" in table.column_names:
            name = self._columns["freq"]
            stated = stated_frequency(pc.unique(table["freq"]).to_pylist(), name=name, path=self.path)
        if stated is None:
            if step is None:
                also = "".join(f"; {rows}" for rows in unread)
                raise DataError(
                    f"{self.path}: one bar a symbol does not tell how long a bar is; add a column freq with one of "
                    f"{', '.join(Frequency)}{also}"
                )
            return frequency_of_step(step, path=self.path), []
        length = pd.Timedelta(days=1) if stated is Frequency.ONE_DAY else pd.Timedelta(minutes=stated.minutes)
        agrees = step is None or step == length or (stated is Frequency.ONE_DAY and step >= pd.Timedelta(hours=22))
        return stated, [] if agrees else [f"{name} says {stated}, but the bars are mostly {step} apart"]

    def _rule(self, frequency: Frequency, read: ReadColumn, symbol: pd.Series) -> tuple[SessionRule, list[str]]:
        """How the rows become bars, and what of it a person should know."""
        settings, stamps = self._settings, read.stamps
        notes: list[str] = []
        rule = SessionRule(frequency, settings.timezone, settings.label)
        if frequency is Frequency.ONE_DAY:
            rule = replace(rule, no_closes=are_midnights(stamps, rule))
        else:
            utc, _ = instants(stamps, settings.timezone)
            check_label(settings.label, utc, read.code, symbol.cat.codes.to_numpy(np.int64), path=self.path)
            if settings.label == "end":
                notes.append(
                    "time stamps name the end of a bar, as source.files.label states; they are shifted to its start"
                )
        if stamps.zone is not None and is_fixed_offset(stamps.zone):
            notes.append(
                f"the zone of {read.column.name} is {stamps.zone}, a fixed offset that does not follow New York's "
                "clock; its times are read as the instants that they are"
            )
        return rule, notes

    def _left_out(self, read: ReadColumn, fault: np.ndarray, row_of: Callable[[int], int]) -> tuple[RowsLeftOut, ...]:
        """Rows without session, by reason, in the order of the file; refuses a file that has no other rows."""
        found = []
        for kind in np.unique(fault[fault > 0]):
            where = np.flatnonzero(fault[read.code] == kind)
            first = int(where[0])
            found.append(RowsLeftOut(read.reason(fault, first, self._settings.timezone), len(where), row_of(first)))
        found.sort(key=lambda rows: rows.first_row)
        if fault.all():
            raise DataError(f"{self.path}: no row can be used; {found[0]}")
        return tuple(found)

    def _column_uses(self, column: StampColumn) -> tuple[ColumnUse, ...]:
        notes = self._text_numbers[1] if self._shape.table.encoding != "Parquet" else {}
        meanings = ("date", "time") if len(column.names) > 1 else ("timestamp",)
        stamps = [ColumnUse(meaning, name) for meaning, name in zip(meanings, column.names, strict=True)]
        stamps[0] = replace(stamps[0], note=column.note)
        others = [
            ColumnUse(meaning, name, notes.get(meaning, ""))
            for meaning, name in self._columns.items()
            if meaning != "timestamp"
        ]
        return (*stamps, *others)


def _texts(table: pa.Table) -> pa.ChunkedArray:
    """Symbols as the file writes them; one that is not there is blank."""
    return table["symbol"].cast(pa.string()).fill_null("")


def _symbols(table: pa.Table, spellings: Spellings) -> pd.Series:
    """The symbol of each row, categorical."""
    written = _texts(table).combine_chunks().dictionary_encode()
    symbols = np.array([spellings.symbols[text] for text in written.dictionary.to_pylist()], dtype=object)
    names, position = np.unique(symbols, return_inverse=True)
    codes = position[written.indices.to_numpy()] if len(names) else np.array([], np.int64)
    return pd.Series(pd.Categorical.from_codes(codes, categories=pd.Index(names, dtype="object")))


def _label(labels: "pd.Series[str]") -> str:
    """The label of a symbol's sector; labels of several sectors stay together, so that none of them is taken."""
    slug, _ = sector_of_labels(labels)
    if slug == UNCLASSIFIED:
        return " / ".join(labels)
    return next(label for label in labels if sector_of_labels([label])[0] == slug)


def _strays(session: np.ndarray, code: np.ndarray, symbol: pd.Series, row_of: Callable[[int], int]) -> list[str]:
    """Rows on days without a session, which are no bars."""
    days = session_table().day
    before = session < days[0]
    closed = ~np.isnat(session) & ~before & ~np.isin(session, days)
    said = []
    for stray, what in (
        (before, f"before {days[0]}, where the calendar begins"),
        (closed, "on days without a session"),
    ):
        where = np.flatnonzero(stray[code])
        if len(where):
            first = int(where[0])
            row = f"row {row_of(first)}: {symbol.iloc[first]} {session[code[first]]}"
            rows = f"{len(where)} rows are" if len(where) > 1 else "1 row is"
            said.append(f"{rows} {what}, the first is {row}")
    return said


def _with_numbers(table: pa.Table) -> tuple[pa.Table, dict[str, str]]:
    numbers, notes = read_numbers({name: table[name] for name in FIELDS})
    for name in FIELDS:
        column = pa.chunked_array([pa.array(numbers[name], from_pandas=False)])
        table = table.set_column(table.schema.get_field_index(name), name, column)
    return table, notes


def _zone(stamps: Stamps, rule: SessionRule) -> str:
    """What decides which moments the time stamps are."""
    readable = stamps.fault == 0
    if stamps.zone is not None:
        return stamps.zone
    if (readable & ~np.isnat(stamps.utc)).any():
        return OFFSETS_IN_THE_FILE
    written_as_dates = bool((stamps.wall == stamps.wall.astype("datetime64[D]"))[readable].all())
    return DATES_WITHOUT_TIME if written_as_dates or rule.timezone is None else rule.timezone


def _presence(symbol: pd.Series, session: np.ndarray, code: np.ndarray) -> pd.DataFrame:
    """Which symbol has a row in which session; days without a session are none."""
    days, position = np.unique(session, return_inverse=True)
    present = np.zeros((len(symbol.cat.categories), len(days)), bool)
    present[symbol.cat.codes.to_numpy(), position[code]] = True
    trades = np.isin(days, session_table().day)
    return pd.DataFrame(present[:, trades], index=symbol.cat.categories.astype("object"), columns=days[trades])


def _symbol_table(symbol: pd.Series, session: np.ndarray, code: np.ndarray, sectors: pd.Series | None) -> pd.DataFrame:
    """First and last session, number of rows and sector of each symbol.

    Days without a session count for a symbol that has no others, so that a stray row does not stretch the range.
    """
    n, of_row = len(symbol.cat.categories), symbol.cat.codes.to_numpy(np.int64)
    there = ~np.isnat(session)
    first, last = _bounds(session, there, code, of_row, n)
    first_inside, last_inside = _bounds(session, there & np.isin(session, session_table().day), code, of_row, n)
    index = pd.Index(symbol.cat.categories, name="symbol")
    table = pd.DataFrame(
        {
            "first_session": np.where(np.isnat(first_inside), first, first_inside).astype("datetime64[ns]"),
            "last_session": np.where(np.isnat(last_inside), last, last_inside).astype("datetime64[ns]"),
            "bars": np.bincount(of_row[there[code]], minlength=n),
            "sector": None if sectors is None else sectors.reindex(index),
        },
        index=index,
    )
    table = table[table["bars"] > 0]
    table.index = table.index.astype("object")
    return table


def _bounds(
    session: np.ndarray, counts: np.ndarray, code: np.ndarray, symbol: np.ndarray, n: int
) -> tuple[np.ndarray, np.ndarray]:
    """First and last session of each of `n` symbols, of the sessions that count; NaT where there is none."""
    row = counts[code]
    day, of_row = session.astype(np.int64)[code[row]], symbol[row]
    low, high = np.full(n, np.iinfo(np.int64).max), np.full(n, np.iinfo(np.int64).min)
    np.minimum.at(low, of_row, day)
    np.maximum.at(high, of_row, day)
    low[low > high] = np.iinfo(np.int64).min
    return low.astype("datetime64[D]"), high.astype("datetime64[D]")
