"""Corporate actions of the session under way in Redis.

What does not belong here: where they come from (`processes.collector`), and what they do to signals (`core.signals`).
"""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from pairs_platform.adapters.redis.connection import Connection
from pairs_platform.adapters.redis.keys import StreamKeys


class SessionActions:
    """Corporate actions ("symbol", "kind", "value") of one profile and run mode, kept for `keep_seconds`.

    Every method raises `StreamUnavailable` when Redis does not answer.
    """

    def __init__(self, connection: Connection, keys: StreamKeys, *, keep_seconds: int) -> None:
        self._connection, self._keys, self._keep_seconds = connection, keys, keep_seconds

    def replace(self, session: date, actions: Sequence[Mapping[str, object]]) -> None:
        """Replace the actions that fall ex in a session."""
        key = self._keys.actions(session)
        with self._connection.answering(), self._connection.redis.pipeline(transaction=True) as batch:
            batch.delete(key)
            for action in actions:
                batch.rpush(key, json.dumps(dict(action), sort_keys=True))
            batch.expire(key, self._keep_seconds)
            batch.execute()

    def of_session(self, session: date) -> list[dict[str, Any]]:
        """Actions that fall ex in a session, as `replace` got them."""
        with self._connection.answering():
            texts = self._connection.redis.lrange(self._keys.actions(session), 0, -1)
        return [json.loads(text) for text in texts]
