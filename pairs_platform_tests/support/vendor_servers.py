"""Local HTTP servers that speak the vendors' protocols, and fail on request.

A server answers like its vendor; `faults` maps the number of a request (from 0) to the answer that it gets instead.
"""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit
from zoneinfo import ZoneInfo

from pairs_platform_tests.support.waiting import WAIT_SECONDS

NEW_YORK = ZoneInfo("America/New_York")


@dataclass(frozen=True)
class Asked:
    """A request as it arrived; header names in lower case."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]


@dataclass(frozen=True)
class Answer:
    """What goes back: `body` is JSON unless it is a string; after `cut_at` bytes of it the connection drops."""

    body: Any = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    cut_at: int | None = None


NO_ANSWER = Answer(cut_at=-1)
"""The connection drops before a single byte."""


class LocalServer:
    """Keeps what it was asked; subclasses say how the vendor answers."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.faults: dict[int, Answer] = {}
        self.url = ""

    def answer(self, asked: Asked) -> Answer:
        raise NotImplementedError

    def counts(self, asked: Asked) -> bool:
        """Whether the request is one that `asked` and `faults` count."""
        return True

    def reply_to(self, asked: Asked) -> Answer:
        if not self.counts(asked):
            return self.answer(asked)
        self.asked.append(asked)
        return self.faults.get(len(self.asked) - 1) or self.answer(asked)


@contextmanager
def running(server: LocalServer) -> Iterator[LocalServer]:
    """Serve on a free local port while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = dict(parse_qsl(parts.query, keep_blank_values=True))
            asked = Asked(unquote(parts.path), query, {name.lower(): value for name, value in self.headers.items()})
            answer = server.reply_to(asked)
            time.sleep(answer.delay_s)
            try:
                self._send(answer)
            except ConnectionError:  # the client's timeout was shorter
                self.close_connection = True

        do_POST = do_GET  # noqa: N815

        def _send(self, answer: Answer) -> None:
            payload = (answer.body if isinstance(answer.body, str) else json.dumps(answer.body)).encode()
            if answer.cut_at != -1:
                self.send_response(answer.status)
                for name, value in {"Content-Length": str(len(payload)), **answer.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(payload[: answer.cut_at])
            if answer.cut_at is not None:
                self.connection.shutdown(socket.SHUT_RDWR)

        def log_message(self, format: str, *args: object) -> None:
            pass

    web = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    web.daemon_threads, web.block_on_close = True, False
    server.url = f"http://127.0.0.1:{web.server_port}"
    thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        web.shutdown()
        web.server_close()
        thread.join(WAIT_SECONDS)


def alpaca_bar(stamp: datetime, close: float, volume: int = 100) -> dict[str, Any]:
    """A bar as Alpaca writes it."""
    return {
        "t": stamp.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "o": close - 0.1,
        "h": close + 0.2,
        "l": close - 0.2,
        "c": close,
        "v": volume,
        "n": 7,
        "vw": close,
    }


class AlpacaServer(LocalServer):
    """Alpaca's market data service: pages over all symbols, inclusive ranges, actions selected by process date.

    Attributes
    ----------
    bars : dict
        Bars per symbol and timeframe (``"5Min"``), oldest first.
    actions : dict
        Items per kind (``"forward_splits"``).
    bad_symbols : set of str
        Refused with 400 as malformed, like the service does; an unknown symbol is simply absent.
    page_size : int
        Items per page whatever limit the client asks for.
    overlap : int
        Items of a page repeated at the start of the next one.
    turn_page : callable
        Applied to the items of each page, for example to shuffle them.
    """

    KEY_ID, SECRET_KEY = "PKTESTKEYID0000", "s3cr3t-never-to-be-shown"

    def __init__(self) -> None:
        super().__init__()
        self.bars: dict[tuple[str, str], list[dict[str, Any]]] = {}
        self.actions: dict[str, list[dict[str, Any]]] = {}
        self.bad_symbols: set[str] = set()
        self.refusal_status = 400
        self.page_size = 10_000
        self.overlap = 0
        self.turn_page: Callable[[list[Any]], list[Any]] = lambda items: items

    def answer(self, asked: Asked) -> Answer:
        given = (asked.headers.get("apca-api-key-id"), asked.headers.get("apca-api-secret-key"))
        if given != (self.KEY_ID, self.SECRET_KEY):
            return Answer({"message": f"forbidden: {given[0]} {given[1]}"}, 403)
        symbols = asked.query["symbols"].split(",")
        bad = self.bad_symbols.intersection(symbols)
        if bad:
            return Answer({"code": 42210000, "message": f"invalid symbol: {sorted(bad)[0]}"}, self.refusal_status)
        if asked.path == "/v2/stocks/bars":
            return self._page(asked, "bars", self._bars(asked.query, symbols))
        return self._page(asked, "corporate_actions", self._actions(asked.query, symbols))

    def _bars(self, query: dict[str, str], symbols: list[str]) -> list[tuple[str, Any]]:
        start, end = (datetime.fromisoformat(query[name]) for name in ("start", "end"))
        return [
            (symbol, bar)
            for symbol in sorted(symbols)
            for bar in self.bars.get((symbol, query["timeframe"]), [])
            if start <= datetime.fromisoformat(bar["t"]) <= end
        ]

    def _actions(self, query: dict[str, str], symbols: list[str]) -> list[tuple[str, Any]]:
        first, last = (date.fromisoformat(query[name]) for name in ("start", "end"))
        return [
            (kind, item)
            for kind, items in self.actions.items()
            for item in items
            if kind.removesuffix("s") in query["types"].split(",")
            and item["symbol"] in symbols
            and first <= date.fromisoformat(item["process_date"]) <= last
        ]

    def _page(self, asked: Asked, name: str, items: list[tuple[str, Any]]) -> Answer:
        size = min(self.page_size, int(asked.query.get("limit", 100)))
        start = int(asked.query.get("page_token", 0))
        body: dict[str, list[Any]] = {}
        for key, item in self.turn_page(items[max(0, start - self.overlap) : start + size]):
            body.setdefault(key, []).append(item)
        token = str(start + size) if start + size < len(items) else None
        return Answer({name: body, "next_page_token": token})


def yahoo_chart(
    symbol: str,
    rows: list[tuple[datetime, float | None]],
    *,
    currency: str = "USD",
    dividends: dict[datetime, float] | None = None,
    splits: dict[datetime, tuple[int, int]] | None = None,
) -> dict[str, Any]:
    """A chart as Yahoo writes it; the close is `None` where Yahoo has no trade."""

    def column(shift: float) -> list[float | None]:
        return [None if close is None else close + shift for _, close in rows]

    result: dict[str, Any] = {
        "meta": {
            "currency": currency,
            "symbol": symbol,
            "instrumentType": "EQUITY",
            "exchangeTimezoneName": "America/New_York",
            "dataGranularity": "1d",
        },
        "timestamp": [int(stamp.timestamp()) for stamp, _ in rows],
        "indicators": {
            "quote": [
                {
                    "open": column(-0.1),
                    "high": column(0.2),
                    "low": column(-0.2),
                    "close": column(0.0),
                    "volume": [None if close is None else 1000 for _, close in rows],
                }
            ],
            "adjclose": [{"adjclose": column(-50.0)}],
        },
    }
    events: dict[str, Any] = {}
    if dividends:
        events["dividends"] = {
            str(int(stamp.timestamp())): {"amount": amount, "date": int(stamp.timestamp())}
            for stamp, amount in dividends.items()
        }
    if splits:
        events["splits"] = {
            str(int(stamp.timestamp())): {
                "date": int(stamp.timestamp()),
                "numerator": new,
                "denominator": old,
                "splitRatio": f"{new}:{old}",
            }
            for stamp, (new, old) in splits.items()
        }
    return {"chart": {"result": [result | ({"events": events} if events else {})], "error": None}}


def yahoo_error(code: str, description: str) -> dict[str, Any]:
    """A chart reply that says why there is no chart."""
    return {"chart": {"result": None, "error": {"code": code, "description": description}}}


class YahooServer(LocalServer):
    """Yahoo's chart service with its cookie and crumb pages; counts chart requests only.

    Attributes
    ----------
    charts : dict
        Reply per symbol as Yahoo spells it; others are answered with 404.
    """

    CRUMB = "LocalCrumb"

    def __init__(self) -> None:
        super().__init__()
        self.charts: dict[str, Any] = {}

    def counts(self, asked: Asked) -> bool:
        return asked.path.startswith("/v8/finance/chart/")

    def answer(self, asked: Asked) -> Answer:
        if self.counts(asked):
            symbol = asked.path.rsplit("/", 1)[1]
            if symbol in self.charts:
                return Answer(self.charts[symbol])
            return Answer(yahoo_error("Not Found", "No data found, symbol may be delisted"), 404)
        if asked.path.endswith("/getcrumb"):
            return Answer(self.CRUMB)
        return Answer("", 404, {"Set-Cookie": "A3=local; Path=/"})
