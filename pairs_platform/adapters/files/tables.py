"""The columns of a Parquet or CSV file: their names, and the text of a CSV file.

What does not belong here: what time stamps mean (`stamps`), which rows are bars (`price_file`).
"""

import re
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from pairs_platform.core.errors import DataError

CSV_SUFFIXES = (".csv", ".csv.gz")
PARQUET_SUFFIXES = (".parquet", ".pq")


def has_suffix(path: Path, suffixes: tuple[str, ...]) -> bool:
    """Whether the file's name ends with one of `suffixes`, in any case."""
    return path.name.casefold().endswith(suffixes)


def match_columns(
    names: list[str], path: Path, required: Mapping[str, tuple[str, ...]], optional: Mapping[str, tuple[str, ...]]
) -> dict[str, str]:
    """Name in the file of each column that is needed, and of each optional one that is there.

    Raises
    ------
    DataError
        When a required column is missing; names it, its spellings, and what the file has.
    """
    by_key: dict[str, str] = {}
    for name in names:
        by_key.setdefault(column_key(name), name)
    matched = {}
    for column, spellings in {**required, **optional}.items():
        match = next((by_key[column_key(spelling)] for spelling in spellings if column_key(spelling) in by_key), None)
        if match is not None:
            matched[column] = match
        elif column in required:
            raise DataError(
                f"{path}: no {column} column; name it {' or '.join(spellings[:3])} (the file has {', '.join(names)})"
            )
    return matched


def column_key(name: str) -> str:
    """A column's name without case, spaces and punctuation."""
    return re.sub(r"[^a-z0-9]", "", name.casefold())


def column_names(path: Path) -> list[str]:
    """Names of the columns of a Parquet or CSV file.

    Raises
    ------
    DataError
        When the file cannot be read or has no header.
    """
    try:
        if has_suffix(path, PARQUET_SUFFIXES):
            return list(pq.read_schema(path).names)
        with pa.input_stream(str(path), compression="detect") as stream:
            header = stream.read(1 << 16).decode("utf-8-sig", errors="replace").split("\n", 1)[0].strip()
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path} cannot be read as {_kind(path)}: {error}") from error
    if not header:
        raise DataError(f"{path} is empty; a CSV file needs a line of column names and a line per bar")
    return [name.strip().strip('"') for name in header.split(_delimiter(header))]


def _delimiter(header: str) -> str:
    return max(",;\t|", key=header.count)


def _kind(path: Path) -> str:
    return "Parquet" if has_suffix(path, PARQUET_SUFFIXES) else "CSV"


def read_csv_text(path: Path) -> pa.Table:
    """Every cell of a CSV file as text; the delimiter (comma, semicolon, tab, bar) is recognised by the header.

    Raises
    ------
    DataError
        When the file cannot be read.
    """
    names = column_names(path)
    with pa.input_stream(str(path), compression="detect") as stream:
        header = stream.read(1 << 16).decode("utf-8-sig", errors="replace").split("\n", 1)[0]
    try:
        return pa.csv.read_csv(
            path,
            read_options=pa.csv.ReadOptions(column_names=names, skip_rows=1),
            parse_options=pa.csv.ParseOptions(delimiter=_delimiter(header)),
            convert_options=pa.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
        )
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path} cannot be read as CSV: {error}") from error
