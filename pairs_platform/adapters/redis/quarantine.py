"""Refused rows of a session in Redis, each with its reason.

What does not belong here: refusing them (`core.prices.validation`).
"""

from collections.abc import Mapping, Sequence
from datetime import date

from pairs_platform.adapters.redis.connection import Connection
from pairs_platform.adapters.redis.keys import StreamKeys

_MAX_ROWS = 10_000


class Quarantine:
    """Refused rows of one profile and run mode, kept for `keep_seconds`.

    Every method raises `StreamUnavailable` when Redis does not answer.
    """

    def __init__(self, connection: Connection, keys: StreamKeys, *, keep_seconds: int) -> None:
        self._connection, self._keys, self._keep_seconds = connection, keys, keep_seconds

    def add(self, rows: Sequence[Mapping[str, str]], session: date) -> None:
        """Append rows, each with its reason, to the session's quarantine."""
        key = self._keys.quarantine(session)
        with self._connection.answering(), self._connection.redis.pipeline(transaction=False) as batch:
            for row in rows:
                batch.xadd(key, dict(row), maxlen=_MAX_ROWS, approximate=True)
            batch.expire(key, self._keep_seconds)
            batch.execute()

    def of_session(self, session: date) -> list[dict[str, str]]:
        """The session's rows, oldest first."""
        return [fields for _, fields in self._connection.entries(self._keys.quarantine(session))]
