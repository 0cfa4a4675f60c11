"""The signals of a session so far: the newest ones, the trades, and a drawing of z with entries and exits.

The drawing is made every 5 minutes in every sector, so nothing here imports a drawing library or pandas.
What does not belong here: reading signals (`database.signals`) and computing them (`core.signals.engine`).
"""

from collections.abc import Sequence
from html import escape
from typing import Any
from zoneinfo import ZoneInfo

from pairs_platform.core.time import MARKET_TIMEZONE

WIDTH, HEIGHT, LEFT = 760, 90, 110
LARGEST_Z = 4.5
COLOURS = {"enter_long": "#2f6fb3", "enter_short": "#d9822b", "exit": "#3a8f5c", "stop": "#c23b3b"}


def newest_signals(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The signals of the newest bar, by role and pair; `rows` are ordered by bar."""
    newest = [row for row in rows if row["bar_utc"] == rows[-1]["bar_utc"]]
    order = {"selected": 0, "closing": 1, "pinned": 2, "watchlist": 3}
    return sorted(newest, key=lambda row: (order[row["role"]], row["pair"]))


def entries_and_exits(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The signals that ask for a trade."""
    return [row for row in rows if row["action"] in COLOURS]


def signal_strips(rows: Sequence[dict[str, Any]], pairs: Sequence[str], *, entry_z: float, exit_z: float) -> str:
    """z of some pairs over the bars of the session as an SVG drawing, one strip below the other."""
    starts = sorted({row["bar_utc"] for row in rows})
    step = (WIDTH - LEFT - 20) / max(1, len(starts) - 1)
    at = {start: LEFT + 10 + i * step for i, start in enumerate(starts)}
    strips = []
    for k, pair in enumerate(pairs):
        own = [row for row in rows if row["pair"] == pair and row["z"] is not None]

        def y(z: float, top: int = k * HEIGHT) -> float:
            return top + HEIGHT / 2 - max(-LARGEST_Z, min(LARGEST_Z, z)) / LARGEST_Z * (HEIGHT / 2 - 6)

        lines = "".join(
            f'<line x1="{LEFT}" x2="{WIDTH}" y1="{y(level):.1f}" y2="{y(level):.1f}" stroke="{colour}" '
            f'stroke-dasharray="4 3" stroke-width="0.8"/>'
            for level, colour in (
                (entry_z, "#d9822b"),
                (-entry_z, "#d9822b"),
                (exit_z, "#3a8f5c"),
                (-exit_z, "#3a8f5c"),
            )
        )
        points = " ".join(f"{at[row['bar_utc']]:.1f},{y(row['z']):.1f}" for row in own)
        marks = "".join(
            f'<circle cx="{at[row["bar_utc"]]:.1f}" cy="{y(row["z"]):.1f}" r="4" fill="{COLOURS[row["action"]]}"/>'
            for row in own
            if row["action"] in COLOURS
        )
        label = f'<text x="6" y="{y(0):.1f}" font-size="11">{escape(pair)}</text>'
        curve = f'<polyline points="{points}" fill="none" stroke="#22303c" stroke-width="1.2"/>'
        strips.append(lines + curve + marks + label)
    zone = ZoneInfo(MARKET_TIMEZONE)
    bottom = len(pairs) * HEIGHT + 14
    ticks = "".join(
        f'<text x="{at[start]:.0f}" y="{bottom}" font-size="10" text-anchor="middle">'
        f"{start.astimezone(zone):%H:%M}</text>"
        for start in starts[:: max(1, len(starts) // 10)]
    )
    size = f'width="{WIDTH}" height="{bottom + 8}" viewBox="0 0 {WIDTH} {bottom + 8}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif">'
        f'<rect width="100%" height="100%" fill="white"/>{"".join(strips)}{ticks}</svg>'
    )
