"""Where a change of equity came from, as a drawing.

What does not belong here: the components (`core.trading.attribution`).
"""

from collections.abc import Mapping

from pairs_platform.views.drawing import svg

WIDTH, LEFT, RIGHT, TOP, ROW = 760, 130, 90, 58, 18
GAIN, LOSS = "#3a8f5c", "#c23b3b"


def component_bars(components: Mapping[str, float], *, label: str) -> str:
    """A bar for each component, to the right where it made the account richer.

    Parameters
    ----------
    components : mapping of str to float
        US dollars, from the first to the last bar.
    label : str
        Source, profile and session.
    """
    low, high = min([0.0, *components.values()]), max([0.0, *components.values()])
    scale = (WIDTH - LEFT - RIGHT) / ((high - low) or 1.0)
    zero = LEFT - low * scale
    parts = [
        svg.title("Components of the change of equity [US dollars]", label),
        svg.legend(LEFT, 48, [(GAIN, "gain"), (LOSS, "loss")]),
    ]
    for row, (name, value) in enumerate(components.items()):
        top, end = TOP + row * ROW, zero + value * scale
        parts += [
            svg.text(6, top + 11, name.replace("_", " "), size=10),
            svg.rectangle(min(zero, end), top, abs(end - zero), ROW - 4, GAIN if value >= 0 else LOSS),
            svg.text(WIDTH - RIGHT + 6, top + 11, f"{value:+,.2f}", size=10),
        ]
    bottom = TOP + len(components) * ROW
    parts.append(svg.line(zero, TOP - 4, zero, bottom, svg.INK))
    return svg.drawing(WIDTH, bottom + 10, parts)
