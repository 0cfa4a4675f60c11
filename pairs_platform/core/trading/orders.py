"""One order for one symbol: its life, derived from what is known of it, in whatever order that becomes known.

An order is written down as intended before it is sent, so that a process that dies in between finds it again. Reports
may come late, twice, or out of order: applying one never makes an order less filled, and never opens an order again
that has ended at the broker. What does not belong here: the two orders of a pair (`spread_order`), and how a broker
spells a status (`adapters`).
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
    broker has it. CANCELING: the broker was asked to cancel it, and has not said what became of it; a refusal to cancel
    leaves it so, and its end is still to come. The others are ends: FILLED, CANCELED, EXPIRED and REJECTED are the
    broker's, DENIED is ours (it was never sent). A fill that comes after any end still counts.
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
_AT_THE_BROKER = frozenset(OrderStatus) - {OrderStatus.INTENDED, OrderStatus.UNKNOWN, OrderStatus.DENIED}
_NEXT: dict[OrderStatus, frozenset[OrderStatus]] = {
    OrderStatus.INTENDED: frozenset(OrderStatus) - {OrderStatus.INTENDED},
    OrderStatus.UNKNOWN: _AT_THE_BROKER,
    OrderStatus.WORKING: _AT_THE_BROKER - {OrderStatus.WORKING},
    OrderStatus.CANCELING: _AT_THE_BROKER - {OrderStatus.WORKING, OrderStatus.CANCELING},
    # An order that was taken for ended without all its shares, and then fills whole.
    OrderStatus.CANCELED: frozenset({OrderStatus.FILLED}),
    OrderStatus.EXPIRED: frozenset({OrderStatus.FILLED}),
    OrderStatus.REJECTED: frozenset({OrderStatus.FILLED}),
    # An order that was taken for never sent, and that the broker has.
    OrderStatus.DENIED: _AT_THE_BROKER,
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
        Aware.
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
        if self.filled_utc.tzinfo is None:
            raise ValueError(f"fill {self.execution_id}: {self.filled_utc} has no time zone")


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
    intended_utc : datetime
        When it was written down, aware: its time-out counts from here.
    arrival_price : float or None
        Middle of the quote when it was written down, dollars; None where there was no quote.
    cancel_requested_utc : datetime or None
        When the broker was last asked to cancel it.
    status : OrderStatus
    broker_order_id : str
        Empty until the broker has said it.
    fills : tuple of Fill
        By time and execution id, in whatever order they became known.
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
    intended_utc: datetime
    arrival_price: float | None = None
    cancel_requested_utc: datetime | None = None
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
        if self.intended_utc.tzinfo is None:
            raise ValueError(f"{self.client_order_id}: {self.intended_utc} has no time zone")

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

    @property
    def proceeds(self) -> float:
        """Dollars that the known executions brought, after their commissions; negative where they cost."""
        return -sum(self.sign * fill.quantity * fill.price + fill.commission for fill in self.fills)


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

    The status moves forward alone; shares filled only grow; an execution is counted once, by its id, with the numbers
    that came first. When all shares are filled the order is FILLED, whatever its status was. An order that was taken
    for never sent (DENIED) and that the broker reports is open again.
    """
    if order.broker_order_id and report.broker_order_id not in ("", order.broker_order_id):
        return Applied(
            order,
            anomaly=f"{order.client_order_id}: the broker reports order {report.broker_order_id} under this id, "
            f"it was {order.broker_order_id}",
        )
    fill, contradiction = _new_fill(order, report.fill)
    after = replace(
        order,
        broker_order_id=report.broker_order_id or order.broker_order_id,
        fills=order.fills if fill is None else tuple(sorted((*order.fills, fill), key=by_time)),
        reported_filled=max(order.reported_filled, report.filled_quantity),
        reason=report.reason or order.reason,
    )
    filled, ordered = abs(after.filled), abs(order.quantity)
    status = report.status
    if filled >= ordered:
        status = OrderStatus.FILLED
    elif status is OrderStatus.FILLED:
        # The broker says filled and names fewer shares: what it names counts, and the rest is asked for.
        status = OrderStatus.WORKING
    if status in _NEXT[order.status]:
        after = replace(after, status=status)
    return Applied(after, fill, contradiction or _anomaly(order, report, filled, ordered))


def _new_fill(order: Order, fill: Fill | None) -> tuple[Fill | None, str]:
    """An execution that the order does not have yet, and how one that it has is contradicted."""
    known = next((each for each in order.fills if fill is not None and each.execution_id == fill.execution_id), None)
    if fill is None or known is None:
        return fill, ""
    if (known.quantity, known.price) == (fill.quantity, fill.price):
        return None, ""
    return None, (
        f"{order.client_order_id}: execution {fill.execution_id} is reported with {fill.quantity} shares at "
        f"{fill.price}, it was {known.quantity} at {known.price}"
    )


def by_time(fill: Fill) -> tuple[datetime, str]:
    """By what the executions of an order are sorted."""
    return fill.filled_utc, fill.execution_id


def _anomaly(order: Order, report: Report, filled: int, ordered: int) -> str:
    """What a person must know of a report after which `filled` of `ordered` shares are filled."""
    if filled > ordered:
        return f"{order.client_order_id}: {filled} shares of {order.symbol} are filled, {ordered} were ordered"
    if report.status is OrderStatus.FILLED and filled < ordered:
        return f"{order.client_order_id}: reported as filled with {filled} of {ordered} shares"
    if order.status is OrderStatus.DENIED:
        return f"{order.client_order_id}: was taken for never sent, and the broker reports it as {report.status}"
    return ""


def sent_without_answer(order: Order) -> Order:
    """An order whose sending ended without a readable answer: it may exist, so it is asked for and never sent again."""
    return replace(order, status=OrderStatus.UNKNOWN) if order.status is OrderStatus.INTENDED else order


def cancel_requested(order: Order, now: datetime) -> Order:
    """An order that the broker is asked to cancel at a moment; an ended one stays as it is."""
    if order.status.ended:
        return order
    return replace(order, status=OrderStatus.CANCELING, cancel_requested_utc=now)


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


def written_off(order: Order, reason: str) -> Order:
    """An order of which nobody knew whether the broker has it, and of which a person says that it has not.

    Should the broker report it later, it is open again (`applied`).

    Raises
    ------
    ValueError
        The broker has said that it has the order, or no reason is given.
    """
    if order.status not in (OrderStatus.INTENDED, OrderStatus.UNKNOWN) or not reason:
        raise ValueError(
            f"{order.client_order_id} is {order.status}: only an order that no report has named is written off, "
            "and with a reason"
        )
    return replace(order, status=OrderStatus.DENIED, reason=reason)
