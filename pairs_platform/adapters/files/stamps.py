"""Time stamps as files write them.

What does not belong here: which column holds them (`tables`), which session a bar belongs to (`price_file`).
"""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from pairs_platform.core.errors import DataError

_WITH_OFFSET = re.compile(r"(?:Z|[+-]\d{2}:?\d{2})$")


def read_timestamps(column: pa.ChunkedArray, path: Path, name: str) -> pd.Series:
    """A column of dates or times as pandas time stamps: in UTC when the file gives a zone or offset, else naive.

    Raises
    ------
    DataError
        When a value is missing, is no ISO 8601 time stamp, or only some have an offset.
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    values = column.to_pandas(date_as_object=False)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        offsets = values.str.contains(_WITH_OFFSET, na=False)
        if offsets.any() and not offsets.all():
            row = int(np.argmin(offsets))
            raise DataError(f"{path}: {name} {values[row]!r} (row {row + 1}) has no UTC offset, others have")
        stamps = pd.to_datetime(values, format="ISO8601", errors="coerce", utc=bool(offsets.any()))
    elif pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        stamps = values.dt.tz_convert("UTC") if pa.types.is_timestamp(kind) and kind.tz else values
    else:
        raise DataError(
            f"{path}: {name} holds {kind}, for example {column[0]}; write it as a date, a time stamp or ISO 8601 text"
        )
    bad = stamps.isna()
    if bad.any():
        row = int(np.argmax(bad))
        raise DataError(
            f"{path}: {name} {values[row]!r} (row {row + 1}) is no date or time; write ISO 8601, "
            "such as 2025-05-12 or 2025-05-12T13:30:00Z"
        )
    return stamps.dt.as_unit("ns")
