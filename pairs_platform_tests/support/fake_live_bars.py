"""A source of live bars without a server: it hands on what a test sends, refuses when told to, and misses nothing."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import date, datetime

import pandas as pd

from pairs_platform.core.prices.bars import Frequency
from pairs_platform.ports.live_bars import ConnectionLost, ConnectionRefused, Receive, StreamMessage
from pairs_platform.ports.market_data import ActionsReply, empty_actions, empty_bars


class FakeLiveSource:
    """A `LiveSource` and its only connection.

    Attributes
    ----------
    subscribed : list of set of str
        Symbols of each subscription, in order.
    refusal : ConnectionRefused or None
        What the next attempt to open gets.
    attempts : int
        Connections that were tried.
    is_shut : bool
        Whether the newest connection was closed.
    """

    def __init__(self, frequency: Frequency) -> None:
        self.frequency = frequency
        self.subscribed: list[set[str]] = []
        self.refusal: ConnectionRefused | None = None
        self.attempts = 0
        self.is_shut = False

    def connect(self, receive: Receive) -> "FakeLiveSource":
        self._receive, self._queue = receive, asyncio.Queue[StreamMessage | None]()
        self._loop = asyncio.get_running_loop()
        self.attempts += 1
        self.is_shut = False
        return self

    def history(self) -> "FakeLiveSource":
        return self

    def send(self, messages: Sequence[StreamMessage]) -> None:
        for message in messages:
            self._loop.call_soon_threadsafe(self._queue.put_nowait, message)

    def drop(self) -> None:
        """End the connection."""
        self._loop.call_soon_threadsafe(self._queue.put_nowait, None)

    async def open(self, symbols: Iterable[str]) -> None:
        if self.refusal is not None:
            raise self.refusal
        await self.resubscribe(symbols)

    async def read(self) -> None:
        while (message := await self._queue.get()) is not None:
            await self._receive(message)
        raise ConnectionLost("dropped")

    async def resubscribe(self, symbols: Iterable[str]) -> None:
        self.subscribed.append(set(symbols))

    async def shut(self) -> None:
        self.is_shut = True

    def fetch_since(self, symbols: Sequence[str], session: date, since: datetime) -> pd.DataFrame:
        return empty_bars().assign(mark=pd.Series(dtype="object"))

    def fetch_actions(self, symbols: Sequence[str], first: date, last: date) -> ActionsReply:
        return ActionsReply(empty_actions())
