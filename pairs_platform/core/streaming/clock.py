"""The live market clock, which a wall clock that jumps does not move.

What does not belong here: a replay's clock, which its server publishes (`adapters.redis.streams`).
"""

import time
from collections.abc import Callable

from pairs_platform.core.time import SECOND_NS

OLDEST_END_NS, NEWEST_END_NS = 90 * SECOND_NS, 5 * SECOND_NS
"""How far before and after the wall time a newly received bar may end that confirms it."""


class LiveClock:
    """The wall time at the start, carried on by the monotonic clock until a bar confirms another wall time.

    A bar arrives within a minute and a half of its end. So a wall clock that was set right agrees with the next bar,
    and one that was set wrong does not.

    Parameters
    ----------
    wall, monotonic : callable
        Nanoseconds since 1970-01-01 UTC; nanoseconds that never go back.
    """

    def __init__(
        self, wall: Callable[[], int] = time.time_ns, monotonic: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._wall, self._monotonic = wall, monotonic
        self._anchor_ns = wall() - monotonic()

    def now_ns(self) -> int:
        """Market time, nanoseconds since 1970-01-01 UTC."""
        return self._anchor_ns + self._monotonic()

    def offset_seconds(self) -> float:
        """How far the wall clock is ahead of the market clock."""
        return (self._wall() - self.now_ns()) / SECOND_NS

    def confirm(self, bar_end_ns: int) -> None:
        """Adopt the wall time if a bar that was received this moment agrees with it."""
        wall_ns = self._wall()
        if wall_ns - OLDEST_END_NS <= bar_end_ns <= wall_ns + NEWEST_END_NS:
            self._anchor_ns = wall_ns - self._monotonic()
