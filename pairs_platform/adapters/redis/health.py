"""What the collector reports about itself, in Redis.

What does not belong here: which values there are (`processes.collector.health`), and judging them.
"""

from collections.abc import Mapping

from pairs_platform.adapters.redis.connection import Connection
from pairs_platform.adapters.redis.keys import StreamKeys


class CollectorHealth:
    """Values by name of the collector of one profile and run mode.

    Every method raises `StreamUnavailable` when Redis does not answer.
    """

    def __init__(self, connection: Connection, keys: StreamKeys) -> None:
        self._connection, self._keys = connection, keys

    def report(self, values: Mapping[str, str]) -> None:
        """Set values; others stay."""
        with self._connection.answering():
            self._connection.redis.hset(self._keys.health, mapping=dict(values))

    def read(self) -> dict[str, str]:
        """All values; empty before the first collector ran."""
        with self._connection.answering():
            return dict(self._connection.redis.hgetall(self._keys.health))
