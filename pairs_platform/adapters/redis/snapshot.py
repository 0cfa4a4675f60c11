"""Every key of a profile as a backup takes it, and putting them back.

What does not belong here: the file that they are written to (`processes.runtime.backup`).
"""

from collections.abc import Iterable

from pairs_platform.adapters.redis.connection import URL_VARIABLE, Connection
from pairs_platform.adapters.redis.keys import StreamKeys
from pairs_platform.core.errors import ConfigurationError


class Snapshot:
    """Keys of one profile, of both run modes; every method raises `StreamUnavailable` when Redis does not answer."""

    def __init__(self, connection: Connection, keys: StreamKeys) -> None:
        self._connection, self._pattern = connection, f"{keys.of_profile}*"

    def dump(self) -> list[tuple[str, int, bytes]]:
        """Name, milliseconds until it expires or 0, and dumped value of every key; `load` puts them back."""
        client = self._connection.redis
        with self._connection.answering():
            names = sorted(client.scan_iter(self._pattern, count=1000))
            rows = [(name, max(client.pttl(name), 0), client.dump(name)) for name in names]
        return [(name, left_ms, value) for name, left_ms, value in rows if value is not None]

    def require_no_keys(self) -> None:
        """Refuse a Redis in which the profile has keys.

        Raises
        ------
        ConfigurationError
        """
        with self._connection.answering():
            first = next(self._connection.redis.scan_iter(self._pattern, count=1000), None)
        if first is not None:
            raise ConfigurationError(
                f"Redis at {self._connection.address} has keys of this profile already, {first} among them: name "
                f"another one with {URL_VARIABLE}, or remove them"
            )

    def load(self, rows: Iterable[tuple[str, int, bytes]]) -> None:
        """Put back what `dump` gave, at once, where none of the keys is there yet.

        Raises
        ------
        ConfigurationError
            The profile has keys already; they stay as they are.
        """
        self.require_no_keys()
        with self._connection.answering(), self._connection.redis.pipeline(transaction=True) as batch:
            for name, left_ms, value in rows:
                batch.restore(name, left_ms, value)
            batch.execute()
