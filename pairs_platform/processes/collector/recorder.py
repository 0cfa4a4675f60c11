"""Writes received bars to Redis, publishes bar-close events and reports health; lives in one thread.

Redis may be unavailable at every step: what was received stays in a bounded buffer, the state is read again from Redis
afterwards, and what was lost is fetched again.

What does not belong here: the connection (`collector`), fetching (`backfill`), and Redis's keys
(`adapters.redis.streams`).
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import date
from itertools import takewhile

from pairs_platform.adapters.redis.streams import Streams
from pairs_platform.adapters.vendors.retry import backoff_s
from pairs_platform.core.errors import ClockUnknown, StreamUnavailable
from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.streaming.bars import BACKFILLED, FIRST, StreamBar
from pairs_platform.core.streaming.builder import BarBuilder
from pairs_platform.core.streaming.clock import LiveClock
from pairs_platform.core.streaming.intervals import BarClose
from pairs_platform.core.streaming.sessions import session_at
from pairs_platform.core.streaming.settings import StreamSettings
from pairs_platform.core.time import DAY_NS, SECOND_NS, market_day
from pairs_platform.ports.live_bars import StreamMessage
from pairs_platform.processes.collector.backfill import Gap
from pairs_platform.processes.collector.health import Health
from pairs_platform.processes.collector.incoming import judge_messages

log = logging.getLogger(__name__)

BUFFER_BARS = 200_000
"""Received bars that wait for Redis at most."""

JUDGED_BARS = 10_000
"""Received bars that are judged at once at most; the fixed cost of a batch is that of a thousand bars."""

HOLD_SECONDS = 15.0
"""Longest time that bars wait for a back-fill."""

_BEAT_SECONDS = 1.0
_EVICTION_SECONDS = 60.0
_QUIET_LOOKS, _QUIET_SECONDS = 3, 15.0
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.2, 5.0


class Recorder:
    """What happens to bars between the connection and Redis.

    Parameters
    ----------
    streams : Streams
    settings : StreamSettings
    frequency, streamed : Frequency
        Of the bars that are built, and of streamed ones.
    gap : Gap
        Widened where bars may be missing.
    health : Health
    clock : LiveClock
        Of a live session.
    wanted_symbols : callable
        Takes the session by the market clock, or None; returns the symbols that are to be streamed. Called every
        second.

    Attributes
    ----------
    symbols : tuple of str
        Symbols that are streamed.
    market_ns : int or None
        Market time at the last step; None where it is unknown.
    received_at : float
        When the newest message came, on the monotonic clock.
    quiet_looks : int
        How often in a row the connection had nothing for its reader; set by the connection's loop, because time alone
        would take a starved reader for a quiet server.
    """

    def __init__(
        self,
        streams: Streams,
        *,
        settings: StreamSettings,
        frequency: Frequency,
        streamed: Frequency,
        gap: Gap,
        health: Health,
        clock: LiveClock,
        wanted_symbols: Callable[[date | None], tuple[str, ...]],
    ) -> None:
        self._settings = settings
        self.symbols: tuple[str, ...] = ()
        self.market_ns: int | None = None
        self.received_at, self.quiet_looks = time.monotonic(), 0
        self._streams, self._gap, self._health, self._clock, self._wanted_symbols = (
            streams,
            gap,
            health,
            clock,
            wanted_symbols,
        )
        self._streamed, self._bar_ns = streamed, streamed.length_ns
        self._builder = BarBuilder(
            frequency, streamed, grace_seconds=settings.grace_seconds, silent_bars=settings.silent_bars
        )
        self._received: deque[StreamMessage] = deque()
        self._fetched: deque[list[StreamBar]] = deque()
        self._unwritten: list[StreamBar] = []
        self._refused: list[dict[str, str]] = []
        self._newest_end_ns = 0
        self._generation: int | None = None
        self._is_restored = False
        self._failures = 0
        self._beat_at = self._eviction_at = 0.0

    async def receive(self, message: StreamMessage) -> None:
        """Take a message of the stream; waits while Redis is slow, and drops it where Redis is unavailable for long."""
        self.received_at = time.monotonic()
        while len(self._received) >= BUFFER_BARS:
            if self._failures:
                self._health.dropped += 1
                return
            await asyncio.sleep(0.01)
        self._received.append(message)

    def add_fetched(self, bars: list[StreamBar]) -> None:
        """Take bars that were fetched after a gap."""
        self._fetched.append(bars)

    def run(self, stopping: threading.Event) -> None:
        """Step until `stopping` is set, then write what is left if Redis is there."""
        while not stopping.wait(self._pause()):
            self.step()
        self.step()

    def step(self) -> None:
        """Write, publish and report once; an unavailable Redis is noted and never raised."""
        try:
            if self._failures:
                self._streams.replay.generation()
                self._is_restored = False
            self._follow_replay()
            self.market_ns = self._read_market()
            is_filling = self._gap.is_open(HOLD_SECONDS)
            if time.monotonic() >= self._beat_at:
                self._follow_symbols()
            if not self._is_restored:
                self._turn_to_session()  # before anything is written: what Redis lost shows in what it holds
            self._write()
            self._turn_to_session()
            # Before the write: what was fetched is written. After it: a session that was just turned to opens a gap.
            if self._is_restored and not (is_filling or self._gap.is_open(HOLD_SECONDS)):
                self._publish(self._believed_ns())
            if time.monotonic() >= self._beat_at:
                self._beat()
        except StreamUnavailable as error:
            self._note_outage(error)
        else:
            self._failures = 0

    def _pause(self) -> float:
        if not self._failures:
            return self._settings.flush_seconds
        return backoff_s(self._failures, first_s=_FIRST_PAUSE_SECONDS, longest_s=_LONGEST_PAUSE_SECONDS)

    def _note_outage(self, error: StreamUnavailable) -> None:
        if not self._failures:
            log.warning("%s; %d bars are kept in memory meanwhile", error, len(self._received))
            self._health.redis_outages += 1
        self._failures += 1

    def _follow_replay(self) -> None:
        """A replay that was reset begins again: what is in the buffer belongs to its past."""
        if self._streams.run_mode != "replay":
            return
        generation = self._streams.replay.generation()
        if self._generation is not None and generation != self._generation:
            log.info("the replay was reset (generation %d)", generation)
            self._received.clear()
            self._fetched.clear()
            self._unwritten.clear()
            self._newest_end_ns = self._health.newest_bar_ns = 0
            self._gap.widen(None)
            self._is_restored = False
        self._generation = generation

    def _read_market(self) -> int | None:
        if self._streams.run_mode == "live":
            return self._clock.now_ns()
        try:
            return self._streams.clock.now_ns()
        except ClockUnknown:
            return None

    def _follow_symbols(self) -> None:
        wanted = self._wanted_symbols(None if self.market_ns is None else session_at(self.market_ns))
        if wanted == self.symbols:
            return
        if set(wanted) - set(self.symbols):
            self._gap.widen(None)
        self.symbols, self._health.symbols = wanted, len(wanted)
        self._builder.watch(wanted)

    def _write(self) -> None:
        """Write everything that waits, in batches; what was not written is tried again by the next step."""
        self._write_batch()
        while self._fetched:
            self._unwritten = self._fetched.popleft()
            self._write_batch()
        for _ in range(1 + len(self._received) // JUDGED_BARS):
            messages = [self._received.popleft() for _ in range(min(JUDGED_BARS, len(self._received)))]
            if not messages:
                return
            judged = judge_messages(messages, symbols=self.symbols, frequency=self._streamed)
            self._unwritten, self._refused = judged.bars, judged.refused
            self._write_batch()

    def _write_batch(self) -> None:
        health, limit = self._health, self._settings.flush_bars
        while self._unwritten:
            bars = _of_one_day(self._unwritten[:limit])
            self._streams.bars.add(bars)
            del self._unwritten[: len(bars)]
            for bar in bars:
                self._builder.add(bar.symbol, bar.ts_ns)
            health.bars += len(bars)
            streamed = [bar.ts_ns for bar in bars if bar.revision == FIRST]
            if streamed:
                self._note_newest(max(streamed))
                self._turn_to_session()  # now: what follows may belong to the next one
            else:
                health.gaps_filled += sum(bar.revision == BACKFILLED for bar in bars)
        if self._refused:
            self._streams.quarantine.add(self._refused, market_day(self.market_ns or time.time_ns()))
            health.quarantined += len(self._refused)
            self._refused = []

    def _note_newest(self, start_ns: int) -> None:
        end_ns = start_ns + self._bar_ns
        self._newest_end_ns = end_ns  # of the last batch: a replay that begins again goes back
        self._health.newest_bar_ns = max(self._health.newest_bar_ns, start_ns)
        if not self._failures:
            self._clock.confirm(end_ns)
        if self.market_ns is not None:
            self._health.lag_seconds = (self.market_ns - end_ns) / SECOND_NS

    def _believed_ns(self) -> int | None:
        """Market time up to which every bar has come: a fast replay's clock runs ahead of the bars in the socket."""
        silent_s = time.monotonic() - self.received_at
        if self.market_ns is None or self._streams.run_mode == "live":
            return self.market_ns
        if self.quiet_looks >= _QUIET_LOOKS or silent_s >= _QUIET_SECONDS:
            return self.market_ns
        return min(self.market_ns, self._newest_end_ns)

    def _turn_to_session(self) -> None:
        believed = self._believed_ns()
        session = None if believed is None else session_at(believed)
        if session is None or (self._is_restored and session == self._builder.session):
            return
        if self._is_restored:
            self._publish(believed)
        self._builder.begin(
            session, [bar_close.interval.start_ns for bar_close in self._streams.bar_closes.of_session(session)]
        )
        newest: dict[str, int] = {}
        for symbol, ts_ns in self._streams.bars.starts(session):
            self._builder.add(symbol, ts_ns)
            newest[symbol] = max(ts_ns, newest.get(symbol, 0))
        self._builder.watch(self.symbols)
        is_known = bool(self.symbols) and set(self.symbols) <= set(newest)
        self._gap.widen(min(newest[symbol] for symbol in self.symbols) if is_known else None)
        self._is_restored = True

    def _publish(self, believed_ns: int | None) -> None:
        for complete in self._builder.complete(believed_ns):
            try:
                self._streams.bar_closes.publish(
                    BarClose(
                        complete.interval,
                        complete.reason,
                        complete.symbols_in,
                        complete.symbols_expected,
                        self.market_ns or complete.interval.end_ns,
                        time.time_ns(),
                    )
                )
            except StreamUnavailable:
                self._is_restored = False
                raise
            self._health.bar_closes += 1

    def _beat(self) -> None:
        if self._streams.run_mode == "live":
            self._health.clock_offset_seconds = self._clock.offset_seconds()
        if time.monotonic() >= self._eviction_at:
            self._look_for_eviction()
        self._streams.health.report(self._health.values(time.time_ns()))
        self._beat_at = time.monotonic() + _BEAT_SECONDS

    def _look_for_eviction(self) -> None:
        reason = self._streams.connection.eviction()
        if reason and reason != self._health.redis_detail:
            log.warning("%s", reason)
        self._health.redis_detail = reason
        self._eviction_at = time.monotonic() + _EVICTION_SECONDS


def _of_one_day(bars: list[StreamBar]) -> list[StreamBar]:
    """The first bars up to the next day."""
    day = bars[0].ts_ns // DAY_NS
    if bars[-1].ts_ns // DAY_NS == day:
        return bars
    return list(takewhile(lambda bar: bar.ts_ns // DAY_NS == day, bars))
