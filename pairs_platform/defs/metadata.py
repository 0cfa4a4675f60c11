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


def table(frame: "pd.DataFrame", *, rows: int = 25) -> dg.MetadataValue:
    """The first rows of a frame as a table that stands inline on a page, cells as in the console."""
    return rows_table(list(frame.columns), frame.itertuples(index=False, name=None), rows=rows)


def rows_table(names: Sequence[object], rows_of: Iterable[Sequence[object]], *, rows: int = 25) -> dg.MetadataValue:
    """The first rows of a sequence as in `table`; the last line counts those that are left out.

    Dagster's UI shows a table of its own kind where it stands, and hides Markdown from a thousand characters on behind
    a link.
    """
    heads, lines, left_out = _cells(names, rows_of, rows)
    if not lines:
        return dg.MetadataValue.md("*none*")
    if left_out:
        lines.append([f"{left_out} more rows", *[""] * (len(heads) - 1)])
    return dg.MetadataValue.table(
        [dg.TableRecord(dict(zip(heads, line, strict=True))) for line in lines],
        dg.TableSchema([dg.TableColumn(head) for head in heads]),
    )


def markdown_table(frame: "pd.DataFrame", *, rows: int) -> str:
    """The first rows of a frame as Markdown, for a text with several tables."""
    heads, lines, left_out = _cells(list(frame.columns), frame.itertuples(index=False, name=None), rows)
    escaped = [[cell.replace("|", "\\|") for cell in line] for line in [heads, ["---"] * len(heads), *lines]]
    more = [f"\n*{left_out} more rows*"] if left_out else []
    return "\n".join([*(f"| {' | '.join(line)} |" for line in escaped), *more])


def _cells(
    names: Sequence[object], rows_of: Iterable[Sequence[object]], rows: int
) -> tuple[list[str], list[list[str]], int]:
    """Heads, cells of the first rows, and how many rows are left out."""
    from pairs_platform.views.drawing.cells import cell

    every = list(rows_of)
    lines = [[cell(value) for value in row] for row in every[:rows]]
    return [str(name).replace("_", " ") for name in names], lines, len(every) - len(lines)


def picture(png: bytes, title: str) -> dg.MarkdownMetadataValue:
    """A PNG image as Markdown, embedded in the event."""
    return dg.MetadataValue.md(f"![{title}](data:image/png;base64,{base64.b64encode(png).decode()})")


def drawing(svg: str, title: str) -> dg.MarkdownMetadataValue:
    """An SVG drawing as Markdown, embedded in the event."""
    return dg.MetadataValue.md(f"![{title}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})")
