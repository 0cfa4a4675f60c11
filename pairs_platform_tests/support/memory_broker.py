"""A broker in memory that implements `ports.broker`: it does what it is told, and knows how often it was asked.

Orders work until `fill` or `fill_all`, or are filled at once. What it says of them is handed to the receiver of the
test, unless the stream is mute. What does not belong here: faults by chance (`chance_broker`), and Alpaca's protocol
(`processes.broker`).
"""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date, datetime

from pairs_platform.core.errors import Unavailable
from pairs_platform.core.trading.orders import Fill, Order, OrderStatus
from pairs_platform.ports.broker import (
    Account,
    Asset,
    BorrowStatus,
    BrokerBooking,
    BrokerClock,
    BrokerFill,
    BrokerOrder,
    BrokerPosition,
    NotCancelable,
    OrderRejected,
    RejectReason,
    SessionHours,
    TradeUpdate,
    UpdateReceiver,
)
from pairs_platform_tests.support.held_orders import HeldOrder


class MemoryBroker:
    """An account of 100,000 dollars that fills at the prices of the test."""

    label = "a broker in memory"

    def __init__(self, clock: Callable[[], datetime], prices: dict[str, float]) -> None:
        self.clock_, self.prices = clock, prices
        self.held: dict[str, HeldOrder] = {}
        self.posts: Counter[str] = Counter()
        self.receiver: UpdateReceiver | None = None
        self.fills_at_once = True
        self.stays_away = False
        self.is_mute = False
        self.rejects: dict[str, str] = {}
        self.on_call: Callable[[str, str], None] = lambda name, when: None
        self.foreign: dict[str, float] = {}
        self.cash = 100_000.0
        self.booked: list[BrokerBooking] = []

    # What a test does.

    def fill_all(self) -> None:
        """Fill every order that works."""
        for held in list(self.held.values()):
            if not held.status.ended:
                self.fill(held.order.client_order_id)

    def fill(self, client_order_id: str, shares: int | None = None, *, execution_id: str = "") -> None:
        """Execute shares of an order, all that are left unless told otherwise."""
        held = self.held[client_order_id]
        left = abs(held.order.quantity) - held.filled
        count = left if shares is None else shares
        price = self.prices[held.order.symbol]
        execution_id = execution_id or f"{held.broker_order_id}-{len(held.fills)}"
        fill = Fill(execution_id=execution_id, quantity=count, price=price, filled_utc=self.clock_())
        held.fills.append(fill)
        self.cash -= held.order.sign * count * price
        if held.filled == abs(held.order.quantity):
            held.status = OrderStatus.FILLED
        self._say(held, "fill", fill)

    def position(self, symbol: str) -> int:
        return sum(held.order.sign * held.filled for held in self.held.values() if held.order.symbol == symbol)

    def working(self) -> list[Order]:
        return [held.order for held in self.held.values() if not held.status.ended]

    # The port.

    def submit(self, order: Order) -> BrokerOrder:
        self._asked("submit", "before")
        if order.client_order_id not in self.held:
            self.posts[order.client_order_id] += 1
            name = f"b{len(self.held)}"
            held = self.held[order.client_order_id] = HeldOrder(order, name, self.clock_())
            if order.symbol in self.rejects:
                held.status = OrderStatus.REJECTED
                self._asked("submit", "after")
                raise OrderRejected(RejectReason.BORROW_REFUSED, self.rejects[order.symbol])
            self._say(held, "new")
            if self.fills_at_once:
                self.fill(order.client_order_id)
        self._asked("submit", "after")
        return self.held[order.client_order_id].listed()

    def cancel(self, broker_order_id: str) -> None:
        self._asked("cancel", "before")
        held = next(each for each in self.held.values() if each.broker_order_id == broker_order_id)
        if held.status.ended:
            raise NotCancelable(f"{broker_order_id} has ended")
        held.status = OrderStatus.CANCELED
        self._say(held, "canceled")
        self._asked("cancel", "after")

    def order(self, client_order_id: str) -> BrokerOrder | None:
        self._asked("order", "before")
        held = self.held.get(client_order_id)
        return None if held is None else held.listed()

    def orders(self, since: datetime) -> Sequence[BrokerOrder]:
        self._asked("orders", "before")
        return [held.listed() for held in self.held.values() if (held.submitted_utc or since) > since]

    def open_orders(self) -> Sequence[BrokerOrder]:
        self._asked("open_orders", "before")
        return [held.listed() for held in self.held.values() if not held.status.ended]

    def fills(self, since: datetime) -> Sequence[BrokerFill]:
        self._asked("fills", "before")
        executions = (each for held in self.held.values() for each in held.executions())
        return [each for each in executions if each.filled_utc > since]

    def bookings(self, since: datetime) -> Sequence[BrokerBooking]:
        self._asked("bookings", "before")
        return [each for each in self.booked if each.booked_utc >= since]

    def positions(self) -> Sequence[BrokerPosition]:
        self._asked("positions", "before")
        symbols = {held.order.symbol for held in self.held.values()} | self.foreign.keys()
        shares = {symbol: self.position(symbol) + self.foreign.get(symbol, 0.0) for symbol in sorted(symbols)}
        return [
            BrokerPosition(
                symbol=symbol, quantity=count, available=abs(count), market_value=count * self.prices.get(symbol, 0.0)
            )
            for symbol, count in shares.items()
            if count
        ]

    def account(self) -> Account:
        self._asked("account", "before")
        shares = {symbol: self.position(symbol) + self.foreign.get(symbol, 0.0) for symbol in self.prices}
        values = [shares[symbol] * price for symbol, price in self.prices.items()]
        return Account(
            account_id="PA1",
            equity=self.cash + sum(values),
            cash=self.cash,
            buying_power=200_000.0 - sum(map(abs, values)),
            long_market_value=sum(value for value in values if value > 0),
            short_market_value=sum(value for value in values if value < 0),
            multiplier=2.0,
            shorting_enabled=True,
        )

    def asset(self, symbol: str) -> Asset:
        self._asked("asset", "before")
        return Asset(symbol=symbol, tradable=True, shortable=True, borrow=BorrowStatus.EASY)

    def clock(self) -> BrokerClock:
        raise NotImplementedError

    def calendar(self, first: date, last: date) -> Sequence[SessionHours]:
        raise NotImplementedError

    def follow(self, receiver: UpdateReceiver, stopping: threading.Event) -> None:
        raise NotImplementedError

    def _asked(self, name: str, when: str) -> None:
        if self.stays_away:
            raise Unavailable("the broker does not answer")
        self.on_call(name, when)

    def _say(self, held: HeldOrder, event: str, fill: Fill | None = None) -> None:
        if self.receiver is not None and not self.is_mute:
            self.receiver.updated(TradeUpdate(event=event, order=held.listed(), fill=fill, at_utc=self.clock_()))
