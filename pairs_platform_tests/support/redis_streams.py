"""Streams of a session in a Redis, bars and bar-close events to write, and when bars arrived."""

import time
from collections.abc import Callable, Iterator
from datetime import date

import redis

from pairs_platform.adapters.redis.keys import StreamKeys
from pairs_platform.adapters.redis.streams import Streams
from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.streaming.bars import StreamBar
from pairs_platform.core.streaming.intervals import BarClose, bar_intervals
from pairs_platform.core.streaming.settings import RunMode, StreamSettings
from pairs_platform.settings.model import Settings

SESSION, NEXT = date(2024, 7, 2), date(2024, 7, 3)
INTERVALS = bar_intervals(SESSION, Frequency.FIVE_MINUTES)


def make_streams(
    client: redis.Redis,
    run_mode: RunMode = "replay",
    profile: str = "p",
    wall: Callable[[], int] = time.time_ns,
    **settings: object,
) -> Streams:
    return Streams(client, profile=profile, run_mode=run_mode, settings=StreamSettings(**settings), wall=wall)


def bar(symbol: str = "AAA", place: int = 0, session: date = SESSION, **values) -> StreamBar:
    """A bar whose prices need all digits."""
    start = bar_intervals(session, Frequency.FIVE_MINUTES)[place].start_ns
    prices = {"open": 0.1 + 0.2, "high": 1e17 / 3, "low": 5e-324, "close": 1.0, "volume": 2.0**53 / 3, **values}
    return StreamBar(symbol, start, **prices)


def bar_close(place: int = 0, **changes) -> BarClose:
    fields = {"reason": "all_in", "symbols_in": 3, "symbols_expected": 4, "market_ns": 5, "wall_ns": 6, **changes}
    return BarClose(INTERVALS[place], **fields)


def arrivals(streams: Streams, settings: Settings, session: date) -> Iterator[tuple[int, int]]:
    """Milliseconds since 1970-01-01 UTC by Redis' clock, and the start (nanoseconds), of each bar of a session."""
    key = StreamKeys(settings.profile.name, streams.run_mode).bars(session)
    for entry_id, fields in streams.connection.entries(key):
        yield int(entry_id.split("-")[0]), int(fields["ts"])
