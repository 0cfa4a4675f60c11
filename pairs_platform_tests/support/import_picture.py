"""Pictures of who imports whom among the folders of the package, for the documents.

A folder stands below everything that imports it. An arrow that follows from others is left out: where `a` imports `b`
and `b` imports `c`, there is none from `a` to `c`. What type checkers alone import is no import. A circle has no
picture: `graphlib.CycleError` names it.
"""

from functools import cache
from graphlib import TopologicalSorter

import grimp

ROOT_PACKAGE = "pairs_platform"
PANELS = ("pairs_platform", "pairs_platform.core", "pairs_platform.defs")
CHARACTER, PADDING, HEIGHT, GAP, ROW, MARGIN, TITLE = 7.3, 14.0, 26.0, 14.0, 62.0, 20.0, 34.0
"""Pixels: width of a character, of the rim of a box, height of a box, between boxes, rows, and around everything."""


@cache
def _graph() -> grimp.ImportGraph:
    return grimp.build_graph(ROOT_PACKAGE, exclude_type_checking_imports=True)


def imports(package: str) -> dict[str, set[str]]:
    """The folders and files directly in a package, by name, with those that each imports."""
    graph = _graph()
    children = sorted(graph.find_children(package))
    return {
        importer.removeprefix(f"{package}."): {
            imported.removeprefix(f"{package}.")
            for imported in children
            if imported != importer
            and graph.direct_import_exists(importer=importer, imported=imported, as_packages=True)
        }
        for importer in children
    }


def _reduced(edges: dict[str, set[str]]) -> tuple[dict[str, set[str]], list[list[str]]]:
    """Edges that follow from no others, and the names by rows, importers first.

    Raises
    ------
    graphlib.CycleError
        The folders import each other in a circle.
    """
    reached: dict[str, set[str]] = {}
    height: dict[str, int] = {}
    for name in TopologicalSorter(edges).static_order():
        below = edges[name]
        reached[name] = below.union(*(reached[other] for other in below))
        height[name] = 1 + max((height[other] for other in below), default=-1)
    kept = {
        name: {other for other in below if not any(other in reached[third] for third in below)}
        for name, below in edges.items()
    }
    levels = range(max(height.values()), -1, -1)
    return kept, [sorted(name for name, at in height.items() if at == level) for level in levels]


def mermaid(package: str) -> str:
    """The picture of one package for a block of Markdown."""
    kept, rows = _reduced(imports(package))
    lines = [f"  {name} --> {' & '.join(sorted(kept[name]))}" for row in rows for name in row if kept[name]]
    return "\n".join(["flowchart TD", *lines, ""])


def svg() -> str:
    """All `PANELS`, one below the other."""
    parts, top, width = [], MARGIN, 0.0
    for package in PANELS:
        drawn, panel_width, panel_height = _panel(package, top)
        parts += drawn
        top += panel_height + MARGIN
        width = max(width, panel_width + 2 * MARGIN)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {top:.0f}" width="{width:.0f}" '
        f'height="{top:.0f}" font-family="monospace" font-size="12">'
    )
    arrow = (
        '<defs><marker id="a" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="#667"/></marker></defs>'
    )
    return "\n".join([head, arrow, '<rect width="100%" height="100%" fill="#fff"/>', *parts, "</svg>", ""])


def _panel(package: str, top: float) -> tuple[list[str], float, float]:
    """Elements of one package's picture, its width and its height."""
    kept, rows = _reduced(imports(package))
    boxes = {name: len(name) * CHARACTER + PADDING for row in rows for name in row}
    widths = [sum(boxes[name] for name in row) + GAP * (len(row) - 1) for row in rows]
    whole = max(widths)
    middle: dict[str, tuple[float, float]] = {}
    for level, (row, row_width) in enumerate(zip(rows, widths, strict=True)):
        left, y = MARGIN + (whole - row_width) / 2, top + TITLE + level * ROW
        for name in row:
            middle[name] = (left + boxes[name] / 2, y)
            left += boxes[name] + GAP
    arrows = [
        f'<path d="M{x:.0f} {y + HEIGHT:.0f}C{x:.0f} {y + ROW:.0f} {to_x:.0f} {to_y - ROW + HEIGHT:.0f} '
        f'{to_x:.0f} {to_y:.0f}" fill="none" stroke="#99a" marker-end="url(#a)"/>'
        for name, (x, y) in middle.items()
        for to_x, to_y in (middle[other] for other in sorted(kept[name]))
    ]
    names = [
        f'<rect x="{x - boxes[name] / 2:.0f}" y="{y:.0f}" width="{boxes[name]:.0f}" height="{HEIGHT:.0f}" rx="4" '
        f'fill="#eef" stroke="#447"/><text x="{x:.0f}" y="{y + 17:.0f}" text-anchor="middle">{name}</text>'
        for name, (x, y) in middle.items()
    ]
    title = f'<text x="{MARGIN:.0f}" y="{top + 12:.0f}" font-weight="bold">{package.replace(".", "/")}</text>'
    return [title, *arrows, *names], whole, TITLE + (len(rows) - 1) * ROW + HEIGHT
