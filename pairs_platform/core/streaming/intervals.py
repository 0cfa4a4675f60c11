"""The bars of a session: their grid, and the event that says that one is complete.

What does not belong here: the bars themselves (`bars`), Redis (`adapters.redis.streams`), and signals (`core.signals`).
"""

from dataclasses import dataclass
from datetime import date
from typing import Literal

from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.prices.calendar import session_close, session_open
from pairs_platform.core.time import moment_ns


@dataclass(frozen=True, order=True)
class BarInterval:
    """One bar of the profile for all symbols: from `start_ns` to `end_ns`, nanoseconds since 1970-01-01 UTC."""

    session: date
    start_ns: int
    end_ns: int


@dataclass(frozen=True)
class BarClose:
    """A bar-close event: a bar of every symbol is complete.

    Attributes
    ----------
    interval : BarInterval
    reason : str
        "all_in": every symbol that is waited for has its last bar; "grace": its time has passed.
    symbols_in, symbols_expected : int
        Symbols with the bar's last streamed bar, and symbols that were waited for.
    market_ns, wall_ns : int
        Market clock and wall clock when it was published.
    id : str
        Id of the entry in the stream of bar-close events; empty before it is there.
    """

    interval: BarInterval
    reason: Literal["all_in", "grace"]
    symbols_in: int
    symbols_expected: int
    market_ns: int
    wall_ns: int
    id: str = ""


def bar_intervals(session: date, frequency: Frequency) -> list[BarInterval]:
    """Every bar of a session, in order; the last one ends with the session.

    Raises
    ------
    NotFound
        The day is no session.
    """
    opened, closed = moment_ns(session_open(session)), moment_ns(session_close(session))
    length = frequency.length_ns
    return [BarInterval(session, start, min(start + length, closed)) for start in range(opened, closed, length)]
