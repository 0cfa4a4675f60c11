"""What a report consists of before it has a form: headings, sentences, tables, pictures.

What does not belong here: what is reported (`session`), and the forms (`html`, `pdf`).
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from pairs_platform.views.drawing.cells import cell
from pairs_platform.views.drawing.plots import Drawing

_NUMBER = re.compile(r"[<±+\-−]?\d[\d,.]*(e[+-]\d+)?|–|")


@dataclass(frozen=True)
class Heading:
    """A heading; level 2 begins a sector, 3 a section of it."""

    text: str
    level: int


@dataclass(frozen=True)
class Paragraph:
    """A paragraph; `small` for explanations below a table."""

    text: str
    small: bool = False


@dataclass(frozen=True)
class Table:
    """A table of texts.

    Attributes
    ----------
    caption : str
    columns : tuple of str
    rows : tuple of tuple of str
    numeric : tuple of bool
        For each column, whether it is aligned to the right.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[bool, ...]


@dataclass(frozen=True)
class Picture:
    """A picture over time, its alternative text, and whether the next picture stays on its page."""

    drawing: Drawing
    text: str
    with_next: bool = False


Block = Heading | Paragraph | Table | Picture


@dataclass(frozen=True)
class Document:
    """A report.

    Attributes
    ----------
    title : str
    subtitle : str
    as_of : datetime
        Aware: the moment of the newest prices in it. It stands for the time of writing in files, so that the same
        state gives the same bytes.
    blocks : tuple of Heading, Paragraph, Table or Picture
    """

    title: str
    subtitle: str
    as_of: datetime
    blocks: tuple[Block, ...]


def table_of(frame: pd.DataFrame, caption: str) -> Table:
    """A frame as a table; columns that hold nothing but numbers and dashes are aligned to the right."""
    rows = tuple(tuple(cell(value) for value in row) for row in frame.itertuples(index=False, name=None))
    numeric = tuple(
        any(texts) and all(_NUMBER.fullmatch(text) for text in texts) for texts in zip(*rows, strict=True)
    ) or (False,) * len(frame.columns)
    return Table(caption, tuple(str(name).replace("_", " ") for name in frame.columns), rows, numeric)


def rows_of(names: Sequence[str], rows: Sequence[Sequence[object]], caption: str) -> Table:
    """Plain rows as a table; as `table_of`."""
    return table_of(pd.DataFrame(list(rows), columns=list(names), dtype=object), caption)


def printable(text: str) -> str:
    """Text without characters that no page shows: controls, surrogates, marks that turn the direction of writing."""
    return "".join("\ufffd" if unicodedata.category(letter) in ("Cc", "Cf", "Cs") else letter for letter in text)
