"""A pair's trade as one object: both legs, what is wanted of them, and the state that their fills show.

The state is derived, never stored by itself, so that it cannot disagree with the fills. What does not belong here: what
to send next (`legging`), and whether a trade is allowed (`core.risk`).
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from pairs_platform.core.trading.orders import Applied, Leg, Order, Purpose, Report, applied
from pairs_platform.core.trading.quantities import naked_value


class Goal(StrEnum):
    """What is wanted of a pair's trade: to hold it, to leave it as the rule says, or to leave it at once."""

    HOLD = "hold"
    CLOSE = "close"
    UNWIND = "unwind"


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
    goal : Goal
    orders : tuple of Order
        Of both legs, in the order in which they were intended.
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
    goal: Goal = Goal.HOLD
    orders: tuple[Order, ...] = ()
    broken: str = ""

    def __post_init__(self) -> None:
        if self.position not in (-1, 1) or self.target_y == 0 or self.target_x == 0:
            raise ValueError(
                f"{self.id}: a trade of {self.target_y} {self.y} and {self.target_x} {self.x} is no pair's"
            )

    def symbol(self, leg: Leg) -> str:
        """The symbol of a leg."""
        return self.y if leg == "y" else self.x

    def held(self, leg: Leg) -> int:
        """Signed shares of a leg that are filled, for all that is known."""
        return sum(order.filled for order in self.orders if order.leg == leg)

    def wanted(self, leg: Leg) -> int:
        """Signed shares of a leg that the goal asks for."""
        if self.goal is not Goal.HOLD:
            return 0
        return self.target_y if leg == "y" else self.target_x

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
        reached = all(self.held(leg) == self.wanted(leg) and not self.pending(leg) for leg in ("y", "x"))
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

    def with_order(self, order: Order) -> "SpreadOrder":
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

    def with_state_of(self, order: Order) -> "SpreadOrder":
        """The trade with a newer state of one of its orders.

        Raises
        ------
        ValueError
            The trade has no order of this id.
        """
        if all(each.client_order_id != order.client_order_id for each in self.orders):
            raise ValueError(f"{self.id} has no order {order.client_order_id}")
        orders = tuple(order if each.client_order_id == order.client_order_id else each for each in self.orders)
        return replace(self, orders=orders)

    def after(self, client_order_id: str, report: Report) -> tuple["SpreadOrder", Applied]:
        """The trade after a report on one of its orders, and what the report did."""
        order = next((each for each in self.orders if each.client_order_id == client_order_id), None)
        if order is None:
            raise ValueError(f"{self.id} has no order {client_order_id}")
        result = applied(order, report)
        return self.with_state_of(result.order), result
