"""Time stamps as files write them: each value by itself is a date or time as written and, where it says so, an instant.

How a file writes (the order of its dates, the unit of its epochs) is decided once, from all its values; after that a
value is read without regard to the others. What does not belong here: which column holds them (`conventions`), which
session a row belongs to (`sessions`).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pairs_platform.adapters.files.settings import DateOrder
from pairs_platform.core.errors import DataError
from pairs_platform.core.time import DAY_NS, HOUR_NS, MARKET_TIMEZONE, MINUTE_NS, SECOND_NS


class Fault(IntEnum):
    """Why a row has no session."""

    NONE = 0
    EMPTY = 1
    UNREADABLE = 2
    NUMBER = 3
    YEAR = 4
    DATE_ORDER = 5
    NO_ZONE = 6
    CLOCK_CHANGE = 7
    UNCLEAR_DATE = 8


_REASONS = {
    Fault.EMPTY: "{name} is empty; fill it in, or delete the row",
    Fault.UNREADABLE: (
        "{name} {value!r} is no date or time; write ISO 8601, such as 2025-05-12 or 2025-05-12T13:30:00Z"
    ),
    Fault.NUMBER: (
        "{name} {value!r} is a number, and neither a date such as 20250512 nor an epoch whose unit the file proves "
        "(10, 13, 16 or 19 digits); a spreadsheet counts days so: write ISO 8601, such as 2025-05-12"
    ),
    Fault.YEAR: "{name} {value!r} is not in the years 1678 to 2261",
    Fault.DATE_ORDER: (
        "{name} {value!r}: the file does not prove whether day or month comes first; set source.files.date_order to "
        "day_first or month_first, or write 2025-05-12"
    ),
    Fault.NO_ZONE: (
        "{name} {value!r} has no time zone; store it in UTC with its zone, or set source.files.timezone to that of the "
        f"file, such as {MARKET_TIMEZONE} or UTC"
    ),
    Fault.CLOCK_CHANGE: (
        "{name} {value!r} is no single moment in {zone}, where clocks change; store the time stamps in UTC with "
        "their zone"
    ),
    Fault.UNCLEAR_DATE: (
        "{name} {value!r} may be midnight of another time zone and then the next date; write the date alone, or, "
        "with an offset such as Z in the file, set source.files.timezone to the zone whose midnight it is"
    ),
}


def fault_reason(fault: Fault, *, name: str, value: object, zone: str | None) -> str:
    """A fault in words, with the column, the value and the remedy."""
    return _REASONS[fault].format(name=name, value=str(value)[:60], zone=zone)


@dataclass(frozen=True)
class StampForm:
    """How a file writes its time stamps where a value alone does not tell.

    Attributes
    ----------
    date_order : DateOrder or None
        Order of dates such as 03/04/2025; None where nothing decides.
    epoch_ns : int or None
        Length of an epoch's unit in nanoseconds; None where the size of the numbers does not prove it.
    note : str
        How that was decided; empty where nothing had to be.
    """

    date_order: DateOrder | None = None
    epoch_ns: int | None = None
    note: str = ""


@dataclass(frozen=True, eq=False)
class Stamps:
    """Values read as times; n values.

    Attributes
    ----------
    wall : ndarray of datetime64[ns], shape (n,)
        Date and time of day as written; midnight of a date without time. NaT where there is a fault.
    utc : ndarray of datetime64[ns], shape (n,)
        The instant, NaT where the value has neither an offset nor a zone.
    fault : ndarray of int8, shape (n,)
        `Fault`.
    zone : str or None
        Zone of the column, in which `wall` is.
    """

    wall: np.ndarray
    utc: np.ndarray
    fault: np.ndarray
    zone: str | None = None


_CLOCK = (
    r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9})\d*)?)?"
    r"\s*(?P<half>[AaPp]\.?[Mm]\.?)?"
)
_COMPACT_CLOCK = r"(?P<hour>\d{2})(?P<minute>\d{2})(?:(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9})\d*)?)?(?P<half>)"
_OFFSET = r"\s*(?P<offset>Z|z|UTC|GMT|[+-]\d{2}(?::?\d{2})?(?::\d{2})?)?(?:\[[\w/+:-]+\])?"


def _pattern(day: str, between: str, clock: str) -> str:
    return rf"^{day}(?:{between}{clock})?{_OFFSET}$"


_ISO_DAY = r"(?P<year>\d{4})[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})"
_YEAR_FIRST = (
    _pattern(_ISO_DAY, r"(?:[Tt]|\s+)", _CLOCK),
    _pattern(_ISO_DAY, r"(?:[Tt]|\s+)", _COMPACT_CLOCK),
    _pattern(r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})", r"[Tt]?\s*", _COMPACT_CLOCK),
    _pattern(r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})", r"(?:[Tt]|\s+)", _CLOCK),
)
_IN_WORDS = tuple(
    _pattern(day, r",?(?:[Tt]|\s+)", _CLOCK)
    for day in (
        r"(?P<day>\d{1,2})[-\s](?P<word>[A-Za-z]{3,9})[-\s,]+(?P<year>\d{4})",
        r"(?P<word>[A-Za-z]{3,9})\.?\s(?P<day>\d{1,2}),?\s(?P<year>\d{4})",
    )
)
_YEAR_LAST = tuple(
    _pattern(r"(?P<one>\d{1,2})[-/.](?P<two>\d{1,2})[-/.](?P<year>\d{4})", r",?(?:[Tt]|\s+)", clock)
    for clock in (_CLOCK, _COMPACT_CLOCK)
)
_EPOCH = r"^(?P<digits>\d{9,11}|\d{13}|\d{15,19})(?:\.0*)?$"
_ANY_NUMBER = r"^[+-]?\d+(?:\.\d*)?$"
_EMPTY = ("", "nat", "nan", "null", "none", "-", "--", "n/a", "na", "#n/a", "<na>")
_MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november")
_MONTH_WORDS = {word[:n]: i + 1 for i, word in enumerate((*_MONTHS, "december")) for n in (3, 4, len(word))}
_EPOCH_UNITS = {10: ("seconds", SECOND_NS), 13: ("milliseconds", 10**6), 16: ("microseconds", 1000), 19: ("ns", 1)}
_FIRST_YEAR, _LAST_YEAR = 1678, 2261
_LAST_EPOCH_DAY = 130 * 366
_NAT = np.datetime64("NaT", "ns")


def stamp_form(
    values: pa.Array, stated: DateOrder | None, *, name: str, row_of: Callable[[int], int], path: object
) -> StampForm:
    """How a file writes, from all its distinct values.

    Parameters
    ----------
    values : pyarrow.Array, shape (n,)
    stated : DateOrder or None
        The setting.
    name : str
        Of the column, for messages.
    row_of : callable
        From the position of a value to the row of the file in which it stands first.
    path
        Of the file, for messages.

    Raises
    ------
    DataError
        When dates prove two orders, or another one than the setting states.
    """
    if not pa.types.is_string(values.type):
        return StampForm()
    text = pc.utf8_trim_whitespace(values)
    order, order_note = _date_order(text, stated, name=name, row_of=row_of, path=path)
    where, parts = _matches(text, _EPOCH)
    if not len(where):
        return StampForm(order, None, order_note)
    lengths = np.bincount(pc.utf8_length(parts["digits"]).to_numpy(zero_copy_only=False))
    unit, epoch_ns = _EPOCH_UNITS.get(int(lengths.argmax()), ("", None))
    epoch_note = f"epoch in {unit}, by the size of its numbers" if unit else ""
    return StampForm(order, epoch_ns, "; ".join(note for note in (order_note, epoch_note) if note))


def _date_order(
    text: pa.Array, stated: DateOrder | None, *, name: str, row_of: Callable[[int], int], path: object
) -> tuple[DateOrder | None, str]:
    day_first: list[int] = []
    month_first: list[int] = []
    unread = np.ones(len(text), bool)
    for pattern in _YEAR_LAST:
        where, parts = _matches(text, pattern, unread)
        unread[where] = False
        if len(where):
            one, two = _integers(parts["one"]), _integers(parts["two"])
            day_first += where[(one > 12) & (two <= 12)].tolist()
            month_first += where[(two > 12) & (one <= 12)].tolist()
    if unread.all():
        return stated, ""
    shown = [f"{text[places[0]].as_py()!r} (row {row_of(places[0])})" for places in (day_first, month_first) if places]
    if day_first and month_first:
        raise DataError(f"{path}: {name} {shown[0]} has the day first and {shown[1]} the month; write 2025-05-12")
    proven: DateOrder | None = "day_first" if day_first else "month_first" if month_first else None
    if stated is not None and proven is not None and proven != stated:
        raise DataError(
            f"{path}: {name} {shown[0]} is no date with source.files.date_order {stated}; set it to {proven}, or leave "
            "it out"
        )
    if proven is not None:
        count = len(day_first) + len(month_first)
        return proven, f"{proven.replace('_', ' ')}: {count} {'values prove' if count > 1 else 'value proves'} it"
    return stated, f"{stated.replace('_', ' ')}, as source.files.date_order states" if stated else ""


def read_stamps(values: pa.Array, form: StampForm) -> Stamps:
    """Read each value by itself.

    Parameters
    ----------
    values : pyarrow.Array, shape (n,)
        Time stamps, dates, or text; text with dates as ISO 8601, compact (20250512), with English months, in the form's
        order, or epochs; with times of day to the nanosecond and offsets such as Z, -04, -0400, -04:00.
    form : StampForm
    """
    if pa.types.is_timestamp(values.type):
        return _of_timestamps(values)
    if pa.types.is_date(values.type):
        return _of_timestamps(values.cast(pa.date32()).cast(pa.timestamp("s")))
    if pa.types.is_string(values.type):
        return _of_text(values, form)
    fault = np.where(_is_null(values), Fault.EMPTY, Fault.UNREADABLE).astype(np.int8)
    return Stamps(np.full(len(values), _NAT), np.full(len(values), _NAT), fault)


def stamp_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column of anything but times as text; whole numbers without a fraction."""
    kind = column.type
    if pa.types.is_floating(kind):
        numbers = column.to_pandas()
        whole = numbers.where(np.isfinite(numbers) & (numbers.abs() < 2**63) & (numbers % 1 == 0))
        as_text = whole.astype("Int64").astype("string").fillna(numbers.astype("string"))
        return pa.chunked_array([pa.array(as_text, pa.string(), from_pandas=True)])
    if pa.types.is_temporal(kind) or pa.types.is_string(kind):
        return column
    return column.cast(pa.string())


def joined_text(days: pa.ChunkedArray, clocks: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column of dates and one of times of day as one column of text.

    Times of digits alone are HHMM or HHMMSS, whichever the longest is; zeros at the front may be missing.
    """
    day = pc.utf8_trim_whitespace(stamp_text(days) if not pa.types.is_temporal(days.type) else days.cast(pa.string()))
    day = pc.replace_substring_regex(day, r"[T ]00:00:00(?:\.0*)?$", "")
    clock = stamp_text(clocks)
    clock = pc.utf8_trim_whitespace(clock.cast(pa.string())).fill_null("")
    digits = pc.match_substring_regex(clock, r"^\d+$")
    width = 6 if pc.max(pc.if_else(digits, pc.utf8_length(clock), 0)).as_py() not in (3, 4) else 4
    clock = pc.if_else(digits, pc.utf8_lpad(clock, width, "0"), clock)
    return pc.if_else(pc.equal(clock, ""), day, pc.binary_join_element_wise(day, clock, " "))


def has_times(stamps: Stamps) -> bool:
    """Whether most of the values have a time of day other than midnight."""
    read = stamps.wall[~np.isnat(stamps.wall)]
    return bool(2 * np.count_nonzero(read != read.astype("datetime64[D]")) > len(read))


def _of_timestamps(values: pa.Array) -> Stamps:
    kind = values.type
    per_unit = {"s": SECOND_NS, "ms": 10**6, "us": 1000, "ns": 1}[kind.unit]
    empty = _is_null(values)
    number = values.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    bound = (2**63 - 2 * DAY_NS) // per_unit
    outside = ~empty & ((number < -bound) | (number > bound))
    ns = np.where(empty | outside, 0, number) * per_unit
    fault = np.select([empty, outside], [Fault.EMPTY, Fault.YEAR], Fault.NONE).astype(np.int8)
    moment = np.where(fault > 0, _NAT, ns.astype("datetime64[ns]"))
    if kind.tz is None:
        return Stamps(moment, np.full(len(moment), _NAT), fault)
    return Stamps(wall_clock(moment, kind.tz), moment, fault, kind.tz)


def wall_clock(utc: np.ndarray, zone: str) -> np.ndarray:
    """Date and time of day of instants in a zone, datetime64[ns]; in UTC where the zone's name is unknown."""
    try:
        known = pa.lib.string_to_tzinfo(zone)
    except (pa.ArrowException, ValueError, KeyError):
        known = pa.lib.string_to_tzinfo("UTC")
    stamps = pd.DatetimeIndex(utc).tz_localize("UTC").tz_convert(known).tz_localize(None)
    return np.asarray(stamps.as_unit("ns"), dtype="datetime64[ns]")


def utc_of_wall(wall: np.ndarray, zone: str) -> np.ndarray:
    """Instants of dates and times of day in a zone, datetime64[ns]; NaT where clocks change and leave no single one."""
    local = pd.DatetimeIndex(wall).tz_localize(zone, ambiguous="NaT", nonexistent="NaT")
    return np.asarray(local.tz_convert("UTC").tz_localize(None), dtype="datetime64[ns]")


def _of_text(values: pa.Array, form: StampForm) -> Stamps:
    n = len(values)
    text = pc.utf8_trim_whitespace(values).fill_null("")
    wall, utc = np.full(n, _NAT), np.full(n, _NAT)
    fault = np.full(n, Fault.UNREADABLE, np.int8)
    open_ = np.ones(n, bool)
    orders = {"day_first": ("day", "month"), "month_first": ("month", "day")}
    for pattern in (*_YEAR_FIRST, *_IN_WORDS, *_YEAR_LAST):
        if not open_.any():
            break
        where, parts = _matches(text, pattern, open_)
        open_[where] = False
        if pattern in _YEAR_LAST:
            if form.date_order not in orders:
                fault[where] = Fault.DATE_ORDER if form.date_order is None else Fault.UNREADABLE
                continue
            parts |= dict(zip(orders[form.date_order], (parts["one"], parts["two"]), strict=True))
        if len(where):
            wall[where], utc[where], fault[where] = _moments(parts)
    if open_.any():
        where, parts = _matches(text, _EPOCH, open_)
        open_[where] = False
        if len(where):
            utc[where], fault[where] = _epochs(parts["digits"], form.epoch_ns)
            wall[where] = utc[where]
    if open_.any():
        fault[_matches(text, _ANY_NUMBER, open_)[0]] = Fault.NUMBER
        fault[open_ & _as_bool(pc.is_in(pc.utf8_lower(text), pa.array(_EMPTY)))] = Fault.EMPTY
    return Stamps(wall, utc, fault)


def _moments(parts: dict[str, pa.Array]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Date and time as written, instant, and fault of matched texts."""
    year, day = _integers(parts["year"]), _integers(parts["day"])
    if "word" in parts:
        month = _by_distinct(parts["word"], lambda word: _MONTH_WORDS.get(word.casefold(), 0))
    else:
        month = _integers(parts["month"])
    hour, minute, second = (_integers(parts[name]) for name in ("hour", "minute", "second"))
    half = _by_distinct(parts["half"], lambda word: "?ap".find(word[:1].lower() or "?"))
    hour = np.where(half > 0, np.where((hour < 1) | (hour > 12), 99, hour % 12 + 12 * (half == 2)), hour)
    fraction = _integers(pc.utf8_rpad(parts["fraction"], 9, "0"))
    offset_s = _by_distinct(parts["offset"], _offset_seconds)
    in_range = (year >= _FIRST_YEAR) & (year <= _LAST_YEAR)
    sound = (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31) & (hour < 24) & (minute < 60) & (second < 60)
    sound &= offset_s > _NO_OFFSET
    months = (np.where(in_range, year, 1970) - 1970) * 12 + np.where(sound, month, 1) - 1
    days = months.astype("datetime64[M]").astype("datetime64[D]") + (np.where(sound, day, 1) - 1)
    sound &= days.astype("datetime64[M]").astype(np.int64) == months
    clock = hour * HOUR_NS + minute * MINUTE_NS + second * SECOND_NS + fraction
    wall = days.astype("datetime64[ns]") + np.where(sound, clock, 0)
    fault = np.select([~in_range, ~sound], [Fault.YEAR, Fault.UNREADABLE], Fault.NONE).astype(np.int8)
    wall = np.where(fault > 0, _NAT, wall)
    has_offset = (offset_s != _NAIVE) & (fault == 0)
    utc = np.where(has_offset, wall - np.where(has_offset, offset_s, 0) * SECOND_NS, _NAT)
    return wall, utc, fault


_NAIVE = 10**6
_NO_OFFSET = -(10**6)


def _offset_seconds(text: str) -> int:
    """Seconds east of UTC; `_NAIVE` of an empty text, `_NO_OFFSET` of an impossible one."""
    if not text:
        return _NAIVE
    if not text.startswith(("+", "-")):
        return 0
    digits = re.sub(r"\D", "", text).ljust(6, "0")
    hours, minutes, seconds = int(digits[:2]), int(digits[2:4]), int(digits[4:6])
    if hours > 15 or minutes > 59 or seconds > 59:
        return _NO_OFFSET
    return (-1 if text.startswith("-") else 1) * (3600 * hours + 60 * minutes + seconds)


def _epochs(digits: pa.Array, epoch_ns: int | None) -> tuple[np.ndarray, np.ndarray]:
    if epoch_ns is None:
        return np.full(len(digits), _NAT), np.full(len(digits), Fault.NUMBER, np.int8)
    number = digits.cast(pa.uint64()).to_numpy(zero_copy_only=False)
    sound = number < np.uint64(_LAST_EPOCH_DAY * DAY_NS // epoch_ns)
    ns = np.where(sound, number, 0).astype(np.int64) * epoch_ns
    fault = np.where(sound, Fault.NONE, Fault.NUMBER).astype(np.int8)
    return np.where(sound, ns.astype("datetime64[ns]"), _NAT), fault


def _matches(text: pa.Array, pattern: str, among: np.ndarray | None = None) -> tuple[np.ndarray, dict[str, pa.Array]]:
    """Positions of the texts that a pattern matches, of those `among` is true for, and its groups there."""
    places = np.arange(len(text)) if among is None else np.flatnonzero(among)
    matched = pc.extract_regex(text if among is None else text.take(pa.array(places)), pattern)
    there = ~_is_null(matched)
    parts = matched.filter(pa.array(there))
    return places[there], {field.name: parts.field(field.name) for field in parts.type}


def _integers(text: pa.Array) -> np.ndarray:
    """Texts of digits as int64, 0 where they are empty."""
    number = pc.if_else(pc.equal(text, ""), "0", text).cast(pa.int64())
    return np.asarray(number.to_numpy(zero_copy_only=False), np.int64)


def _by_distinct(text: pa.Array, number: Callable[[str], int]) -> np.ndarray:
    encoded = text.dictionary_encode()
    by_code = np.array([number(value) for value in encoded.dictionary.to_pylist()], np.int64)
    return by_code[encoded.indices.to_numpy(zero_copy_only=False)]


def _is_null(values: pa.Array) -> np.ndarray:
    return _as_bool(values.is_null())


def _as_bool(values: pa.Array) -> np.ndarray:
    return np.asarray(values.to_numpy(zero_copy_only=False), bool)
