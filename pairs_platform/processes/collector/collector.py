"""The collector: keeps one connection to the stream of bars, and the threads that record and back-fill them.

One implementation for every vendor, and for the replay server, which speaks Alpaca's protocol.

What does not belong here: a vendor's protocol (`adapters`), writing (`recorder`), fetching (`backfill`).
"""

import asyncio
import contextlib
import logging
import random
import threading
import time
from collections.abc import Callable
from datetime import date
from typing import Any

from pairs_platform.adapters.vendors.retry import backoff_s
from pairs_platform.core.errors import PlatformError, Refused, StreamUnavailable
from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.core.prices.contracts import CORPORATE_ACTIONS
from pairs_platform.core.streaming.clock import LiveClock
from pairs_platform.core.streaming.sessions import is_open
from pairs_platform.core.streaming.settings import SymbolSet
from pairs_platform.platform import open_lake, open_live_source, open_streams
from pairs_platform.ports.live_bars import ConnectionLost, ConnectionRefused, LiveSource
from pairs_platform.processes.collector.backfill import Backfill, Gap, action_rows
from pairs_platform.processes.collector.health import CollectorState, Health
from pairs_platform.processes.collector.recorder import Recorder
from pairs_platform.processes.collector.symbols import streamed_symbols
from pairs_platform.processes.stopping import stopped_by_signals
from pairs_platform.settings.model import Settings
from pairs_platform.views.remedies import with_remedy

log = logging.getLogger(__name__)

REFUSED_SECONDS = 20.0
"""Shortest wait after wrong keys or a limit: three attempts a minute."""

_WATCH_SECONDS = 0.5
_CONFIGURATION_SECONDS = 60.0
_LATE_SECONDS = 65.0
"""After a live connection: by then the historical API has the minute in which it was made."""

_END_SECONDS, _STOP_SECONDS = 5.0, 10.0


class _Silence(ConnectionLost):
    """Bars were due and none came."""


def run_collector(settings: Settings) -> None:
    """Collect until SIGTERM or SIGINT.

    Raises
    ------
    ConfigurationError
        Alpaca's keys are missing, `stream.bar` is not what it streams, or the address of Redis is none.
    """
    asyncio.run(Collector(settings, open_live_source(settings)).run())


class Collector:
    """Everything that one collector process does.

    Parameters
    ----------
    settings : Settings
    source : LiveSource
    clock : LiveClock or None
        Of a live session; the wall clock's if not given.
    refused_seconds : float
        Shortest wait after wrong keys or a limit.

    Raises
    ------
    ConfigurationError
        The source has no keys, or the address of Redis is none.
    """

    def __init__(
        self,
        settings: Settings,
        source: LiveSource,
        *,
        clock: LiveClock | None = None,
        refused_seconds: float = REFUSED_SECONDS,
    ) -> None:
        stream = settings.stream
        self._settings, self._stream, self._refused_seconds = settings, stream, refused_seconds
        self._source, self._bar_ns = source, source.frequency.length_ns
        self._is_replay = stream.run_mode == "replay"
        source.history()  # missing keys are an error now, not at the first gap
        self._streams = open_streams(settings)
        self._health, gap = Health(bar=source.frequency.value), Gap()
        self._gap = gap
        self._recorder = Recorder(
            self._streams,
            settings=stream,
            frequency=settings.frequency,
            streamed=source.frequency,
            gap=gap,
            health=self._health,
            clock=clock or LiveClock(),
            wanted_symbols=self._wanted_symbols,
        )
        self._backfill = Backfill(
            self._streams,
            gap=gap,
            health=self._health,
            receiver=self._recorder,
            source=source.history,
            actions=self._actions,
        )
        self._cached_symbols: tuple[SymbolSet, date | None, float, tuple[str, ...]] | None = None
        self._data_market_ns: int | None = None
        self._stopping = threading.Event()
        self._failure: BaseException | None = None

    async def run(self) -> None:
        """Collect until a signal or `stop`; what was received by then is written.

        Raises
        ------
        Refused
            Redis wants another password, or there is no stream at the address.
        """
        self._ending = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        writer = threading.Thread(target=self._guarded, args=(self._recorder.run,), name="recorder")
        filler = threading.Thread(target=self._guarded, args=(self._backfill.run,), name="backfill", daemon=True)
        with stopped_by_signals(self.stop):
            writer.start()
            filler.start()
            try:
                await self._keep_connected()
            finally:
                self._stopping.set()
                await asyncio.to_thread(writer.join, _STOP_SECONDS)
        if self._failure is None:
            self._health.state, self._health.detail = "disconnected", "stopped"
        with contextlib.suppress(StreamUnavailable, Refused):
            self._streams.health.report(self._health.values(time.time_ns()))
        self._streams.close()
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """End `run`; from any thread."""
        self._loop.call_soon_threadsafe(self._ending.set)

    def _guarded(self, work: Callable[[threading.Event], None]) -> None:
        """A thread that fails ends the process, so that its supervisor sees it."""
        try:
            work(self._stopping)
        except BaseException as error:
            self._failure = error
            self.stop()
            raise

    async def _keep_connected(self) -> None:
        failures = 0
        while not self._ending.is_set():
            began, bars = time.monotonic(), self._health.bars
            try:
                await self._until_ended(self._connection())
            except ConnectionLost as error:
                is_misled = isinstance(error, ConnectionRefused) and error.state == "wrong_address"
                if is_misled and not self._health.connected_wall_ns:  # an address that was good is tried again
                    self._health.state, self._health.detail = "wrong_address", str(error)
                    self._failure = Refused(str(error))
                    return
                held_s = time.monotonic() - began
                is_good = self._health.bars > bars or held_s > self._stream.max_backoff_seconds
                failures = 1 if is_good else failures + 1
                wait_s = self._wait_s(error, failures)
                log.warning("%s; next attempt in %.1f s", error, wait_s)
                await self._until_ended(asyncio.sleep(wait_s))

    def _wait_s(self, error: ConnectionLost, failures: int) -> float:
        """Note why there is no connection; seconds to wait: exponential, jittered, longer where the server refused."""
        longest = self._stream.max_backoff_seconds
        wait_s = backoff_s(failures, first_s=1.0, longest_s=longest)
        state: CollectorState = "disconnected"
        if isinstance(error, ConnectionRefused):
            state = error.state
            wait_s = max(self._refused_seconds, longest) * random.uniform(1.0, 1.5)
        elif isinstance(error, _Silence):
            state = "silent"
        self._health.state, self._health.detail = state, str(error)
        return wait_s

    async def _until_ended(self, work: Any) -> None:
        """Do `work` until it or the collector ends."""
        task, ending = asyncio.ensure_future(work), asyncio.ensure_future(self._ending.wait())
        try:
            await asyncio.wait((task, ending), return_when=asyncio.FIRST_COMPLETED)
        finally:
            ending.cancel()
            await _end(task, patience_s=_END_SECONDS)
        if not task.cancelled():
            task.result()

    async def _connection(self) -> None:
        """One connection, from its making until it is lost."""
        while not self._recorder.symbols:
            self._health.detail = "there are no symbols to stream, or Redis does not answer"
            await asyncio.sleep(_WATCH_SECONDS)
        self._health.state, self._health.detail = "connecting", ""
        connection, symbols = self._source.connect(self._recorder.receive), self._recorder.symbols
        reading: asyncio.Task[None] | None = None
        try:
            await connection.open(symbols)
            self._note_connected()
            reading = asyncio.ensure_future(connection.read())
            while not reading.done():
                before = self._recorder.received_at
                await asyncio.wait((reading,), timeout=_WATCH_SECONDS)
                is_quiet = self._recorder.received_at == before
                self._recorder.quiet_looks = self._recorder.quiet_looks + 1 if is_quiet else 0
                if self._recorder.symbols != symbols:
                    symbols = self._recorder.symbols
                    await connection.resubscribe(symbols)
                self._require_data()
            reading.result()
            raise ConnectionLost("the server ended the connection")
        finally:
            if reading is not None:
                await _end(reading, patience_s=_WATCH_SECONDS)
            await connection.shut()

    def _note_connected(self) -> None:
        health, market_ns = self._health, self._recorder.market_ns
        if health.connected_wall_ns:
            health.reconnects += 1
        health.connected_wall_ns = time.time_ns()
        health.state, health.detail = "streaming", ""
        self._data_market_ns, self._recorder.received_at = market_ns, time.monotonic()
        self._recorder.quiet_looks = 0
        # Of the newest bars some may have come and others not.
        since_ns = health.newest_bar_ns - 2 * self._bar_ns if health.newest_bar_ns else None
        self._gap.widen(since_ns)
        if not self._is_replay:
            self._loop.call_later(_LATE_SECONDS, self._gap.widen, since_ns)

    def _require_data(self) -> None:
        """Raise `_Silence` where a bar was due by the market clock, and the socket has been silent for too long."""
        silent_s, market_ns = time.monotonic() - self._recorder.received_at, self._recorder.market_ns
        if market_ns is None or not is_open(market_ns):
            self._data_market_ns = None
            return
        if silent_s < 2 * _WATCH_SECONDS or self._data_market_ns is None or market_ns < self._data_market_ns:
            self._data_market_ns = market_ns
        is_due = market_ns - self._data_market_ns > self._bar_ns
        if silent_s > self._stream.data_timeout_seconds and is_due:
            raise _Silence(f"no bar for {silent_s:.0f} s while the market trades")

    def _actions(self, session: date, symbols: tuple[str, ...]) -> list[dict[str, Any]]:
        """Corporate actions that fall ex in a session: from the vendor, or for a replay from the lake.

        One that the vendor reports and nobody can read holds back its symbol's signals as one that is known.
        """
        if not self._is_replay:
            reply = self._source.history().fetch_actions(symbols, session, session)
            unsure = [{"symbol": item.symbol, "kind": "unreadable", "value": 0.0} for item in reply.unsure]
            return action_rows(reply.actions) + unsure
        lake, actions = open_lake(self._settings), []
        for sector in self._settings.active_sectors:
            key = PartitionKey(session, sector)
            if lake.exists(CORPORATE_ACTIONS.table, key):
                actions += action_rows(lake.read(CORPORATE_ACTIONS, key))
        return [action for action in actions if action["symbol"] in symbols]

    def _wanted_symbols(self, session: date | None) -> tuple[str, ...]:
        """The symbols of the set that is streamed now; configurations are read again every minute."""
        name, now = self._streams.symbols.current(), time.monotonic()
        if (
            self._cached_symbols is None
            or self._cached_symbols[:2] != (name, session)
            or now >= self._cached_symbols[2]
        ):
            symbols: tuple[str, ...] = self._cached_symbols[3] if self._cached_symbols else ()
            try:
                symbols = streamed_symbols(self._settings, name, session)
            except PlatformError as error:
                log.warning("the symbols of the set %s are not known: %s", name, with_remedy(error, stored=True))
            self._cached_symbols = (name, session, now + _CONFIGURATION_SECONDS, symbols)
        return self._cached_symbols[3]


async def _end(task: "asyncio.Future[Any]", *, patience_s: float) -> None:
    """Cancel a task until it has ended: `asyncio.wait_for` of Python 3.11 may swallow a cancellation."""
    while not task.done():
        task.cancel()
        await asyncio.wait((task,), timeout=patience_s)
    if not task.cancelled():
        task.exception()  # read, so that nothing complains that nobody did
