"""Buckets of bars: their grid, and how they are announced.

What does not belong here: the bars themselves (`bars`), Redis (`adapters.redis.bus`), and signals (`core.signals`).
"""

from dataclasses import dataclass
from datetime import date
from typing import Literal

from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.prices.calendar import session_close, session_open
from pairs_platform.core.time import moment_ns


@dataclass(frozen=True, order=True)
class Bucket:
    """One bar of the profile's frequency, of all symbols: from `start_ns` to `end_ns` since 1970-01-01 UTC."""

    session: date
    start_ns: int
    end_ns: int


@dataclass(frozen=True)
class Announcement:
    """A bucket is complete.

    Attributes
    ----------
    bucket : Bucket
    reason : str
        "all_in": every symbol that is waited for has its last bar; "grace": its time has passed.
    symbols_in, symbols_expected : int
        Symbols with the bucket's last bar, and symbols that were waited for.
    market_ns, wall_ns : int
        Market clock and wall clock when it was announced.
    id : str
        Id of the entry in the stream of announcements; empty before it is there.
    """

    bucket: Bucket
    reason: Literal["all_in", "grace"]
    symbols_in: int
    symbols_expected: int
    market_ns: int
    wall_ns: int
    id: str = ""


def session_buckets(session: date, frequency: Frequency) -> list[Bucket]:
    """Every bucket of a session, in order; the last one ends with the session.

    Raises
    ------
    CalendarError
        The day is no session.
    """
    opened, closed = moment_ns(session_open(session)), moment_ns(session_close(session))
    length = frequency.length_ns
    return [Bucket(session, start, min(start + length, closed)) for start in range(opened, closed, length)]
