"""What a long-running process reports about itself, in Redis.

What does not belong here: which values there are (`processes`), and judging them.
"""

from collections.abc import Mapping

from pairs_platform.adapters.redis.connection import Connection


class ProcessHealth:
    """Values by name of a process of one profile and run mode.

    Every method raises `StreamUnavailable` when Redis does not answer.

    Parameters
    ----------
    connection : Connection
    key : str
        Of the hash that the process writes.
    """

    def __init__(self, connection: Connection, key: str) -> None:
        self._connection, self._key = connection, key

    def report(self, values: Mapping[str, str]) -> None:
        """Set values; others stay."""
        with self._connection.answering():
            self._connection.redis.hset(self._key, mapping=dict(values))

    def read(self) -> dict[str, str]:
        """All values; empty before the process first ran."""
        with self._connection.answering():
            return dict(self._connection.redis.hgetall(self._key))
