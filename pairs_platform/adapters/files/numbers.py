"""Numbers as people and programs write them: thousands separators, decimal commas, dollar signs, K and M.

A cell that is no number becomes NaN, for validation to quarantine its row. What does not belong here: which numbers are
prices (`core.prices.validation`).
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pyarrow as pa

_GAPS = str.maketrans({mark: "'" for mark in " \xa0\u202f\u2009\u2019\u2018`"})
_DECORATED = r"^(?:US)?\$\s*|\s*(?:USD|\$)$"
_DOT_IS_DECIMAL = (
    r"^[+-]?(?:\d+(?:[,']\d{3})*\.(?:\d{1,2}|\d{4,})|0\.\d+|\d{1,3}(?:[,']\d{3})+\.\d*|\d{1,3}(?:,\d{3}){2,})$"
)
_COMMA_IS_DECIMAL = (
    r"^[+-]?(?:\d+(?:[.']\d{3})*,(?:\d{1,2}|\d{4,})|0,\d+|\d{1,3}(?:[.']\d{3})+,\d*|\d{1,3}(?:\.\d{3}){2,})$"
)
_LETTERS = {"K": 1e3, "M": 1e6, "B": 1e9}


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
    odd = {}
    for name, column in columns.items():
        if pa.types.is_string(column.type):
            texts = column.to_pandas()
            texts = texts[np.isnan(numbers[name]) & texts.notna().to_numpy()].str.strip()
            odd[name] = texts[texts.str.contains(r"\d", regex=True)]
    if not any(len(texts) for texts in odd.values()):
        return pd.DataFrame(numbers), {}
    texts = {name: _bare(columns[name].to_pandas()) for name in odd}
    decimal = _decimal_mark(texts.values())
    notes = {}
    for name, bare in texts.items():
        numbers[name], understood = _converted(bare, decimal, letters=name == "volume")
        if decimal == "," or len(odd[name]):
            notes[name] = _note(odd[name], numbers[name], decimal, understood)
    return pd.DataFrame(numbers), {name: note for name, note in notes.items() if note}


def _plain(column: pa.ChunkedArray) -> np.ndarray:
    numbers = pd.to_numeric(column.to_pandas(), errors="coerce")
    return np.array(numbers.to_numpy(dtype="float64", na_value=np.nan))


def _bare(texts: pd.Series) -> pd.Series:
    """Cells without dollar signs, every gap between digits written as an apostrophe."""
    bare = texts.fillna("").str.strip().str.replace(_DECORATED, "", regex=True, case=False)
    return bare.str.translate(_GAPS)


def _decimal_mark(columns: Iterable[pd.Series]) -> str:
    """Dot or comma; empty when cells of the file prove both, or hold commas and prove neither."""
    dots = commas = unclear = False
    for bare in columns:
        dots |= bool(bare.str.match(_DOT_IS_DECIMAL).any())
        commas |= bool(bare.str.match(_COMMA_IS_DECIMAL).any())
        unclear |= bool(bare.str.contains(",", regex=False).any())
    if dots and commas or unclear and not dots and not commas:
        return ""
    return "," if commas else "."


def _converted(bare: pd.Series, decimal: str, *, letters: bool) -> np.ndarray:
    group = {".": ",", ",": r"\."}.get(decimal, "")
    whole = rf"(?:\d{{1,3}}(?:[{group}']\d{{3}})+|\d+)"
    mark = re.escape(decimal or ".")
    parts = bare.str.extract(rf"(?i)^([+-]?(?:{whole}(?:{mark}\d*)?|{mark}\d+)(?:e[+-]?\d+)?)'?([KMB])?$")
    text = parts[0].str.replace(rf"[{group}']", "", regex=True).str.replace(decimal or ".", ".", regex=False)
    factor = parts[1].str.upper().map(_LETTERS).fillna(1.0)
    numbers = pd.to_numeric(text, errors="coerce") * factor
    return np.array(numbers.where(parts[1].isna() | letters), dtype="float64")


def _note(odd: pd.Series, numbers: np.ndarray, decimal: str) -> str:
    """How the cells that are not plain numbers were understood; `odd` has them by position."""
    if odd.empty:
        return "decimal comma"
    read = ~np.isnan(numbers[odd.index])
    parts = ["decimal comma"] if decimal == "," else []
    if read.any():
        example = odd.index[int(np.argmax(read))]
        parts.append(f"{odd[example]!a} is {numbers[example]:g}" if False else f"{odd[example][:20]!a} is {numbers[example]:.15g}")
    unread = odd[~read]
    if len(unread):
        why = " (comma or dot: nothing in the file says which begins the decimals)" if not decimal else ""
        parts.append(f"{unread.iloc[0][:20]!a} is no number{why}, nor are {len(unread) - 1} more" if len(unread) > 1 else f"{unread.iloc[0][:20]!a} is no number{why}")
    return "; ".join(parts)
