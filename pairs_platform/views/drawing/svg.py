"""Drawings over the bars of a session as SVG, written by hand: made for every session, so without a drawing library.

What does not belong here: what is drawn (`coverage`, `session_so_far`).
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from html import escape
from zoneinfo import ZoneInfo

from pairs_platform.core.time import MARKET_TIMEZONE

INK, FAINT = "#22303c", "#d5dce1"


def text(x: float, y: float, words: str, *, size: int = 11, anchor: str = "start", colour: str = INK) -> str:
    """Words at a place."""
    look = f'font-size="{size}" text-anchor="{anchor}" fill="{colour}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {look}>{escape(words)}</text>'


def title(words: str, label: str) -> str:
    """What a drawing shows, and below it where its figures come from; 32 high."""
    return text(6, 16, words, size=13) + text(6, 31, label, size=10)


def line(x1: float, y1: float, x2: float, y2: float, colour: str, *, dashed: bool = False) -> str:
    """A thin line."""
    dashes = ' stroke-dasharray="4 3"' if dashed else ""
    return (
        f'<line x1="{x1:.1f}" x2="{x2:.1f}" y1="{y1:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="0.8"{dashes}/>'
    )


def rectangle(x: float, y: float, width: float, height: float, colour: str) -> str:
    """A filled rectangle."""
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}"/>'


def time_axis(starts: Sequence[datetime], places: Sequence[float], y: float) -> str:
    """About eight times of day in New York below `y`, and what they are."""
    zone, step = ZoneInfo(MARKET_TIMEZONE), max(1, -(-len(starts) // 8))
    ticks = [
        text(x, y + 12, f"{start.astimezone(zone):%H:%M}", size=10, anchor="middle")
        for start, x in list(zip(starts, places, strict=True))[::step]
    ]
    middle = (places[0] + places[-1]) / 2 if places else 0.0
    return "".join([*ticks, text(middle, y + 26, "start of the bar, New York time", size=10, anchor="middle")])


def legend(x: float, y: float, entries: Iterable[tuple[str, str]]) -> str:
    """Colours and what they are, side by side from `x` on."""
    parts = []
    for colour, words in entries:
        parts += [rectangle(x, y - 8, 9, 9, colour), text(x + 13, y, words, size=10)]
        x += 24 + 6.2 * len(words)
    return "".join(parts)


def drawing(width: int, height: float, parts: Iterable[str]) -> str:
    """The parts on a white ground."""
    size = f'width="{width}" height="{height:.0f}" viewBox="0 0 {width} {height:.0f}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif">'
        f'<rect width="100%" height="100%" fill="white"/>{"".join(parts)}</svg>'
    )
