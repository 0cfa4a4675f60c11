"""Bar-close events in Redis: published once, read after an id or by session.

What does not belong here: when a bar is complete (`core.streaming.builder`), and what follows from it
(`core.signals.requests`).
"""

from collections.abc import Mapping
from datetime import date

from pairs_platform.adapters.redis.connection import PAGE, Connection
from pairs_platform.adapters.redis.keys import StreamKeys
from pairs_platform.core.streaming.intervals import BarClose, BarInterval

LONGEST_BLOCK_MS = 4500
_MAX_EVENTS = 10_000

_PUBLISH_ONCE = """
local held = redis.call('HGET', KEYS[2], ARGV[1])
if held then return held end
local id = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', unpack(ARGV, 4))
redis.call('HSET', KEYS[2], ARGV[1], id)
redis.call('EXPIRE', KEYS[2], ARGV[3])
return id
"""
"""Appends an event unless it is there: a repeated request, or a second collector, publishes nothing twice."""


class BarCloses:
    """Bar-close events of one profile and run mode; which bars had theirs is kept for `keep_seconds`.

    Every method raises `StreamUnavailable` when Redis does not answer.
    """

    def __init__(self, connection: Connection, keys: StreamKeys, *, keep_seconds: int) -> None:
        self._connection, self._keys, self._keep_seconds = connection, keys, keep_seconds

    def publish(self, bar_close: BarClose) -> str:
        """Say once that a bar is complete; returns the id of the entry, the first one if it was said before."""
        interval = bar_close.interval
        fields: dict[str, str | int] = {
            "session": interval.session.isoformat(),
            "start_ns": interval.start_ns,
            "end_ns": interval.end_ns,
            "reason": bar_close.reason,
            "symbols_in": bar_close.symbols_in,
            "symbols_expected": bar_close.symbols_expected,
            "market_ns": bar_close.market_ns,
            "wall_ns": bar_close.wall_ns,
        }
        keys = (self._keys.bar_closes, self._keys.published(interval.session))
        flat = [part for field in fields.items() for part in field]
        limits = (_MAX_EVENTS, self._keep_seconds)
        with self._connection.answering():
            return str(self._connection.redis.eval(_PUBLISH_ONCE, 2, *keys, interval.start_ns, *limits, *flat))

    def after(self, entry_id: str = "0-0", block_ms: int = 0) -> list[BarClose]:
        """Events after the entry `entry_id`, oldest first; waits up to `block_ms` for one, 0 does not wait.

        Raises
        ------
        ValueError
            `block_ms` is outside 0 to 4500: a longer wait would look like a server that does not answer.
        """
        if not 0 <= block_ms <= LONGEST_BLOCK_MS:
            raise ValueError(f"block_ms is {block_ms}; it must lie between 0 and {LONGEST_BLOCK_MS}")
        with self._connection.answering():
            key = self._keys.bar_closes
            reply = self._connection.redis.xread({key: entry_id}, count=PAGE, block=block_ms or None)
        return [_bar_close(name, fields) for _, entries in reply for name, fields in entries]

    def of_session(self, session: date) -> list[BarClose]:
        """Events of one session, oldest first."""
        day = session.isoformat()
        entries = self._connection.entries(self._keys.bar_closes)
        return [_bar_close(name, fields) for name, fields in entries if fields["session"] == day]


def _bar_close(entry_id: str, fields: Mapping[str, str]) -> BarClose:
    interval = BarInterval(date.fromisoformat(fields["session"]), int(fields["start_ns"]), int(fields["end_ns"]))
    return BarClose(
        interval,
        "all_in" if fields["reason"] == "all_in" else "grace",
        int(fields["symbols_in"]),
        int(fields["symbols_expected"]),
        int(fields["market_ns"]),
        int(fields["wall_ns"]),
        entry_id,
    )
