"""One connection to Alpaca's stream of bars, or to a server that speaks like it, with alpaca-py.

The library's own loop repeats a refused authentication every 30 seconds without a word, gives up at one error and takes
a quiet evening for a dead socket; so its connection is used here, and the loop is the collector's.

What does not belong here: when to connect again, and what happens to bars (`processes.collector`).
"""

import asyncio
import contextlib
from collections.abc import Iterable
from typing import Any

import websockets
from alpaca.data.enums import DataFeed
from alpaca.data.live.stock import StockDataStream

from pairs_platform.adapters.alpaca.socket import CONNECT_SECONDS, SOCKET, refusal, translated
from pairs_platform.ports.live_bars import ConnectionLost, Receive

_CHANNELS = ("bars", "updatedBars")
_CHECK = "the address, and the feed in source.alpaca.feed"


class AlpacaLiveBars(StockDataStream):
    """A `LiveBars` that hands on bars and corrected bars as they come, unparsed.

    Parameters
    ----------
    key_id, secret_key : str
    feed : "iex" or "sip"
    url : str or None
        Instead of Alpaca's own address.
    receive : Receive
    """

    def __init__(
        self,
        key_id: str,
        secret_key: str,
        *,
        feed: str,
        url: str | None,
        receive: Receive,
    ) -> None:
        super().__init__(
            key_id, secret_key, raw_data=True, feed=DataFeed(feed), url_override=url, websocket_params=dict(SOCKET)
        )
        self._receive = receive

    async def open(self, symbols: Iterable[str]) -> None:
        """Connect, authenticate and subscribe.

        Raises
        ------
        ConnectionLost, ConnectionRefused
        """
        with translated(self._endpoint, check=_CHECK):
            await asyncio.wait_for(self._start_ws(), CONNECT_SECONDS)
        await self.resubscribe(symbols)

    async def read(self) -> None:
        """Hand on messages until the connection ends.

        Raises
        ------
        ConnectionLost, ConnectionRefused
        """
        with translated():
            await self._consume()

    async def resubscribe(self, symbols: Iterable[str]) -> None:
        """Stream bars and corrected bars of exactly these symbols from now on.

        Raises
        ------
        ConnectionLost
        """
        wanted, held = set(symbols), set(self._handlers["bars"])
        with translated():
            for channel in _CHANNELS:
                await self._send_unsubscribe_msg(channel, sorted(held - wanted))
                self._handlers[channel] = dict.fromkeys(sorted(wanted), self._receive)
            if wanted - held:
                await self._send_subscribe_msg()

    async def _dispatch(self, msg: dict[str, Any]) -> None:
        kind = msg.get("T")
        if kind in ("b", "u"):
            await self._receive(msg)
        elif kind == "error":
            code, text = msg.get("code"), str(msg.get("msg"))
            raise refusal(code if isinstance(code, int) else 0, text) or ConnectionLost(f"{text} ({code})")
        else:
            await super()._dispatch(msg)

    async def shut(self) -> None:
        """Close the connection, whatever state it is in."""
        with contextlib.suppress(OSError, websockets.WebSocketException):
            await self.close()
