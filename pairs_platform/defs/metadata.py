"""Metadata a person can read: tables and pictures for the pages of the Dagster UI.

What does not belong here: computing what they show (`core`) or drawing (`plots`).
"""

import base64
from typing import TYPE_CHECKING

import dagster as dg

if TYPE_CHECKING:
    import pandas as pd


def table(frame: "pd.DataFrame", *, rows: int = 25, digits: int = 4) -> dg.MarkdownMetadataValue:
    """The first rows of a frame as a Markdown table, floats rounded to `digits` significant digits."""
    if frame.empty:
        return dg.MetadataValue.md("*none*")
    head = "| " + " | ".join(str(name).replace("_", " ") for name in frame.columns) + " |"
    rule = "|" + " --- |" * len(frame.columns)
    lines = [
        "| " + " | ".join(_cell(value, digits) for value in row) + " |"
        for row in frame.head(rows).itertuples(index=False)
    ]
    more = [f"\n*{len(frame) - rows} more rows*"] if len(frame) > rows else []
    return dg.MetadataValue.md("\n".join([head, rule, *lines, *more]))


def picture(png: bytes, title: str) -> dg.MarkdownMetadataValue:
    """A PNG image that travels inside the event."""
    return dg.MetadataValue.md(f"![{title}](data:image/png;base64,{base64.b64encode(png).decode()})")


def _cell(value: object, digits: int) -> str:
    import pandas as pd

    if value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and value != value):
        return "–"
    if isinstance(value, float):
        return f"{value:.{digits}g}"
    if isinstance(value, pd.Timestamp):
        return value.strftime("%Y-%m-%d" if value == value.normalize() else "%Y-%m-%d %H:%M")
    return str(value).replace("|", "\\|")
