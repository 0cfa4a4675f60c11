"""What accounts gained over a session, as a drawing.

What does not belong here: where gains came from (`components`).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise

from pairs_platform.views.drawing import svg

WIDTH, LEFT, RIGHT, TOP, HEIGHT = 760, 80, 20, 58, 170
COLOURS = ("#2f6fb3", "#d9822b", "#3a8f5c", "#c23b3b")


def equity_curve(curves: Mapping[str, Sequence[tuple[datetime, float]]], *, label: str) -> str:
    """One line for each account.

    Parameters
    ----------
    curves : mapping of account to sequence of (datetime, float)
        Change of equity since the close before, US dollars, at each snapshot, in order.
    label : str
        Source, profile and session.
    """
    points = [point for curve in curves.values() for point in curve]
    moments = sorted({moment for moment, _ in points})
    low, high = min([0.0, *(change for _, change in points)]), max([0.0, *(change for _, change in points)])
    span = (high - low) or 1.0
    first = moments[0].timestamp() if moments else 0.0
    seconds = (moments[-1].timestamp() - first if moments else 0.0) or 1.0

    def place(moment: datetime, change: float) -> tuple[float, float]:
        x = LEFT + (WIDTH - LEFT - RIGHT) * (moment.timestamp() - first) / seconds
        return x, TOP + HEIGHT * (high - change) / span

    zero = TOP + HEIGHT * high / span
    names = list(zip(COLOURS, curves, strict=False))
    parts = [
        svg.title("Change of equity since the close before [US dollars]", label),
        svg.legend(LEFT, 48, names),
        svg.line(LEFT, zero, WIDTH - RIGHT, zero, svg.FAINT, dashed=True),
        *(
            svg.text(LEFT - 6, TOP + HEIGHT * (high - value) / span + 4, f"{value:+,.2f}", size=10, anchor="end")
            for value in sorted({low, 0.0, high})
        ),
    ]
    for colour, name in names:
        drawn = [place(*point) for point in curves[name]]
        parts += [svg.line(*start, *end, colour) for start, end in pairwise(drawn)]
    parts.append(svg.time_axis(moments, [place(moment, 0.0)[0] for moment in moments], TOP + HEIGHT + 6))
    return svg.drawing(WIDTH, TOP + HEIGHT + 40, parts)
