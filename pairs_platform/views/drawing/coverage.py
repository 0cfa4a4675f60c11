"""Which bars of a session each symbol has, as a drawing.

What does not belong here: what is missing is a fault (`core.prices.checks`).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from pairs_platform.views.drawing import svg

WIDTH, LEFT, RIGHT, TOP, ROW = 760, 70, 60, 58, 13
THERE, MISSING = "#2f6fb3", "#f2c9a1"


def bar_coverage(bars: Mapping[str, Sequence[datetime]], grid: Sequence[datetime], *, label: str) -> str:
    """One row for each symbol, in which the bars that it has are filled; the share of them at its end.

    Parameters
    ----------
    bars : mapping of str to sequence of datetime
        Starts of the accepted bars of every symbol of the sector; none where a symbol is missing.
    grid : sequence of datetime
        Starts of the bars of the session, in order.
    label : str
        Source, profile and session.
    """
    step = (WIDTH - LEFT - RIGHT) / max(1, len(grid))
    parts = [
        svg.title("Accepted bars of each symbol [share of the session's bars]", label),
        svg.legend(LEFT, 48, [(THERE, "accepted bar"), (MISSING, "no accepted bar")]),
    ]
    for row, (symbol, starts) in enumerate(bars.items()):
        top, there = TOP + row * ROW, set(starts)
        parts += [
            svg.text(LEFT - 6, top + 10, symbol, size=10, anchor="end"),
            svg.rectangle(LEFT, top, WIDTH - LEFT - RIGHT, ROW - 2, MISSING),
        ]
        parts += [
            svg.rectangle(LEFT + first * step, top, (end - first) * step, ROW - 2, THERE)
            for first, end in _runs([start in there for start in grid])
        ]
        share = len(there) / len(grid) if grid else 0.0
        parts.append(svg.text(WIDTH - RIGHT + 6, top + 10, f"{share:.1%}", size=10))
    bottom = TOP + len(bars) * ROW
    parts.append(svg.time_axis(grid, [LEFT + i * step for i in range(len(grid))], bottom))
    return svg.drawing(WIDTH, bottom + 34, parts)


def _runs(there: Sequence[bool]) -> list[tuple[int, int]]:
    """Begin and end of each run of True."""
    edges = [i for i in range(len(there) + 1) if (i < len(there) and there[i]) != (i > 0 and there[i - 1])]
    return list(zip(edges[::2], edges[1::2], strict=True))
