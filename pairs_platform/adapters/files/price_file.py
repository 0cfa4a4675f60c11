"""One price file: which of its columns is which, what its time stamps mean, how long its bars are.

Wrong prices are none of its business: what is no number becomes NaN, for validation to quarantine. What does not belong
here: choosing files, sectors, aggregation (`history`).
"""

from collections.abc import Collection, Mapping
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pairs_platform.adapters.files.columns import column_key, match_columns
from pairs_platform.adapters.files.numbers import read_numbers
from pairs_platform.adapters.files.overview import DATES_WITHOUT_TIME, OFFSETS_IN_THE_FILE, ColumnUse, FileOverview
from pairs_platform.adapters.files.settings import FileSourceSettings
from pairs_platform.adapters.files.shapes import in_rows
from pairs_platform.adapters.files.stamps import read_timestamps
from pairs_platform.adapters.files.tables import Selection, open_table
from pairs_platform.core.errors import DataError
from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.time import MARKET_TIMEZONE

PRICE_SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "symbol": ("symbol", "ticker", "sym"),
    "timestamp": ("ts_utc", "timestamp", "datetime", "ts", "bar_start", "date"),
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
    "time": ("time",),
}

_NUMBERS = ("open", "high", "low", "close", "volume")

_FREQUENCY_LABELS = {
    Frequency.ONE_MINUTE: ("1min", "1m", "1minute", "min", "minute"),
    Frequency.FIVE_MINUTES: ("5min", "5m", "5minutes", "5minute"),
    Frequency.ONE_HOUR: ("1h", "1hour", "h", "60min", "60m", "hour", "hourly"),
    Frequency.ONE_DAY: ("1d", "1day", "d", "day", "daily"),
}
_FREQUENCY_BY_LABEL = {label: frequency for frequency, labels in _FREQUENCY_LABELS.items() for label in labels}
_LONGEST_DAILY_STEP = timedelta(days=5)


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
        self._shape = in_rows(open_table(path), {**PRICE_SPELLINGS, **OPTIONAL_SPELLINGS})
        self._columns = match_columns(self._shape.table.names, path, PRICE_SPELLINGS, OPTIONAL_SPELLINGS)
        if "time" in self._columns and column_key(self._columns["timestamp"]) == "date":
            raise DataError(
                f"{path}: date and time are two columns; join them into one named timestamp, with its UTC offset"
            )

    @cached_property
    def overview(self) -> FileOverview:
        """Symbols, sessions, sectors, frequency and how the file was understood, from one pass over it."""
        present = [name for name in self._columns if name in {"symbol", "timestamp", "sector", "freq"}]
        table = self._table(present)
        if table.num_rows == 0:
            raise DataError(f"{self.path} has no rows; it holds no bar at all")
        stamps = read_timestamps(table["timestamp"], self.path, self._columns["timestamp"])
        frame = pd.DataFrame({"symbol": self._symbols(table), "stamp": stamps})
        frequency = self._stated_frequency(table) or self._frequency_from_steps(frame)
        grouped = frame.groupby("symbol", sort=True, observed=True)["stamp"]
        symbols = pd.DataFrame(
            {
                "first_session": self._sessions(grouped.min(), frequency),
                "last_session": self._sessions(grouped.max(), frequency),
                "bars": grouped.size(),
                "sector": self._sectors(table, frame["symbol"]),
            }
        )
        symbols.index = symbols.index.astype("object")
        notes = self._text_numbers[1] if self._shape.table.encoding != "Parquet" else {}
        return FileOverview(
            path=self.path,
            layout=self._shape.layout,
            encoding=self._shape.table.encoding,
            columns=tuple(ColumnUse(meaning, name, notes.get(meaning, "")) for meaning, name in self._columns.items()),
            frequency=frequency,
            timezone=self._zone(stamps, frequency),
            label=self._settings.label,
            symbols=symbols,
            respelled={},
            rows_left_out=self._shape.table.rows_left_out,
            notes=(*self._shape.table.notes, *self._shape.notes),
        )

    def _zone(self, stamps: pd.Series, frequency: Frequency) -> str:
        if stamps.dt.tz is not None:
            return OFFSETS_IN_THE_FILE
        return DATES_WITHOUT_TIME if frequency is Frequency.ONE_DAY else str(self._settings.timezone)

    def read(self, symbols: Collection[str], first: date, last: date) -> pd.DataFrame:
        """Bars of `symbols` in the sessions from `first` to `last` as the file has them.

        Returns
        -------
        DataFrame with the columns of `BAR_COLUMNS`, in the file's order
            `ts_utc` is the bar's start as in `core.prices.bars`; prices and volume are float64, NaN where the file has
            no number.
        """
        frequency = self.overview.frequency
        table = self._table(list(PRICE_SPELLINGS), symbols=symbols, first=first, last=last)
        if table.num_rows == 0:
            stamps = pd.Series(dtype="datetime64[ns, UTC]")
        else:
            stamps = read_timestamps(table["timestamp"], self.path, self._columns["timestamp"])
        frame = pd.DataFrame({"symbol": self._symbols(table).astype("object"), "ts_utc": stamps})
        for name in _NUMBERS:
            frame[name] = table[name].to_numpy()
        sessions = self._sessions(frame["ts_utc"], frequency)
        in_range = (sessions >= pd.Timestamp(first)) & (sessions <= pd.Timestamp(last))
        frame["ts_utc"] = self._bar_starts(frame["ts_utc"], sessions, frequency)
        return frame[in_range].reset_index(drop=True)

    def _table(
        self,
        columns: list[str],
        *,
        symbols: Collection[str] | None = None,
        first: date | None = None,
        last: date | None = None,
    ) -> pa.Table:
        """The rows of `symbols` in a range that is two days wider than asked, columns under their common names."""
        if symbols is None or first is None or last is None:
            return self._shape.table.read([self._columns[name] for name in columns]).rename_columns(columns)
        only = Selection(self._columns["symbol"], symbols, self._columns["timestamp"], first, last)
        table = self._shape.table.read([self._columns[name] for name in columns], only).rename_columns(columns)
        if any(pa.types.is_string(table[name].type) for name in _NUMBERS):
            table = self._text_numbers[0]
        else:
            table = _with_numbers(table)[0]
        return table.filter(pc.is_in(table["symbol"], pa.array(sorted(symbols), pa.string())))

    @cached_property
    def _text_numbers(self) -> tuple[pa.Table, dict[str, str]]:
        """Every row, prices and volume as numbers, and how those were understood: one file has one notation."""
        return _with_numbers(self._table(list(PRICE_SPELLINGS)))

    def _symbols(self, table: pa.Table) -> pd.Series:
        column = table["symbol"]
        if column.null_count:
            row = int(np.argmax(column.is_null().to_numpy()))
            raise DataError(f"{self.path}: row {row + 1} has no {self._columns['symbol']}; fill it or delete the row")
        if not pa.types.is_dictionary(column.type):
            column = column.cast(pa.string()).dictionary_encode()
        return column.to_pandas()

    def _sectors(self, table: pa.Table, symbols: pd.Series) -> pd.Series | None:
        if "sector" not in table.column_names:
            return None
        pairs = pd.DataFrame(
            {"symbol": symbols, "sector": table["sector"].to_pandas().astype("object")}
        ).drop_duplicates()
        twice = pairs[pairs["symbol"].duplicated(keep=False)]
        if not twice.empty:
            symbol = twice["symbol"].iloc[0]
            labels = " and ".join(repr(label) for label in twice.loc[twice["symbol"] == symbol, "sector"])
            raise DataError(f"{self.path}: {symbol} has the sectors {labels}; a symbol needs exactly one")
        return pairs.set_index("symbol")["sector"]

    def _stated_frequency(self, table: pa.Table) -> Frequency | None:
        if "freq" not in table.column_names:
            return None
        labels = [str(label) for label in pc.unique(table["freq"]).to_pylist()]
        frequencies = {_FREQUENCY_BY_LABEL.get(column_key(label)) for label in labels}
        if len(frequencies) != 1 or None in frequencies:
            raise DataError(
                f"{self.path}: {self._columns['freq']} holds {', '.join(map(repr, labels))}; "
                f"a file needs one value of {', '.join(Frequency)}"
            )
        return frequencies.pop()

    def _frequency_from_steps(self, frame: pd.DataFrame) -> Frequency:
        """Frequency from the commonest step between consecutive bars of a symbol."""
        ordered = frame.sort_values(["symbol", "stamp"], kind="stable")
        steps = ordered["stamp"].diff()[ordered["symbol"].eq(ordered["symbol"].shift())]
        steps = steps[steps > pd.Timedelta(0)]
        if steps.empty:
            raise DataError(
                f"{self.path}: one bar a symbol does not tell how long a bar is; add a column freq with one of "
                f"{', '.join(Frequency)}"
            )
        step = pd.Timedelta(steps.mode().iloc[0])
        for frequency in (Frequency.ONE_MINUTE, Frequency.FIVE_MINUTES, Frequency.ONE_HOUR):
            if step == pd.Timedelta(minutes=frequency.minutes):
                return frequency
        if pd.Timedelta(hours=22) <= step <= _LONGEST_DAILY_STEP:
            return Frequency.ONE_DAY
        raise DataError(f"{self.path}: bars are mostly {step} apart; only bars of {', '.join(Frequency)} can be read")

    def _sessions(self, stamps: pd.Series, frequency: Frequency) -> pd.Series:
        """Session date of each time stamp, datetime64[ns] at midnight without a zone."""
        if stamps.dt.tz is None:
            if frequency is not Frequency.ONE_DAY:
                stamps = self._localized(stamps)
            else:
                return stamps.dt.normalize()
        elif frequency is Frequency.ONE_DAY and (stamps == stamps.dt.normalize()).all():
            # Midnight in UTC is a date that was stored as a time; its New York date would be the day before.
            return stamps.dt.tz_localize(None)
        return stamps.dt.tz_convert(MARKET_TIMEZONE).dt.normalize().dt.tz_localize(None)

    def _bar_starts(self, stamps: pd.Series, sessions: pd.Series, frequency: Frequency) -> pd.Series:
        if frequency is Frequency.ONE_DAY:
            return (sessions + pd.Timedelta(hours=9, minutes=30)).dt.tz_localize(MARKET_TIMEZONE).dt.tz_convert("UTC")
        return self._localized(stamps) if stamps.dt.tz is None else stamps

    def _localized(self, stamps: pd.Series) -> pd.Series:
        if self._settings.timezone is None:
            raise DataError(
                f"{self.path}: {self._columns['timestamp']} has no time zone (first: {stamps.iloc[0]}); store it as "
                f"UTC with its zone, or set the source's timezone to that of the file, such as {MARKET_TIMEZONE} or UTC"
            )
        local = stamps.dt.tz_localize(self._settings.timezone, ambiguous="NaT", nonexistent="NaT")
        if local.isna().any():
            raise DataError(
                f"{self.path}: {self._columns['timestamp']} {stamps[local.isna()].iloc[0]} is no single moment in "
                f"{self._settings.timezone}, where clocks change; store the time stamps in UTC with their zone"
            )
        return local.dt.tz_convert("UTC")


def _with_numbers(table: pa.Table) -> tuple[pa.Table, dict[str, str]]:
    numbers, notes = read_numbers({name: table[name] for name in _NUMBERS})
    for name in _NUMBERS:
        column = pa.chunked_array([pa.array(numbers[name], from_pandas=False)])
        table = table.set_column(table.schema.get_field_index(name), name, column)
    return table, notes
