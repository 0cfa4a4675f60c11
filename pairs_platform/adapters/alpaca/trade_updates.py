"""The trade updates of an account at Alpaca: one connection, kept by a loop of the platform's own.

Connect, authenticate, listen, and be told so; keep what comes from then on while the receiver asks for the state of
things; hand it on; then everything as it comes. The library's own loop repeats a refused login for ever, does not wait
for the word that it is listening, and takes a mute socket for a quiet day.

What does not belong here: what an update says (`trading_records`), and what follows from it (`processes.trader`).

References
----------
trade_updates: https://docs.alpaca.markets/docs/websocket-streaming
"""

import asyncio
import contextlib
import json
import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import websockets
from alpaca.trading.stream import TradingStream

from pairs_platform.adapters.alpaca.keys import Keys
from pairs_platform.adapters.alpaca.settings import AlpacaTradingSettings
from pairs_platform.adapters.alpaca.socket import CONNECT_SECONDS, SOCKET, keys_of_the_moment, translated
from pairs_platform.adapters.alpaca.trading_records import News, read_update
from pairs_platform.adapters.vendors.retry import backoff_s
from pairs_platform.adapters.vendors.rows import shortened
from pairs_platform.core.errors import DataError, PlatformError, Refused
from pairs_platform.ports.broker import UpdateReceiver
from pairs_platform.ports.live_bars import ConnectionLost, ConnectionRefused

log = logging.getLogger(__name__)

TRADE_UPDATES = "trade_updates"

LONGEST_WAIT_SECONDS, REFUSED_SECONDS = 30.0, 20.0
"""Longest wait between two attempts, and the shortest one after a refusal."""

_POLL_SECONDS = 0.2
_CHECK = "the setting base_url of Alpaca's trading"
_LIMIT = (
    "Alpaca allows one connection to the updates of an account, and another one is open: end the other process that "
    "trades with this account"
)


class DueUpdates:
    """Orders of which the stream must say something soon: a mute stream is told from a quiet one by nothing else.

    An order goes by its client id, and by the broker's where it is to be canceled.

    Parameters
    ----------
    seconds : float
        How long it may say nothing.
    monotonic : callable
        Seconds that never go back.
    """

    def __init__(self, seconds: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._monotonic = seconds, monotonic
        self._due: dict[str, float] = {}
        self._lock = threading.Lock()

    def expect(self, order_id: str) -> None:
        """An order is about to be sent, or to be canceled."""
        with self._lock:
            self._due.setdefault(order_id, self._monotonic() + self._seconds)

    def heard(self, *order_ids: str) -> None:
        """The stream said something of an order, or nothing is to be said of it."""
        with self._lock:
            for order_id in order_ids:
                self._due.pop(order_id, None)

    def clear(self) -> None:
        """Expect nothing any more: the state of all orders is asked for."""
        with self._lock:
            self._due.clear()

    def overdue(self) -> str | None:
        """An order of which too long nothing was said."""
        now = self._monotonic()
        with self._lock:
            return next((order_id for order_id, until in self._due.items() if until < now), None)


class _Connection(TradingStream):
    """One connection: the library connects and authenticates."""

    def __init__(self, key_id: str, secret_key: str, url: str) -> None:
        super().__init__(key_id, secret_key, raw_data=True, url_override=url, websocket_params=dict(SOCKET))
        self._ws: Any = None
        self._receiving: asyncio.Task[Any] | None = None

    async def open(self) -> None:
        """Connect, authenticate, listen, and wait for the word that it listens.

        Raises
        ------
        ConnectionLost, ConnectionRefused
        """
        with translated(self._endpoint, check=_CHECK, limit=_LIMIT):
            await asyncio.wait_for(self._listen(), CONNECT_SECONDS)

    async def _listen(self) -> None:
        await self._connect()
        await self._auth()
        await self._ws.send(json.dumps({"action": "listen", "data": {"streams": [TRADE_UPDATES]}}))
        answer = json.loads(await self._ws.recv())
        if answer["stream"] != "listening" or TRADE_UPDATES not in answer["data"]["streams"]:
            raise ConnectionLost(f"Alpaca does not listen: {shortened(answer)}")

    async def message(self) -> Any:
        """The next message as it came; None where none comes for a moment.

        Raises
        ------
        ConnectionLost, ConnectionRefused
        """
        if self._receiving is None:
            self._receiving = asyncio.create_task(self._ws.recv())
        done, _ = await asyncio.wait((self._receiving,), timeout=_POLL_SECONDS)
        if not done:
            return None
        arrived, self._receiving = self._receiving, None
        with translated(self._endpoint, check=_CHECK):
            return arrived.result()

    async def shut(self) -> None:
        """Close the connection, whatever state it is in."""
        if self._receiving is not None:
            self._receiving.cancel()
            await asyncio.gather(self._receiving, return_exceptions=True)
        with contextlib.suppress(OSError, websockets.WebSocketException):
            await self.close()


class Follower:
    """Keeps a connection to the updates of an account, and tells the receiver.

    Parameters
    ----------
    keys : callable
        The keys of the moment.
    settings : AlpacaTradingSettings
    receiver : UpdateReceiver
    due : DueUpdates
    news : News
    first_wait_s, refused_s : float
        Before a second attempt, and after a refusal.
    """

    def __init__(
        self,
        keys: Callable[[], Keys],
        settings: AlpacaTradingSettings,
        *,
        receiver: UpdateReceiver,
        due: DueUpdates,
        news: News,
        first_wait_s: float = 1.0,
        refused_s: float = REFUSED_SECONDS,
    ) -> None:
        self._keys, self._receiver, self._due, self._news = keys, receiver, due, news
        self._url = settings.base_url.replace("http", "ws", 1) + "/stream"
        self._first_wait_s, self._refused_s = first_wait_s, refused_s
        self._was_connected = False

    def run(self, stopping: threading.Event) -> None:
        """See `Broker.follow`."""
        asyncio.run(self._keep_connected(stopping))

    async def _keep_connected(self, stopping: threading.Event) -> None:
        failures = 0
        while not stopping.is_set():
            began = time.monotonic()
            try:
                await self._connection(stopping)
            except ConnectionLost as error:
                await asyncio.to_thread(self._receiver.lost, error)
                if isinstance(error, ConnectionRefused) and error.state == "wrong_address" and not self._was_connected:
                    raise Refused(str(error)) from error
                failures = 1 if time.monotonic() - began > LONGEST_WAIT_SECONDS else failures + 1
                wait_s = self._wait_s(error, failures)
                log.warning("%s; next attempt in %.1f s", error, wait_s)
                await _until(stopping, wait_s)

    def _wait_s(self, error: ConnectionLost, failures: int) -> float:
        if isinstance(error, ConnectionRefused):
            return self._refused_s * random.uniform(1.0, 1.5)
        return backoff_s(failures, first_s=self._first_wait_s, longest_s=LONGEST_WAIT_SECONDS)

    async def _connection(self, stopping: threading.Event) -> None:
        """One connection, from its making until it is lost or the end comes."""
        connection = _Connection(*keys_of_the_moment(self._keys), self._url)
        snapshot: asyncio.Task[None] | None = None
        try:
            await connection.open()
            self._was_connected = True
            self._due.clear()
            waiting: deque[Any] = deque()
            snapshot = asyncio.create_task(self._snapshot())
            while not stopping.is_set():
                message = await connection.message()
                if message is not None:
                    waiting.append(message)
                if snapshot.done():
                    snapshot.result()
                    while waiting:
                        await asyncio.to_thread(self._hand_on, waiting.popleft())
                    if order_id := self._due.overdue():
                        raise ConnectionLost(f"the stream of trade updates says nothing of the order {order_id}")
        finally:
            if snapshot is not None:
                await asyncio.gather(snapshot, return_exceptions=True)
            await connection.shut()

    async def _snapshot(self) -> None:
        try:
            await asyncio.to_thread(self._receiver.connected)
        except PlatformError as error:
            raise ConnectionLost(f"the state of the account is not known: {error}") from error

    def _hand_on(self, content: bytes | str) -> None:
        """Tell the receiver of a message."""
        try:
            message = json.loads(content)
            if not isinstance(message, dict) or "stream" not in message:
                raise DataError(f"a message without a stream: {shortened(message)}")
            if message["stream"] != TRADE_UPDATES:
                raise DataError(f"a message of the stream {shortened(message['stream'])}")
            update = read_update(message.get("data"), self._news)
        except (ValueError, DataError, RecursionError) as error:
            self._receiver.unreadable(f"Alpaca's trade update cannot be read: {error}")
            return
        self._due.heard(update.order.client_order_id, update.order.broker_order_id)
        try:
            self._receiver.updated(update)
        except PlatformError as error:  # the state of the account, asked for again, has what this update said
            raise ConnectionLost(f"a trade update could not be taken: {error}") from error


async def _until(stopping: threading.Event, seconds: float) -> None:
    """Wait for a while, or until the end comes."""
    end = time.monotonic() + seconds
    while not stopping.is_set() and (left := end - time.monotonic()) > 0:
        await asyncio.sleep(min(left, _POLL_SECONDS))
