"""What a replay shares with every process: its market clock, and how often it was reset.

What does not belong here: playing sessions (`processes.replay`), and market time of a live session (`market_clock`).
"""

import time
from collections.abc import Callable

from pairs_platform.adapters.redis.connection import Connection
from pairs_platform.adapters.redis.keys import StreamKeys
from pairs_platform.core.errors import ClockUnknown


class ReplayState:
    """The replay of one profile; every method raises `StreamUnavailable` when Redis does not answer.

    Parameters
    ----------
    connection : Connection
    keys : StreamKeys
    wall : callable
        Wall clock, nanoseconds since 1970-01-01 UTC.
    """

    def __init__(self, connection: Connection, keys: StreamKeys, wall: Callable[[], int] = time.time_ns) -> None:
        self._connection, self._keys, self._wall = connection, keys, wall

    def market_ns(self) -> int:
        """Market time of the replay now, nanoseconds since 1970-01-01 UTC.

        Raises
        ------
        ClockUnknown
            No replay has published a clock.
        """
        return self.clock()[0]

    def clock(self) -> tuple[int, float]:
        """Market time of the replay now, and by how many market seconds it goes on in a second.

        Raises
        ------
        ClockUnknown
        """
        with self._connection.answering():
            names = ["market_ns", "wall_ns", "rate"]
            market_ns, wall_ns, rate = self._connection.redis.hmget(self._keys.clock, names)
        if market_ns is None or wall_ns is None or rate is None:
            raise ClockUnknown("no replay has published its clock")
        return int(market_ns) + round((self._wall() - int(wall_ns)) * float(rate)), float(rate)

    def publish_clock(self, market_ns: int, rate: float) -> None:
        """Set the market clock: it is `market_ns` now and goes on by `rate` market seconds per second.

        Raises
        ------
        ValueError
            The run mode is live.
        """
        self._require_replay("publishes a clock")
        fields = {"market_ns": market_ns, "wall_ns": self._wall(), "rate": repr(float(rate))}
        with self._connection.answering():
            self._connection.redis.hset(self._keys.clock, mapping=fields)

    def generation(self) -> int:
        """How often the replay was reset; 0 at first."""
        with self._connection.answering():
            return int(self._connection.redis.get(self._keys.generation) or 0)

    def reset(self) -> int:
        """Forget the replay's bars, bar-close events, actions and clock, at once; returns the raised generation.

        Raises
        ------
        ValueError
            The run mode is live.
        """
        self._require_replay("is reset")
        kept = {self._keys.generation, self._keys.health, self._keys.trader}
        with self._connection.answering():
            present = self._connection.redis.scan_iter(f"{self._keys.of_run_mode}*", count=1000)
            forgotten = [key for key in present if key not in kept]
            with self._connection.redis.pipeline(transaction=True) as batch:
                batch.incr(self._keys.generation)
                if forgotten:
                    batch.unlink(*forgotten)
                return int(batch.execute()[0])

    def _require_replay(self, what: str) -> None:
        if self._keys.run_mode != "replay":
            raise ValueError(f"the run mode is {self._keys.run_mode}: only a replay {what}")
