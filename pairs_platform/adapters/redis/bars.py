"""Streamed bars in Redis: a stream for each session, every bar as it arrived, and the newest one of each symbol.

What does not belong here: judging bars (`core.prices.validation`), refused ones (`quarantine`), and which revision
counts (`core.streaming.revisions`).

References
----------
Streams: https://redis.io/docs/latest/develop/data-types/streams/
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date

from pairs_platform.adapters.redis.connection import Connection
from pairs_platform.adapters.redis.keys import StreamKeys
from pairs_platform.core.streaming.bars import StreamBar
from pairs_platform.core.streaming.revisions import MergedBars, merge_revisions
from pairs_platform.core.time import DAY_NS, utc_day

_ADD_BARS = """
local newest = {}
for i = 3, #ARGV, 5 do
  local symbol, ts = ARGV[i], ARGV[i + 1]
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'symbol', symbol, 'ts', ts,
             'revision', ARGV[i + 2], 'source', ARGV[i + 3], 'bar', ARGV[i + 4])
  if not newest[symbol] or newest[symbol] < ts then newest[symbol] = ts end
end
redis.call('EXPIRE', KEYS[1], ARGV[2])
for symbol, ts in pairs(newest) do
  local held = redis.call('HGET', KEYS[2], symbol)
  if not held or held < ts then redis.call('HSET', KEYS[2], symbol, ts) end
end
"""
"""Appends bars and notes the newest of each symbol, at once: a command for each bar would cost the client most of its
time. Stamps have 19 digits and are compared as texts, because Lua's numbers lose nanoseconds."""


class StreamedBars:
    """Bars of one profile and run mode; every method raises `StreamUnavailable` when Redis does not answer.

    Parameters
    ----------
    connection : Connection
    keys : StreamKeys
    max_bars : int
        Length to which a session's stream is trimmed, about.
    keep_seconds : int
        How long a session is kept.
    """

    def __init__(self, connection: Connection, keys: StreamKeys, *, max_bars: int, keep_seconds: int) -> None:
        self._connection, self._keys = connection, keys
        self._max_bars, self._keep_seconds = max_bars, keep_seconds

    def add(self, bars: Sequence[StreamBar]) -> None:
        """Append bars to the streams of their sessions, in one exchange."""
        if not bars:
            return
        by_day: dict[int, list[str | int]] = {}
        for symbol, ts_ns, opened, high, low, close, volume, revision, source in bars:
            text = f"{opened!r},{high!r},{low!r},{close!r},{volume!r}"
            by_day.setdefault(ts_ns // DAY_NS, []).extend((symbol, ts_ns, revision, source, text))
        limits, newest = (self._max_bars, self._keep_seconds), self._keys.newest_bars
        with self._connection.answering(), self._connection.redis.pipeline(transaction=False) as batch:
            for day, flat in by_day.items():
                batch.eval(_ADD_BARS, 2, self._keys.bars(utc_day(day)), newest, *limits, *flat)
            batch.execute()

    def of_session(self, session: date) -> list[StreamBar]:
        """Every bar of a session, in the order of arrival."""
        return [_bar(fields) for _, fields in self._connection.entries(self._keys.bars(session))]

    def after(self, session: date, entry_id: str) -> tuple[list[StreamBar], str]:
        """Bars of a session that arrived after an entry (empty: all of them), in that order, and the newest entry."""
        entries = list(self._connection.entries(self._keys.bars(session), after=entry_id))
        return [_bar(fields) for _, fields in entries], entries[-1][0] if entries else entry_id

    def starts(self, session: date) -> Iterator[tuple[str, int]]:
        """Symbol and start (nanoseconds since 1970-01-01 UTC) of every bar of a session, in the order of arrival."""
        entries = self._connection.entries(self._keys.bars(session))
        return ((fields["symbol"], int(fields["ts"])) for _, fields in entries)

    def merged(self, session: date) -> MergedBars:
        """The bars of a session that count: one for each symbol and time."""
        return merge_revisions(self.of_session(session))

    def newest(self) -> dict[str, int]:
        """Start of the newest bar of each symbol, nanoseconds since 1970-01-01 UTC."""
        with self._connection.answering():
            starts = self._connection.redis.hgetall(self._keys.newest_bars)
        return {symbol: int(ts_ns) for symbol, ts_ns in starts.items()}


def _bar(fields: Mapping[str, str]) -> StreamBar:
    opened, high, low, close, volume = map(float, fields["bar"].split(","))
    symbol, ts_ns, revision = fields["symbol"], int(fields["ts"]), int(fields["revision"])
    return StreamBar(symbol, ts_ns, opened, high, low, close, volume, revision, fields["source"])
