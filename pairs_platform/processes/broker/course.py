"""How time passes at the simulated broker: what comes later, and how long an answer takes.

What does not belong here: what time it is at the market (`market`), and what happens (`server`).
"""

import asyncio
from collections.abc import Callable
from typing import Protocol


class Course(Protocol):
    """Seconds that never go back; all of it is asked in the server's loop."""

    def now(self) -> float:
        """Seconds since any moment."""
        ...

    def later(self, seconds: float, work: Callable[[], None]) -> None:
        """Do something after so many seconds."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after so many seconds."""
        ...


class RealCourse:
    """The time of the running loop."""

    def now(self) -> float:
        """See `Course`."""
        return asyncio.get_running_loop().time()

    def later(self, seconds: float, work: Callable[[], None]) -> None:
        """See `Course`."""
        asyncio.get_running_loop().call_later(seconds, work)

    async def sleep(self, seconds: float) -> None:
        """See `Course`."""
        await asyncio.sleep(seconds)
