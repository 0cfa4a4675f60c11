"""Price files in the forms that people have, written from known bars, and what is wrong in how they are read.

A `FileForm` says how a file is written; the same form writes the same file. `findings` reads it as the platform does
and compares row by row. Each row has a close of its own, by which it is found again. What does not belong here:
examples of one kind (they stand in the test of the kind).
"""

import gzip
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pairs_platform.adapters.files.history import FileMarketData
from pairs_platform.adapters.files.settings import FileSourceSettings
from pairs_platform.cli.data import full_lines, short_lines
from pairs_platform.core.errors import PlatformError
from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.prices.calendar import all_sessions, bar_grid, session_of, session_positions, sessions_between
from pairs_platform.core.prices.settings import ValidationSettings
from pairs_platform.core.prices.validation import validate_bars
from pairs_platform.core.time import stamps_ns
from pairs_platform.platform import Platform
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.model import Settings
from pairs_platform.views.data_check import DataCheck, check_data

NEW_YORK, BERLIN, TOKYO = ZoneInfo("America/New_York"), ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Tokyo")
SYMBOLS = ("AAPL", "MSFT", "BRK.B", "NA", "TRUE", "F", "IT", "ON")
PRICES = ("open", "high", "low", "close")


@dataclass(frozen=True)
class Stamp:
    """One way to write the time of a bar.

    Attributes
    ----------
    write : callable
        From the session and the start of the bar (UTC) to the cells of the columns of `columns`.
    timezone, date_order : str or None
        The settings that the file needs.
    refusable : bool
        Whether the file may be refused: nothing in it says what is meant.
    arrow : pyarrow.DataType or None
        Type of the column in a Parquet file; text where None.
    """

    write: Callable[[date, datetime], Any]
    columns: tuple[str, ...] = ("date",)
    timezone: str | None = None
    date_order: str | None = None
    refusable: bool = False
    arrow: pa.DataType | None = None


def _midnight(zone: Any) -> Callable[[date, datetime], datetime]:
    return lambda session, _: datetime.combine(session, time(), zone)


def _at(zone: Any) -> Callable[[date, datetime], datetime]:
    return lambda _, start: start.astimezone(zone)


def _close(session: date, _: datetime) -> datetime:
    return datetime.combine(session, time(16), NEW_YORK)


def _naive(zone: Any) -> Callable[[date, datetime], datetime]:
    return lambda _, start: start.astimezone(zone).replace(tzinfo=None)


def _two_digits(moment: datetime) -> str:
    return moment.isoformat(sep=" ").removesuffix(":00")


def _iso(of: Callable[[date, datetime], datetime]) -> Callable[[date, datetime], str]:
    return lambda session, start: of(session, start).isoformat()


def _short(of: Callable[[date, datetime], datetime]) -> Callable[[date, datetime], str]:
    return lambda session, start: _two_digits(of(session, start))


def _text(of: Callable[[date, datetime], datetime | date], pattern: str) -> Callable[[date, datetime], str]:
    return lambda session, start: of(session, start).strftime(pattern)


def _day(session: date, _: datetime) -> date:
    return session


def _compact_day(session: date, _: datetime) -> int:
    return int(f"{session:%Y%m%d}")


def _seconds(_: date, start: datetime) -> int:
    return int(start.timestamp())


_FIXED = datetime.strptime("-0500", "%z").tzinfo
_NEW_YORK_SETTING = "America/New_York"

DAILY: dict[str, Stamp] = {
    "date": Stamp(_text(_day, "%Y-%m-%d")),
    "midnight": Stamp(_text(_day, "%Y-%m-%d 00:00:00")),
    "T midnight": Stamp(_text(_day, "%Y-%m-%dT00:00:00.000")),
    "utc midnight": Stamp(_text(_day, "%Y-%m-%dT00:00:00Z")),
    "utc midnight, offset": Stamp(_iso(_midnight(UTC))),
    "utc midnight, two digits": Stamp(_short(_midnight(UTC))),
    "new york midnight": Stamp(_iso(_midnight(NEW_YORK))),
    "new york midnight, two digits": Stamp(_short(_midnight(NEW_YORK))),
    "new york midnight, four digits": Stamp(_text(_midnight(NEW_YORK), "%Y-%m-%d %H:%M:%S%z")),
    "berlin midnight": Stamp(_iso(_midnight(BERLIN))),
    "tokyo midnight": Stamp(_iso(_midnight(TOKYO))),
    "fixed offset midnight": Stamp(_iso(_midnight(_FIXED))),
    "new york open": Stamp(_iso(_at(NEW_YORK))),
    "new york close": Stamp(_iso(_close)),
    "open in utc": Stamp(_text(_at(UTC), "%Y-%m-%dT%H:%M:%SZ")),
    "close in utc": Stamp(_text(lambda s, t: _close(s, t).astimezone(UTC), "%Y-%m-%dT%H:%M:%SZ")),
    "berlin midnight in utc": Stamp(
        _text(lambda s, t: _midnight(BERLIN)(s, t).astimezone(UTC), "%Y-%m-%dT%H:%M:%SZ"), refusable=True
    ),
    "tokyo midnight in utc": Stamp(
        _text(lambda s, t: _midnight(TOKYO)(s, t).astimezone(UTC), "%Y-%m-%dT%H:%M:%SZ"), refusable=True
    ),
    "naive berlin midnight in utc": Stamp(
        _text(lambda s, t: _midnight(BERLIN)(s, t).astimezone(UTC), "%Y-%m-%d %H:%M:%S"), refusable=True
    ),
    "kolkata midnight": Stamp(_iso(_midnight(ZoneInfo("Asia/Kolkata")))),
    "naive open": Stamp(_iso(_naive(NEW_YORK))),
    "naive close": Stamp(_text(_close, "%Y-%m-%d %H:%M:%S")),
    "naive close, zone set": Stamp(_text(_close, "%Y-%m-%d %H:%M:%S"), timezone=_NEW_YORK_SETTING),
    "end of the day in utc": Stamp(_text(_day, "%Y-%m-%dT23:59:59Z"), refusable=True),
    "compact": Stamp(_text(_day, "%Y%m%d")),
    "year first, slashes": Stamp(_text(_day, "%Y/%m/%d")),
    "day first, slashes": Stamp(_text(_day, "%d/%m/%Y")),
    "day first, dots": Stamp(_text(_day, "%d.%m.%Y")),
    "day first, set": Stamp(_text(_day, "%d/%m/%Y"), date_order="day_first"),
    "month first, slashes": Stamp(_text(_day, "%m/%d/%Y")),
    "month first, set": Stamp(_text(_day, "%m/%d/%Y"), date_order="month_first"),
    "month in words": Stamp(_text(_day, "%d-%b-%Y"), refusable=True),
    "two-digit year": Stamp(_text(_day, "%m/%d/%y"), refusable=True),
    "date and time of zero": Stamp(lambda s, _: (f"{s:%Y%m%d}", "000000"), ("<DATE>", "<TIME>")),
    "date and epoch": Stamp(lambda s, t: (str(int(_midnight(UTC)(s, t).timestamp())), f"{s}"), ("Timestamp", "Date")),
}
"""Ways to write the session of a daily bar as text."""

DAILY_TYPED: dict[str, Stamp] = {
    "date32": Stamp(_day, arrow=pa.date32()),
    **{
        f"naive timestamp[{unit}]": Stamp(_midnight(None), arrow=pa.timestamp(unit)) for unit in ("s", "ms", "us", "ns")
    },
    "utc midnight timestamp": Stamp(_midnight(UTC), arrow=pa.timestamp("us", "UTC")),
    "new york midnight timestamp": Stamp(_midnight(NEW_YORK), arrow=pa.timestamp("ns", "America/New_York")),
    "berlin midnight timestamp": Stamp(_midnight(BERLIN), arrow=pa.timestamp("ms", "Europe/Berlin")),
    "fixed offset midnight timestamp": Stamp(_midnight(_FIXED), arrow=pa.timestamp("us", "-05:00")),
    "open timestamp": Stamp(_at(UTC), arrow=pa.timestamp("us", "UTC")),
    "berlin midnight in a utc timestamp": Stamp(_midnight(BERLIN), arrow=pa.timestamp("us", "UTC"), refusable=True),
    "compact number": Stamp(_compact_day, arrow=pa.int64(), refusable=True),
}
"""Ways to write the session of a daily bar in a Parquet file."""

INTRADAY: dict[str, Stamp] = {
    "utc": Stamp(_text(_at(UTC), "%Y-%m-%dT%H:%M:%SZ")),
    "utc, milliseconds": Stamp(_text(_at(UTC), "%Y-%m-%dT%H:%M:%S.000Z")),
    "utc, offset": Stamp(_iso(_at(UTC))),
    "utc, two digits": Stamp(_short(_at(UTC))),
    "new york": Stamp(_iso(_at(NEW_YORK))),
    "new york, two digits": Stamp(_short(_at(NEW_YORK))),
    "new york, four digits": Stamp(_text(_at(NEW_YORK), "%Y-%m-%d %H:%M:%S%z")),
    "berlin": Stamp(_iso(_at(BERLIN))),
    "naive new york": Stamp(_iso(_naive(NEW_YORK)), timezone=_NEW_YORK_SETTING),
    "naive utc": Stamp(_text(_naive(UTC), "%Y-%m-%d %H:%M"), timezone="UTC"),
    "naive berlin": Stamp(_iso(_naive(BERLIN)), timezone="Europe/Berlin"),
    "naive": Stamp(_iso(_naive(NEW_YORK)), refusable=True),
    "date and time": Stamp(
        lambda _, t: (f"{_naive(NEW_YORK)(_, t):%Y-%m-%d}", f"{_naive(NEW_YORK)(_, t):%H:%M}"),
        ("Date", "Time"),
        timezone=_NEW_YORK_SETTING,
    ),
    "date and time, compact": Stamp(
        lambda _, t: (f"{_naive(NEW_YORK)(_, t):%Y%m%d}", f"{_naive(NEW_YORK)(_, t):%H%M%S}"),
        ("<DATE>", "<TIME>"),
        timezone=_NEW_YORK_SETTING,
    ),
    "day first": Stamp(_text(_naive(NEW_YORK), "%d/%m/%Y %H:%M"), timezone=_NEW_YORK_SETTING),
    "month first": Stamp(_text(_naive(NEW_YORK), "%m/%d/%Y %H:%M"), timezone=_NEW_YORK_SETTING),
    "epoch": Stamp(lambda s, t: str(_seconds(s, t)), refusable=True),
}
"""Ways to write the start of an intraday bar as text."""

INTRADAY_TYPED: dict[str, Stamp] = {
    **{f"utc timestamp[{unit}]": Stamp(_at(UTC), arrow=pa.timestamp(unit, "UTC")) for unit in ("s", "ms", "us", "ns")},
    "new york timestamp": Stamp(_at(NEW_YORK), arrow=pa.timestamp("us", "America/New_York")),
    "berlin timestamp": Stamp(_at(BERLIN), arrow=pa.timestamp("ns", "Europe/Berlin")),
    "naive timestamp": Stamp(_naive(NEW_YORK), arrow=pa.timestamp("us"), timezone=_NEW_YORK_SETTING),
    "naive timestamp, unset": Stamp(_naive(NEW_YORK), arrow=pa.timestamp("us"), refusable=True),
}
"""Ways to write the start of an intraday bar in a Parquet file."""

STAMPS = DAILY | DAILY_TYPED | INTRADAY | INTRADAY_TYPED

NAMES: dict[str, dict[str, str]] = {
    "plain": {},
    "capitals": {name: name.upper() for name in ("symbol", "date", *PRICES, "volume", "sector")},
    "titles": {name: name.title() for name in ("date", *PRICES, "volume", "sector")} | {"symbol": "Ticker"},
    "letters": {"open": "o", "high": "h", "low": "l", "close": "c", "volume": "v", "date": "ts", "symbol": "sym"},
    "brackets": {name: f"<{name.upper()}>" for name in ("date", *PRICES)} | {"symbol": "<TICKER>", "volume": "<VOL>"},
    "blanks": {name: f" {name} " for name in ("symbol", "date", *PRICES, "volume")},
}
"""Spellings of the column names."""

SPELLINGS: dict[str, Callable[[str, int], str]] = {
    "plain": lambda symbol, row: symbol,
    "lower case": lambda symbol, row: symbol.lower(),
    "blank at the end": lambda symbol, row: symbol + " " * (row % 2),
    "no-break space": lambda symbol, row: symbol + "\u00a0" * (row % 3 == 0),
    "mixed case": lambda symbol, row: symbol.lower() if row % 2 else symbol,
    "dash": lambda symbol, row: symbol.replace(".", "-"),
    "slash": lambda symbol, row: symbol.replace(".", "/"),
}
"""Spellings of the symbols, by the number of the row."""

NUMBERS = ("plain", "thousands", "comma", "currency", "decimals", "blanks", "exponent")
"""How numbers are written as text; `comma` and `currency` may be refused or quarantined, the others are read."""

DAMAGE = (
    "empty symbol", "unreadable stamp", "saturday", "year 2099", "sentinel", "no number", "short row", "long row",
    "stray byte", "live row", "header again", "nul byte", "blank line", "empty stamp",
    "other form",
)  # fmt: skip
"""What is wrong with single rows; the others must arrive."""

LONG = ("rows", "one symbol", "files", "halves")
"""Shapes with a row for each bar: one file, one without its symbol, one such file a symbol, two files one after the
other."""

CSV_ONLY = ("short row", "long row", "stray byte", "header again", "nul byte", "blank line")
EXTRAS = ("Adj Close", "name", "Unnamed: 0", "vwap", "Adj. Volume", "Dividends", "note")
ODD_FILES = ("resource fork", "header only", "empty", "weekly", "one row", "text", "cut gzip", "no price column")


@dataclass(frozen=True)
class FileForm:
    """How a price file is written; the defaults are the plainest file."""

    seed: int = 0
    frequency: Frequency = Frequency.ONE_DAY
    format: str = "csv"
    stamp: str = "date"
    n_symbols: int = 2
    shape: str = "rows"
    names: str = "plain"
    shuffled_columns: bool = False
    extras: tuple[str, ...] = ()
    encoding: str = "utf-8"
    line_end: str = "\n"
    delimiter: str = ","
    quoted: bool = False
    numbers: str = "plain"
    number_type: str = "float64"
    text_type: str = "string"
    spelling: str = "plain"
    row_order: str = "symbol"
    sectors: str = "none"
    end_label: bool = False
    label_is_set: bool = True
    fractional_volume: bool = False
    damage: tuple[str, ...] = ()
    odd_files: tuple[str, ...] = ()

    @property
    def is_csv(self) -> bool:
        return self.format != "parquet"

    @property
    def suffix(self) -> str:
        return {"csv": ".csv", "csv.gz": ".csv.gz", "CSV": ".CSV", "CSV.GZ": ".CSV.GZ", "parquet": ".parquet"}[
            self.format
        ]

    @property
    def rows_may_be_lost(self) -> bool:
        """Whether rows without damage may be left out: their numbers or symbols mean nothing for certain."""
        return self.numbers in ("comma", "currency")

    @property
    def refusable(self) -> bool:
        """Whether the whole file may be refused."""
        return (
            STAMPS[self.stamp].refusable
            or self.rows_may_be_lost
            or (self.end_label and not self.label_is_set)
            or self.encoding.startswith("utf-16")
            or self.line_end == "\r"
            or (self.numbers == "thousands" and self.delimiter == ",")
        )

    def differences(self) -> dict[str, Any]:
        """What is not as in the plainest file."""
        plain = FileForm()
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != getattr(plain, f.name)}


def drawn_form(seed: int) -> FileForm:
    """The form with this number; neighbours differ in everything."""
    rng = Random(seed)
    frequency = rng.choice([Frequency.ONE_DAY] * 3 + [Frequency.ONE_HOUR] * 2 + [Frequency.FIVE_MINUTES])
    daily = frequency is Frequency.ONE_DAY
    kind = rng.choice(["csv", "csv", "csv", "csv.gz", "CSV", "CSV.GZ", "parquet", "parquet"])
    shape = rng.choice(["rows"] * 7 + ["one symbol", "files", "halves", "wide", "two headers"])
    stamps = [*(DAILY if daily else INTRADAY)]
    if kind == "parquet":
        stamps += 2 * [*(DAILY_TYPED if daily else INTRADAY_TYPED)]
    if shape in ("wide", "two headers"):
        stamps = [name for name in stamps if len(STAMPS[name].columns) == 1]
    if shape == "two headers":
        kind, stamps = "csv", [name for name in stamps if STAMPS[name].arrow is None]
    text = kind != "parquet"

    def perhaps(share: float, *values: Any, otherwise: Any) -> Any:
        return rng.choice(values) if rng.random() < share else otherwise

    n_damaged = rng.choice([0, 0, 0, 1, 1, 2])
    fitting = [name for name in DAMAGE if (text or name not in CSV_ONLY) and (daily or name != "live row")]
    stamp = rng.choice(stamps)
    if STAMPS[stamp].arrow is not None:
        fitting = [name for name in fitting if name not in ("unreadable stamp", "live row", "other form")]
    if shape not in ("rows", "halves"):
        fitting = [name for name in fitting if name in ("saturday", "year 2099", "unreadable stamp", "blank line")]
    delimiter = perhaps(0.4, ";", "\t", "|", otherwise=",")
    return FileForm(
        seed=seed,
        frequency=frequency,
        format=kind,
        stamp=stamp,
        n_symbols=1
        if shape == "one symbol"
        else rng.choice([1, 2, 3])
        if frequency is not Frequency.FIVE_MINUTES
        else 1,
        shape=shape,
        names=rng.choice(list(NAMES)) if shape in LONG else "plain",
        shuffled_columns=rng.random() < 0.3,
        extras=tuple(rng.sample(EXTRAS, rng.choice([0, 0, 1, 2]))) if shape in LONG else (),
        encoding=perhaps(0.4, "utf-8-sig", "utf-16", "cp1252", otherwise="utf-8"),
        line_end=perhaps(0.35, "\r\n", "\r\n", "\r", otherwise="\n"),
        delimiter=delimiter,
        quoted=rng.random() < 0.2,
        numbers=perhaps(0.35, *NUMBERS[1:], otherwise="plain")
        if delimiter != ","
        else perhaps(0.3, *NUMBERS[4:], otherwise="plain"),
        number_type=rng.choice(["float64", "float32", "decimal", "text", "whole", "dictionary"]),
        text_type=rng.choice(["string", "large_string", "string_view", "dictionary"]),
        spelling=perhaps(0.4, *SPELLINGS, otherwise="plain") if shape in ("rows", "halves") else "plain",
        row_order=rng.choice(["symbol", "time", "reversed", "shuffled"]) if shape != "two headers" else "symbol",
        sectors=rng.choice(["none", "slug", "gics", "two spellings", "one missing", "unknown"])
        if shape == "rows"
        else "none",
        end_label=not daily and rng.random() < 0.3,
        label_is_set=rng.random() < 0.7,
        fractional_volume=rng.random() < 0.15,
        damage=tuple(rng.sample(fitting, min(n_damaged, len(fitting)))),
        odd_files=tuple(rng.sample(ODD_FILES, rng.choice([1, 2]))) if rng.random() < 0.15 else (),
    )


@dataclass(frozen=True, eq=False)
class WrittenFile:
    """A file, and what is true of it.

    Attributes
    ----------
    path : Path
        The file, or the folder where odd files are beside it.
    bars : DataFrame
        BAR_COLUMNS, session (datetime64[ns], NaT where the row has none) and sound: whether the row must arrive.
    form : FileForm
    refusable : bool
        Whether the platform may refuse it.
    """

    path: Path
    bars: pd.DataFrame
    form: FileForm
    refusable: bool

    @property
    def settings(self) -> FileSourceSettings:
        """The settings that the file needs."""
        stamp = STAMPS[self.form.stamp]
        needed = {"timezone": stamp.timezone, "date_order": stamp.date_order}
        needed["label"] = "end" if self.form.end_label and self.form.label_is_set else None
        return FileSourceSettings(
            paths=(str(self.path),), **{name: value for name, value in needed.items() if value is not None}
        )


@dataclass(eq=False)
class _Row:
    """One line of the file: the bar's position, its cells by column, and what is done to the line."""

    cells: dict[str, Any]
    damage: str = ""
    index: int = 0


def write_file(form: FileForm, folder: Path) -> WrittenFile:
    """Write the file of a form into an empty folder."""
    rng = Random(form.seed)
    bars = _true_bars(form, rng)
    rows = _rows(form, bars, rng)
    for row in rows:
        if row.damage in ("saturday", "year 2099"):
            bars.loc[row.index, "session"] = pd.NaT
        bars.loc[row.index, "sound"] = not row.damage or row.damage in ("header again", "blank line")
    _ordered(rows, form, rng)
    for name, part in _parts(form, bars, rows).items():
        _write_part(form, part, folder / f"{name}{form.suffix}", Random(form.seed))
    for name in form.odd_files:
        _write_odd(name, folder)
    unproven = any(_order_is_unproven(form, part, bars) for part in _parts(form, bars, rows).values())
    several = form.odd_files or form.shape in ("files", "halves")
    return WrittenFile(folder if several else next(folder.iterdir()), bars, form, form.refusable or unproven)


def _parts(form: FileForm, bars: pd.DataFrame, rows: list[_Row]) -> dict[str, list[_Row]]:
    """The rows of each file, by its name."""
    if form.shape in ("one symbol", "files"):
        return {
            str(symbol): [row for row in rows if bars["symbol"][row.index] == symbol] for symbol in set(bars["symbol"])
        }
    if form.shape == "halves":
        middle = bars["session"].dropna().median()
        late = [row for row in rows if not bars["session"][row.index] <= middle]
        return {"early": [row for row in rows if row not in late], "late": late}
    return {"prices": rows}


def _write_part(form: FileForm, rows: list[_Row], path: Path, rng: Random) -> None:
    table = {"wide": _wide, "two headers": _two_headers}.get(form.shape, _long)(form, rows, rng)
    if form.is_csv:
        content = _csv(form, *table)
        path.write_bytes(gzip.compress(content, 1) if form.suffix.casefold().endswith(".gz") else content)
    else:
        pq.write_table(_arrow(form, *table), path)


def _true_bars(form: FileForm, rng: Random) -> pd.DataFrame:
    n_sessions = {"1d": rng.choice([8, 14, 20]), "1h": 3, "5min": 2}[form.frequency.value]
    starts = [date(2019, 3, 1), date(2023, 10, 26), date(2024, 2, 26), date(2024, 6, 28), date(2025, 11, 20)]
    days = sessions_between(date(2018, 6, 1), date(2025, 12, 1))
    first = rng.choice([*starts, rng.choice(days)])
    position = int(np.searchsorted(np.array(all_sessions()), first))
    grid = bar_grid(list(all_sessions()[position : position + n_sessions]), form.frequency)
    chosen = rng.sample(SYMBOLS, form.n_symbols) if form.seed else list(SYMBOLS[: form.n_symbols])
    n = len(grid.ts_utc)
    number = np.arange(n * len(chosen))
    close = _base(form) + 0.25 * number
    bars = pd.DataFrame(
        {
            "symbol": np.repeat(np.array(sorted(chosen), dtype=object), n),
            "ts_utc": np.tile(grid.ts_utc, len(chosen)),
            "open": close - 0.25,
            "high": close + 0.25,
            "low": close - 0.5,
            "close": close,
            "volume": 1000 + 7 * number + (0.25 if form.fractional_volume else 0),
        }
    )
    bars["ts_utc"] = (
        pd.DatetimeIndex(bars["ts_utc"]).tz_localize("UTC") if bars["ts_utc"].dt.tz is None else bars["ts_utc"]
    )
    bars["session"] = session_of(bars["ts_utc"])
    bars["sound"] = True
    return bars


def _base(form: FileForm) -> float:
    return (20.0, 1200.0, 40000.0)[form.seed % 3]


def _order_is_unproven(form: FileForm, rows: list[_Row], bars: pd.DataFrame) -> bool:
    stamp = STAMPS[form.stamp]
    ordered = form.stamp.startswith(("day first", "month first")) and stamp.date_order is None
    days = [bars["session"][row.index].day for row in rows if bars["sound"][row.index]]
    return ordered and max(days, default=0) <= 12


def _rows(form: FileForm, bars: pd.DataFrame, rng: Random) -> list[_Row]:
    damaged = dict(zip(rng.sample(range(1, len(bars)), len(form.damage)), form.damage, strict=True))
    return [_row(form, bars, i, damaged.get(i, ""), rng) for i in range(len(bars))]


def _row(form: FileForm, bars: pd.DataFrame, i: int, damage: str, rng: Random) -> _Row:
    bar, stamp = bars.iloc[i], STAMPS[form.stamp]
    session, start = bar["session"].date(), bar["ts_utc"].to_pydatetime()
    if damage == "saturday":
        moved = session + timedelta(days=5 - session.weekday())
    elif damage == "year 2099":
        moved = date(2099, session.month, min(session.day, 28))
    else:
        moved = session
    start = _at_date(start, moved, session)
    if form.end_label:
        length = timedelta(minutes=form.frequency.minutes)
        start = min(start + length, start.astimezone(NEW_YORK).replace(hour=16, minute=0).astimezone(UTC))
    written = stamp.write(moved, start)
    cells = dict(zip(stamp.columns, written if len(stamp.columns) > 1 else (written,), strict=True))
    if damage == "live row":
        cells[stamp.columns[-1]] = (
            datetime.combine(session, time(15, 59), NEW_YORK).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        )
        if len(stamp.columns) > 1:
            cells = {stamp.columns[0]: cells[stamp.columns[-1]]} | {name: "" for name in stamp.columns[1:]}
    if damage == "other form":
        cells = dict.fromkeys(stamp.columns, f"{session:%Y%m%d}" if form.stamp == "date" else f"{session}")
    if damage in ("unreadable stamp", "empty stamp"):
        cells = dict.fromkeys(stamp.columns, "soon" if damage == "unreadable stamp" else "")
        if stamp.arrow is not None:
            cells = dict.fromkeys(stamp.columns)
    symbol = "" if damage == "empty symbol" else SPELLINGS[form.spelling](str(bar["symbol"]), i)
    numbers = {name: float(bar[name]) for name in PRICES} | {"volume": float(bar["volume"])}
    if damage == "sentinel":
        numbers = {name: rng.choice([0.0, -1.0, -999.0]) for name in PRICES} | {"volume": 0.0}
    if damage == "no number":
        numbers["close"] = rng.choice(["", "N/A", "null", "-", "#N/A", "nan", "inf", "1e999"])  # type: ignore[assignment]
    return _Row({"symbol": symbol, **numbers, **cells}, damage, i)


def _at_date(start: datetime, day: date, session: date) -> datetime:
    """The same time in New York on another day."""
    if day == session:
        return start
    return datetime.combine(day, start.astimezone(NEW_YORK).time(), NEW_YORK).astimezone(UTC)


def _ordered(rows: list[_Row], form: FileForm, rng: Random) -> None:
    per_symbol = len(rows) // form.n_symbols
    if form.row_order == "time":
        rows.sort(key=lambda row: (row.index % per_symbol, row.index))
    elif form.row_order == "reversed":
        rows.reverse()
    elif form.row_order == "shuffled":
        rng.shuffle(rows)


def _long(form: FileForm, rows: list[_Row], rng: Random) -> tuple[list[list[str]], list[list[Any]], list[str]]:
    """Header rows, cells and damage of a file with a row for each bar."""
    stamp_columns = STAMPS[form.stamp].columns
    columns = ["symbol", *stamp_columns, *PRICES, "volume"]
    if form.shape in ("one symbol", "files"):
        columns.remove("symbol")
    if form.sectors != "none":
        columns.append("sector")
    columns += list(form.extras)
    if form.shuffled_columns:
        rng.shuffle(columns)
    header = [NAMES[form.names].get(name, name) for name in columns]
    cells = []
    for row in rows:
        content = row.cells | {name: _extra(name, row) for name in form.extras} | {"sector": _sector(form, row)}
        cells.append([content[name] for name in columns])
    return [header], cells, [row.damage for row in rows]


def _extra(name: str, row: _Row) -> Any:
    texts = {
        "name": "Nestlé",
        "note": f'row {row.index}; a "quoted", note | of a\tperson',
        "Unnamed: 0": str(row.index),
    }
    close = row.cells["close"]
    numbers = {"Dividends": 0.0, "Adj Close": close if isinstance(close, str) else close * 0.5, "Adj. Volume": 1.0}
    return texts.get(name, numbers.get(name, 3.5))


def _sector(form: FileForm, row: _Row) -> str:
    name = row.cells["symbol"].strip().upper()
    match form.sectors:
        case "gics":
            return "Information Technology"
        case "two spellings":
            return ("Information Technology", "technology")[row.index % 2]
        case "one missing":
            return "" if name == "MSFT" else "energy"
        case "unknown":
            return "Airlines" if name == "AAPL" else "energy"
    return "technology"


def _wide(form: FileForm, rows: list[_Row], rng: Random) -> tuple[list[list[str]], list[list[Any]], list[str]]:
    """A column for each symbol, which holds its closes."""
    [column] = STAMPS[form.stamp].columns
    symbols = list(dict.fromkeys(row.cells["symbol"] for row in sorted(rows, key=lambda row: row.index)))
    lines, damage = _lines(rows, column, symbols, ("close",))
    return [[column, *symbols]], lines, damage


def _two_headers(form: FileForm, rows: list[_Row], rng: Random) -> tuple[list[list[str]], list[list[Any]], list[str]]:
    """As yfinance's table of several symbols is written: fields above symbols, and a line that names the dates."""
    [column] = STAMPS[form.stamp].columns
    symbols = list(dict.fromkeys(row.cells["symbol"] for row in rows))
    names = ("close", "high", "low", "open", "volume")
    lines, damage = _lines(rows, column, symbols, names)
    header = [
        ["Price", *(name.title() for name in names for _ in symbols)],
        ["Ticker", *(symbol for _ in names for symbol in symbols)],
        [column.title(), *("" for _ in names for _ in symbols)],
    ]
    return header, lines, damage


def _lines(
    rows: list[_Row], column: str, symbols: Sequence[str], names: Sequence[str]
) -> tuple[list[list[Any]], list[str]]:
    by_stamp: dict[Any, dict[tuple[str, str], Any]] = {}
    damage: dict[Any, str] = {}
    for row in rows:
        stamp = row.cells[column]
        line = by_stamp.setdefault(stamp, {})
        line.update({(name, row.cells["symbol"]): row.cells[name] for name in names})
        damage[stamp] = damage.get(stamp) or row.damage
    lines = [
        [stamp, *(line.get((name, symbol), "") for name in names for symbol in symbols)]
        for stamp, line in by_stamp.items()
    ]
    return lines, list(damage.values())


def _csv(form: FileForm, header: list[list[str]], cells: list[list[Any]], damage: list[str]) -> bytes:
    lines = [form.delimiter.join(_quoted(form, name) for name in names) for names in header]
    top = lines[0]
    for row, wrong in zip(cells, damage, strict=True):
        texts = [_quoted(form, _number(form, value) if isinstance(value, float) else str(value)) for value in row]
        if wrong == "short row":
            texts = texts[: len(texts) // 2]
        elif wrong == "long row":
            texts += ["more"]
        elif wrong == "stray byte":
            texts[-1] += "\udcff"
        elif wrong == "nul byte":
            texts[-1] += "\0"
        elif wrong == "header again":
            lines.append(top)
        elif wrong == "blank line":
            lines.append("")
        lines.append(form.delimiter.join(texts))
    text = form.line_end.join([*lines, ""])
    if form.encoding.startswith("utf-16"):
        return text.replace("\udcff", "").encode("utf-16")
    if form.encoding == "cp1252":
        return text.replace("\udcff", "\u008d").encode("cp1252", errors="replace").replace(b"\x8d", b"\xff")
    return text.encode(form.encoding, errors="surrogateescape")


def _quoted(form: FileForm, text: str) -> str:
    needed = any(character in text for character in (form.delimiter, '"', "\n"))
    return '"' + text.replace('"', '""') + '"' if needed or form.quoted else text


def _number(form: FileForm, value: float) -> str:
    whole = value == int(value) and value >= 1000
    match form.numbers:
        case "thousands":
            return f"{value:,.0f}" if whole else f"{value:,.2f}"
        case "comma":
            return f"{value:.2f}".replace(".", ",")
        case "currency":
            return f"${value:,.2f}"
        case "decimals":
            return f"{value:.6f}"
        case "blanks":
            return f" {value} "
        case "exponent":
            return f"{value:.10e}"
    return str(int(value)) if whole else str(value)


def _arrow(form: FileForm, header: list[list[str]], cells: list[list[Any]], damage: list[str]) -> pa.Table:
    stamp = STAMPS[form.stamp]
    names = {NAMES[form.names].get(name, name) for name in stamp.columns}
    columns = {}
    for name, values in zip(header[0], zip(*cells, strict=True), strict=True):
        if name in names and stamp.arrow is not None:
            columns[name] = _moments(values, stamp.arrow)
        elif all(isinstance(value, float) for value in values):
            columns[name] = _typed(form, list(values))
        elif any(isinstance(value, float) for value in values):
            columns[name] = _typed(form, [value if isinstance(value, float) else None for value in values])
        else:
            columns[name] = _texts(form, [str(value) or None for value in values])
    return pa.table(columns)


def _moments(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    if not pa.types.is_timestamp(kind) or kind.tz is None:
        return pa.array(values, kind)
    utc = [None if value is None else value.astimezone(UTC).replace(tzinfo=None) for value in values]
    return pa.array(utc, pa.timestamp(kind.unit)).cast(kind)


def _typed(form: FileForm, values: list[float | None]) -> pa.Array:
    match form.number_type:
        case "float32":
            return pa.array(values, pa.float32())
        case "decimal":
            return pa.array([None if value is None else Decimal(str(value)) for value in values], pa.decimal128(20, 4))
        case "text":
            return pa.array([None if value is None else str(value) for value in values])
        case "whole" if all(value is None or value == int(value) for value in values):
            return pa.array([None if value is None else int(value) for value in values], pa.uint32())
        case "dictionary":
            return pa.array(values, pa.float64()).dictionary_encode()
    return pa.array(values, pa.float64())


def _texts(form: FileForm, values: list[str | None]) -> pa.Array:
    match form.text_type:
        case "large_string":
            return pa.array(values, pa.large_string())
        case "string_view":
            return pa.array(values, pa.string_view())
        case "dictionary":
            return pa.array(values, pa.string()).dictionary_encode()
    return pa.array(values, pa.string())


def _write_odd(name: str, folder: Path) -> None:
    """A file that people have beside their prices, and that must not cost them these."""
    header = "symbol,date,open,high,low,close,volume\n"
    row = "{},{},10,11,9,10,100\n"
    weekly = "".join(row.format("WEEK", date(2024, 1, 5) + timedelta(days=7 * n)) for n in range(6))
    content = {
        "resource fork": ("._prices.csv", b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        \x00\x02\xb0\xff"),
        "header only": ("header.csv", header.encode()),
        "empty": ("empty.csv", b""),
        "weekly": ("weekly.csv", (header + weekly).encode()),
        "one row": ("one.csv", (header + row.format("ONCE", "2024-01-05")).encode()),
        "text": ("notes.txt", b"not prices"),
        "cut gzip": ("cut.csv.gz", gzip.compress((header + weekly).encode())[:40]),
        "no price column": ("other.csv", b"a,b,c\n1,2,3\n"),
    }
    path, written = content[name]
    (folder / path).write_bytes(written)


def findings(written: WrittenFile) -> list[str]:
    """What the platform does wrong with a file; empty where all is well.

    Wrong are an error that is none of the platform's, a refusal without need, a row of another session, symbol or value
    than it has, a row without session that is accepted, and a sound row that is not.
    """
    form, bars = written.form, written.bars
    first = bars["ts_utc"].min().date() - timedelta(days=10)
    last = bars["ts_utc"].max().date() + timedelta(days=10)
    try:
        market = FileMarketData(written.settings, frequency=form.frequency)
        seen = check_data(_platform(written, market))
        json.dumps(seen.as_json(), allow_nan=False)
        full_lines(seen)
        short_lines(seen)
        symbols = list(seen.symbols.index)
        reply = market.fetch_bars(symbols, first, last)
    except PlatformError as error:
        return [] if written.refusable else [f"refused: {error}"]
    except Exception as error:  # noqa: BLE001 - whatever is raised is the finding
        return [f"raw error: {type(error).__name__}: {error}"]
    got = _matched(reply.bars, form, bars)
    problems = [
        *_wrong_rows(got, bars, is_labelled=form.label_is_set or not form.end_label),
        *_wrong_view(seen, written),
    ]
    checked = validate_bars(
        reply.bars,
        symbols=symbols,
        sessions=sessions_between(first, last),
        frequency=form.frequency,
        settings=ValidationSettings(),
    )
    accepted = set(_matched(checked.accepted, form, bars)["number"])
    stray = sorted(accepted & set(bars.index[bars["session"].isna()]))
    if stray:
        problems.append(f"{len(stray)} rows without session are accepted, the first is row {stray[0]}")
    lost = sorted(set(bars.index[bars["sound"]]) - accepted)
    if lost and not written.refusable:
        reasons = checked.quarantined["reason"].value_counts().head(2).to_dict()
        problems.append(
            f"{len(lost)} sound rows are lost, the first is {dict(bars.loc[lost[0]])}; quarantine {reasons}"
        )
    return problems


def _platform(written: WrittenFile, market: FileMarketData) -> Platform:
    settings = _shipped_settings()
    source = settings.source.model_copy(update={"kind": "files", "files": written.settings})
    origin = "config" if written.form.sectors == "none" else "source"
    return Platform(
        settings.model_copy(update={"source": source, "frequency": written.form.frequency, "universe_origin": origin}),
        source=market,
    )


@lru_cache(maxsize=1)
def _shipped_settings() -> Settings:
    return load_settings()


def _wrong_view(seen: DataCheck, written: WrittenFile) -> list[str]:
    """Sessions of a symbol, or a frequency, that are not those of the bars."""
    form, bars = written.form, written.bars
    problems = []
    if any(file.frequency is not form.frequency for file in seen.files):
        problems.append(f"the frequency is not {form.frequency}")
    if (
        form.end_label
        and not form.label_is_set
        and form.shape == "rows"
        and not form.damage
        and not any(file.notes for file in seen.files)
    ):
        problems.append("nothing says that the time stamps name the end of a bar")
    if form.damage or written.refusable:
        return problems
    shown = {_plain(symbol): row for symbol, row in seen.symbols.iterrows()}
    for symbol, rows in bars.groupby("symbol"):
        row = shown.get(_plain(symbol))
        true = (rows["session"].min(), rows["session"].max(), len(rows))
        got = None if row is None else (row["first_session"], row["last_session"], row["bars"])
        if got != true:
            problems.append(f"{symbol} is shown with {got}, true: {true}")
    return problems


def _matched(rows: pd.DataFrame, form: FileForm, bars: pd.DataFrame) -> pd.DataFrame:
    """The rows that have a close of the file, with the number of the bar; those of odd files and sentinels are gone."""
    number = (rows["close"].to_numpy(dtype="float64") - _base(form)) / 0.25
    there = (
        np.isfinite(number) & (number > -1) & (number < len(bars)) & ~rows["symbol"].isin(["WEEK", "ONCE"]).to_numpy()
    )
    return rows[there].assign(number=np.rint(number[there]).astype(int), exact=np.rint(number[there]) == number[there])


def _wrong_rows(got: pd.DataFrame, bars: pd.DataFrame, *, is_labelled: bool) -> list[str]:
    """Sound rows that are not what they are, and others that stand in trading hours of another session."""
    truth = bars.loc[got["number"]]
    counts = truth["sound"].to_numpy() | (session_positions(stamps_ns(got["ts_utc"])) >= 0)
    own = truth["session"].notna().to_numpy()
    session, mine = session_of(got["ts_utc"]).to_numpy(), truth["session"].to_numpy()
    checks = {
        "have another session": own & counts & (session != mine),
        "have another time": own
        & truth["sound"].to_numpy()
        & is_labelled
        & (session == mine)
        & (got["ts_utc"].to_numpy() != truth["ts_utc"].to_numpy()),
        "have another symbol": (got["symbol"].map(_plain).to_numpy() != truth["symbol"].map(_plain).to_numpy())
        & truth["sound"].to_numpy(),
        "have another close": ~got["exact"].to_numpy(),
        "have another open": truth["sound"].to_numpy()
        & got["open"].notna().to_numpy()
        & (np.abs(got["open"].to_numpy() - truth["open"].to_numpy()) > 1.0),
    }
    problems = []
    for what, wrong in checks.items():
        if wrong.any():
            row, true = got[wrong].iloc[0], truth[wrong].iloc[0]
            problems.append(
                f"{int(wrong.sum())} rows {what}: {row['symbol']} {row['ts_utc']} {row['close']}, "
                f"true: {true['symbol']} {true['ts_utc']} {true['close']}"
            )
    return problems


def _plain(symbol: object) -> str:
    return "".join(character for character in str(symbol).casefold() if character.isalnum())
