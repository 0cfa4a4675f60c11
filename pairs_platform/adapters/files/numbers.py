"""Numbers as people and programs write them: thousands separators, decimal commas, dollar signs, K and M.

A cell that is no number becomes NaN, for validation to quarantine its row. What does not belong here: which numbers are
prices (`core.prices.validation`).
"""

import re
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
import pyarrow as pa

_GAPS = str.maketrans({mark: "'" for mark in " \xa0\u202f\u2009\u2019\u2018`"})
_DECORATED = r"^(?:US)?\$\s*|\s*(?:USD|\$)$"
_AGREEMENT = 0.95
_LETTERS = {"K": 1e3, "M": 1e6, "B": 1e9}


def _proof(decimal: str, group: str) -> str:
    """Pattern of the numbers that prove which mark begins the decimals and which one separates groups."""
    whole, grouped = rf"\d+(?:[{group}']\d{{3}})*", rf"\d{{1,3}}(?:[{group}']\d{{3}})+"
    several = rf"\d{{1,3}}(?:{group}\d{{3}}){{2,}}"
    return rf"^[+-]?(?:{whole}{decimal}(?:\d{{1,2}}|\d{{4,}})|0{decimal}\d+|{grouped}{decimal}\d*|{several})$"


_DOT_IS_DECIMAL, _COMMA_IS_DECIMAL = _proof(r"\.", ","), _proof(",", r"\.")


def read_numbers(columns: Mapping[str, pa.ChunkedArray]) -> tuple[pd.DataFrame, dict[str, str]]:
    """Columns as float64, NaN where a cell is no number, and how those were understood that are not written plainly.

    Which of dot and comma begins the decimals is decided by all columns together, because one file has one convention:
    `1,234.50` in one of them says what `1,234` is in another. Where nothing proves it, a number with a comma is none.
    Letters (`1.2M`) count for `volume` alone.

    Parameters
    ----------
    columns : mapping of str to ChunkedArray
        By meaning: open, high, low, close, volume; numbers or strings.

    Returns
    -------
    DataFrame, float64, a column for each of `columns`
    dict of str to str
        Notes by column; none for a column of plain numbers.
    """
    numbers = {name: _plain(column) for name, column in columns.items()}
    odd = {
        name: _with_digits(column, np.isnan(numbers[name]))
        for name, column in columns.items()
        if pa.types.is_string(column.type)
    }
    if not any(map(len, odd.values())):
        return pd.DataFrame(numbers), {}
    bare = {name: _bare(columns[name].to_pandas()) for name in odd}
    decimal = _decimal_mark(bare.values())
    notes = {}
    for name, column in bare.items():
        numbers[name] = _converted(column, decimal, numbers[name], letters=name == "volume")
        note = _note(odd[name], numbers[name], decimal)
        if note:
            notes[name] = note
    return pd.DataFrame(numbers), notes


def _with_digits(column: pa.ChunkedArray, unread: np.ndarray) -> pd.Series:
    """The unread cells that may be numbers in another notation, by position."""
    texts = column.filter(pa.array(unread)).to_pandas().set_axis(np.flatnonzero(unread))
    return texts[texts.str.contains(r"\d", regex=True, na=False)]


def _plain(column: pa.ChunkedArray) -> np.ndarray:
    """Cells that are numbers as a program writes them; NaN for every other."""
    if pa.types.is_string(column.type):
        try:
            return np.array(column.cast(pa.float64()).to_numpy())
        except pa.ArrowInvalid:
            pass
    numbers = pd.to_numeric(column.to_pandas(), errors="coerce")
    return np.array(numbers.to_numpy(dtype="float64", na_value=np.nan))


def _bare(texts: pd.Series) -> pd.Series:
    """Cells without dollar signs, every gap between digits written as an apostrophe."""
    bare = texts.fillna("").str.strip().str.replace(_DECORATED, "", regex=True, case=False)
    return bare.str.translate(_GAPS)


def _decimal_mark(columns: Iterable[pd.Series]) -> str:
    """Dot or comma, as nearly every cell that proves one says; empty when they disagree or a comma proves nothing."""
    dots = commas = with_comma = 0
    for bare in columns:
        dots += int(bare.str.match(_DOT_IS_DECIMAL).sum())
        commas += int(bare.str.match(_COMMA_IS_DECIMAL).sum())
        with_comma += int(bare.str.contains(",", regex=False).sum())
    if dots + commas == 0:
        return "" if with_comma else "."
    agreed = max(dots, commas) >= _AGREEMENT * (dots + commas)
    return ("." if dots > commas else ",") if agreed else ""


def _converted(bare: pd.Series, decimal: str, plain: np.ndarray, *, letters: bool) -> np.ndarray:
    group = {".": ",", ",": "."}.get(decimal, "")
    whole = rf"(?:\d{{1,3}}(?:[{group}']\d{{3}})+|\d+)"
    mark = re.escape(decimal or ".")
    parts = bare.str.extract(rf"(?i)^([+-]?(?:{whole}(?:{mark}\d*)?|{mark}\d+)(?:e[+-]?\d+)?)'?([KMB])?$")
    text = parts[0].str.replace(rf"[{group}']", "", regex=True).str.replace(decimal or ".", ".", regex=False)
    numbers = pd.to_numeric(text, errors="coerce") * parts[1].str.upper().map(_LETTERS).fillna(1.0)
    read = np.array(numbers.where(parts[1].isna() | letters), dtype="float64")
    return read if decimal == "," else np.where(np.isnan(plain), read, plain)


def _note(odd: pd.Series, numbers: np.ndarray, decimal: str) -> str:
    """How cells that are not plain numbers were understood; the index of `odd` is their position."""
    read = ~np.isnan(numbers[odd.index])
    parts = ["decimal comma"] if decimal == "," else []
    if read.any():
        position = odd.index[int(np.argmax(read))]
        parts.append(f"{odd[position][:20]!a} is {numbers[position]:.15g}")
    if not read.all():
        unread = odd[~read]
        why = (
            "" if decimal or "," not in unread.iloc[0] else ": nothing in the file says whether a comma begins decimals"
        )
        parts.append(f"{unread.iloc[0][:20]!a} is no number{why} ({len(unread)} such cells)")
    return "; ".join(parts)
