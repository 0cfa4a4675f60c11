"""How results look in a terminal: tables of frames.

What does not belong here: the text of a single cell (`views.drawing.cells`).
"""

from collections.abc import Sequence

import click
import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.table import Table

from pairs_platform.views.drawing.cells import cell

SHOWN_PROFILE = "pairs_platform.profile"
"""Under which the context of a command holds the name of its profile."""

NARROW = 16
"""Columns whose values are all shorter are neither wrapped nor cut; their titles may be wrapped."""


def frame_table(frame: pd.DataFrame, title: str | None) -> Table:
    """A frame as a terminal table; floats with four significant digits, missing values as a dash.

    The title ends with the name of the profile that the command works on.
    """
    context = click.get_current_context(silent=True)
    profile = context.meta.get(SHOWN_PROFILE) if context else None
    if title and profile and profile not in title:
        title = f"{title} · {profile}"
    shown = Table(
        title=title, title_justify="left", header_style="bold", box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True
    )
    for name in frame.columns:
        numeric = pd.api.types.is_numeric_dtype(frame[name]) and not pd.api.types.is_bool_dtype(frame[name])
        width = max((len(cell(value)) for value in frame[name]), default=0)
        shown.add_column(
            str(name).replace("_", " "),
            justify="right" if numeric else "left",
            min_width=width if width < NARROW else None,
        )
    for row in frame.itertuples(index=False):
        shown.add_row(*(cell(value) for value in row))
    return shown


def narrowed(frame: pd.DataFrame, droppable: Sequence[str], width: int) -> pd.DataFrame:
    """A frame without as many of its `droppable` columns, in their order, as a table of `width` columns needs."""
    for name in droppable:
        if _table_width(frame) <= width:
            break
        frame = frame.drop(columns=name)
    return frame


def _table_width(frame: pd.DataFrame) -> int:
    """Columns that a table takes without cutting a value; headings are wrapped between words."""
    cells = [
        max([len(word) for word in str(name).replace("_", " ").split()] + [len(cell(value)) for value in frame[name]])
        for name in frame.columns
    ]
    return sum(cells) + 2 * len(cells)


def print_renderable(*items: RenderableType) -> None:
    """Print to standard output, as wide as the terminal, at least 120 columns where there is none."""
    console = _console()
    for item in items:
        console.print(item)


def output_width() -> int:
    """Columns of standard output, as `print_renderable` takes it."""
    return _console().width


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=max(120, console.width))
