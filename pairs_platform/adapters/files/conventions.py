"""What a file decides as a whole: where its time stamps are, how long its bars are, which end is stamped.

Every decision is made from all rows of the file, or from the settings, so that a row means the same whichever rows are
read with it. What does not belong here: reading a value (`stamps`), the session of a row (`sessions`).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pyarrow as pa

from pairs_platform.adapters.files.columns import column_key
from pairs_platform.adapters.files.sessions import edge_counts
from pairs_platform.adapters.files.settings import BarEnd, DateOrder
from pairs_platform.adapters.files.stamps import (
    Fault,
    StampForm,
    Stamps,
    fault_reason,
    has_times,
    joined_text,
    read_stamps,
    stamp_form,
    stamp_text,
)
from pairs_platform.core.errors import DataError
from pairs_platform.core.folding import listed
from pairs_platform.core.prices.bars import Frequency

_LABELS = {
    Frequency.ONE_MINUTE: ("1min", "1m", "1minute", "min", "minute", "m1", "t", "1t"),
    Frequency.FIVE_MINUTES: ("5min", "5m", "5minutes", "5minute", "m5", "5t"),
    Frequency.ONE_HOUR: ("1h", "1hour", "h", "60min", "60m", "hour", "hourly", "h1", "60t"),
    Frequency.ONE_DAY: ("1d", "1day", "d", "day", "daily", "d1"),
}
_BY_LABEL = {label: frequency for frequency, labels in _LABELS.items() for label in labels}
_LONGER = (
    ("monthly", re.compile(r"\d*\s*(?:M|(?i:mo|mon|mths?|months?|monthly|mn1?))")),
    ("weekly", re.compile(r"\d*\s*(?i:w|wk|wks|weeks?|weekly|w1)")),
    ("quarterly or yearly", re.compile(r"\d*\s*(?i:q|quarter|quarterly|y|yr|years?|yearly|annual)")),
)
_LONGER_STEPS = (
    (timedelta(days=6), timedelta(days=9), "weekly"),
    (timedelta(days=26), timedelta(days=35), "monthly"),
)
_SYMBOLS_FOR_STEPS = 16
_ENOUGH_SESSIONS, _ENOUGH_BARS = 2, 0.25


@dataclass(frozen=True)
class StampColumn:
    """The column that has a file's time stamps, or the two that have date and time of day, and how they are written.

    Attributes
    ----------
    names : tuple of str
        As in the file.
    form : StampForm
    note : str
        Why this column, and how its form was decided; empty where there was no choice.
    """

    names: tuple[str, ...]
    form: StampForm = field(default_factory=StampForm)
    note: str = ""

    @property
    def name(self) -> str:
        """For messages."""
        return " and ".join(self.names)

    def distinct(self, table: pa.Table) -> tuple[pa.Array, np.ndarray]:
        """The different values of a table's rows, and the position of each row's among them."""
        columns = [table[name] for name in self.names]
        text = stamp_text(columns[0]) if len(columns) == 1 else joined_text(*columns)
        encoded = text.combine_chunks().dictionary_encode(null_encoding="encode")
        return encoded.dictionary, encoded.indices.to_numpy(zero_copy_only=False)

    def read(self, table: pa.Table) -> tuple[Stamps, np.ndarray]:
        """The different values as time stamps, and the position of each row's among them."""
        values, code = self.distinct(table)
        return read_stamps(values, self.form), code


@dataclass(frozen=True, eq=False)
class ReadColumn:
    """The time stamps of n rows, k of them different.

    Attributes
    ----------
    column : StampColumn
    values : pyarrow.Array, shape (k,)
        The different values as written.
    stamps : Stamps
        Of `values`.
    code : ndarray of int, shape (n,)
        Position of each row's value among them.
    """

    column: StampColumn
    values: pa.Array
    stamps: Stamps
    code: np.ndarray

    def reason(self, fault: np.ndarray, row: int, zone: str | None) -> str:
        """Why a row has no session, in words: the fault, of shape (k,), at its value."""
        at = self.code[row]
        return fault_reason(Fault(int(fault[at])), name=self.column.name, value=_shown(self.values[at]), zone=zone)


def chosen_column(
    table: pa.Table,
    candidates: Sequence[tuple[str, ...]],
    *,
    date_order: DateOrder | None,
    row_of: Callable[[int], int],
    path: object,
) -> ReadColumn:
    """The best of the columns that may have the time stamps, the first of equally good ones, read.

    One whose values can be read is better than another; one with dates, or with times that have a zone, is better than
    one with times without, whatever zone the settings state; text or times are better than an epoch.

    Parameters
    ----------
    table : pyarrow.Table
        All rows of the file.
    candidates : sequence of tuple of str
        Names of one column, or of two that have date and time of day; the preferred ones first.
    date_order
        As the settings state it.
    row_of : callable
        From the position of a row in `table` to its number in the file.
    path
        Of the file, for messages.

    Raises
    ------
    DataError
        When dates of every candidate prove two orders, or another one than the setting states.
    """
    ranked = []
    refused: dict[str, DataError] = {}
    for names in candidates:
        column = StampColumn(names)
        if len(names) > 1 and has_times(StampColumn(names[:1]).read(table)[0]):
            column = StampColumn(names[:1])
        values, code = column.distinct(table)
        first = _first_rows(code)
        try:
            form = stamp_form(
                values,
                date_order,
                name=column.name,
                row_of=lambda i, first=first: row_of(int(first[i])),  # type: ignore[misc]
                path=path,
            )
        except DataError as error:
            refused[column.name] = error
            continue
        stamps = read_stamps(values, form)
        readable = np.isin(stamps.fault, (Fault.NONE, Fault.DATE_ORDER))
        naive = np.isnat(stamps.utc) & readable
        has_no_zone = has_times(stamps) and 2 * naive.sum() > len(naive)
        score = (int(2 * readable.sum() <= len(readable)), int(has_no_zone), int(form.epoch_ns is not None))
        ranked.append((score, ReadColumn(replace(column, form=form, note=form.note), values, stamps, code)))
    if not ranked:
        raise next(iter(refused.values()))
    best = min(score for score, _ in ranked)
    chosen = next(read for score, read in ranked if score == best)
    passed_over = [*(read.column.name for score, read in ranked if score > best), *refused]
    if not passed_over:
        return chosen
    said = f"chosen before {', '.join(passed_over)}"
    note = "; ".join(note for note in (said, chosen.column.note) if note)
    return replace(chosen, column=replace(chosen.column, note=note))


def stamp_candidates(by_key: Mapping[str, str], spellings: Sequence[str]) -> list[tuple[str, ...]]:
    """Columns that may have the time stamps, in the order of their spellings; a date has its time of day beside it.

    Parameters
    ----------
    by_key : mapping
        Names of the file's columns by name without case and punctuation.
    spellings : sequence of str
        Such names without case and punctuation, the preferred one first.
    """
    there = [by_key[key] for key in spellings if key in by_key]
    time, day = by_key.get("time"), by_key.get("date")
    joined: list[tuple[str, ...]] = [(name,) if name != day or time is None else (name, time) for name in there]
    if day is None or len(joined) == 1:
        return joined
    return [names for names in joined if names != (time,)]


def stated_frequency(labels: Sequence[object], *, name: str, path: object) -> Frequency | None:
    """Frequency that the labels of a column state; None where all are empty.

    Raises
    ------
    DataError
        When they state several, none that is known, or a longer one.
    """
    written = sorted({str(label).strip() for label in labels if label is not None and str(label).strip()})
    for label in written:
        longer = next((word for word, pattern in _LONGER if pattern.fullmatch(label)), None)
        if longer is not None:
            raise DataError(
                f"{path}: {name} says {label!r}, {longer} bars; only bars of {', '.join(Frequency)} can be read (a "
                "minute is 1min)"
            )
    frequencies = {_BY_LABEL.get(column_key(label)) for label in written}
    if not written:
        return None
    if len(frequencies) != 1 or None in frequencies:
        raise DataError(
            f"{path}: {name} holds {listed(map(repr, written), 10)}; a file needs one value of {', '.join(Frequency)}"
        )
    return frequencies.pop()


def commonest_step(symbol: np.ndarray, moment: np.ndarray) -> pd.Timedelta | None:
    """The commonest step between consecutive bars of a symbol, in the symbols with most rows.

    Of equally common ones the shortest that is a frequency's, else the shortest.

    Parameters
    ----------
    symbol : ndarray of int64, shape (n,)
        Code of each row's symbol, from 0.
    moment : ndarray of datetime64[ns], shape (n,)
        NaT where a row has no time stamp.

    Returns
    -------
    Timedelta or None
        None where no symbol has two different time stamps.
    """
    there = ~np.isnat(moment)
    symbol, moment = symbol[there], moment[there]
    if not len(symbol):
        return None
    counts = np.bincount(symbol)
    if len(counts) > _SYMBOLS_FOR_STEPS:
        chosen = np.zeros(len(counts), bool)
        chosen[np.argsort(-counts, kind="stable")[:_SYMBOLS_FOR_STEPS]] = True
        symbol, moment = symbol[chosen[symbol]], moment[chosen[symbol]]
    number = moment.astype(np.int64)
    order = np.lexsort((number, symbol))
    symbol, number = symbol[order], number[order]
    steps = np.diff(number)[(np.diff(symbol) == 0) & (np.diff(number) > 0)]
    if not len(steps):
        return None
    by_step = pd.Series(steps).value_counts()
    tied = [pd.Timedelta(int(step), "ns") for step in sorted(by_step.index[by_step.to_numpy() == by_step.iloc[0]])]
    return next((step for step in tied if _frequency_of(step)), tied[0])


def frequency_of_step(step: pd.Timedelta, *, path: object) -> Frequency:
    """Frequency of bars that are mostly `step` apart.

    Raises
    ------
    DataError
        When bars of that length cannot be read.
    """
    frequency = _frequency_of(step)
    if frequency is not None:
        return frequency
    named = next((f" ({word} bars)" for least, most, word in _LONGER_STEPS if least <= step <= most), "")
    raise DataError(f"{path}: bars are mostly {step} apart{named}; only bars of {', '.join(Frequency)} can be read")


def _frequency_of(step: pd.Timedelta) -> Frequency | None:
    if pd.Timedelta(hours=22) <= step <= pd.Timedelta(days=5):
        return Frequency.ONE_DAY
    intraday = (Frequency.ONE_MINUTE, Frequency.FIVE_MINUTES, Frequency.ONE_HOUR)
    return next((frequency for frequency in intraday if step == pd.Timedelta(minutes=frequency.minutes)), None)


def check_label(label: BarEnd, utc: np.ndarray, code: np.ndarray, symbol: np.ndarray, *, path: object) -> None:
    """Refuse intraday bars whose time stamps prove the other end of the bar than the one that is set.

    A session's first bar starts at the open and its last one ends at the close: stamps of starts are at the open and
    not at the close, stamps of ends the other way round, in many sessions of many symbols.

    Parameters
    ----------
    label
        The setting.
    utc : ndarray of datetime64[ns], shape (k,)
        The different time stamps of the file.
    code, symbol : ndarray of int64, shape (n,)
        Position of each row's time stamp in `utc`, and the code of its symbol.
    path
        Of the file, for messages.

    Raises
    ------
    DataError
        Every bar would be placed one bar early or late.
    """
    rows = np.bincount(code, minlength=len(utc))
    at_open, at_close, sessions = edge_counts(utc, rows)
    here, there = (at_open, at_close) if label == "start" else (at_close, at_open)
    if here or sessions < _ENOUGH_SESSIONS:
        return
    days = utc.astype("datetime64[D]").astype(np.int64)[code]
    n_symbol_sessions = len(pd.unique(days * (symbol.max() + 1) + symbol))
    if there < _ENOUGH_BARS * n_symbol_sessions:
        return
    other, at, nowhere = ("end", "close", "open") if label == "start" else ("start", "open", "close")
    raise DataError(
        f"{path}: {there} bars are stamped at the {at} of a session and none at its {nowhere}, so that a time stamp "
        f"names the {other} of its bar; set source.files.label to {other}"
    )


def _shown(value: pa.Scalar) -> object:
    """A value for a message; a time that Python has none for as Arrow writes it."""
    try:
        return value.as_py()
    except (OverflowError, ValueError):
        return value.cast(pa.string()).as_py()


def _first_rows(code: np.ndarray) -> np.ndarray:
    """Position of the first row of each code."""
    first = np.zeros(int(code.max(initial=-1)) + 1, np.int64)
    first[code[::-1]] = np.arange(len(code))[::-1]
    return first
