"""The server of the simulated broker: Alpaca's trading API and its stream of trade updates, with faults by script.

One port serves the REST end points (``/v2/…``), the stream (``/stream``), and ``/simulator``, where a person or a test
sees what really happened and moves prices and time. Orders are filled at bid or ask around the last price, whatever
their size. All state belongs to the one loop of the server; `do` reaches it from other threads.

What does not belong here: rules of the account (`account`), prices and hours (`market`), JSON (`wire`), which fault
acts when (`faults`).

References
----------
Trading API: https://docs.alpaca.markets/reference
trade_updates: https://docs.alpaca.markets/docs/websocket-streaming
"""

import asyncio
import json
import logging
import random
import threading
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import partial
from typing import Any, TypeVar

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from pairs_platform.core.errors import ConfigurationError
from pairs_platform.processes.broker.account import (
    Account,
    Books,
    Event,
    Execution,
    PlacedOrder,
    RequestRefused,
    TradedAsset,
    number_of,
    plain,
    wash_trade,
)
from pairs_platform.processes.broker.course import Course, RealCourse
from pairs_platform.processes.broker.faults import Fault, Faults, FaultScript, Occasion, StandingFault
from pairs_platform.processes.broker.market import CENT, MarketTime, Prices
from pairs_platform.processes.broker.wire import (
    TRADE_UPDATES,
    account_json,
    activity_json,
    activity_prefix,
    asset_json,
    calendar_json,
    clock_json,
    error_json,
    frame,
    money,
    order_json,
    position_json,
    update_json,
)
from pairs_platform.processes.web import Keys, WebServer, may_enter, presented_keys

log = logging.getLogger(__name__)

T = TypeVar("T")

GATEWAY_PAGE = "<html><head><title>{status}</title></head><body><h1>{status}</h1><hr>nginx</body></html>"

_ORDERS_DEFAULT, _ORDERS_MOST = 50, 500
_ACTIVITIES_MOST = 100
_MINUTE = 60.0
_TICKS_A_SECOND = 5
_TICK_SECONDS = 1.0 / _TICKS_A_SECOND
_UNKNOWN_WORD = "under_examination"
_ENDED_ORDERS = ("filled", "canceled", "expired", "rejected", "replaced", "done_for_day")


@dataclass(frozen=True, kw_only=True)
class BrokerOptions:
    """How the simulated broker behaves where nothing goes wrong.

    Attributes
    ----------
    cash : Decimal
        Dollars at the start.
    answer_seconds : float
        From a request to its answer; what is asked for is done in the middle of it.
    fill_seconds, cancel_seconds : float
        From an order to its fill, and from a cancelation to its end.
    partial_share : float
        Share of fills that are partial, at random.
    spread_bp : float
        Between bid and ask, basis points; fills are at these.
    requests_per_minute : int
        More are refused with 429; 0 refuses none.
    keys : (key id, secret key) or None
        What clients must present; None accepts any that are not empty.
    """

    cash: Decimal = Decimal(100_000)
    answer_seconds: float = 0.0
    fill_seconds: float = 0.05
    cancel_seconds: float = 0.05
    partial_share: float = 0.0
    spread_bp: float = 0.0
    requests_per_minute: int = 0
    keys: Keys | None = None


class _Stream:
    """The one connection to the stream."""

    def __init__(self, connection: WebSocket, *, is_mute: bool) -> None:
        self.connection, self.is_mute = connection, is_mute
        self.is_listening = False
        self.outbox: asyncio.Queue[bytes | None] = asyncio.Queue()

    async def send_all(self) -> None:
        """Send what is put into the outbox until None is."""
        while (message := await self.outbox.get()) is not None:
            try:
                await self.connection.send_bytes(message)
            except (WebSocketDisconnect, RuntimeError):  # closed in the meantime
                return


class BrokerServer(WebServer):
    """A simulated broker on one port.

    Parameters
    ----------
    prices : Prices
        Their symbols are those that can be traded.
    market : MarketTime
    options : BrokerOptions
    script : FaultScript
    course : Course
        How time passes, real time unless given.
    books : Books or None
        Those of the account that it goes on with; a new account if not given.
    keep : callable
        Takes the books after each change.
    """

    def __init__(
        self,
        prices: Prices,
        market: MarketTime | None = None,
        *,
        options: BrokerOptions | None = None,
        script: FaultScript | None = None,
        course: Course | None = None,
        books: Books | None = None,
        keep: Callable[[Books], None] = lambda _: None,
    ) -> None:
        super().__init__()
        self._course = course or RealCourse()
        self.keep = keep
        script = script or FaultScript()
        self.prices, self.market, self.options = prices, market or MarketTime(), options or BrokerOptions()
        self._stream: _Stream | None = None
        self._was_open: bool | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._beside: Callable[[threading.Event], None] | None = None
        self._begin_account(script)
        if books is not None:
            self.account.go_on(books)
        application = Starlette(routes=self._routes(), lifespan=self._lifespan)
        self.app = _with_transport(application)

    def _begin_account(self, script: FaultScript) -> None:
        self.faults = Faults(script)
        self.market.close_as_usual()
        for fault in script.faults:
            self._prepare(fault)
        assets = {symbol: TradedAsset(symbol) for symbol in self.prices.all()}
        self.account = Account(assets, self.options.cash, price=self.prices, emit=self._emit, seed=script.seed)
        self.requests: list[str] = []
        self.updates = 0
        self._chance = random.Random(f"{script.seed}/fills")
        self._plans: dict[str, Fault] = {}
        self._held_back: list[bytes] = []
        self._versions: dict[str, list[tuple[float, dict[str, Any]]]] = {}
        self._positions: list[tuple[float, list[dict[str, Any]]]] = [(float("-inf"), [])]
        self._asked: deque[float] = deque()
        self._equity: list[tuple[int, str]] = []

    # What tests and persons ask

    def do(self, work: Callable[[], T]) -> T:
        """Run `work` in the server's loop and return what it returns, from any other thread."""

        async def done() -> T:
            return work()

        assert self._loop is not None, "the server does not serve yet"
        return asyncio.run_coroutine_threadsafe(done(), self._loop).result()

    def work_beside(self, work: Callable[[threading.Event], None]) -> None:
        """Let something run in a thread of its own while requests are answered; it ends when its event is set."""
        self._beside = work

    @property
    def is_serving(self) -> bool:
        """Whether requests are answered."""
        return self._loop is not None

    @property
    def is_followed(self) -> bool:
        """Whether a client listens to the stream."""
        return self._stream is not None and self._stream.is_listening

    def add_fault(self, fault: Fault) -> None:
        """Add a fault to the end of the script under way."""
        self.faults.add(fault)
        self._prepare(fault)

    def _prepare(self, fault: Fault) -> None:
        if fault.do == "half_day":
            self.market.close_early(fault.session or self.market.today())

    def set_prices(self, prices: Mapping[str, object]) -> None:
        """Move last prices; orders that meet them are filled."""
        self.prices.set(prices)
        self._match()

    def set_time(self, moment: datetime, rate: float = 1.0) -> None:
        """Move the market's time, which goes on by `rate` seconds in a second; opening and close happen."""
        self.market.set(moment, rate)
        self._pass_time()

    def place_foreign(self, symbol: str, shares: int) -> PlacedOrder:
        """An order that a person types in elsewhere; > 0 buys."""
        return self._place(
            symbol, "buy" if shares > 0 else "sell", Decimal(abs(shares)), f"manual-{self.account.new_id()[:8]}"
        )

    def liquidate(self, symbol: str) -> None:
        """Close the position of a symbol as the broker does in a margin call."""
        held = self.account.held(symbol)
        if held:
            for order in self.account.open_orders(symbol):
                self.account.end(order, "canceled", self.market.now())
            self._place(symbol, "sell" if held > 0 else "buy", abs(held), f"liquidation-{self.account.new_id()[:8]}")

    def restart(self) -> None:
        """Lose the connection and the memory of orders and executions; positions and cash stay."""
        self.account.forget()
        self._plans.clear()
        self._versions.clear()
        self._break_stream()

    def begin_again(self, script: FaultScript | None = None) -> None:
        """Forget everything: a new account with the first cash, and another script."""
        self._break_stream()
        self._begin_account(script or FaultScript())
        self.keep(self.account.books())

    def state(self) -> dict[str, Any]:
        """What really is: orders, positions, money, prices, time, and the faults that acted."""
        return {
            "account": account_json(self.account),
            "orders": [order_json(order) for order in self.account.orders.values()],
            "positions": self._positions_now(),
            "fills": [activity_json(each) for each in self.account.executions],
            "prices": {symbol: plain(price) for symbol, price in self.prices.all().items()},
            "clock": clock_json(self.market, 0.0),
            "faults": list(self.faults.acted),
            "is_followed": self.is_followed,
        }

    # The course of time

    @asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        self._loop = asyncio.get_running_loop()
        self._was_open = self.market.is_open()
        self._resume_orders()
        stopping = threading.Event()
        beside = None
        if self._beside is not None:
            beside = asyncio.create_task(self.guarded(asyncio.to_thread(self._beside, stopping)))
        self._course.later(_TICK_SECONDS, self._caught(partial(self._tick, 1)))
        yield
        stopping.set()
        if beside is not None:
            await asyncio.gather(beside, return_exceptions=True)

    def _resume_orders(self) -> None:
        """Let the orders go on that were under way when the books were kept."""
        for order in self.account.open_orders():
            if order.status == "pending_cancel":
                self.account.end(order, "canceled", self.market.now())
            else:
                self._begin(order)

    def _tick(self, number: int) -> None:
        """Let time pass, each second prices too, and come again."""
        self._pass_time()
        if number % _TICKS_A_SECOND == 0:
            self.prices.step()
            self._match()
        self._course.later(_TICK_SECONDS, self._caught(partial(self._tick, number + 1)))

    def _pass_time(self) -> None:
        """Open or close the market where its time has come."""
        is_open, now = self.market.is_open(), self.market.now()
        if is_open and not self._was_open:
            while fault := self.faults.drawn(Occasion.OPENING):
                self._split(fault)
            for order in self.account.open_orders():
                if order.status == "pending_cancel" or (order.sign < 0 and self._needs_locate(order)):
                    self.account.end(order, "canceled", now)
                else:
                    self._begin(order)
        elif self._was_open and not is_open:
            self.account.state.last_equity = self.account.equity
            self.keep(self.account.books())
            for order in self.account.open_orders():
                if order.time_in_force != "gtc":
                    self.account.end(order, "expired", now)
        self._was_open = is_open

    def _needs_locate(self, order: PlacedOrder) -> bool:
        """Whether it would open a short position in what turned hard to borrow overnight."""
        is_easy = self.account.assets[order.symbol].borrow_status == "easy_to_borrow"
        return not is_easy and self.account.held(order.symbol) <= 0

    def _split(self, fault: Fault) -> None:
        symbol, ratio = str(fault.symbol), Decimal(str(fault.ratio))
        self.account.split(symbol, ratio, self.market.now())
        self.keep(self.account.books())
        self.prices.set({symbol: max((self.prices(symbol) / ratio).quantize(CENT), CENT)})
        self._remember_positions()

    def _later(self, seconds: float, work: Callable[..., None], *what: Any) -> None:
        """Do something after a while with this account."""
        account = self.account

        def of_account() -> None:
            if account is self.account:
                work(*what)

        self._course.later(seconds, self._caught(of_account))

    def _caught(self, work: Callable[[], None]) -> Callable[[], None]:
        """Work for later: an error in it ends the server."""

        def caught() -> None:
            try:
                work()
            except Exception as error:  # noqa: BLE001 - handed to the caller of `serve`
                self.fail(error)

        return caught

    # The life of an order

    def _place(self, symbol: str, side: str, qty: Decimal, client_order_id: str) -> PlacedOrder:
        """A market order that did not come by POST."""
        order = self.account.submit(
            {
                "symbol": symbol,
                "side": side,
                "qty": str(qty),
                "type": "market",
                "time_in_force": "day",
                "client_order_id": client_order_id,
            },
            self.market.now(),
            market_is_open=self.market.is_open(),
        )
        self._begin(order)
        return order

    def _begin(self, order: PlacedOrder) -> None:
        """Let an order work as soon as the market is open."""
        if self.market.is_open():
            self._later(self.options.fill_seconds, self._start, order)

    def _start(self, order: PlacedOrder) -> None:
        now, fault = self.market.now(), self._plans.get(order.order_id)
        self.account.start(order, now)
        plan = fault.do if fault else ""
        if plan == "reject_later":
            self.account.end(order, "rejected", now)
        elif fault and plan == "one_share_then_silence" and order.remaining > fault.shares:
            self.account.execute(order, Decimal(fault.shares), self._quote(order), now)
            order.is_silent = True
        elif plan == "partial_then_cancel" and order.remaining > 1:
            half = (order.remaining / 2).to_integral_value(ROUND_FLOOR)
            self.account.execute(order, half, self._quote(order), now)
            self.account.end(order, "canceled", now)
        elif plan == "never_filled":
            order.is_silent = True
        else:
            self._fill(order)

    def _fill(self, order: PlacedOrder) -> None:
        """Fill what can be filled of an order now."""
        if not order.is_open or order.is_silent or order.status in ("pending_new", "accepted"):
            return
        price = self._quote(order)
        if self.market.is_open() and order.meets(price):
            shares = order.remaining
            is_partial = order.time_in_force != "fok" and self._chance.random() < self.options.partial_share
            if is_partial and shares > 1:
                shares = Decimal(self._chance.randint(1, int(shares) - 1))
            self.account.execute(order, shares, price, self.market.now())
            if order.remaining:
                self._later(self.options.fill_seconds, self._fill, order)
        if order.is_open and order.time_in_force in ("ioc", "fok"):
            self.account.end(order, "canceled", self.market.now())

    def _fill_whole(self, order: PlacedOrder) -> None:
        """Fill all that is left of an order, whatever its status and limit."""
        if order.remaining:
            self.account.execute(order, order.remaining, self._quote(order), self.market.now())

    def _match(self) -> None:
        for order in self.account.open_orders():
            self._fill(order)

    def _quote(self, order: PlacedOrder) -> Decimal:
        """The ask for a buy, the bid for a sale."""
        last = self.prices(order.symbol)
        half = Decimal(self.options.spread_bp) / Decimal(20_000)
        if not half:
            return last
        return (last * (1 + order.sign * half)).quantize(CENT, ROUND_CEILING if order.sign > 0 else ROUND_FLOOR)

    # Events

    def _emit(self, event: Event, order: PlacedOrder, execution: Execution | None) -> None:
        now = self.market.now()
        data = update_json(event, order, execution, self.account.held(order.symbol), self.account.new_id(), now)
        self.keep(self.account.books())
        self._remember(order)
        if execution is not None:
            self._equity.append((int(now.timestamp()), money(self.account.equity)))
            self._remember_positions()
        if event not in ("pending_cancel", "pending_new"):  # Alpaca seldom sends these, and never alone
            fault = self.faults.drawn(Occasion.EVENT, symbol=order.symbol, side=order.side, event=event)
            self._deliver(data, fault)

    def _deliver(self, data: dict[str, Any], fault: Fault | None) -> None:
        """Send an event, or what a fault makes of it."""
        match fault.do if fault else None:
            case "drop_event":
                return
            case "break_stream":
                self._break_stream()
                return
            case "unknown_event":
                data["event"] = _UNKNOWN_WORD
            case "unknown_status":
                data["order"]["status"] = _UNKNOWN_WORD
            case "unknown_field":
                data["order"]["venue_hint"] = "X"
            case "zero_quantity":
                data["qty"] = "0"
            case "price_nan":
                data["price"] = "NaN"
        message = frame(TRADE_UPDATES, data)
        if fault and fault.do == "delay_event":
            self._later(fault.seconds, self._send, message)
        elif fault and fault.do == "reorder_event":
            self._held_back.append(message)
            self._later(fault.seconds, self._release)
        else:
            self._send(message)
            if fault and fault.do == "duplicate_event":
                self._send(message)
            self._release()

    def _release(self) -> None:
        held, self._held_back = self._held_back, []
        for message in held:
            self._send(message)

    def _send(self, message: bytes) -> None:
        stream = self._stream
        if stream is not None and stream.is_listening and not stream.is_mute:
            stream.outbox.put_nowait(message)
            self.updates += 1

    def _break_stream(self) -> None:
        if self._stream is not None:
            self._stream.outbox.put_nowait(None)
            self._stream.is_listening = False

    # The stream

    async def _converse(self, connection: WebSocket) -> None:
        fault = self.faults.drawn(Occasion.STREAM)
        if self._stream is not None or (fault and fault.do == "refuse_stream"):
            await connection.send_denial_response(PlainTextResponse("too many connections", 429))
            return
        stream = self._stream = _Stream(connection, is_mute=bool(fault and fault.do == "mute_stream"))
        try:
            await connection.accept()
            reading = asyncio.create_task(self._read_stream(stream))
            sending = asyncio.create_task(stream.send_all())
            await asyncio.wait((reading, sending), return_when=asyncio.FIRST_COMPLETED)
            for task in (reading, sending):
                task.cancel()
            await asyncio.gather(reading, sending, return_exceptions=True)
        finally:
            self._stream = None
        with suppress(RuntimeError, WebSocketDisconnect):  # the client has closed it
            await connection.close()

    async def _read_stream(self, stream: _Stream) -> None:
        is_authorized = False
        while True:
            message = await stream.connection.receive()
            if message["type"] != "websocket.receive":
                return
            try:
                request = json.loads(message.get("bytes") or message.get("text") or "")
                action, data = request["action"], request["data"]
            except (ValueError, TypeError, KeyError):
                continue
            if action == "authenticate":
                given = (data.get("key_id"), data.get("secret_key"))
                is_authorized = may_enter(given, self.options.keys)
                status = "authorized" if is_authorized else "unauthorized"
                stream.outbox.put_nowait(frame("authorization", {"status": status, "action": action}))
            elif action == "listen" and is_authorized:
                streams = [name for name in data.get("streams", []) if name == TRADE_UPDATES]
                stream.outbox.put_nowait(frame("listening", {"streams": streams}))
                stream.is_listening = bool(streams)
            else:
                stream.outbox.put_nowait(frame("authorization", {"status": "unauthorized", "action": action}))

    # Requests

    def _routes(self) -> list[Route | WebSocketRoute]:
        answers: list[tuple[str, str, str, Callable[[Request, Any], Any]]] = [
            ("submit", "POST", "/orders", self._submit),
            ("orders", "GET", "/orders", self._list_orders),
            ("cancel_all", "DELETE", "/orders", self._cancel_all),
            ("order", "GET", "/orders:by_client_order_id", self._order_by_client_id),
            ("order", "GET", "/orders/{order_id}", self._order),
            ("replace", "PATCH", "/orders/{order_id}", self._replace),
            ("cancel", "DELETE", "/orders/{order_id}", self._cancel),
            ("positions", "GET", "/positions", lambda request, body: self._positions_seen()),
            ("close_all", "DELETE", "/positions", self._close_all),
            ("position", "GET", "/positions/{symbol}", self._position),
            ("close", "DELETE", "/positions/{symbol}", self._close),
            ("account", "GET", "/account", lambda request, body: account_json(self.account)),
            ("configurations", "GET", "/account/configurations", lambda request, body: self._configurations()),
            ("configurations", "PATCH", "/account/configurations", self._configure),
            ("history", "GET", "/account/portfolio/history", self._portfolio_history),
            ("activities", "GET", "/account/activities", self._activities),
            ("activities", "GET", "/account/activities/{kind}", self._activities),
            ("assets", "GET", "/assets", lambda request, body: list(map(asset_json, self.account.assets.values()))),
            ("asset", "GET", "/assets/{symbol}", self._asset),
            ("clock", "GET", "/clock", self._clock),
            ("calendar", "GET", "/calendar", self._calendar),
        ]
        routes: list[Route | WebSocketRoute] = [
            Route(f"/v2{path}", partial(self._answer, name=name, find=find), methods=[method])
            for name, method, path, find in answers
        ]
        controls: dict[str, Callable[[Any], object]] = {
            "prices": self.set_prices,
            "time": lambda moment: self.set_time(datetime.fromisoformat(moment)),
            "reset": lambda fields: self.begin_again(FaultScript.model_validate(fields)),
            "faults": lambda fields: self.add_fault(Fault.model_validate(fields)),
            "assets": self._change_assets,
        }
        return [
            *routes,
            Route("/simulator", self._show_state),
            *(Route(f"/simulator/{name}", partial(_control, do=do), methods=["POST"]) for name, do in controls.items()),
            WebSocketRoute("/stream", self._converse),
        ]

    async def _answer(self, request: Request, name: str, find: Callable[[Request, Any], Any]) -> Response:
        given = presented_keys(request)
        if not may_enter(given, self.options.keys):
            return JSONResponse(
                {"message": "forbidden." if all(given) else "unauthorized."}, 403 if all(given) else 401
            )
        self.requests.append(name)
        fault = self.faults.drawn(Occasion.REQUEST, request=name)
        if (fault and fault.do == "rate_limit") or self._is_too_often():
            return JSONResponse({"message": "too many requests."}, 429, headers={"Retry-After": "1"})
        if fault and fault.do == "bad_gateway":
            return HTMLResponse(GATEWAY_PAGE.format(status="502 Bad Gateway"), 502)
        try:
            content = await request.body()
            await self._wait(self.options.answer_seconds / 2)
            body = json.loads(content) if content else {}
            if not isinstance(body, dict):
                raise _unreadable()
            answer = find(request, body)
            if isinstance(answer, Awaitable):
                answer = await answer
        except (RequestRefused, ValueError) as error:
            refused = error if isinstance(error, RequestRefused) else _unreadable()
            answer = JSONResponse(error_json(refused), refused.status)
        except Exception as error:
            self.fail(error)
            raise
        slow = fault.seconds if fault and fault.do == "slow_answer" else 0.0
        await self._wait(self.options.answer_seconds / 2 + slow)
        return answer if isinstance(answer, Response) else JSONResponse(self._thinned(answer))

    async def _wait(self, seconds: float) -> None:
        if seconds:
            await self._course.sleep(seconds)

    def _is_too_often(self) -> bool:
        if not self.options.requests_per_minute:
            return False
        now = self._course.now()
        while self._asked and self._asked[0] < now - _MINUTE:
            self._asked.popleft()
        if len(self._asked) >= self.options.requests_per_minute:
            return True
        self._asked.append(now)
        return False

    def _thinned(self, answer: Any) -> Any:
        """An answer without the fields that a fault takes away."""
        fault = self.faults.standing("missing_fields")
        if fault is None:
            return answer
        if isinstance(answer, list):
            return [self._thinned(each) for each in answer]
        return {name: value for name, value in answer.items() if name not in fault.fields}

    async def _submit(self, request: Request, body: Mapping[str, Any]) -> Any:
        symbol, side = body.get("symbol"), body.get("side")
        fault = self.faults.drawn(Occasion.SUBMIT, symbol=symbol, side=side)
        what = fault.do if fault else None
        if what == "borrow_refused":
            raise RequestRefused(403, 40310000, f'asset "{symbol}" cannot be sold short')
        if what == "wash_trade":
            raise wash_trade(self.account.new_id())
        order = self.account.submit(body, self.market.now(), market_is_open=self.market.is_open())
        if fault:
            self._plans[order.order_id] = fault
        if fault and what == "foreign_order":
            with suppress(RequestRefused):  # without the money for it there is none
                self.place_foreign(order.symbol, fault.shares * order.sign)
        if fault and what == "liquidation":
            self._later(fault.seconds, self.liquidate, order.symbol)
        if what == "fill_before_answer" and self.market.is_open():
            self._start(order)
            await self._wait(self.options.fill_seconds)  # the event is on its way before the answer
        else:
            self._begin(order)
        if what == "accept_then_504":
            return HTMLResponse(GATEWAY_PAGE.format(status="504 Gateway Time-out"), 504)
        if what == "accept_then_garbage":
            return PlainTextResponse("upstream connect error or disconnect/reset before headers")
        if what in ("accept_then_reset", "restart"):
            if what == "restart":
                self.restart()
            request.scope[_TRANSPORT].abort()
            await asyncio.sleep(0)
            return Response()
        return order_json(order)

    def _cancel(self, request: Request, body: Any) -> Response:
        self._cancel_one(self.account.by_id(request.path_params["order_id"]))
        return Response(status_code=204)

    def _cancel_one(self, order: PlacedOrder) -> None:
        fault = self.faults.drawn(Occasion.CANCEL, symbol=order.symbol, side=order.side)
        what = fault.do if fault else None
        if what == "cancel_refused":
            raise RequestRefused(422, 42210000, "order is not cancelable")
        is_queued = order.status == "accepted" and not self.market.is_open()
        self.account.request_cancel(order, self.market.now())
        after = self.options.cancel_seconds
        if what == "cancel_ignored" or is_queued:
            return
        if what == "fill_during_cancel":
            self._later(after, self._fill_whole, order)
            return
        self._later(after, lambda: self.account.end(order, "canceled", self.market.now()))
        if what == "fill_after_cancel":
            self._later(2 * after, self._fill_whole, order)

    def _cancel_all(self, request: Request, body: Any) -> Response:
        answers = []
        for order in self.account.open_orders():
            try:
                self._cancel_one(order)
                answers.append({"id": order.order_id, "status": 200, "body": None})
            except RequestRefused as error:
                answers.append({"id": order.order_id, "status": error.status, "body": error_json(error)})
        return JSONResponse(answers, 207)

    def _replace(self, request: Request, body: Mapping[str, Any]) -> Any:
        order = self.account.by_id(request.path_params["order_id"])
        new = self.account.replace(order, body, self.market.now())
        self._later(self.options.fill_seconds, self._fill, new)
        return order_json(new)

    def _list_orders(self, request: Request, body: Any) -> list[dict[str, Any]]:
        query = request.query_params
        status, limit = query.get("status", "open"), int(query.get("limit", _ORDERS_DEFAULT))
        if status not in ("open", "closed", "all") or not 1 <= limit <= _ORDERS_MOST:
            raise RequestRefused(422, 40010001, f"invalid status or limit: {status}, {limit}")
        symbols = set(query["symbols"].split(",")) if query.get("symbols") else None
        after, until = _moment(query.get("after")), _moment(query.get("until"))
        chosen = []
        for order in sorted(self.account.orders.values(), key=lambda order: order.submitted_at):
            seen = self._seen(order)
            if seen is None or (symbols is not None and order.symbol not in symbols):
                continue
            if (after and order.submitted_at <= after) or (until and order.submitted_at >= until):
                continue
            if query.get("side", order.side) == order.side and _is_wanted(seen["status"], status):
                chosen.append(seen)
        if query.get("direction", "desc") == "desc":
            chosen.reverse()
        return chosen[:limit]

    def _order(self, request: Request, body: Any) -> dict[str, Any]:
        return self._required(self.account.by_id(request.path_params["order_id"]))

    def _order_by_client_id(self, request: Request, body: Any) -> dict[str, Any]:
        return self._required(self.account.by_client_id(request.query_params.get("client_order_id", "")))

    def _required(self, order: PlacedOrder) -> dict[str, Any]:
        seen = self._seen(order)
        if seen is None:
            raise RequestRefused(404, 40410000, f"order not found for {order.order_id}")
        return seen

    def _seen(self, order: PlacedOrder) -> dict[str, Any] | None:
        """An order as answers show it, perhaps as it was before; None where they do not show it yet."""
        seen = self._as_of("orders_lag", self._versions.get(order.order_id, []))
        return order_json(order) if seen is None and not self.faults.standing("orders_lag") else seen

    def _as_of(self, name: StandingFault, versions: Sequence[tuple[float, T]]) -> T | None:
        """The version that a lag shows; None without a lag."""
        fault = self.faults.standing(name)
        if fault is None:
            return None
        until = self._course.now() - fault.seconds
        return next((version for at, version in reversed(versions) if at <= until), None)

    def _remember(self, order: PlacedOrder) -> None:
        if self.faults.standing("orders_lag"):
            version = (self._course.now(), order_json(order))
            self._versions.setdefault(order.order_id, []).append(version)

    def _remember_positions(self) -> None:
        if self.faults.standing("positions_lag"):
            self._positions.append((self._course.now(), self._positions_now()))

    def _positions_now(self) -> list[dict[str, Any]]:
        return [position_json(self.account, symbol, self.prices(symbol)) for symbol in self.account.positions]

    def _positions_seen(self) -> list[dict[str, Any]]:
        seen = self._as_of("positions_lag", self._positions)
        return self._positions_now() if seen is None else seen

    def _position(self, request: Request, body: Any) -> dict[str, Any]:
        symbol = self._held_symbol(request)
        return position_json(self.account, symbol, self.prices(symbol))

    def _held_symbol(self, request: Request) -> str:
        asset = self.account.asset(request.path_params["symbol"])
        if asset.symbol not in self.account.positions:
            raise RequestRefused(404, 40410000, "position does not exist")
        return asset.symbol

    def _close(self, request: Request, body: Any) -> dict[str, Any]:
        symbol = self._held_symbol(request)
        held = self.account.held(symbol)
        qty, percentage = (number_of(request.query_params, name) for name in ("qty", "percentage"))
        if qty is None:
            qty = abs(held)
            if percentage is not None:
                qty = (qty * percentage / 100).to_integral_value(ROUND_FLOOR)
        order = self._place(symbol, "sell" if held > 0 else "buy", qty, self.account.new_id())
        return order_json(order)

    def _close_all(self, request: Request, body: Any) -> Response:
        if request.query_params.get("cancel_orders", "").lower() == "true":
            for order in self.account.open_orders():
                self.account.end(order, "canceled", self.market.now())
        answers = []
        for symbol, held in list(self.account.positions.items()):
            try:
                side = "sell" if held.qty > 0 else "buy"
                order = self._place(symbol, side, abs(held.qty), self.account.new_id())
                answers.append({"symbol": symbol, "status": 200, "body": order_json(order)})
            except RequestRefused as error:
                answers.append({"symbol": symbol, "status": error.status, "body": error_json(error)})
        return JSONResponse(answers, 207)

    def _configurations(self) -> dict[str, Any]:
        return {
            "dtbp_check": "entry",
            "fractional_trading": True,
            "max_margin_multiplier": plain(self.account.state.multiplier),
            "no_shorting": not self.account.state.shorting_enabled,
            "pdt_check": "entry",
            "suspend_trade": self.account.state.trading_blocked,
            "trade_confirm_email": "all",
            "ptp_no_exception_entry": False,
        }

    def _configure(self, request: Request, body: Mapping[str, Any]) -> dict[str, Any]:
        self.account.state.shorting_enabled = not body.get("no_shorting", False)
        self.account.state.trading_blocked = bool(body.get("suspend_trade", False))
        return self._configurations()

    def _portfolio_history(self, request: Request, body: Any) -> dict[str, Any]:
        start = self.options.cash
        gains = [float(Decimal(equity) - start) for _, equity in self._equity]
        return {
            "timestamp": [at for at, _ in self._equity],
            "equity": [float(equity) for _, equity in self._equity],
            "profit_loss": gains,
            "profit_loss_pct": [gain / float(start) for gain in gains],
            "base_value": float(start),
            "timeframe": "1D",
        }

    def _activities(self, request: Request, body: Any) -> list[dict[str, Any]]:
        """Executions; those of one millisecond come in the order of their ids, as Alpaca's do."""
        query = request.query_params
        kinds = query.get("activity_types", request.path_params.get("kind", "FILL")).split(",")
        if query.get("category") == "non_trade_activity":
            return []  # this account books nothing beside executions
        after, until = _moment(query.get("after")), _moment(query.get("until"))
        size = min(int(query.get("page_size", _ACTIVITIES_MOST)), _ACTIVITIES_MOST)
        chosen = [
            activity_json(each)
            for each in sorted(self.account.executions, key=lambda each: (activity_prefix(each.at), each.execution_id))
            if "FILL" in kinds and (not after or each.at > after) and (not until or each.at < until)
        ]
        if query.get("direction", "desc") == "desc":
            chosen.reverse()
        ids = [each["id"] for each in chosen]
        token = query.get("page_token")
        start = ids.index(token) + 1 if token in ids else 0
        return chosen[start : start + size]

    def _asset(self, request: Request, body: Any) -> dict[str, Any]:
        return asset_json(self.account.asset(request.path_params["symbol"]))

    def _clock(self, request: Request, body: Any) -> dict[str, Any]:
        fault = self.faults.standing("clock_skew")
        return clock_json(self.market, fault.seconds if fault else 0.0)

    def _calendar(self, request: Request, body: Any) -> list[dict[str, str]]:
        today = self.market.today().isoformat()
        first, last = (date.fromisoformat(request.query_params.get(name, today)[:10]) for name in ("start", "end"))
        return [calendar_json(hours) for hours in self.market.sessions(first, last)]

    async def _show_state(self, request: Request) -> JSONResponse:
        return JSONResponse(self.state())

    def _change_assets(self, changes: Mapping[str, Mapping[str, Any]]) -> None:
        for symbol, fields in changes.items():
            asset = self.account.asset(symbol)
            for name, value in fields.items():
                if name not in ("tradable", "shortable", "borrow_status"):
                    raise ConfigurationError(f"{name} is no field of an asset that can be changed")
                setattr(asset, name, value)


async def _control(request: Request, do: Callable[[Any], object]) -> JSONResponse:
    """Do what a person or a test asks of the simulation itself."""
    try:
        do(await request.json())
    except (ConfigurationError, RequestRefused, ValidationError, ValueError, ArithmeticError) as error:
        return JSONResponse({"message": str(error)}, 422)
    return JSONResponse({})


_TRANSPORT = "pairs_platform.transport"


def _with_transport(application: Starlette) -> Callable[..., Awaitable[None]]:
    """The application, to whose requests the connection is known: a fault breaks it off in the middle of an answer.

    ASGI has no means for that; `send` is a method of uvicorn's object for the request (0.54), which has the transport.
    """

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope[_TRANSPORT] = getattr(getattr(send, "__self__", None), "transport", None)
        await application(scope, receive, send)

    return app


def _unreadable() -> RequestRefused:
    return RequestRefused(400, 40010000, "request body format is invalid")


def _moment(text: str | None) -> datetime | None:
    """A time of a request; one without a zone is UTC."""
    moment = datetime.fromisoformat(text) if text else None
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


def _is_wanted(status: str, wanted: str) -> bool:
    return wanted == "all" or (status in _ENDED_ORDERS) == (wanted == "closed")
