"""How results look in a terminal: tables of frames.

What does not belong here: the text of a single cell (`views.drawing.cells`).
"""

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.table import Table

from pairs_platform.views.drawing.cells import cell

NARROW = 16
"""Columns whose values are all shorter are neither wrapped nor cut; their titles may be wrapped."""


def frame_table(frame: pd.DataFrame, title: str | None) -> Table:
    """A frame as a terminal table; floats with four significant digits, missing values as a dash."""
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


def print_renderable(*items: RenderableType) -> None:
    """Print to standard output, as wide as the terminal, at least 120 columns where there is none."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=max(120, console.width))
    for item in items:
        console.print(item)
