"""Alpaca's market-data messages: how bars and replies are written, as msgpack or JSON, and how requests are read.

Trade count and average price of a bar ("n", "vw") are unknown here and null. A proxy's bar has the additional field
"x", ``proxy:AAPL``. What does not belong here: who is sent what and when (`server`).

References
----------
Stream: https://docs.alpaca.markets/docs/streaming-market-data and …/docs/real-time-stock-pricing-data
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgpack
import pandas as pd

from pairs_platform.core.errors import DataError
from pairs_platform.core.time import moment_utc, stamps_ns

BARS, UPDATED_BARS = "bars", "updatedBars"
CHANNELS = (
    "trades", "quotes", BARS, UPDATED_BARS, "dailyBars", "statuses", "lulds", "corrections", "cancelErrors",
)  # fmt: skip
"""Channels of the stock stream; only bars and updated bars are ever sent."""

ERRORS = {
    400: "invalid syntax",
    401: "not authenticated",
    402: "auth failed",
    403: "already authenticated",
    404: "auth timeout",
    406: "connection limit exceeded",
    410: "invalid subscribe action",
}
EVERYTHING = "*"
MAX_BARS_PER_MESSAGE = 500

_TYPES = {BARS: "b", UPDATED_BARS: "u"}
_PRICES = {"open": "o", "high": "h", "low": "l", "close": "c", "volume": "v"}


def encode(messages: Sequence[Mapping[str, Any]], *, packed: bool) -> bytes | str:
    """One frame with several messages: msgpack, or JSON."""
    return bytes(msgpack.packb(messages)) if packed else json.dumps(messages, separators=(",", ":"))


def decode(content: bytes | str, *, packed: bool) -> dict[str, Any]:
    """The mapping that a client sent.

    Raises
    ------
    DataError
        It is none, or not in the connection's encoding.
    """
    try:
        message = msgpack.unpackb(content) if packed and isinstance(content, bytes) else json.loads(content)
    except (ValueError, msgpack.UnpackException) as error:
        raise DataError(str(error)) from error
    if not isinstance(message, dict):
        raise DataError(f"a {type(message).__name__} is no request")
    return message


class BarFields:
    """Rows with BAR_COLUMNS and `source` as Alpaca's fields, each made when it is asked for by its position.

    "S" is included, "t" in nanoseconds since 1970-01-01 UTC; "x" only where the source is not empty.
    """

    def __init__(self, bars: pd.DataFrame) -> None:
        stamps = stamps_ns(bars["ts_utc"]).tolist()
        self._columns = (stamps, *(bars[name].tolist() for name in ("symbol", *_PRICES, "source")))

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self[position] for position in range(len(self._columns[0])))

    def __getitem__(self, position: int) -> dict[str, Any]:
        ts_ns, symbol, opened, high, low, close, volume, source = (column[position] for column in self._columns)
        fields = {"S": symbol, "o": opened, "h": high, "l": low, "c": close, "v": volume, "n": None, "vw": None}
        fields["t"] = ts_ns
        if source:
            fields["x"] = source
        return fields


def changed_fields(changes: Mapping[str, float]) -> dict[str, float]:
    """Changes of BAR_COLUMNS as Alpaca's fields."""
    return {_PRICES[name]: value for name, value in changes.items()}


@lru_cache(maxsize=10_000)
def rfc3339(ts_ns: int) -> str:
    """A moment as Alpaca's JSON has it; whole seconds."""
    return moment_utc(ts_ns).strftime("%Y-%m-%dT%H:%M:%SZ")


class Batch:
    """Bars of one channel that are sent at one moment; each is encoded once, each message put together once.

    Parameters
    ----------
    channel : str
        `BARS` or `UPDATED_BARS`.
    rows : sequence of dict
        As `BarFields` gives them.
    """

    def __init__(self, channel: str, rows: Sequence[Mapping[str, Any]]) -> None:
        self.channel = channel
        self._rows = rows
        self._encoded: dict[bool, list[Any]] = {}
        self._messages: dict[tuple[bool, frozenset[str]], list[bytes | str]] = {}

    def messages(self, wanted: frozenset[str], *, packed: bool) -> list[bytes | str]:
        """Frames for a client that subscribed to these symbols; none where it wants no bar of the batch."""
        key = (packed, wanted)
        if key not in self._messages:
            parts = self._encode(packed)
            if EVERYTHING not in wanted:
                parts = [part for part, row in zip(parts, self._rows, strict=True) if row["S"] in wanted]
            self._messages[key] = list(_joined(parts, packed))
        return self._messages[key]

    def _encode(self, packed: bool) -> list[Any]:
        if packed not in self._encoded:
            kind = {"T": _TYPES[self.channel]}
            if packed:
                stamp = msgpack.Timestamp.from_unix_nano
                self._encoded[packed] = [msgpack.packb({**kind, **row, "t": stamp(row["t"])}) for row in self._rows]
            else:
                self._encoded[packed] = [json.dumps({**kind, **row, "t": rfc3339(row["t"])}) for row in self._rows]
        return self._encoded[packed]


def _joined(parts: Sequence[Any], packed: bool) -> Iterable[bytes | str]:
    for start in range(0, len(parts), MAX_BARS_PER_MESSAGE):
        some = parts[start : start + MAX_BARS_PER_MESSAGE]
        if packed:
            yield msgpack.Packer().pack_array_header(len(some)) + b"".join(some)
        else:
            yield f"[{','.join(some)}]"
