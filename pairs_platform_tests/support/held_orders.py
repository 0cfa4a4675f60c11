"""An order as a broker in memory has it, and how it is listed.

What does not belong here: when it is filled (`memory_broker`, `chance_broker`).
"""

from dataclasses import dataclass, field
from datetime import datetime

from pairs_platform.core.trading.orders import Fill, Order, OrderStatus
from pairs_platform.ports.broker import BrokerFill, BrokerOrder


@dataclass
class HeldOrder:
    """An order at a broker, with its executions."""

    order: Order
    broker_order_id: str
    submitted_utc: datetime | None = None
    fills: list[Fill] = field(default_factory=list)
    status: OrderStatus = OrderStatus.WORKING
    reason: str = ""

    @property
    def filled(self) -> int:
        return sum(fill.quantity for fill in self.fills)

    def listed(self) -> BrokerOrder:
        """As the broker's list of orders has it."""
        return BrokerOrder(
            broker_order_id=self.broker_order_id,
            client_order_id=self.order.client_order_id,
            symbol=self.order.symbol,
            quantity=float(self.order.quantity),
            filled_quantity=float(self.filled),
            average_price=None,
            limit_price=self.order.limit_price,
            status=self.status,
            broker_status=self.status.value,
            reason=self.reason,
            submitted_utc=self.submitted_utc,
            updated_utc=self.submitted_utc,
        )

    def executions(self) -> list[BrokerFill]:
        """As the broker's list of executions has them."""
        return [
            BrokerFill(
                broker_order_id=self.broker_order_id,
                symbol=self.order.symbol,
                side=self.order.sign,
                fill=fill,
                quantity=float(fill.quantity),
                price=fill.price,
                cumulative_quantity=float(self.filled),
                filled_utc=fill.filled_utc,
            )
            for fill in self.fills
        ]
