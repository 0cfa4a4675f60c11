"""The account of the simulated broker: orders, executions, positions and money, and what it refuses.

Numbers are decimals, so that money closes to the cent. Nothing here waits or sends: every change calls `emit`, and
times are arguments. What does not belong here: prices and hours (`market`), faults (`faults`), JSON (`wire`).

References
----------
Orders: https://docs.alpaca.markets/docs/orders-at-alpaca
Errors: https://docs.alpaca.markets/reference/postorder
"""

import hashlib
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import ROUND_FLOOR, Decimal, InvalidOperation
from typing import Any, Literal

from pairs_platform.core.errors import Refused

LONGEST_CLIENT_ID = 48
SHORT_EQUITY = Decimal(2000)
"""Dollars of equity below which an account may not sell short."""

_SHORT_MARGIN = Decimal("1.03")
_MARKET_MARGIN = Decimal("1.03")
"""A market order is checked against this much more than the last price."""

_LARGEST = Decimal(10**12)

_OPEN = ("new", "accepted", "pending_new", "partially_filled", "pending_cancel", "pending_replace", "held")
_SIDES = ("buy", "sell")
_TYPES = ("market", "limit")
_LIFETIMES = ("day", "gtc", "ioc", "fok", "opg", "cls")

Event = Literal[
    "pending_new", "new", "accepted", "partial_fill", "fill", "canceled", "expired", "rejected", "replaced",
    "pending_cancel",
]  # fmt: skip


class RequestRefused(Refused):
    """An answer with an error.

    Attributes
    ----------
    status : int
        Of HTTP.
    code : int or None
    fields : dict
        Beside code and message.
    """

    def __init__(self, status: int, code: int | None, message: str, **fields: object) -> None:
        super().__init__(message)
        self.status, self.code, self.fields = status, code, fields


@dataclass
class TradedAsset:
    """A symbol that the broker knows."""

    symbol: str
    tradable: bool = True
    shortable: bool = True
    borrow_status: str = "easy_to_borrow"
    asset_id: str = ""


@dataclass
class Execution:
    """A part of an order that was filled."""

    execution_id: str
    order: "PlacedOrder"
    qty: Decimal
    price: Decimal
    cumulative: Decimal
    leaves: Decimal
    at: datetime


@dataclass
class PlacedOrder:
    """An order as the broker has it; times are aware."""

    order_id: str
    client_order_id: str
    symbol: str
    asset_id: str
    side: str
    qty: Decimal
    kind: str
    time_in_force: str
    limit_price: Decimal | None
    extended_hours: bool
    submitted_at: datetime
    status: str
    filled_qty: Decimal = Decimal(0)
    filled_money: Decimal = Decimal(0)
    updated_at: datetime | None = None
    filled_at: datetime | None = None
    canceled_at: datetime | None = None
    expired_at: datetime | None = None
    failed_at: datetime | None = None
    replaced_at: datetime | None = None
    cancel_requested_at: datetime | None = None
    replaced_by: str | None = None
    replaces: str | None = None
    is_silent: bool = False
    """Whether it is never filled any further."""

    @property
    def is_open(self) -> bool:
        """Whether it can still be filled or canceled."""
        return self.status in _OPEN

    @property
    def remaining(self) -> Decimal:
        """Shares that are not filled."""
        return self.qty - self.filled_qty

    @property
    def average(self) -> Decimal | None:
        """Mean price of what is filled."""
        return self.filled_money / self.filled_qty if self.filled_qty else None

    @property
    def sign(self) -> int:
        """+1 for a buy, −1 for a sale."""
        return 1 if self.side == "buy" else -1

    def meets(self, price: Decimal) -> bool:
        """Whether it can be filled at a price."""
        if self.limit_price is None:
            return True
        return price <= self.limit_price if self.side == "buy" else price >= self.limit_price


@dataclass
class Holding:
    """Signed shares of a symbol, and what they cost a share."""

    qty: Decimal = Decimal(0)
    average: Decimal = Decimal(0)


@dataclass
class AccountState:
    """What can be said of the account beside its positions."""

    account_id: str
    cash: Decimal
    last_equity: Decimal
    multiplier: Decimal = Decimal(2)
    shorting_enabled: bool = True
    trading_blocked: bool = False


@dataclass
class Books:
    """Everything that an account must not forget, to go on in another process."""

    state: AccountState
    orders: list[PlacedOrder]
    executions: list[Execution]
    positions: dict[str, Holding]
    named: int


Emit = Callable[[Event, PlacedOrder, Execution | None], None]
Price = Callable[[str], Decimal]


class Account:
    """One account.

    Parameters
    ----------
    assets : mapping of symbol to TradedAsset
    cash : Decimal
        Dollars at the start.
    price : callable
        Last price of a symbol.
    emit : callable
        Told of every change of an order, after it.
    seed : int
        Of ids, which follow from what they name: the same orders have the same ones, whenever they come.
    """

    def __init__(
        self, assets: Mapping[str, TradedAsset], cash: Decimal, *, price: Price, emit: Emit, seed: int = 1
    ) -> None:
        self._seed, self._named = seed, 0
        self._price, self._emit = price, emit
        self.assets = dict(assets)
        for asset in self.assets.values():
            asset.asset_id = asset.asset_id or self.id_of(asset.symbol)
        self.state = AccountState(self.id_of("account"), cash, cash)
        self.orders: dict[str, PlacedOrder] = {}
        self._working: dict[str, PlacedOrder] = {}
        self.positions: dict[str, Holding] = {}
        self.executions: list[Execution] = []
        self._client_ids: dict[str, str] = {}

    def id_of(self, *names: object) -> str:
        """The UUID of what has these names."""
        digest = hashlib.sha256("/".join(map(str, (self._seed, *names))).encode()).digest()
        return str(uuid.UUID(bytes=digest[:16], version=4))

    def new_id(self) -> str:
        """A UUID of its own for what has no name."""
        self._named += 1
        return self.id_of("number", self._named)

    def books(self) -> Books:
        """Everything that it must not forget."""
        orders = list(self.orders.values())
        return Books(self.state, orders, self.executions, self.positions, self._named)

    def go_on(self, books: Books) -> None:
        """Take over what an account of the same seed has left."""
        self.state, self.positions, self._named = books.state, dict(books.positions), books.named
        self.orders = {order.order_id: order for order in books.orders}
        self._working = dict(self.orders)
        self._client_ids = {order.client_order_id: order.order_id for order in books.orders}
        self.executions = [replace(each, order=self.orders[each.order.order_id]) for each in books.executions]

    # What is there

    def held(self, symbol: str) -> Decimal:
        """Signed shares of a symbol."""
        return self.positions[symbol].qty if symbol in self.positions else Decimal(0)

    def open_orders(self, symbol: str | None = None) -> list[PlacedOrder]:
        """Orders that are not at their end, the oldest first."""
        self._working = {name: order for name, order in self._working.items() if order.is_open}
        return [order for order in self._working.values() if symbol in (None, order.symbol)]

    def available(self, symbol: str) -> Decimal:
        """Shares of a position, ≥ 0, that no working order closes."""
        held = self.held(symbol)
        closing = sum((order.remaining for order in self.open_orders(symbol) if self._closes(order)), start=Decimal(0))
        return max(abs(held) - closing, Decimal(0))

    def market_value(self, *, sign: int) -> Decimal:
        """Signed dollars of the long positions (+1), or of the short ones (−1)."""
        return sum(
            (held.qty * self._price(symbol) for symbol, held in self.positions.items() if held.qty * sign > 0),
            start=Decimal(0),
        )

    @property
    def equity(self) -> Decimal:
        """Dollars: cash and positions."""
        return self.state.cash + self.market_value(sign=1) + self.market_value(sign=-1)

    @property
    def gross(self) -> Decimal:
        """Dollars of all positions without their sign."""
        return self.market_value(sign=1) - self.market_value(sign=-1)

    @property
    def buying_power(self) -> Decimal:
        """Dollars of new positions that the account may still open, after what working orders hold."""
        held = sum((self._cost(order) for order in self.open_orders() if not self._closes(order)), start=Decimal(0))
        return max(self.state.multiplier * self.equity - self.gross - held, Decimal(0))

    def by_client_id(self, client_order_id: str) -> PlacedOrder:
        """The order of a client id.

        Raises
        ------
        RequestRefused
        """
        if client_order_id not in self._client_ids:
            raise RequestRefused(404, 40410000, f"order not found for {client_order_id}")
        return self.orders[self._client_ids[client_order_id]]

    def by_id(self, order_id: str) -> PlacedOrder:
        """The order of an id.

        Raises
        ------
        RequestRefused
        """
        if order_id not in self.orders:
            raise RequestRefused(404, 40410000, f"order not found for {order_id}")
        return self.orders[order_id]

    def asset(self, symbol_or_id: str) -> TradedAsset:
        """An asset by its symbol or id.

        Raises
        ------
        RequestRefused
        """
        for asset in self.assets.values():
            if symbol_or_id in (asset.symbol, asset.asset_id):
                return asset
        raise RequestRefused(404, 40410000, f"asset not found for {symbol_or_id}")

    # Orders

    def submit(self, request: Mapping[str, Any], now: datetime, *, market_is_open: bool) -> PlacedOrder:
        """Take an order, or refuse it.

        Raises
        ------
        RequestRefused
        """
        order = self._read(request, now)
        self._require_allowed(order)
        order.status = "pending_new" if market_is_open else "accepted"
        self._place(order)
        self._emit("pending_new" if market_is_open else "accepted", order, None)
        return order

    def start(self, order: PlacedOrder, now: datetime) -> None:
        """Let an order work that the exchange has taken."""
        if order.status in ("pending_new", "accepted"):
            self._change(order, "new", now)
            self._emit("new", order, None)

    def execute(self, order: PlacedOrder, qty: Decimal, price: Decimal, now: datetime) -> Execution:
        """Fill a part of an order, whatever its status: a fill may come after the cancelation."""
        order.filled_qty += qty
        order.filled_money += qty * price
        is_full = order.filled_qty >= order.qty
        if is_full:
            order.status, order.filled_at = "filled", now
        elif order.is_open and order.status != "pending_cancel":
            order.status = "partially_filled"
        order.updated_at = now
        execution = Execution(
            self.id_of("execution", order.client_order_id, order.filled_qty),
            order,
            qty,
            price,
            order.filled_qty,
            order.remaining,
            now,
        )
        self.executions.append(execution)
        self._book(order.symbol, order.sign * qty, price)
        self._emit("fill" if is_full else "partial_fill", order, execution)
        return execution

    def request_cancel(self, order: PlacedOrder, now: datetime) -> None:
        """Note that an order is to be canceled.

        Raises
        ------
        RequestRefused
            It has ended.
        """
        if not order.is_open:
            raise RequestRefused(422, 42210000, f'order is already in "{order.status}" state')
        order.cancel_requested_at = now
        self._change(order, "pending_cancel", now)
        self._emit("pending_cancel", order, None)

    def end(self, order: PlacedOrder, status: Literal["canceled", "expired", "rejected"], now: datetime) -> None:
        """End an order that is open; one that has ended stays."""
        if order.is_open:
            self._change(order, status, now)
            stamp = {"canceled": "canceled_at", "expired": "expired_at", "rejected": "failed_at"}[status]
            setattr(order, stamp, now)
            self._emit(status, order, None)

    def replace(self, order: PlacedOrder, request: Mapping[str, Any], now: datetime) -> PlacedOrder:
        """Put a new order in the place of one.

        Raises
        ------
        RequestRefused
        """
        if not order.is_open:
            raise RequestRefused(422, 42210000, f'order is already in "{order.status}" state')
        new = self._read(
            {
                "symbol": order.symbol,
                "side": order.side,
                "type": order.kind,
                "qty": str(order.qty),
                "time_in_force": order.time_in_force,
                "limit_price": order.limit_price,
                **request,
            },
            now,
        )
        new.status, new.replaces, new.filled_qty = "new", order.order_id, Decimal(0)
        order.status, order.replaced_by, order.replaced_at, order.updated_at = "replaced", new.order_id, now, now
        self._place(new)
        self._emit("replaced", order, None)
        self._emit("new", new, None)
        return new

    def split(self, symbol: str, ratio: Decimal, now: datetime) -> None:
        """Split a symbol overnight: shares times the ratio, whole ones alone, and working orders end."""
        for order in self.open_orders(symbol):
            self.end(order, "canceled", now)
        held = self.positions.get(symbol)
        if held is not None:
            held.qty = (abs(held.qty) * ratio).to_integral_value(ROUND_FLOOR) * (1 if held.qty > 0 else -1)
            held.average /= ratio

    def forget(self) -> None:
        """Forget orders and executions, as a broker does that restarts without its memory; positions and cash stay."""
        for order in self.open_orders():
            order.status = "canceled"
        self.orders.clear()
        self._working.clear()
        self.executions.clear()
        self._client_ids.clear()

    # Rules

    def _read(self, request: Mapping[str, Any], now: datetime) -> PlacedOrder:
        symbol = request.get("symbol")
        if not isinstance(symbol, str) or not symbol:
            raise RequestRefused(422, 40010001, "symbol is required")
        if symbol not in self.assets:
            raise RequestRefused(422, 42210000, f'asset "{symbol}" not found')
        qty = number_of(request, "qty")
        if qty is None or qty <= 0:
            raise RequestRefused(422, 40010001, "qty is required" if qty is None else "qty must be > 0")
        side = _word(request, "side", _SIDES)
        kind = _word(request, "type", _TYPES)
        time_in_force = _word(request, "time_in_force", _LIFETIMES)
        limit = number_of(request, "limit_price")
        if kind == "limit" and limit is None:
            raise RequestRefused(422, 40010001, "limit orders require a limit price")
        if kind == "market" and limit is not None:
            raise RequestRefused(422, 40010001, "market orders require no limit price")
        if limit is not None and limit != limit.quantize(Decimal("0.01") if limit >= 1 else Decimal("0.0001")):
            raise RequestRefused(
                422,
                42210000,
                f"invalid limit_price {limit}. sub-penny increment does not fulfill minimum pricing criteria",
            )
        client_order_id = str(request.get("client_order_id") or self.new_id())
        if len(client_order_id) > LONGEST_CLIENT_ID:
            raise RequestRefused(422, 40010001, f"client_order_id must be no more than {LONGEST_CLIENT_ID} characters")
        if client_order_id in self._client_ids:
            raise RequestRefused(422, 40010001, "client_order_id must be unique")
        return PlacedOrder(
            order_id=self.id_of("order", client_order_id),
            client_order_id=client_order_id,
            symbol=symbol,
            asset_id=self.assets[symbol].asset_id,
            side=side,
            qty=qty,
            kind=kind,
            time_in_force=time_in_force,
            limit_price=limit,
            extended_hours=bool(request.get("extended_hours", False)),
            submitted_at=now,
            updated_at=now,
            status="pending_new",
        )

    def _require_allowed(self, order: PlacedOrder) -> None:
        asset, held = self.assets[order.symbol], self.held(order.symbol)
        if self.state.trading_blocked:
            raise RequestRefused(403, 40310000, "new orders are rejected by user request")
        if not asset.tradable:
            raise RequestRefused(422, 42210000, f"asset {order.symbol} is not tradable")
        is_fractional = order.qty != order.qty.to_integral_value()
        if is_fractional and order.time_in_force != "day":
            raise RequestRefused(422, 42210000, "fractional orders must be DAY orders")
        self._require_one_direction(order, held)
        if self._closes(order):
            available = self.available(order.symbol)
            if order.qty > available:
                asked, free = plain(order.qty), plain(available)
                raise RequestRefused(
                    403,
                    40310000,
                    f"insufficient qty available for order (requested: {asked}, available: {free})",
                    available=free,
                    existing_qty=plain(abs(held)),
                    held_for_orders=plain(abs(held) - available),
                    symbol=order.symbol,
                )
            return
        if order.side == "sell":
            if is_fractional:
                raise RequestRefused(422, 42210000, "fractional orders cannot be sold short")
            if not self.state.shorting_enabled or self.equity < SHORT_EQUITY:
                raise RequestRefused(403, 40310000, "account is not allowed to short")
            if not asset.shortable or asset.borrow_status != "easy_to_borrow":
                raise RequestRefused(403, 40310000, f'asset "{order.symbol}" cannot be sold short')
        cost, power = self._cost(order), self.buying_power
        if cost > power:
            raise RequestRefused(
                403, 40310000, "insufficient buying power", buying_power=f"{power:.2f}", cost_basis=f"{cost:.2f}"
            )

    def _require_one_direction(self, order: PlacedOrder, held: Decimal) -> None:
        opposite = next((each for each in self.open_orders(order.symbol) if each.sign != order.sign), None)
        if opposite is None:
            return
        if held == 0 and order.side == "sell":
            raise RequestRefused(403, 40310000, "cannot open a short sell while a long buy order is open")
        if held == 0:
            raise RequestRefused(403, 40310000, "cannot open a long buy while a short sell order is open")
        raise wash_trade(opposite.order_id)

    def _cost(self, order: PlacedOrder) -> Decimal:
        """Dollars of buying power that what is not filled of an order holds."""
        last = self._price(order.symbol)
        if order.side == "sell":
            return order.remaining * max(order.limit_price or last, _SHORT_MARGIN * last)
        return order.remaining * (order.limit_price if order.limit_price is not None else _MARKET_MARGIN * last)

    def _closes(self, order: PlacedOrder) -> bool:
        return order.sign * self.held(order.symbol) < 0

    def _place(self, order: PlacedOrder) -> None:
        self.orders[order.order_id] = self._working[order.order_id] = order
        self._client_ids[order.client_order_id] = order.order_id

    @staticmethod
    def _change(order: PlacedOrder, status: str, now: datetime) -> None:
        order.status, order.updated_at = status, now

    def _book(self, symbol: str, qty: Decimal, price: Decimal) -> None:
        """Signed shares and their money."""
        held = self.positions.setdefault(symbol, Holding())
        self.state.cash -= qty * price
        if held.qty * qty >= 0:
            held.average = (held.qty * held.average + qty * price) / (held.qty + qty)
        elif abs(qty) > abs(held.qty):
            held.average = price
        held.qty += qty
        if held.qty == 0:
            del self.positions[symbol]


def plain(number: Decimal | None) -> str | None:
    """A number as a text, without exponent and without zeros at its end."""
    if number is None:
        return None
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def wash_trade(order_id: str) -> RequestRefused:
    """That an own opposite order could meet a new one."""
    return RequestRefused(
        403,
        40310000,
        "potential wash trade detected. use complex orders",
        existing_order_id=order_id,
        reject_reason="opposite side limit order exists",
    )


def number_of(request: Mapping[str, Any], name: str) -> Decimal | None:
    """A number of a request; None where it has none.

    Raises
    ------
    RequestRefused
        It is no number that shares or dollars can be.
    """
    value = request.get(name)
    if value is None:
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise RequestRefused(422, 40010001, f"invalid {name}: {value}") from None
    if not number.is_finite() or abs(number) > _LARGEST:
        raise RequestRefused(422, 40010001, f"invalid {name}: {value}")
    return number


def _word(request: Mapping[str, Any], name: str, valid: tuple[str, ...]) -> str:
    value = request.get(name)
    if value not in valid:
        raise RequestRefused(422, 40010001, f"invalid {name}: {value}" if value else f"{name} is required")
    return str(value)
