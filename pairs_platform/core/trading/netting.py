"""Orders of several pairs in one symbol: which may go now, which wait, and which fill each other.

A broker knows one position a symbol. It refuses an order that could meet an own one of the other direction, and one
order that would turn a long position into a short one; the pairs, however, hold shares of their own. What does not
belong here: what a pair needs next (`legging`), and comparing the whole account (`reconciliation`).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from pairs_platform.core.trading.orders import Fill, Order, OrderStatus, Purpose, Report, applied
from pairs_platform.core.trading.spread_order import LEGS, SpreadOrder

INTERNAL_BROKER_ID = "internal"
"""Broker's id of an order that another pair's order filled and that no broker has seen."""

_EXITS: tuple[Purpose, ...] = ("close", "flatten")
_FIRST: dict[Purpose, int] = {"flatten": 0, "close": 1, "hedge": 2, "open": 3}


@dataclass(frozen=True)
class Waiting:
    """An intended order that is not sent now; it is intended again when that has changed."""

    order: Order
    reason: str


@dataclass(frozen=True)
class Crossing:
    """A buy and a sale of two pairs, of as many shares, that fill each other and need no broker."""

    buy: Order
    sell: Order


@dataclass(frozen=True, kw_only=True)
class Gate:
    """What becomes of the orders that are intended in one symbol.

    Attributes
    ----------
    send : tuple of Order
        To be written down and sent; with fewer shares than intended where the rest has to wait.
    cross : tuple of Crossing
        To be written down as filled, see `crossed`.
    wait : tuple of Waiting
    """

    send: tuple[Order, ...]
    cross: tuple[Crossing, ...]
    wait: tuple[Waiting, ...]


def shares_of_pairs(trades: Iterable[SpreadOrder]) -> dict[str, int]:
    """Signed shares that all trades hold together, by symbol: what the broker must hold beside what is foreign."""
    shares: Counter[str] = Counter()
    for trade in trades:
        for leg in LEGS:
            shares[trade.symbol(leg)] += trade.held(leg)
    return dict(shares)


def gate(
    symbol: str,
    intended: Sequence[Order],
    *,
    pending: Sequence[Order],
    held: Mapping[str, int],
    broker_quantity: int | None,
    foreign_quantity: int = 0,
    foreign_pending: Sequence[int] = (),
) -> Gate:
    """Which of the intended orders of a symbol may go now.

    Exits go before hedges, and hedges before entries. Intended orders of two directions fill each other first; what is
    left of them is intended again. Then nothing goes against a working order of the other direction, one order brings
    the broker's position to zero at most, and an exit never takes away what other pairs hold. An order of which nobody
    knows whether the broker has it holds up no exit of another pair: the broker would refuse that, at worst.

    Parameters
    ----------
    symbol : str
    intended : sequence of Order
        Not written down yet.
    pending : sequence of Order
        The platform's orders of the symbol of which something may still be filled.
    held : mapping of str to int
        Signed shares of each trade, by its id.
    broker_quantity : int or None
        Signed shares that the broker holds; None where it cannot be asked: what the pairs hold stands for it.
    foreign_quantity : int
        Signed shares among them that are known to be nobody's of the platform.
    foreign_pending : sequence of int
        Signed shares of working orders that are not the platform's.

    Raises
    ------
    ValueError
        An order of another symbol.
    """
    for order in (*intended, *pending):
        if order.symbol != symbol:
            raise ValueError(f"{order.client_order_id} for {order.symbol} does not belong to the gate of {symbol}")
    crossings, left = _crossings(sorted(intended, key=lambda order: _FIRST[order.purpose]))
    of_pairs = sum(held.values()) + foreign_quantity
    quantity = of_pairs if broker_quantity is None else broker_quantity
    send: list[Order] = []
    wait: list[Waiting] = []
    for order in left:
        exits = order.purpose in _EXITS
        working = [
            *(each.remaining for each in pending if not (exits and each.status is OrderStatus.UNKNOWN)),
            *(each.remaining for each in send),
            *foreign_pending,
        ]
        others = of_pairs - held.get(order.spread_order_id, 0)
        shares, reason = _allowed(order, quantity, working, others)
        if shares:
            send.append(order if shares == order.quantity else replace(order, quantity=shares))
        else:
            wait.append(Waiting(order, reason))
    return Gate(send=tuple(send), cross=tuple(crossings), wait=tuple(wait))


def crossed(crossing: Crossing, *, price: float, now: datetime) -> tuple[Order, Order]:
    """Both orders of a crossing, filled at one price without commission: the buy, then the sale.

    Parameters
    ----------
    price : float
        Dollars a share: the middle of the quote.

    Raises
    ------
    ValueError
        The price is worse than the limit of one of them.
    """
    return _filled(crossing.buy, price, now), _filled(crossing.sell, price, now)


def _filled(order: Order, price: float, now: datetime) -> Order:
    if order.limit_price is not None and order.sign * (price - order.limit_price) > 0:
        raise ValueError(f"{order.client_order_id}: {price} is worse than its limit of {order.limit_price}")
    shares = abs(order.quantity)
    fill = Fill(
        execution_id=f"{INTERNAL_BROKER_ID}-{order.client_order_id}", quantity=shares, price=price, filled_utc=now
    )
    report = Report(status=OrderStatus.FILLED, broker_order_id=INTERNAL_BROKER_ID, filled_quantity=shares, fill=fill)
    return applied(order, report).order


def _crossings(intended: Sequence[Order]) -> tuple[list[Crossing], list[Order]]:
    """Pairs of orders that fill each other, and the orders of which nothing does."""
    crossings: list[Crossing] = []
    left: list[Order] = []
    for order in intended:
        partner = next(
            (each for each in left if each.sign != order.sign and each.spread_order_id != order.spread_order_id), None
        )
        if partner is None:
            left.append(order)
            continue
        left.remove(partner)
        shares = min(abs(order.quantity), abs(partner.quantity))
        buy, sell = (order, partner) if order.sign > 0 else (partner, order)
        crossings.append(Crossing(replace(buy, quantity=shares), replace(sell, quantity=-shares)))
    return crossings, left


def _allowed(order: Order, quantity: int, working: Sequence[int], others: int) -> tuple[int, str]:
    """Signed shares of an order that may go now, and why none may.

    `quantity` is the broker's position, `working` what may still be filled of each working order, `others` what does
    not belong to the order's trade.
    """
    sign, shares = order.sign, abs(order.quantity)
    against = [each for each in working if each * sign < 0]
    if against:
        return 0, f"an order for {against[0]:+d} {order.symbol} works in the other direction"
    if order.purpose in _EXITS:
        shares = min(shares, (others - quantity) * sign)
        if shares <= 0:
            return 0, (
                f"the broker holds {quantity} {order.symbol}, of which {others} are not this trade's: "
                "nothing is left to close"
            )
    if quantity * sign < 0:
        shares = min(shares, abs(quantity) - abs(sum(working)))
        if shares <= 0:
            return 0, f"working orders bring {quantity} {order.symbol} to zero first"
    return sign * shares, ""
