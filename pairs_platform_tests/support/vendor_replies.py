"""Documented replies of the vendors, spoilt at random, in process: the adapters' own code over a stubbed transport.

What does not belong here: servers of a test (`vendor_servers`).
"""

import asyncio
import copy
import json
import random
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qsl, urlsplit

import msgpack
import pandas as pd
import requests
import websockets
from pydantic import SecretStr
from requests.adapters import BaseAdapter

from pairs_platform.adapters.alpaca.history import AlpacaMarketData
from pairs_platform.adapters.alpaca.settings import AlpacaSettings
from pairs_platform.adapters.alpaca.stream import AlpacaLiveBars
from pairs_platform.adapters.yahoo.history import YahooMarketData
from pairs_platform.adapters.yahoo.settings import YahooSettings
from pairs_platform.core.errors import PlatformError
from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.prices.calendar import session_open, sessions_between
from pairs_platform.core.prices.settings import ValidationSettings
from pairs_platform.core.prices.validation import validate_bars
from pairs_platform.ports.live_bars import ConnectionLost
from pairs_platform.ports.market_data import MarketData
from pairs_platform.processes.collector.incoming import judge_messages
from pairs_platform_tests.support.stream_servers import bar_message
from pairs_platform_tests.support.vendor_servers import NEW_YORK, alpaca_bar, yahoo_chart

FIRST, LAST = date(2024, 3, 6), date(2024, 3, 12)
SYMBOLS = ("AAPL", "BRK.B", "IBM", "MSFT")
TEXTS = (
    "", "null", "[]", '{"bars": ', "<html><body>Will be right back</body></html>", "\x00\xff", "[" * 100_000,
    '{"bars": [], "next_page_token": null}', '{"bars": null}', '{"chart": null}', '{"chart": {"result": null}}', "7",
    '{"chart": {"result": [null], "error": null}}', '{"chart": {"result": {}, "error": []}}',
)  # fmt: skip
"""Whole answers that are none."""

_SPOILT = (
    None, True, False, 0, -1, 1e300, -1e300, 10**400, float("nan"), float("inf"), "", " ", "n/a", "1,5", "12.5", [], {},
    [[]], [None], {"a": 1}, "2024-03-07", "2024-03-07T00:00:00", "9999-12-31T00:00:00Z", "2024-13-45T00:00:00Z", 2**63,
    "x" * 5000, "é\u2028", 1e-300,
)  # fmt: skip

Answer = Callable[[str, Mapping[str, str]], str]
"""The text that goes back for a path and its query."""


class _Stub(BaseAdapter):
    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self._answer = answer

    def send(self, request: Any, **_: Any) -> requests.Response:
        parts = urlsplit(request.url)
        reply = requests.Response()
        reply.status_code, reply.url, reply.request = 200, request.url, request
        reply._content = self._answer(parts.path, dict(parse_qsl(parts.query))).encode()
        return reply

    def close(self) -> None:
        pass


def stubbed_alpaca(answer: Answer, frequency: Frequency = Frequency.ONE_DAY) -> AlpacaMarketData:
    """Alpaca's adapter, whose transport is a function; nothing is asked twice."""
    keys = {"key_id": SecretStr("key"), "secret_key": SecretStr("secret")}
    settings = AlpacaSettings(max_attempts=1, requests_per_minute=10_000)
    market = AlpacaMarketData(
        **keys, frequency=frequency, settings=settings, base_url="http://stub", sleep=lambda _: None
    )
    market._http.mount("http://", _Stub(answer))
    return market


class StubbedYahoo(YahooMarketData):
    """Yahoo's adapter, whose transport is a function; nothing is asked twice."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(
            frequency=Frequency.ONE_DAY,
            settings=YahooSettings(max_attempts=1, requests_per_minute=1000),
            sleep=lambda _: None,
            now=lambda: datetime(2024, 8, 1, tzinfo=UTC),
        )
        self._answer = answer

    def _ask(self, symbol: str, params: dict[str, Any]) -> Mapping[str, Any]:
        reply = requests.Response()
        reply.status_code, reply._content = 200, self._answer(symbol, {}).encode()
        with patch("yfinance.data.YfData.get", lambda *_, **__: reply):
            return super()._ask(symbol, params)


def alpaca_bars(symbol: str) -> list[dict[str, Any]]:
    """A symbol's daily bars as the service documents them."""
    base = 100.0 * (1 + SYMBOLS.index(symbol))
    days = sessions_between(FIRST, LAST)
    return [alpaca_bar(datetime(day.year, day.month, day.day, tzinfo=NEW_YORK), base + day.day) for day in days]


def alpaca_actions(symbol: str) -> dict[str, list[dict[str, Any]]]:
    """A symbol's actions as the service documents them."""
    about = {"symbol": symbol, "process_date": "2024-03-11", "cusip": "0"}
    return {
        "cash_dividends": [{**about, "id": f"{symbol}-1", "ex_date": "2024-03-08", "rate": 0.24, "special": False}],
        "forward_splits": [{**about, "id": f"{symbol}-2", "ex_date": "2024-03-11", "new_rate": 4, "old_rate": 1}],
    }


def yahoo_daily(symbol: str) -> dict[str, Any]:
    """A symbol's chart with a dividend and a split."""
    base = 100.0 * (1 + SYMBOLS.index(symbol))
    rows = [(session_open(day), base + day.day) for day in sessions_between(FIRST, LAST)]
    dividends = {session_open(date(2024, 3, 8)): 0.24}
    return yahoo_chart(symbol, rows, dividends=dividends, splits={session_open(date(2024, 3, 11)): (4, 1)})


def spoilt(value: Any, generator: random.Random, times: int = 1) -> Any:
    """A copy of a JSON value with something wrong at a random place, or at several."""
    value = json.loads(json.dumps(value))
    for _ in range(times):
        places = list(_places(value))
        if not places:
            return copy.deepcopy(generator.choice(_SPOILT))
        holder, key = generator.choice(places)
        kind = generator.randrange(4)
        if kind == 0:
            del holder[key]
        elif kind == 1:
            holder[key] = [holder[key], copy.deepcopy(holder[key])]
        elif kind == 2 and isinstance(holder, list):
            holder.insert(key, copy.deepcopy(generator.choice(_SPOILT)))
        else:
            holder[key] = copy.deepcopy(generator.choice(_SPOILT))
    return value


def _places(value: Any) -> Any:
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from _places(value[key])


def read_spoilt_alpaca(seed: int) -> None:
    """Spoil one symbol's part of the replies, or a whole reply, and hold the adapter to its promises."""
    generator = random.Random(seed)
    victim, whole = generator.choice(SYMBOLS), generator.random() < 0.2
    times = generator.randrange(1, 4)
    bars = {symbol: alpaca_bars(symbol) for symbol in SYMBOLS}
    actions = {symbol: alpaca_actions(symbol) for symbol in SYMBOLS}
    bars[victim], actions[victim] = spoilt(bars[victim], generator, times), spoilt(actions[victim], generator, times)

    def answer(path: str, query: Mapping[str, str]) -> str:
        asked = query["symbols"].split(",")
        page: Any = {"bars": {symbol: bars[symbol] for symbol in asked}, "next_page_token": None}
        if "corporate-actions" in path:
            page = {"corporate_actions": _by_kind([actions[symbol] for symbol in asked]), "next_page_token": None}
        if whole:
            return generator.choice(TEXTS) if generator.random() < 0.3 else json.dumps(spoilt(page, generator, times))
        return json.dumps(page)

    _hold(stubbed_alpaca(answer), None if whole else victim)
    _since(stubbed_alpaca(answer))


def read_spoilt_yahoo(seed: int) -> None:
    """As `read_spoilt_alpaca`; each symbol has a reply of its own."""
    generator = random.Random(seed)
    victim, times = generator.choice(SYMBOLS), generator.randrange(1, 4)
    broken = json.dumps(spoilt(yahoo_daily(victim), generator, times))
    if generator.random() < 0.1:
        broken = generator.choice(TEXTS)

    def answer(symbol: str, _: Mapping[str, str]) -> str:
        return broken if symbol == victim else json.dumps(yahoo_daily(symbol))

    _hold(StubbedYahoo(answer), victim)


def _by_kind(parts: list[Any]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for part in parts:
        for kind, items in part.items() if isinstance(part, dict) else [("cash_dividends", part)]:
            merged.setdefault(kind, []).extend(items if isinstance(items, list) else [items])
    return merged


def _hold(market: MarketData, victim: str | None) -> None:
    """Bars and actions of all symbols but the victim arrive exactly, unless the whole reply is refused by name."""
    try:
        reply = market.fetch_bars(SYMBOLS, FIRST, LAST)
    except PlatformError:
        assert victim is None or isinstance(market, YahooMarketData)
        reply = None
    try:
        actions = market.fetch_actions(SYMBOLS, FIRST, LAST)
    except PlatformError:
        assert victim is None or isinstance(market, YahooMarketData)
        actions = None
    if reply is not None:
        named = {item.symbol for item in reply.unavailable}
        assert named == set(SYMBOLS) - set(reply.bars["symbol"])
        sessions = sessions_between(FIRST, LAST)
        validate_bars(
            reply.bars,
            symbols=SYMBOLS,
            sessions=sessions,
            frequency=Frequency.ONE_DAY,
            settings=ValidationSettings(),
            actions=None if actions is None else actions.actions,
        )
        assert reply.bars["ts_utc"].isin([pd.Timestamp(session_open(day)) for day in sessions]).all()
        for symbol in SYMBOLS if victim else ():
            if symbol != victim:
                _assert_whole(reply.bars[reply.bars["symbol"] == symbol], symbol)
    if actions is not None and victim:
        sound = actions.actions[actions.actions["symbol"] != victim]
        assert {item.symbol for item in actions.unsure} <= {victim}
        assert sound["value"].tolist() == [0.24, 4.0] * 3


def _assert_whole(bars: pd.DataFrame, symbol: str) -> None:
    base, days = 100.0 * (1 + SYMBOLS.index(symbol)), sessions_between(FIRST, LAST)
    assert bars["close"].tolist() == [base + day.day for day in days]
    assert bars["volume"].tolist() in ([100.0] * len(days), [1000.0] * len(days))


def _since(market: AlpacaMarketData) -> None:
    try:
        market.fetch_since(SYMBOLS, LAST, session_open(LAST))
    except PlatformError:
        return


class _Socket:
    """Gives frames, then ends."""

    def __init__(self, frames: list[bytes]) -> None:
        self._frames = frames

    async def recv(self) -> bytes:
        if not self._frames:
            raise websockets.ConnectionClosedError(None, None)
        return self._frames.pop(0)


def read_spoilt_stream(seed: int) -> None:
    """Spoil a message or a frame of the stream: no raw error, and every sound bar before it arrives."""
    generator = random.Random(seed)
    starts = [int(session_open(FIRST).timestamp() * 10**9) + n * 300 * 10**9 for n in range(4)]
    sound = [bar_message(symbol, start) for start in starts for symbol in ("AAPL", "IBM")]
    broken: Any = {**bar_message("MSFT", starts[0]), "t": None}
    broken = _spoilt_message(broken, generator)
    frame = msgpack.packb([*sound[:6], broken, *sound[6:]])
    if generator.random() < 0.2:
        at = generator.randrange(len(frame))
        frame = frame[:at] + generator.randbytes(generator.randrange(4)) + frame[at + generator.randrange(4) :]
    received: list[Any] = []

    async def receive(message: Any) -> None:
        received.append(message)

    async def read() -> None:
        live = AlpacaLiveBars("key", "secret", feed="iex", url="ws://stub", receive=receive)
        live._ws = _Socket([msgpack.packb(sound[:6]), frame])
        try:
            await live.read()
        except ConnectionLost:
            return

    asyncio.run(read())
    judged = judge_messages(received, symbols=SYMBOLS, frequency=Frequency.FIVE_MINUTES)
    assert len(judged.bars) + len(judged.refused) == len(received)
    assert [(bar.symbol, bar.ts_ns) for bar in judged.bars][:6] == [
        (message["S"], message["t"].to_unix_nano()) for message in sound[:6]
    ]


def _spoilt_message(message: dict[str, Any], generator: random.Random) -> Any:
    """A message with wrong values in the types that msgpack has; or no message."""
    values = (*_SPOILT, b"bytes", msgpack.Timestamp(2**40, 0), msgpack.Timestamp(-1, 5), msgpack.ExtType(5, b"x"))
    fitting = [value for value in values if not (isinstance(value, int) and abs(value) > 2**63)]
    if generator.random() < 0.15:
        return copy.deepcopy(generator.choice(fitting))
    for _ in range(generator.randrange(1, 4)):
        message[generator.choice([*message])] = copy.deepcopy(generator.choice(fitting))
    return message
