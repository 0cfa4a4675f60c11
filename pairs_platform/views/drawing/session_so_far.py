"""z of the pairs of a session so far, with the rule's levels and its trades, as a drawing.

What does not belong here: reading signals (`database.signals`) and their newest values (`signal_strip`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pairs_platform.views.drawing import svg

WIDTH, LEFT, RIGHT, TOP, STRIP = 760, 150, 20, 60, 84
SPAN = 4.5
"""Largest |z| that is drawn [σ]."""
ENTRY, EXIT, CURVE = "#8a6fb0", "#7fb89a", "#22303c"
MARKS = {
    "enter_long": ("#2f6fb3", "enter long"),
    "enter_short": ("#d9822b", "enter short"),
    "exit": ("#3a8f5c", "exit"),
    "stop": ("#c23b3b", "stop"),
}


def drawn_pairs(newest: Sequence[Mapping[str, Any]], *, fewest: int = 6) -> list[str]:
    """Every selected pair and every pair that is being closed; others up to `fewest`, in their order."""
    needed = [str(row["pair"]) for row in newest if row["role"] in ("selected", "closing")]
    others = [str(row["pair"]) for row in newest if str(row["pair"]) not in needed and row["z"] is not None]
    return needed + others[: max(0, fewest - len(needed))]


def session_so_far(
    rows: Sequence[Mapping[str, Any]], pairs: Sequence[str], *, entry_z: float, exit_z: float, label: str
) -> str:
    """One strip for each pair, with its z in σ over the time of day in New York.

    Parameters
    ----------
    rows : sequence of mapping
        Signals of the session: pair, role, bar_utc, z, action.
    pairs : sequence of str
        Those that are drawn, from above.
    entry_z, exit_z : float
        Levels of the rule [σ].
    label : str
        Source, profile and session.
    """
    starts = sorted({row["bar_utc"] for row in rows})
    step = (WIDTH - LEFT - RIGHT) / max(1, len(starts) - 1)
    at = {start: LEFT + i * step for i, start in enumerate(starts)}
    parts = [
        svg.title("z of each pair at the close of each bar [σ]", label),
        svg.legend(6, 48, [(ENTRY, f"entry ±{entry_z:g} σ"), (EXIT, f"exit ±{exit_z:g} σ"), *MARKS.values()]),
    ]
    for k, pair in enumerate(pairs):
        own = [row for row in rows if row["pair"] == pair]
        parts += _strip(pair, own, at, TOP + k * STRIP, {entry_z: ENTRY, exit_z: EXIT})
    bottom = TOP + len(pairs) * STRIP
    return svg.drawing(WIDTH, bottom + 34, [*parts, svg.time_axis(starts, list(at.values()), bottom)])


def _strip(
    pair: str, rows: Sequence[Mapping[str, Any]], at: Mapping[Any, float], top: float, levels: Mapping[float, str]
) -> list[str]:
    def y(z: float) -> float:
        return top + STRIP / 2 - max(-SPAN, min(SPAN, z)) / SPAN * (STRIP / 2 - 6)

    known = [row for row in rows if row["z"] is not None]
    points = " ".join(f"{at[row['bar_utc']]:.1f},{y(row['z']):.1f}" for row in known)
    newest = f"z {known[-1]['z']:+.2f} σ" if known else "z unknown"
    return [
        svg.text(6, y(0) - 4, pair, size=12),
        svg.text(6, y(0) + 11, f"{rows[-1]['role'] if rows else ''} · {newest}", size=10),
        *(svg.text(LEFT - 6, y(z) + 4, f"{z:+g}" if z else "0", size=9, anchor="end") for z in (-4, -2, 0, 2, 4)),
        svg.line(LEFT, y(0), WIDTH - RIGHT, y(0), svg.FAINT),
        *(
            svg.line(LEFT, y(sign * level), WIDTH - RIGHT, y(sign * level), colour, dashed=True)
            for level, colour in levels.items()
            for sign in (1, -1)
        ),
        f'<polyline points="{points}" fill="none" stroke="{CURVE}" stroke-width="1.2"/>',
        *(
            f'<circle cx="{at[row["bar_utc"]]:.1f}" cy="{y(row["z"]):.1f}" r="4" fill="{MARKS[row["action"]][0]}"/>'
            for row in known
            if row["action"] in MARKS
        ),
    ]
