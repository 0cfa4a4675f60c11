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
import pyarrow.parquet as pq

from pairs_platform.adapters.files.overview import DATES_WITHOUT_TIME, OFFSETS_IN_THE_FILE, ColumnUse, FileOverview
from pairs_platform.adapters.files.settings import FileSourceSettings
from pairs_platform.adapters.files.stamps import read_timestamps
from pairs_platform.adapters.files.tables import (
    PARQUET_SUFFIXES,
    column_key,
    column_names,
    has_suffix,
    match_columns,
    read_csv_text,
)
from pairs_platform.core.errors import DataError
from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.time import MARKET_TIMEZONE

PRICE_SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "symbol": ("symbol", "ticker", "sym"),
    "timestamp": ("ts_utc", "timestamp", "datetime", "ts", "bar_start", "date"),
    "open": ("open", "o"),
    "high": ("high", "h"),
    "low": ("low", "l"),
    "close": ("close", "c"),
    "volume": ("volume", "vol", "v"),
}
"""Spellings of each column, the preferred one first; case, spaces and punctuation do not matter."""

OPTIONAL_SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "sector": ("sector", "gics_sector"),
    "freq": ("freq", "frequency", "interval", "timeframe"),
    "time": ("time",),
}

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
        self._columns = match_columns(column_names(path), path, PRICE_SPELLINGS, OPTIONAL_SPELLINGS)
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
        return FileOverview(
            path=self.path,
            layout="rows",
            encoding="Parquet" if has_suffix(self.path, PARQUET_SUFFIXES) else "utf-8",
            columns=tuple(ColumnUse(meaning, name) for meaning, name in self._columns.items()),
            frequency=frequency,
            timezone=self._zone(stamps, frequency),
            label=self._settings.label,
            symbols=symbols,
            respelled={},
            rows_left_out=(),
            notes=(),
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
        for name in ("open", "high", "low", "close", "volume"):
            numbers = pd.to_numeric(table[name].to_pandas(), errors="coerce")
            frame[name] = numbers.to_numpy(dtype="float64", na_value=np.nan)
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
        actual = [self._columns[name] for name in columns]
        if has_suffix(self.path, PARQUET_SUFFIXES):
            try:
                table = pq.read_table(
                    self.path, columns=actual, filters=self._filter(symbols, first, last), partitioning=None
                )
            except (OSError, pa.ArrowException) as error:
                raise DataError(f"{self.path} cannot be read as Parquet: {error}") from error
        else:
            table = self._text.select(actual)
            if symbols is not None:
                table = table.filter(pc.is_in(table[self._columns["symbol"]], pa.array(sorted(symbols), pa.string())))
        return table.rename_columns(columns)

    @cached_property
    def _text(self) -> pa.Table:
        return read_csv_text(self.path)

    @cached_property
    def _schema(self) -> pa.Schema:
        return pq.read_schema(self.path)

    def _filter(self, symbols: Collection[str] | None, first: date | None, last: date | None) -> pc.Expression | None:
        if symbols is None or first is None or last is None:
            return None
        kind = self._schema.field(self._columns["symbol"]).type
        text = kind.value_type if pa.types.is_dictionary(kind) else kind
        expression = pc.field(self._columns["symbol"]).cast(text).isin(pa.array(sorted(symbols)).cast(text))
        kind = self._schema.field(self._columns["timestamp"]).type
        if pa.types.is_timestamp(kind):
            zone = "UTC" if kind.tz else None
            low = pd.Timestamp(first, tz=zone) - timedelta(days=2)
            high = pd.Timestamp(last, tz=zone) + timedelta(days=3)
            stamp = pc.field(self._columns["timestamp"])
            expression &= (stamp >= pa.scalar(low, kind)) & (stamp < pa.scalar(high, kind))
        return expression

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
