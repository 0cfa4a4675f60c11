"""One order for one symbol: its life, derived from what is known of it, in whatever order that becomes known.

An order is written down as intended before it is sent, so that a process that dies in between finds it again. Reports
may come late, twice, or out of order: applying one never makes an order less filled, and never opens an ended order
again. What does not belong here: the two orders of a pair (`spread_order`), and how a broker spells a status
(`adapters`).
"""

import base64
import hashlib
import math
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Literal

CLIENT_ORDER_ID_PREFIX = "pp-"

Leg = Literal["y", "x"]
Purpose = Literal["open", "hedge", "close", "flatten"]


class OrderStatus(StrEnum):
    """Where an order stands.

    INTENDED: written down; nobody knows whether it was sent. UNKNOWN: sent, and the answer was lost. WORKING: the
    broker has it. CANCELING: the broker was asked to cancel it, and has not said what became of it. The others are
    ends. A fill that comes after CANCELED or EXPIRED still counts.
    """

    INTENDED = "intended"
    UNKNOWN = "unknown"
    WORKING = "working"
    CANCELING = "canceling"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    DENIED = "denied"

    @property
    def ended(self) -> bool:
        """Whether nothing more is expected of the order."""
        return self in _ENDED


_ENDED = frozenset(
    {OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.REJECTED, OrderStatus.DENIED}
)
_NEXT: dict[OrderStatus, frozenset[OrderStatus]] = {
    OrderStatus.INTENDED: frozenset(OrderStatus) - {OrderStatus.INTENDED},
    OrderStatus.UNKNOWN: frozenset(OrderStatus) - {OrderStatus.INTENDED, OrderStatus.UNKNOWN, OrderStatus.DENIED},
    OrderStatus.WORKING: frozenset(
        {OrderStatus.CANCELING, OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.REJECTED}
    ),
    OrderStatus.CANCELING: frozenset(
        # WORKING: the broker refused to cancel.
        {OrderStatus.WORKING, OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.REJECTED}
    ),
    # An order that was taken for ended without a fill, and then fills whole.
    OrderStatus.CANCELED: frozenset({OrderStatus.FILLED}),
    OrderStatus.EXPIRED: frozenset({OrderStatus.FILLED}),
    OrderStatus.REJECTED: frozenset({OrderStatus.FILLED}),
    OrderStatus.DENIED: frozenset(),
    OrderStatus.FILLED: frozenset(),
}
"""Statuses that may follow each status; a report of any other one is old news and changes nothing."""


@dataclass(frozen=True, kw_only=True)
class Fill:
    """One execution.

    Attributes
    ----------
    execution_id : str
        The broker's; the same execution that is reported twice has the same one.
    quantity : int
        Shares, > 0; the order has the direction.
    price : float
        Dollars a share, > 0 and finite.
    filled_utc : datetime
    commission : float
        Dollars, ≥ 0.
    """

    execution_id: str
    quantity: int
    price: float
    filled_utc: datetime
    commission: float = 0.0

    def __post_init__(self) -> None:
        if not self.execution_id:
            raise ValueError("a fill without an execution id cannot be told from its repetition")
        if self.quantity <= 0:
            raise ValueError(f"fill {self.execution_id}: a quantity of {self.quantity} shares is none")
        if not (math.isfinite(self.price) and self.price > 0):
            raise ValueError(f"fill {self.execution_id}: a price of {self.price} is none")
        if not (math.isfinite(self.commission) and self.commission >= 0):
            raise ValueError(f"fill {self.execution_id}: a commission of {self.commission} is none")


@dataclass(frozen=True, kw_only=True)
class Report:
    """What the broker says of an order at some moment, by stream or reply.

    Attributes
    ----------
    status : OrderStatus
    broker_order_id : str
    filled_quantity : int
        Shares filled since the order began, as the broker counts them.
    fill : Fill or None
        The execution that the report is about.
    reason : str
        Why it was rejected or canceled, in the broker's words.
    """

    status: OrderStatus
    broker_order_id: str = ""
    filled_quantity: int = 0
    fill: Fill | None = None
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Order:
    """An order and what is known of it.

    Attributes
    ----------
    client_order_id : str
        Ours, unique for the account for ever; see `client_order_id`.
    spread_order_id, symbol : str
    leg : str
        "y" or "x".
    purpose : str
        "open" and "hedge" make a position, "close" and "flatten" end one.
    attempt : int
        From 1; each resend of the rest has the next one.
    quantity : int
        Signed shares: > 0 buys, < 0 sells.
    limit_price : float or None
        Dollars; None for a market order.
    status : OrderStatus
    broker_order_id : str
        Empty until the broker has said it.
    fills : tuple of Fill
    reported_filled : int
        Largest number of shares that a report said were filled, whether or not their executions have arrived.
    reason : str
        Why it was denied, rejected or canceled.
    """

    client_order_id: str
    spread_order_id: str
    symbol: str
    leg: Leg
    purpose: Purpose
    attempt: int
    quantity: int
    limit_price: float | None
    status: OrderStatus = OrderStatus.INTENDED
    broker_order_id: str = ""
    fills: tuple[Fill, ...] = ()
    reported_filled: int = 0
    reason: str = ""

    def __post_init__(self) -> None:
        if self.quantity == 0:
            raise ValueError(f"{self.client_order_id}: an order of no shares of {self.symbol} is none")
        if self.limit_price is not None and not (math.isfinite(self.limit_price) and self.limit_price > 0):
            raise ValueError(f"{self.client_order_id}: a limit of {self.limit_price} for {self.symbol} is none")

    @property
    def sign(self) -> int:
        """+1 for a buy, −1 for a sale."""
        return 1 if self.quantity > 0 else -1

    @property
    def executed(self) -> int:
        """Signed shares whose executions are known: what is booked as money."""
        return self.sign * sum(fill.quantity for fill in self.fills)

    @property
    def filled(self) -> int:
        """Signed shares that are filled for all that is known: what counts as exposure."""
        return self.sign * max(abs(self.executed), self.reported_filled)

    @property
    def remaining(self) -> int:
        """Signed shares that may still be filled; 0 once the order has ended."""
        return 0 if self.status.ended else self.quantity - self.filled

    @property
    def lacks_executions(self) -> bool:
        """Whether more shares are reported as filled than executions are known: ask the broker for them."""
        return self.reported_filled > abs(self.executed)

    @property
    def average_price(self) -> float | None:
        """Mean price of the known executions, dollars a share; None without one."""
        shares = sum(fill.quantity for fill in self.fills)
        return sum(fill.quantity * fill.price for fill in self.fills) / shares if shares else None


@dataclass(frozen=True)
class Applied:
    """What a report did to an order.

    Attributes
    ----------
    order : Order
    new_fill : Fill or None
        The report's execution, where it was not known.
    anomaly : str
        What a person must know: more shares than ordered, another order's id; empty where all is well.
    """

    order: Order
    new_fill: Fill | None = None
    anomaly: str = ""


def client_order_id(profile: str, account: str, spread_order_id: str, leg: Leg, purpose: Purpose, attempt: int) -> str:
    """The id of an order: the same intent has the same one in every process, so that a broker refuses its repetition.

    Returns
    -------
    str
        29 characters; Alpaca takes 48 at most.
    """
    text = "\x1f".join((profile, account, spread_order_id, leg, purpose, str(attempt)))
    digest = base64.b32encode(hashlib.sha256(text.encode()).digest()[:16]).decode().rstrip("=").lower()
    return CLIENT_ORDER_ID_PREFIX + digest


def applied(order: Order, report: Report) -> Applied:
    """An order after a report of the broker; a report that is old, repeated or about another order changes nothing.

    The status moves forward alone; shares filled only grow; an execution is counted once, by its id. When all shares
    are filled the order is FILLED, whatever its status was.
    """
    broker_order_id = report.broker_order_id or order.broker_order_id
    if order.broker_order_id and report.broker_order_id not in ("", order.broker_order_id):
        return Applied(
            order,
            anomaly=f"{order.client_order_id}: the broker reports order {report.broker_order_id} under this id, "
            f"it was {order.broker_order_id}",
        )
    fill = report.fill
    known = {each.execution_id: each for each in order.fills}
    anomaly = ""
    if fill is not None and fill.execution_id in known:
        if known[fill.execution_id] != fill:
            anomaly = f"{order.client_order_id}: execution {fill.execution_id} is reported with other numbers"
        fill = None
    after = replace(
        order,
        broker_order_id=broker_order_id,
        fills=order.fills if fill is None else (*order.fills, fill),
        reported_filled=max(order.reported_filled, report.filled_quantity),
        reason=report.reason or order.reason,
    )
    full = abs(after.filled) >= abs(order.quantity)
    status = OrderStatus.FILLED if full else report.status
    if status is OrderStatus.FILLED and not full:
        # The broker says filled and names fewer shares: what it names counts, and the rest is asked for.
        status = order.status
        anomaly = anomaly or (
            f"{order.client_order_id}: reported as filled with {abs(after.filled)} of {abs(order.quantity)} shares"
        )
    if status in _NEXT[order.status]:
        after = replace(after, status=status)
    if abs(after.filled) > abs(order.quantity):
        anomaly = anomaly or (
            f"{order.client_order_id}: {abs(after.filled)} shares of {order.symbol} are filled, "
            f"{abs(order.quantity)} were ordered"
        )
    return Applied(after, fill, anomaly)


def sent_without_answer(order: Order) -> Order:
    """An order whose sending ended without an answer that can be read: it may exist, so it is asked for, never resent."""
    return replace(order, status=OrderStatus.UNKNOWN) if order.status is OrderStatus.INTENDED else order


def cancel_requested(order: Order) -> Order:
    """An order that the broker was asked to cancel; an ended one stays as it is."""
    return order if order.status.ended else replace(order, status=OrderStatus.CANCELING)


def denied(order: Order, reason: str) -> Order:
    """An intended order that was never sent.

    Raises
    ------
    ValueError
        It may have been sent.
    """
    if order.status is not OrderStatus.INTENDED:
        raise ValueError(f"{order.client_order_id} is {order.status}: only what was never sent can be denied")
    return replace(order, status=OrderStatus.DENIED, reason=reason)
