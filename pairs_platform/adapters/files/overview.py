"""What one price file holds and how it was understood, as a person should read it.

What does not belong here: reading the file (`price_file`), choosing files (`history`), printing (`cli`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

from pairs_platform.adapters.files.settings import BarEnd
from pairs_platform.core.prices.bars import Frequency

Layout = Literal["rows", "one column a symbol", "one symbol, from the file's name"]

ONE_SYMBOL: Layout = "one symbol, from the file's name"

DATES_WITHOUT_TIME = "dates without time"
OFFSETS_IN_THE_FILE = "offsets in the file"


@dataclass(frozen=True)
class RowsLeftOut:
    """Rows of one file that are no bars, folded by reason.

    Attributes
    ----------
    reason : str
        In words, with the value of the first of them and the remedy.
    count : int
    first_row : int
        Number of the first of them; the row after the header is row 1.
    """

    reason: str
    count: int
    first_row: int

    def __str__(self) -> str:
        return f"row {self.first_row}: {self.reason}" + (f" ({self.count} such rows)" if self.count > 1 else "")


@dataclass(frozen=True)
class ColumnUse:
    """A column of a file, and what it was taken for.

    Attributes
    ----------
    meaning : str
        symbol, timestamp, date, time, open, high, low, close, volume, sector, freq.
    name : str
        As written in the file.
    note : str
        How it was understood where that is not plain; empty else.
    """

    meaning: str
    name: str
    note: str = ""


@dataclass(frozen=True, eq=False)
class FileOverview:
    """What one file holds.

    Attributes
    ----------
    path : Path
    layout : Layout
        What a row is.
    encoding : str
        Of a CSV file; "Parquet" of a Parquet file.
    names : tuple of str
        Of all columns as the file has them, whether they are read or not.
    columns : tuple of ColumnUse
    frequency : Frequency
    timezone : str
        "dates without time", "offsets in the file", or the name of the zone that was declared or that the column has.
    label : BarEnd
        Which end of a bar its time stamp names.
    symbols : DataFrame, index symbol
        first_session, last_session: datetime64[ns]; bars: int64; sector: object, the label as written, None where the
        file has none.
    respelled : mapping of str to str
        Symbol as the file writes it to the symbol that it is, where they differ.
    rows_left_out : tuple of RowsLeftOut
    notes : tuple of str
        What a person should know and what costs no row.
    """

    path: Path
    layout: Layout
    encoding: str
    names: tuple[str, ...]
    columns: tuple[ColumnUse, ...]
    frequency: Frequency
    timezone: str
    label: BarEnd
    symbols: pd.DataFrame
    respelled: Mapping[str, str]
    rows_left_out: tuple[RowsLeftOut, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class FileLeftOut:
    """A file of a folder or pattern that cannot be used, and why."""

    path: Path
    reason: str
