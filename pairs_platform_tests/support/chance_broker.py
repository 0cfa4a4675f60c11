"""A broker in memory that does by chance, from a seed, what brokers do: it fills in parts, loses answers, rejects late.

It knows the truth, so that a test can compare what the platform believes in the end. What it says of an order may be
late, repeated, out of order or lost; asked for an order, it says the truth, or nothing.
"""

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pairs_platform.core.trading.orders import Fill, Order, OrderStatus, Report
from pairs_platform.core.trading.reconciliation import BrokersSide
from pairs_platform.ports.broker import BrokerPosition
from pairs_platform_tests.support.held_orders import HeldOrder


@dataclass
class Faults:
    """How often something goes wrong, as probabilities; all zero is a broker that never fails."""

    lost_answer: float = 0.0
    never_arrives: float = 0.0
    rejected: float = 0.0
    rejected_later: float = 0.0
    never_fills: float = 0.0
    lost_message: float = 0.0
    repeated_message: float = 0.0
    cancel_lost: float = 0.0
    fill_after_cancel: float = 0.0
    silent_question: float = 0.0
    no_quote: float = 0.0


@dataclass
class ChanceOrder(HeldOrder):
    """An order that may never fill, and of which something may fill after its cancelation."""

    stuck: bool = False
    late: int = 0

    def report(self, fill: Fill | None = None) -> Report:
        return self.listed().report(fill)


class ChanceBroker:
    """Submit, cancel, ask, and let time pass; `messages` come out by their time."""

    def __init__(self, seed: int, faults: Faults) -> None:
        self.random = random.Random(seed)
        self.faults = faults
        self.orders: dict[str, ChanceOrder] = {}
        self.submitted: list[str] = []
        self.refused: list[str] = []
        self._messages: list[tuple[datetime, str, Report]] = []

    def position(self, symbol: str) -> int:
        """Signed shares of a symbol that the broker holds."""
        return sum(held.order.sign * held.filled for held in self.orders.values() if held.order.symbol == symbol)

    def side(self, cash: float | None = None) -> BrokersSide:
        """All that it says of the account, and the truth."""
        symbols = sorted({held.order.symbol for held in self.orders.values()})
        return BrokersSide(
            orders=[held.listed() for held in self.orders.values()],
            fills=[fill for held in self.orders.values() for fill in held.executions()],
            positions=[
                BrokerPosition(symbol=symbol, quantity=float(self.position(symbol)), available=None)
                for symbol in symbols
            ],
            cash=cash,
            since_utc=datetime.min.replace(tzinfo=UTC),
        )

    def working(self) -> list[ChanceOrder]:
        """Orders of which something may still be filled."""
        return [held for held in self.orders.values() if not held.status.ended or held.late]

    def submit(self, order: Order, now: datetime) -> Report | None:
        """The answer to a new order; None where it was lost."""
        assert order.client_order_id not in self.submitted, f"{order.client_order_id} is sent twice"
        self.submitted.append(order.client_order_id)
        if self._chance(self.faults.never_arrives):
            return None
        held = ChanceOrder(order, f"b{len(self.orders)}", stuck=self._chance(self.faults.never_fills))
        self.orders[order.client_order_id] = held
        refusal = self._refusal(held)
        if refusal:
            held.status, held.reason = OrderStatus.REJECTED, refusal
            self.refused.append(order.client_order_id)
        elif self._chance(self.faults.rejected):
            held.status, held.reason = OrderStatus.REJECTED, "insufficient buying power"
        elif self._chance(self.faults.rejected_later):
            held.status, held.reason = OrderStatus.REJECTED, "no shares to borrow"
            self._say(held, now)
            return Report(status=OrderStatus.WORKING, broker_order_id=held.broker_order_id)
        return None if self._chance(self.faults.lost_answer) else held.report()

    def cancel(self, client_order_id: str, now: datetime) -> None:
        """A request that may be lost, or come too late."""
        held = self.orders.get(client_order_id)
        if held is None or held.status.ended or self._chance(self.faults.cancel_lost):
            return
        if self._chance(0.2):
            self._fill(held, now, whole=self._chance(0.5))
        if not held.status.ended:
            left = abs(held.order.quantity) - held.filled
            if self._chance(self.faults.fill_after_cancel):
                held.late = self.random.randint(1, left)
            held.status = OrderStatus.CANCELED
            self._say(held, now)

    def ask(self, client_order_id: str) -> Report | None:
        """The truth about an order; None where the broker knows none or does not answer."""
        held = self.orders.get(client_order_id)
        if held is None or self._chance(self.faults.silent_question):
            return None
        return held.report()

    def pass_time(self, now: datetime) -> None:
        """Fill some of what works, and what comes after a cancelation."""
        for held in self.orders.values():
            if held.late:
                if self._chance(0.5):
                    self._execute(held, held.late, now)
                    held.late = 0
            elif not held.status.ended and (not held.stuck or held.order.limit_price is None) and self._chance(0.6):
                self._fill(held, now, whole=held.order.limit_price is None or self._chance(0.5))

    def messages(self, now: datetime) -> list[tuple[str, Report]]:
        """What has arrived by now."""
        arrived = sorted((message for message in self._messages if message[0] <= now), key=lambda message: message[0])
        self._messages = [message for message in self._messages if message[0] > now]
        return [(client_id, report) for _, client_id, report in arrived]

    @property
    def has_messages(self) -> bool:
        """Whether something is still on its way."""
        return bool(self._messages)

    def _refusal(self, held: ChanceOrder) -> str:
        """Why no broker takes an order: it could meet an own one, or brings a position through zero."""
        order, symbol = held.order, held.order.symbol
        working = [
            each.order.sign * (abs(each.order.quantity) - each.filled)
            for each in self.orders.values()
            if each is not held and each.order.symbol == symbol and not each.status.ended
        ]
        if any(shares * order.sign < 0 for shares in working):
            return "potential wash trade"
        position = self.position(symbol)
        if position * order.sign < 0 and abs(position) < abs(sum(working) + order.quantity):
            return "insufficient qty available for order"
        return ""

    def _fill(self, held: ChanceOrder, now: datetime, *, whole: bool) -> None:
        left = abs(held.order.quantity) - held.filled
        self._execute(held, left if whole else self.random.randint(1, left), now)

    def _execute(self, held: ChanceOrder, shares: int, now: datetime) -> None:
        price = held.order.limit_price or held.order.arrival_price or 50.0
        fill = Fill(
            execution_id=f"{held.broker_order_id}-{len(held.fills)}", quantity=shares, price=price, filled_utc=now
        )
        held.fills.append(fill)
        if held.filled == abs(held.order.quantity):
            held.status = OrderStatus.FILLED
        self._say(held, now, fill)

    def _say(self, held: ChanceOrder, now: datetime, fill: Fill | None = None) -> None:
        if self._chance(self.faults.lost_message):
            return
        for _ in range(2 if self._chance(self.faults.repeated_message) else 1):
            delay = timedelta(seconds=self.random.choice([0.0, 0.1, 0.5, 3.0]))
            self._messages.append((now + delay, held.order.client_order_id, held.report(fill)))

    def _chance(self, probability: float) -> bool:
        return self.random.random() < probability
