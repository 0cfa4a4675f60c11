"""What time the market has, for every process: the wall clock in a live session, the replay's own in a replay.

What does not belong here: the collector's own clock of a live session (`core.streaming.clock`).
"""

import time
from collections.abc import Callable

from pairs_platform.adapters.redis.replay import ReplayState
from pairs_platform.core.streaming.settings import RunMode


class MarketClock:
    """Market time of one profile and run mode.

    Parameters
    ----------
    run_mode : "live" or "replay"
    replay : ReplayState
    wall : callable
        Wall clock, nanoseconds since 1970-01-01 UTC.
    """

    def __init__(self, run_mode: RunMode, replay: ReplayState, wall: Callable[[], int] = time.time_ns) -> None:
        self._read = (lambda: (wall(), 1.0)) if run_mode == "live" else replay.clock

    def now_ns(self) -> int:
        """Market time now, nanoseconds since 1970-01-01 UTC.

        Raises
        ------
        ClockUnknown
            No replay has published a clock.
        StreamUnavailable
            In a replay, when Redis does not answer.
        """
        return self._read()[0]

    def read(self) -> tuple[int, float]:
        """Market time as `now_ns`, and by how many seconds it goes on in a second."""
        return self._read()
