"""Metadata a person can read: tables and pictures for the pages of the Dagster UI.

What does not belong here: computing what they show (`core`) or drawing (`plots`).
"""

import base64
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg

from pairs_platform.defs.asset_metadata import columns

if TYPE_CHECKING:
    import pandas as pd


def page(asset: str, shown: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata of a materialization: the columns of the asset's table, and what its page shows, as `formatted`."""
    return {**columns(asset), **formatted(shown)}


def formatted(shown: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata for a person.

    Floats have six significant digits, moments are text, what is unknown is left out, and what is empty is "none".
    """
    return {name: _formatted(value) for name, value in shown.items() if value is not None}


def _formatted(value: Any) -> Any:
    if isinstance(value, dg.MetadataValue):
        return value
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    if isinstance(value, Mapping):
        return {str(name): _formatted(inner) for name, inner in value.items()} or "none"
    if isinstance(value, list | tuple):
        return [_formatted(inner) for inner in value] or "none"
    return value


def table(frame: "pd.DataFrame", *, rows: int = 25) -> dg.MarkdownMetadataValue:
    """The first rows of a frame as a Markdown table, floats rounded to four significant digits."""
    return rows_table(list(frame.columns), frame.itertuples(index=False, name=None), rows=rows)


def rows_table(
    names: Sequence[object], rows_of: Iterable[Sequence[object]], *, rows: int = 25
) -> dg.MarkdownMetadataValue:
    """The first rows of a sequence as a Markdown table, formatted as in `table`."""
    from pairs_platform.views.drawing.cells import cell

    every = list(rows_of)
    if not every:
        return dg.MetadataValue.md("*none*")
    head = "| " + " | ".join(str(name).replace("_", " ") for name in names) + " |"
    separator = "|" + " --- |" * len(names)
    lines = ["| " + " | ".join(cell(value).replace("|", "\\|") for value in row) + " |" for row in every[:rows]]
    more = [f"\n*{len(every) - rows} more rows*"] if len(every) > rows else []
    return dg.MetadataValue.md("\n".join([head, separator, *lines, *more]))


def picture(png: bytes, title: str) -> dg.MarkdownMetadataValue:
    """A PNG image as Markdown, embedded in the event."""
    return dg.MetadataValue.md(f"![{title}](data:image/png;base64,{base64.b64encode(png).decode()})")


def drawing(svg: str, title: str) -> dg.MarkdownMetadataValue:
    """An SVG drawing as Markdown, embedded in the event."""
    return dg.MetadataValue.md(f"![{title}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})")
