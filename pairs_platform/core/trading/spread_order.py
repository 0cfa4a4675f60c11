"""A pair's trade as one object: both legs, what is wanted of them, and the state that their fills show.

The state is derived, never stored by itself, so that it cannot disagree with the fills. What does not belong here: what
to send next (`legging`), and whether a trade is allowed (`core.risk`).
"""

import math
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from fractions import Fraction
from typing import Self

from pairs_platform.core.trading.orders import Applied, Leg, Order, Purpose, Report, applied
from pairs_platform.core.trading.quantities import naked_value

LEGS: tuple[Leg, Leg] = ("y", "x")


class Goal(StrEnum):
    """What is wanted of a pair's trade: to hold it, to leave it as the rule says, or to leave it at once."""

    HOLD = "hold"
    CLOSE = "close"
    UNWIND = "unwind"


_URGENCY = {Goal.HOLD: 0, Goal.CLOSE: 1, Goal.UNWIND: 2}


class SpreadState(StrEnum):
    """Where a pair's trade stands; CLOSED and FLAT are ends, BROKEN needs a person."""

    INTENDED = "intended"
    OPENING = "opening"
    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"
    UNWINDING = "unwinding"
    FLAT = "flat"
    BROKEN = "broken"

    @property
    def ended(self) -> bool:
        """Whether the trade holds nothing and expects nothing more."""
        return self in (SpreadState.CLOSED, SpreadState.FLAT)


@dataclass(frozen=True, kw_only=True)
class SpreadOrder:
    """A pair's trade from its intent to its end.

    Attributes
    ----------
    id : str
    pair, y, x : str
        Name of the pair, and its legs by their part in the spread.
    position : int
        +1 long the spread, −1 short.
    beta : float
        Hedge ratio for the whole life of the trade.
    target_y, target_x : int
        Signed shares to hold.
    decided_utc : datetime
        When the trade was decided, aware.
    price_y, price_x : float
        Dollars a share at the decision, from which the targets were computed.
    goal : Goal
    reason : str
        Why the trade is left; empty while it is held.
    orders : tuple of Order
        Of both legs, in the order in which they were intended.
    adjusted_y, adjusted_x : int
        Signed shares that splits added to what the orders filled.
    broken : str
        Why only a person can say what is to be done; empty else.
    """

    id: str
    pair: str
    y: str
    x: str
    position: int
    beta: float
    target_y: int
    target_x: int
    decided_utc: datetime
    price_y: float
    price_x: float
    goal: Goal = Goal.HOLD
    reason: str = ""
    orders: tuple[Order, ...] = ()
    adjusted_y: int = 0
    adjusted_x: int = 0
    broken: str = ""

    def __post_init__(self) -> None:
        if self.position not in (-1, 1) or self.target_y == 0 or self.target_x == 0 or self.y == self.x:
            raise ValueError(
                f"{self.id}: a trade of {self.target_y} {self.y} and {self.target_x} {self.x} is no pair's"
            )
        if not math.isfinite(self.beta) or self.beta == 0:
            raise ValueError(f"{self.id}: a hedge ratio of {self.beta} is none")
        if (self.target_y > 0, self.target_x > 0) != (self.position > 0, -self.position * self.beta > 0):
            raise ValueError(
                f"{self.id}: {self.target_y} {self.y} and {self.target_x} {self.x} are not the position "
                f"{self.position:+d} of a spread with β {self.beta}"
            )
        if self.decided_utc.tzinfo is None:
            raise ValueError(f"{self.id}: {self.decided_utc} has no time zone")

    def symbol(self, leg: Leg) -> str:
        """The symbol of a leg."""
        return self.y if leg == "y" else self.x

    def target(self, leg: Leg) -> int:
        """Signed shares of a leg to hold while the trade is held."""
        return self.target_y if leg == "y" else self.target_x

    def held(self, leg: Leg) -> int:
        """Signed shares of a leg that are filled, for all that is known."""
        adjusted = self.adjusted_y if leg == "y" else self.adjusted_x
        return adjusted + sum(order.filled for order in self.orders if order.leg == leg)

    def wanted(self, leg: Leg) -> int:
        """Signed shares of a leg that the goal asks for."""
        return self.target(leg) if self.goal is Goal.HOLD else 0

    def traded(self, leg: Leg, direction: int) -> tuple[int, float | None]:
        """Signed shares of a leg that were traded as its target (1) or against it (−1), and their mean price.

        The price is in dollars a share, over the known executions; None without one.
        """
        wanted = direction if self.target(leg) > 0 else -direction
        fills = [fill for order in self.orders if order.leg == leg and order.sign == wanted for fill in order.fills]
        shares = sum(fill.quantity for fill in fills)
        return wanted * shares, sum(fill.quantity * fill.price for fill in fills) / shares if shares else None

    @property
    def proceeds(self) -> float:
        """Dollars that the known executions brought, after their commissions."""
        return sum(order.proceeds for order in self.orders)

    def pending(self, leg: Leg) -> tuple[Order, ...]:
        """Orders of a leg of which something may still be filled."""
        return tuple(order for order in self.orders if order.leg == leg and not order.status.ended)

    def attempt(self, leg: Leg, purpose: Purpose) -> int:
        """Number of the next order of a leg for a purpose, from 1."""
        return 1 + sum(order.leg == leg and order.purpose == purpose for order in self.orders)

    @property
    def state(self) -> SpreadState:
        """Where the trade stands, from its orders and fills."""
        if self.broken:
            return SpreadState.BROKEN
        reached = all(self.held(leg) == self.wanted(leg) and not self.pending(leg) for leg in LEGS)
        if self.goal is Goal.HOLD:
            if not self.orders:
                return SpreadState.INTENDED
            return SpreadState.OPEN if reached else SpreadState.OPENING
        if self.goal is Goal.CLOSE:
            return SpreadState.CLOSED if reached else SpreadState.CLOSING
        return SpreadState.FLAT if reached else SpreadState.UNWINDING

    def naked(self, *, price_y: float, price_x: float) -> float:
        """Dollars that one leg holds and the other does not hedge, ≥ 0, at these prices."""
        return naked_value(self.held("y"), self.held("x"), beta=self.beta, price_y=price_y, price_x=price_x)

    def to_leave(self, goal: Goal, reason: str) -> Self:
        """The trade that is to be left, and why; a trade that is being left is never held again, nor left slower.

        Raises
        ------
        ValueError
            The goal is to hold it, or no reason is given.
        """
        if goal is Goal.HOLD or not reason:
            raise ValueError(f"{self.id}: a trade is left by the rule or at once, and for a reason")
        return replace(self, goal=goal, reason=reason) if _URGENCY[goal] > _URGENCY[self.goal] else self

    def to_break(self, reason: str) -> Self:
        """The trade that only a person can go on with; the first reason stays.

        Raises
        ------
        ValueError
            No reason is given.
        """
        if not reason:
            raise ValueError(f"{self.id}: a trade breaks for a reason")
        return self if self.broken else replace(self, broken=reason)

    def released(self) -> Self:
        """The trade that a person lets go on: its orders and fills say how."""
        return replace(self, broken="")

    def resized(self, target_y: int, target_x: int) -> Self:
        """The trade with other targets, where it was not filled whole."""
        return replace(self, target_y=target_y, target_x=target_x)

    def after_split(self, symbol: str, ratio: Fraction) -> Self:
        """The trade once each share of a symbol has become `ratio` shares; parts of a share are paid out in cash.

        Raises
        ------
        ValueError
            The symbol is not the trade's, the ratio is none, an order of the leg is still pending (orders for the day
            end before a split), or less than one share would be left of a target.
        """
        leg = next((leg for leg in LEGS if self.symbol(leg) == symbol), None)
        if leg is None or ratio <= 0 or self.pending(leg):
            raise ValueError(f"{self.id}: a split of {symbol} by {ratio} cannot be applied to {self.y} and {self.x}")
        held, target = self.held(leg), int(self.target(leg) * ratio)
        added = int(held * ratio) - held
        if leg == "y":
            return replace(
                self, target_y=target, adjusted_y=self.adjusted_y + added, price_y=self.price_y / float(ratio)
            )
        return replace(self, target_x=target, adjusted_x=self.adjusted_x + added, price_x=self.price_x / float(ratio))

    def with_order(self, order: Order) -> Self:
        """The trade with one more intended order.

        Raises
        ------
        ValueError
            The order is another trade's or symbol's, or has the id of one that is there.
        """
        if order.spread_order_id != self.id or order.symbol != self.symbol(order.leg):
            raise ValueError(f"{order.client_order_id} for {order.symbol} is no order of {self.id} on {self.pair}")
        if any(each.client_order_id == order.client_order_id for each in self.orders):
            raise ValueError(f"{self.id} has an order {order.client_order_id} already")
        return replace(self, orders=(*self.orders, order))

    def with_state_of(self, order: Order) -> Self:
        """The trade with a newer state of one of its orders.

        Raises
        ------
        ValueError
            The trade has no order of this id.
        """
        self.order(order.client_order_id)
        orders = tuple(order if each.client_order_id == order.client_order_id else each for each in self.orders)
        return replace(self, orders=orders)

    def order(self, client_order_id: str) -> Order:
        """The trade's order of an id.

        Raises
        ------
        ValueError
            The trade has no order of this id.
        """
        found = next((each for each in self.orders if each.client_order_id == client_order_id), None)
        if found is None:
            raise ValueError(f"{self.id} has no order {client_order_id}")
        return found

    def after(self, client_order_id: str, report: Report) -> tuple[Self, Applied]:
        """The trade after a report on one of its orders, and what the report did.

        Raises
        ------
        ValueError
            The trade has no order of this id.
        """
        result = applied(self.order(client_order_id), report)
        return self.with_state_of(result.order), result
