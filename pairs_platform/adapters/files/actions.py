"""A file of splits and dividends.

What does not belong here: adjusting prices (`core.prices.adjustment`).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from pairs_platform.adapters.files.columns import column_key, match_columns
from pairs_platform.adapters.files.conventions import ReadColumn, chosen_column
from pairs_platform.adapters.files.sessions import SessionRule, dates, instants
from pairs_platform.adapters.files.settings import FileSourceSettings
from pairs_platform.adapters.files.stamps import Fault, utc_of_wall
from pairs_platform.adapters.files.tables import FileTable, open_table
from pairs_platform.core.errors import DataError
from pairs_platform.core.prices.bars import ACTION_COLUMNS, Frequency
from pairs_platform.core.prices.numbers import numbers
from pairs_platform.core.prices.symbols import read_spellings
from pairs_platform.core.time import MARKET_TIMEZONE
from pairs_platform.ports.market_data import empty_actions

_ACTION_SPELLINGS = {
    "symbol": ("symbol", "ticker"),
    "ex_date": ("ex_date", "date"),
    "kind": ("kind", "type", "action"),
    "value": ("value", "amount", "ratio"),
}
_ANNOUNCED_SPELLINGS = {"known_ts_utc": ("known_ts_utc", "known", "announced")}
_KINDS = {
    **dict.fromkeys(("split", "splits", "stocksplit", "stocksplits"), "split"),
    **dict.fromkeys(("dividend", "dividends", "cashdividend", "cashdividends", "div", "divs"), "dividend"),
    **dict.fromkeys(("specialdividend", "specialdividends", "specialcashdividend"), "dividend"),
}


@dataclass(frozen=True, eq=False)
class ActionFile:
    """The actions of a file, and what of it is none.

    Attributes
    ----------
    path : Path
    actions : DataFrame with the columns of `ACTION_COLUMNS`
        One row per symbol, ex-date and kind.
    notes : tuple of (str or None, str)
        Rows that are left out, that were listed twice, or that add up: their symbol, where they have one, and words.
    """

    path: Path
    actions: pd.DataFrame
    notes: tuple[tuple[str | None, str], ...]

    def notes_of(self, symbols: set[str]) -> list[str]:
        """Notes that concern any of `symbols`, and of rows without a symbol."""
        return [note for symbol, note in self.notes if symbol is None or symbol in symbols]


def read_actions(path: Path, settings: FileSourceSettings) -> ActionFile:
    """Every action of a Parquet or CSV file.

    An ex-date is the date as written, as a daily bar's is. An action without a moment at which it became known counts
    as known from New York's midnight before its ex-date; a moment at midnight is a date and means New York's midnight.
    Rows of one symbol, ex-date and kind with the same value are one action; with different values dividends add up and
    splits multiply, known when the last of them is. A row that cannot be used costs itself, and is said.

    Raises
    ------
    DataError
        When the file cannot be read, lacks a column, or has no row that can be used.
    """
    source = open_table(path)
    columns = match_columns(source.names, path, _ACTION_SPELLINGS, _ANNOUNCED_SPELLINGS)
    table = source.read(list(dict.fromkeys(columns.values())))
    if table.num_rows == 0:
        return ActionFile(path, empty_actions(), ())
    kinds, values = table[columns["kind"]].to_pylist(), table[columns["value"]].to_pylist()
    dated = _stamps(table, columns["ex_date"], source, settings)
    day, fault = dates(dated.stamps, SessionRule(Frequency.ONE_DAY, settings.timezone))
    written = table[columns["symbol"]].cast(pa.string()).fill_null("").to_pylist()
    spellings = read_spellings(written)
    symbols = [spellings.symbols.get(text) for text in written]
    rows = pd.DataFrame(
        {
            "symbol": pd.Series(symbols, dtype="object"),
            "ex_date": day[dated.code].astype("datetime64[ns]"),
            "kind": [_KINDS.get(column_key(str(kind))) for kind in kinds],
            "value": numbers(values),
        }
    )
    rows["known_ts_utc"] = rows["ex_date"].dt.tz_localize(MARKET_TIMEZONE).dt.tz_convert("UTC")
    notes = []
    if "known_ts_utc" in columns:
        known, unread = _known(_stamps(table, columns["known_ts_utc"], source, settings), settings)
        rows["known_ts_utc"] = known.fillna(rows["known_ts_utc"])
        notes += [(i, f"{reason}; it counts as known from its ex-date on") for i, reason in unread.items()]
    reasons = {i: str(spellings.refused[text]) for i, text in enumerate(written) if text in spellings.refused}
    for i in np.flatnonzero(rows["kind"].isna() | ~(rows["value"] > 0) | ~np.isfinite(rows["value"])):
        reasons[int(i)] = (
            f"kind {kinds[i]!r}, value {values[i]!r}; kind must be split (value: new shares per old share) or "
            "dividend (value: dollars per share), and value a positive number"
        )
    reasons |= _faults(dated, fault, settings.timezone)
    notes += [(i, f"{reason}; the row is left out") for i, reason in reasons.items()]
    who = [symbol or text for symbol, text in zip(symbols, written, strict=True)]
    if len(reasons) == len(rows):
        raise DataError(f"{path}: row {source.row(0)}: {who[0]}: {reasons[0]}; no row can be used")
    said = [(symbols[i], f"row {source.row(i)}: {who[i]}: {note}") for i, note in sorted(notes)]
    actions, merged = _one_each(rows.drop(index=list(reasons)))
    return ActionFile(path, actions, (*said, *merged))


def _stamps(table: pa.Table, name: str, source: FileTable, settings: FileSourceSettings) -> ReadColumn:
    return chosen_column(table, [(name,)], date_order=settings.date_order, row_of=source.row, path=source.path)


def _faults(read: ReadColumn, fault: np.ndarray, zone: str | None) -> dict[int, str]:
    """Why time stamps have no moment or date, by row."""
    return {row: read.reason(fault, row, zone) for row in np.flatnonzero(fault[read.code]).tolist()}


def _known(announced: ReadColumn, settings: FileSourceSettings) -> tuple[pd.Series, dict[int, str]]:
    """Moments at which actions became known, NaT where none is given, and why one could not be read, by row."""
    stamps, zone = announced.stamps, settings.timezone or MARKET_TIMEZONE
    at_midnight = stamps.wall == stamps.wall.astype("datetime64[D]")
    moment, fault = instants(stamps, zone)
    moment = np.where(at_midnight, utc_of_wall(stamps.wall, MARKET_TIMEZONE), moment)
    fault = np.where(fault == Fault.EMPTY, Fault.NONE, fault)
    return pd.Series(pd.DatetimeIndex(moment[announced.code]).tz_localize("UTC")), _faults(announced, fault, zone)


def _one_each(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[tuple[str | None, str]]]:
    """One row per symbol, ex-date and kind, and what was said twice or added up."""
    keys = ["symbol", "ex_date", "kind"]
    latest = rows.groupby([*keys, "value"], as_index=False, sort=True)["known_ts_utc"].agg(["max", "size"])
    latest = latest.rename(columns={"max": "known_ts_utc"})
    grouped = latest.groupby(keys, sort=True)
    merged = grouped.agg(known_ts_utc=("known_ts_utc", "max"), listed=("size", "sum"), values=("value", "size"))
    total = grouped["value"].agg(["sum", "prod"])
    merged["value"] = np.where(merged.index.get_level_values("kind") == "split", total["prod"], total["sum"])
    merged = merged.reset_index()
    notes: list[tuple[str | None, str]] = []
    for row in merged[merged["listed"] > 1].to_dict("records"):
        what = f"{row['symbol']} {row['ex_date']:%Y-%m-%d}: {row['kind']}"
        if row["listed"] > row["values"]:
            notes.append((row["symbol"], f"{what} listed more than once with the same value counts once"))
        if row["values"] > 1:
            how = "multiply to" if row["kind"] == "split" else "add up to"
            notes.append((row["symbol"], f"{what}: {row['values']} different values {how} {row['value']:g}"))
    return merged[list(ACTION_COLUMNS)].astype(empty_actions().dtypes.to_dict()), notes
