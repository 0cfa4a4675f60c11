"""The replay server: plays stored sessions to clients of Alpaca's market-data stream, by a market clock of its own.

One port serves the stream (``/v2/{feed}``) and the historical end points (`rest`). Play begins when the first
client has subscribed to bars; a bar is sent at its end by the market clock, which is published for all processes. In a
play that is faster than `STEPPED_ABOVE` this clock stands at each moment of bars until the next one is due.

What does not belong here: what is played (`playlist`), how it is written (`wire`).

References
----------
Protocol: https://docs.alpaca.markets/docs/streaming-market-data and …/docs/real-time-stock-pricing-data
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from pairs_platform.core.errors import DataError, Unavailable
from pairs_platform.core.time import HOUR_NS, SECOND_NS
from pairs_platform.platform import open_streams
from pairs_platform.processes.replay.playlist import PlayedSession, Playlist, open_playlist
from pairs_platform.processes.replay.rest import Correction, History, corrections_of
from pairs_platform.processes.replay.wire import (
    BARS,
    CHANNELS,
    ERRORS,
    UPDATED_BARS,
    BarFields,
    Batch,
    changed_fields,
    decode,
    encode,
)
from pairs_platform.processes.web import Keys, WebServer, end_quietly, listen, may_enter
from pairs_platform.settings.model import Settings

log = logging.getLogger(__name__)

STEPPED_ABOVE = 60.0
"""Market seconds per second above which the clock steps: in steady time a grace of seconds would pass within the
milliseconds that a bar is on its way."""

AFTER_NS = 299 * SECOND_NS
"""How far the clock runs on after the last bar of a session: longer than any grace, shorter than the next bar."""

_AFTER_END_NS = HOUR_NS
_LONGEST_AFTER_SECONDS = 10.0
_BREAK_SECONDS, _BREAK_AT_FULL_SPEED_SECONDS = 10.0, 0.5
"""Real time before a pass is forgotten, in which its last bars are still collected and answered."""

_PUBLISH_SECONDS = 1.0
_PUBLISH_AT_FULL_SPEED_SECONDS = 0.02


class ReplayOutput(Protocol):
    """Where the market clock is published; both methods raise `Unavailable` when that fails for now."""

    def publish_clock(self, market_ns: int, rate: float) -> None:
        """Market time now, and how it goes on."""
        ...

    def reset(self) -> int:
        """Forget what was streamed before."""
        ...


class ReplayClock:
    """Market time: stands, or goes on at a rate from where it was set. Nanoseconds since 1970-01-01 UTC."""

    def __init__(self, market_ns: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._set = (market_ns, 0.0, monotonic())

    def set(self, market_ns: int, rate: float) -> None:
        """Set the time now, and the market seconds per second by which it goes on."""
        self._set = (market_ns, rate, self._monotonic())

    def now_ns(self) -> int:
        """Market time now."""
        return self.read()[0]

    def read(self) -> tuple[int, float]:
        """Market time now, and its rate."""
        market_ns, rate, since = self._set
        return market_ns + round((self._monotonic() - since) * rate * SECOND_NS), rate


class Client:
    """One connection: its encoding, what it may do and what it wants."""

    def __init__(self, connection: WebSocket, silence_seconds: float) -> None:
        self.packed = connection.headers.get("content-type") == "application/msgpack"
        self.authenticated = False
        self.wanted: dict[str, frozenset[str]] = dict.fromkeys(CHANNELS, frozenset())
        self._connection, self._silence_seconds = connection, silence_seconds
        self._gone = asyncio.Event()

    @property
    def is_gone(self) -> bool:
        """Whether nothing can be sent to it any more."""
        return self._gone.is_set()

    async def reply(self, *messages: dict[str, Any]) -> None:
        """Send messages in one frame."""
        await self.send(encode(messages, packed=self.packed))

    async def refuse(self, code: int) -> None:
        """Send one of the documented errors."""
        await self.reply({"T": "error", "code": code, "msg": ERRORS[code]})

    async def send(self, frame: bytes | str) -> None:
        """Send a frame, waiting while the client does not read; one that does not for too long is given up."""
        try:
            async with asyncio.timeout(self._silence_seconds):
                if isinstance(frame, bytes):
                    await self._connection.send_bytes(frame)
                else:
                    await self._connection.send_text(frame)
        except TimeoutError:
            log.warning("a client that has not read for %g s is dropped", self._silence_seconds)
            self._gone.set()
        except (WebSocketDisconnect, RuntimeError):  # closed in the meantime
            self._gone.set()

    async def receive(self) -> bytes | str | None:
        """The client's next message; None when the connection has ended."""
        arriving, giving_up = (
            asyncio.ensure_future(self._connection.receive()),
            asyncio.ensure_future(self._gone.wait()),
        )
        try:
            await asyncio.wait((arriving, giving_up), return_when=asyncio.FIRST_COMPLETED)
            if not arriving.done() or arriving.result()["type"] != "websocket.receive":
                return None
            message = arriving.result()
            return message["bytes"] if message.get("bytes") is not None else str(message["text"])
        finally:
            arriving.cancel()
            giving_up.cancel()

    async def send_batch(self, batch: Batch) -> None:
        """Send what the client wants of a batch."""
        for frame in batch.messages(self.wanted[batch.channel], packed=self.packed):
            if not self.is_gone:
                await self.send(frame)


class ReplayServer(WebServer):
    """Serves a playlist on one port; `app` is the web application.

    Parameters
    ----------
    playlist : Playlist
    output : ReplayOutput
    keys : (key id, secret key) or None
        What clients must present; None accepts any that are not empty.
    max_connections : int
        Clients that are authenticated at once.
    corrections : sequence of Correction
        Bars that are sent again as updated bars.
    silence_seconds, auth_seconds : float
        How long a client may not read, and how long it may take to authenticate.
    """

    def __init__(
        self,
        playlist: Playlist,
        output: ReplayOutput,
        *,
        keys: Keys | None = None,
        max_connections: int = 16,
        corrections: Sequence[Correction] = (),
        silence_seconds: float = 30.0,
        auth_seconds: float = 10.0,
    ) -> None:
        super().__init__()
        self._playlist, self._output, self._keys = playlist, output, keys
        self._max_connections, self._corrections = max_connections, corrections
        self._silence_seconds, self._auth_seconds = silence_seconds, auth_seconds
        self._speed = playlist.settings.speed
        self._stepped = self._speed == 0 or self._speed > STEPPED_ABOVE
        first = playlist.load(0)
        assert first is not None  # a playlist without is refused
        self._clock = ReplayClock(first.start_ns)
        self._pace = (0.0, 0)
        self._clients: set[Client] = set()
        self._wanted = asyncio.Event()
        self._publishing = asyncio.Lock()
        self._publish_failed_at: float | None = None
        self._published_at = 0.0
        history = History(playlist, self._clock.now_ns, keys=keys, corrections=corrections)
        stream = WebSocketRoute("/v2/{feed}", self._converse)
        self.app = Starlette(routes=[stream, *history.routes()], lifespan=self._lifespan)

    @asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(self.guarded(work())) for work in (self._play, self._keep_publishing)]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # The play

    async def _play(self) -> None:
        settings, passed = self._playlist.settings, 0
        await self._publish()
        log.info("replay waits for a client that subscribes to bars")
        await self._wanted.wait()
        while True:
            log.info("replay begins: pass %d", passed + 1)
            for position in range(len(self._playlist.sessions)):
                played = await asyncio.to_thread(self._playlist.load, position)
                if played is not None:
                    await self._play_session(played)
                    ended = played
            passed += 1
            if settings.mode != "loop" or passed == settings.loops:
                break
            await asyncio.sleep(_BREAK_SECONDS if self._speed else _BREAK_AT_FULL_SPEED_SECONDS)
            await self._reset()
        if ended.is_whole:
            await self._stand_at(ended.close_ns + _AFTER_END_NS)
        log.info("replay has ended after %d sessions in %d passes", len(self._playlist.sessions), passed)

    async def _play_session(self, played: PlayedSession) -> None:
        log.info("replay of %s as %s begins", played.origin, played.session)
        rows = await asyncio.to_thread(lambda: BarFields(played.with_sources(played.bars)))
        self._pace = (time.monotonic(), played.start_ns)
        self._clock.set(played.start_ns, 0.0 if self._stepped else self._speed)
        await self._publish()
        for moment, batch in self._batches(played, rows):
            await self._until(moment)
            await self._send(batch)
        await self._until(played.stop_ns)
        if self._speed:
            await asyncio.sleep(min(AFTER_NS / SECOND_NS / self._speed, _LONGEST_AFTER_SECONDS))
        await self._stand_at(played.stop_ns + AFTER_NS)

    def _batches(self, played: PlayedSession, rows: BarFields) -> Iterator[tuple[int, Batch]]:
        """Bars and corrections of a session by the moment at which they are sent, oldest first."""
        late = [
            (moment, Batch(UPDATED_BARS, [{**rows[position], **changed_fields(correction.changes)}]))
            for correction, position, moment in corrections_of(played, self._corrections)
            if moment <= played.stop_ns + AFTER_NS
        ]
        late.sort(key=lambda item: item[0])
        for moment, positions in played.ticks():
            while late and late[0][0] < moment:
                yield late.pop(0)
            yield moment, Batch(BARS, [rows[position] for position in positions])
        yield from late

    async def _until(self, moment: int) -> None:
        """Wait for a moment of market time."""
        if self._speed:
            began, start_ns = self._pace
            due = began + (moment - start_ns) / SECOND_NS / self._speed
            await asyncio.sleep(max(due - time.monotonic(), 0.0))
        if self._stepped:
            is_due = time.monotonic() >= self._published_at + _PUBLISH_AT_FULL_SPEED_SECONDS
            await self._stand_at(moment, publish=is_due or self._speed > 0)

    async def _stand_at(self, moment: int, *, publish: bool = True) -> None:
        """Let the clock stand at a moment; it is never set back within a pass."""
        self._clock.set(max(moment, self._clock.now_ns()), 0.0)
        if publish:
            await self._publish()

    async def _send(self, batch: Batch) -> None:
        """Send a batch to every client; the slowest one determines when the next follows."""
        receivers = [client.send_batch(batch) for client in self._clients if client.wanted[batch.channel]]
        if len(receivers) == 1:
            await receivers[0]
        elif receivers:
            await asyncio.gather(*receivers)
        await asyncio.sleep(0)

    async def _keep_publishing(self) -> None:
        while True:
            await asyncio.sleep(_PUBLISH_SECONDS)
            await self._publish()

    async def _publish(self) -> None:
        """Publish the clock; while Redis is unavailable the play goes on, and the clock is tried again every second."""
        async with self._publishing:
            if self._publish_failed_at is not None and time.monotonic() < self._publish_failed_at + _PUBLISH_SECONDS:
                return
            try:
                await asyncio.to_thread(lambda: self._output.publish_clock(*self._clock.read()))
            except Unavailable as error:
                if self._publish_failed_at is None:
                    log.warning("the market clock cannot be published: %s", error)
                self._publish_failed_at = time.monotonic()
            else:
                self._publish_failed_at = None
                self._published_at = time.monotonic()

    async def _reset(self) -> None:
        """Forget the pass that has ended; waits while Redis is unavailable, for a pass over an old one is no replay."""
        first = self._playlist.load(0)
        assert first is not None
        async with self._publishing:
            while True:
                try:
                    await asyncio.to_thread(self._output.reset)
                    break
                except Unavailable as error:
                    log.warning("the next pass waits: %s", error)
                    await asyncio.sleep(_PUBLISH_SECONDS)
            self._clock.set(first.start_ns, 0.0)

    # The protocol

    async def _converse(self, connection: WebSocket) -> None:
        await connection.accept()
        client = Client(connection, self._silence_seconds)
        await client.reply({"T": "success", "msg": "connected"})
        try:
            await self._listen_to(client)
        finally:
            self._clients.discard(client)
        if not client.is_gone:
            with suppress(RuntimeError, WebSocketDisconnect):  # the client has closed it
                await connection.close()

    async def _listen_to(self, client: Client) -> None:
        late = asyncio.get_running_loop().time() + self._auth_seconds
        while True:
            try:
                async with asyncio.timeout_at(None if client.authenticated else late):
                    content = await client.receive()
            except TimeoutError:
                await client.refuse(404)
                return
            if content is None:
                return
            try:
                request = decode(content, packed=client.packed)
            except DataError:
                await client.refuse(400)
                continue
            if not await self._serve_request(client, request):
                return

    async def _serve_request(self, client: Client, request: dict[str, Any]) -> bool:
        """Do what a client asks; False when the connection ends."""
        action = request.pop("action", None)
        if action == "auth":
            return await self._authenticate(client, request)
        if action not in ("subscribe", "unsubscribe"):
            await client.refuse(400)
        elif not client.authenticated:
            await client.refuse(401)
        elif not set(request) <= set(CHANNELS):
            await client.refuse(410)
        elif not all(_is_symbols(symbols) for symbols in request.values()):
            await client.refuse(400)
        else:
            for channel, symbols in request.items():
                held = client.wanted[channel]
                client.wanted[channel] = held.union(symbols) if action == "subscribe" else held.difference(symbols)
            await client.reply({"T": "subscription", **{name: sorted(held) for name, held in client.wanted.items()}})
            if client.wanted[BARS]:
                self._wanted.set()
        return True

    async def _authenticate(self, client: Client, request: dict[str, Any]) -> bool:
        given = (request.get("key"), request.get("secret"))
        if client.authenticated:
            await client.refuse(403)
        elif not may_enter(given, self._keys):
            await client.refuse(402)
        elif len(self._clients) >= self._max_connections:
            await client.refuse(406)
            return False
        else:
            client.authenticated = True
            self._clients.add(client)
            await client.reply({"T": "success", "msg": "authenticated"})
        return True


def run_replay(settings: Settings) -> None:
    """Serve the replay that the settings describe until SIGTERM or SIGINT; keeps serving when the play has ended.

    What earlier replays left in Redis stays: a play that is started again goes over the same bars again. Only the
    mode loop forgets, before every further pass.

    Raises
    ------
    NotFound
        What is to be played is not there.
    ConfigurationError
        The port is in use; nothing was served.
    """
    replay = settings.stream.replay
    playlist = open_playlist(settings)
    with listen(replay.host, replay.port, server="the replay server", choice="stream.replay.port") as listener:
        first, last = playlist.origins[0], playlist.origins[-1]
        log.info("replay of %s to %s from %s, bars of %s", first, last, playlist.label, playlist.length)
        log.info(
            "%s, speed %g, stamps %s, at %s:%d", replay.mode, replay.speed, replay.stamps, replay.host, replay.port
        )
        end_quietly()
        ReplayServer(playlist, open_streams(settings, "replay").replay).serve(listener)
        log.info("replay server has ended")


def _is_symbols(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(symbol, str) and symbol for symbol in value)
