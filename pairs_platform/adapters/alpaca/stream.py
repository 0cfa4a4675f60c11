"""One connection to Alpaca's stream of bars, or to a server that speaks like it, with alpaca-py.

The library's own loop repeats a refused authentication every 30 seconds without a word, gives up at one error and takes
a quiet evening for a dead socket; so its connection is used here, and the loop is the collector's.

What does not belong here: when to connect again, and what happens to bars (`processes.collector`).
"""

import asyncio
import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

import websockets
from alpaca.data.enums import DataFeed
from alpaca.data.live.stock import StockDataStream
from websockets.legacy.exceptions import InvalidStatusCode  # the library connects by the legacy client (0.44)

from pairs_platform.ports.live_bars import ConnectionLost, ConnectionRefused, Receive

CONNECT_SECONDS = 20.0
_CHANNELS = ("bars", "updatedBars")
_SOCKET = {"ping_interval": 10, "ping_timeout": 60, "close_timeout": 2, "max_queue": 16, "max_size": 2**24}
"""A pong waits behind the messages that wait for a slow Redis; few wait, so that it comes in time."""

_KEY_ERRORS = (401, 402, 403, 404, 409)
_LIMIT_ERRORS = (405, 406, 407, 429)
_ADDRESS_STATUSES = (404, 405, 410)
_KEY_PHRASES = ("auth", "insufficient subscription", "forbidden")
_LIMIT_PHRASES = ("limit", "slow client", "too many")


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
            key_id, secret_key, raw_data=True, feed=DataFeed(feed), url_override=url, websocket_params=dict(_SOCKET)
        )
        self._receive = receive

    async def open(self, symbols: Iterable[str]) -> None:
        """Connect, authenticate and subscribe.

        Raises
        ------
        ConnectionLost, ConnectionRefused
        """
        with _translated(self._endpoint):
            await asyncio.wait_for(self._start_ws(), CONNECT_SECONDS)
        await self.resubscribe(symbols)

    async def read(self) -> None:
        """Hand on messages until the connection ends.

        Raises
        ------
        ConnectionLost, ConnectionRefused
        """
        with _translated():
            await self._consume()

    async def resubscribe(self, symbols: Iterable[str]) -> None:
        """Stream bars and corrected bars of exactly these symbols from now on.

        Raises
        ------
        ConnectionLost
        """
        wanted, held = set(symbols), set(self._handlers["bars"])
        with _translated():
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
            raise _refusal(code if isinstance(code, int) else 0, text) or ConnectionLost(f"{text} ({code})")
        else:
            await super()._dispatch(msg)

    async def shut(self) -> None:
        """Close the connection, whatever state it is in."""
        with contextlib.suppress(OSError, websockets.WebSocketException):
            await self.close()


@contextlib.contextmanager
def _translated(address: str = "") -> Iterator[None]:
    try:
        yield
    except InvalidStatusCode as error:
        status = int(error.status_code)
        if status in _ADDRESS_STATUSES:
            raise ConnectionRefused(
                "wrong_address",
                f"there is no stream at {address} (HTTP status {status}): check the address, and the feed in "
                "source.alpaca.feed",
            ) from error
        raise _refusal(status, f"HTTP status {status}") or ConnectionLost(str(error)) from error
    except (OSError, TimeoutError, websockets.WebSocketException) as error:
        raise ConnectionLost(str(error) or type(error).__name__) from error
    except ValueError as error:  # how the library says that the server refuses
        raise _refusal(0, str(error)) or ConnectionLost(str(error)) from error
    except (LookupError, TypeError, AttributeError) as error:
        raise ConnectionLost(f"a message that is none of Alpaca's: {error!r}") from error


def _refusal(code: int, text: str) -> ConnectionRefused | None:
    """What an error of the server means; None for one after which a new connection may help at once."""
    lower = text.lower()
    message = f"{text} ({code})" if code else text
    if code in _KEY_ERRORS or any(phrase in lower for phrase in _KEY_PHRASES):
        return ConnectionRefused("auth_failed", message)
    if code in _LIMIT_ERRORS or any(phrase in lower for phrase in _LIMIT_PHRASES):
        return ConnectionRefused("rate_limited", message)
    return None
