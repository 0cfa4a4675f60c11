"""A small server that speaks Alpaca's stream, says no on request, and is silent or gone when told to."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from http import HTTPStatus
from typing import Any

import msgpack
import websockets
from websockets.asyncio.server import Server, ServerConnection, serve

from pairs_platform_tests.support.vendor_servers import AlpacaServer
from pairs_platform_tests.support.waiting import WAIT_SECONDS


def bar_message(symbol: str, ts_ns: int, close: float = 10.0, kind: str = "b", **fields: Any) -> dict[str, Any]:
    stamp = msgpack.Timestamp(ts_ns // 10**9, ts_ns % 10**9)
    values = {
        "o": close - 0.1,
        "h": close + 0.2,
        "l": close - 0.2,
        "c": close,
        "v": 100,
        "n": 3,
        "vw": close,
        "t": stamp,
    }
    return {"T": kind, "S": symbol, **values, **fields}


class ReplayHistory(AlpacaServer):
    """The historical end points with the keys of a replay."""

    KEY_ID, SECRET_KEY = "anybody", "anybody"


class StreamServer:
    """Accepts, authenticates and subscribes like Alpaca; sends what it is told to.

    Attributes
    ----------
    url : str
    keys : (str, str) or None
        None accepts any.
    refusal : (code, message) or None
        Answer to the authentication instead.
    status : HTTPStatus or None
        Answer to the handshake instead.
    attempts : int
        Handshakes so far.
    subscribed : dict of str to set of str
        Symbols of each channel, of the newest connection.
    """

    def __init__(self) -> None:
        self.url = ""
        self.keys: tuple[str, str] | None = None
        self.refusal: tuple[int, str] | None = None
        self.status: HTTPStatus | None = None
        self.attempts = 0
        self.subscribed: dict[str, set[str]] = {}
        self._open: set[ServerConnection] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def connections(self) -> int:
        return len(self._open)

    def send(self, messages: Sequence[dict[str, Any]]) -> None:
        """One frame to every subscribed connection."""
        self._do(self._send(bytes(msgpack.packb(list(messages)))))

    def drop(self) -> None:
        """Break every connection."""
        self._do(self._drop())

    def _do(self, work: Any) -> None:
        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(work, self._loop).result(WAIT_SECONDS)

    async def _send(self, frame: bytes) -> None:
        for connection in list(self._open):
            with suppress(websockets.WebSocketException):
                await connection.send(frame)

    async def _drop(self) -> None:
        for connection in list(self._open):
            connection.transport.abort()

    async def _serve(self, connection: ServerConnection) -> None:
        async def say(**fields: Any) -> None:
            await connection.send(bytes(msgpack.packb([fields])))

        await say(T="success", msg="connected")
        with suppress(websockets.WebSocketException):
            request = msgpack.unpackb(await connection.recv())
            if self.refusal:
                await say(T="error", code=self.refusal[0], msg=self.refusal[1])
                return
            if self.keys is not None and (request["key"], request["secret"]) != self.keys:
                await say(T="error", code=402, msg="auth failed")
                return
            await say(T="success", msg="authenticated")
            held: dict[str, set[str]] = {"bars": set(), "updatedBars": set()}
            self.subscribed = held
            async for content in connection:
                request = msgpack.unpackb(content)
                for channel in held:
                    symbols = set(request.get(channel, []))
                    held[channel] = held[channel] - symbols if request["action"] == "unsubscribe" else symbols
                await say(T="subscription", **{name: sorted(symbols) for name, symbols in held.items()})
                self._open.add(connection)
        self._open.discard(connection)

    def _handshake(self, connection: ServerConnection, request: Any) -> Any:
        self.attempts += 1
        return None if self.status is None else connection.respond(self.status, "no\n")

    @contextmanager
    def running(self) -> Iterator["StreamServer"]:
        """Serve on a free local port, in a thread, while the block runs."""
        ready, loop = threading.Event(), asyncio.new_event_loop()
        held: list[Server] = []

        async def start() -> None:
            server = await serve(self._serve, "127.0.0.1", 0, process_request=self._handshake, compression=None)
            held.append(server)
            self.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/v2/iex"
            ready.set()

        def run() -> None:
            loop.run_until_complete(start())
            loop.run_forever()

        async def end() -> None:
            await self._drop()
            held[0].close()
            await held[0].wait_closed()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        assert ready.wait(WAIT_SECONDS)
        self._loop = loop
        try:
            yield self
        finally:
            self._do(end())
            loop.call_soon_threadsafe(loop.stop)
            thread.join(WAIT_SECONDS)
            loop.close()
