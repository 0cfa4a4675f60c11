"""A simulated broker whose time stands still until a test lets it pass, so that an hour takes seconds.

What a request takes passes while it is answered: who asks waits for it. What does not belong here: who trades there
(`chaos_session`).
"""

import asyncio
import heapq
import itertools
from collections.abc import Callable
from datetime import datetime, timedelta

from pairs_platform.processes.broker.course import Course


class HeldCourse(Course):
    """Time that passes by `pass_time` and while a request waits; everything is called in the server's loop."""

    def __init__(self) -> None:
        self._now = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._number = itertools.count()

    def now(self) -> float:
        return self._now

    def later(self, seconds: float, work: Callable[[], None]) -> None:
        heapq.heappush(self._due, (self._now + seconds, next(self._number), work))

    async def sleep(self, seconds: float) -> None:
        self.pass_time(seconds)
        await asyncio.sleep(0)

    def pass_time(self, seconds: float) -> None:
        """Let time pass, and what is due in it happen at its moment."""
        end = self._now + seconds
        while self._due and self._due[0][0] <= end:
            at, _, work = heapq.heappop(self._due)
            self._now = max(self._now, at)
            work()
        self._now = max(self._now, end)

    def wall(self, begin: datetime) -> Callable[[], datetime]:
        """The time as a clock that showed `begin` at first."""
        return lambda: begin + timedelta(seconds=self._now)
