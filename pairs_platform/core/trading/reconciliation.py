"""What the platform believes of an account against what the broker says: corrections, foreign orders, differences.

Everything on either side is compared: orders, executions, positions, cash. Only what the broker says of our own orders
is taken over, by their ids; nothing is inferred, so that no fill is invented and none is counted twice. A question that
was not answered is never "none". What does not belong here: asking the broker, and what follows from a difference
(`core.risk`).
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from pairs_platform.core.trading.execution_settings import ExecutionSettings
from pairs_platform.core.trading.netting import INTERNAL_BROKER_ID, shares_of_pairs
from pairs_platform.core.trading.orders import CLIENT_ORDER_ID_PREFIX, Fill, Order, OrderStatus, Report, applied
from pairs_platform.core.trading.spread_order import LEGS, SpreadOrder


class OrderSeen(Protocol):
    """An order as a broker lists it; shares are signed, and None for an order in dollars."""

    @property
    def broker_order_id(self) -> str: ...  # noqa: D102 - as of `Order`
    @property
    def client_order_id(self) -> str: ...  # noqa: D102
    @property
    def symbol(self) -> str: ...  # noqa: D102
    @property
    def quantity(self) -> float | None: ...  # noqa: D102
    @property
    def filled_quantity(self) -> float: ...  # noqa: D102
    @property
    def status(self) -> OrderStatus: ...  # noqa: D102
    def report(self) -> Report: ...  # noqa: D102


class FillSeen(Protocol):
    """An execution as a broker lists it; `fill` is None where its shares are not whole."""

    @property
    def broker_order_id(self) -> str: ...  # noqa: D102
    @property
    def symbol(self) -> str: ...  # noqa: D102
    @property
    def side(self) -> int: ...  # noqa: D102
    @property
    def fill(self) -> Fill | None: ...  # noqa: D102


class PositionSeen(Protocol):
    """Signed shares of a symbol as a broker lists them."""

    @property
    def symbol(self) -> str: ...  # noqa: D102
    @property
    def quantity(self) -> float: ...  # noqa: D102


@dataclass(frozen=True, kw_only=True)
class BrokersSide:
    """What the broker says; None where it did not answer.

    Attributes
    ----------
    orders : sequence of OrderSeen or None
        Every open order, and every other one since `since_utc`.
    fills : sequence of FillSeen or None
        Every execution since `since_utc`.
    positions : sequence of PositionSeen or None
    cash : float or None
        Dollars.
    since_utc : datetime
    """

    orders: Sequence[OrderSeen] | None
    fills: Sequence[FillSeen] | None
    positions: Sequence[PositionSeen] | None
    cash: float | None
    since_utc: datetime


@dataclass(frozen=True, kw_only=True)
class OurSide:
    """What the platform believes.

    Attributes
    ----------
    trades : sequence of SpreadOrder
        All that hold something or wait for something, and those that ended since the broker's lists begin.
    cash : float
        Dollars, as booked.
    foreign_shares : mapping of str to float
        Signed shares by symbol that are known to be nobody's of the platform.
    """

    trades: Sequence[SpreadOrder]
    cash: float
    foreign_shares: Mapping[str, float] = field(default_factory=dict)


class Subject(StrEnum):
    """What a difference is about."""

    ORDER = "order"
    FILL = "fill"
    POSITION = "position"
    CASH = "cash"


@dataclass(frozen=True, kw_only=True)
class Correction:
    """What the broker says of one of our orders, and changes it: to be applied with `SpreadOrder.after`."""

    spread_order_id: str
    client_order_id: str
    report: Report


@dataclass(frozen=True, kw_only=True)
class ForeignOrder:
    """An order of the account that is not the platform's: listed, and never adopted.

    Attributes
    ----------
    pending : float
        Signed shares that may still be filled.
    filled : float
        Signed shares that are filled, of an order in dollars without their sign: from now on among the
        `foreign_shares` of `OurSide`, or they are a difference.
    """

    broker_order_id: str
    client_order_id: str
    symbol: str
    pending: float
    filled: float


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Something that is not the same on both sides.

    Attributes
    ----------
    key : str
        The same difference has the same one in every comparison.
    subject : Subject
    message : str
    since_utc : datetime
        When it was first seen.
    """

    key: str
    subject: Subject
    message: str
    since_utc: datetime


@dataclass(frozen=True, kw_only=True)
class Reconciliation:
    """The outcome of a comparison.

    Attributes
    ----------
    corrections : tuple of Correction
        In the order in which they are to be applied.
    foreign : tuple of ForeignOrder
    differences : tuple of Difference
        All that the corrections leave, however young; those of before too that could not be compared now.
    unexplained : tuple of Difference
        Those that are older than the settings allow.
    unanswered : tuple of Subject
        What the broker did not say.
    """

    corrections: tuple[Correction, ...]
    foreign: tuple[ForeignOrder, ...]
    differences: tuple[Difference, ...]
    unexplained: tuple[Difference, ...]
    unanswered: tuple[Subject, ...]


def reconciled(
    ours: OurSide,
    brokers: BrokersSide,
    now: datetime,
    settings: ExecutionSettings,
    *,
    before: Iterable[Difference] = (),
) -> Reconciliation:
    """Compare both sides.

    Parameters
    ----------
    ours : OurSide
    brokers : BrokersSide
        Asked after `ours` was read, so that no order of ours is younger than the broker's lists.
    now : datetime
        Aware.
    settings : ExecutionSettings
    before : iterable of Difference
        Those of the comparison before this one: what is still different is as old as it was then.
    """
    comparison = _Comparison(ours)
    if brokers.orders is not None:
        comparison.orders(brokers.orders)
    if brokers.fills is not None:
        comparison.fills(brokers.fills, brokers.orders or ())
    if brokers.positions is not None:
        comparison.positions(brokers.positions)
    if brokers.cash is not None:
        comparison.cash(brokers.cash, settings.cash_tolerance_dollars)
    answers = {
        Subject.ORDER: brokers.orders,
        Subject.FILL: brokers.fills,
        Subject.POSITION: brokers.positions,
        Subject.CASH: brokers.cash,
    }
    unanswered = tuple(subject for subject, answer in answers.items() if answer is None)
    earlier = {difference.key: difference for difference in before}
    differences = [
        Difference(
            key=key,
            subject=subject,
            message=message,
            since_utc=earlier[key].since_utc if key in earlier else now,
        )
        for key, (subject, message) in comparison.differences.items()
    ]
    differences += [
        difference
        for key, difference in earlier.items()
        if difference.subject in unanswered and key not in comparison.differences
    ]
    oldest = now - timedelta(seconds=settings.difference_seconds)
    return Reconciliation(
        corrections=tuple(comparison.corrections),
        foreign=tuple(comparison.foreign),
        differences=tuple(differences),
        unexplained=tuple(difference for difference in differences if difference.since_utc <= oldest),
        unanswered=unanswered,
    )


def corrected(trades: Sequence[SpreadOrder], corrections: Iterable[Correction]) -> tuple[SpreadOrder, ...]:
    """Trades with what a comparison takes over from the broker."""
    by_id = {trade.id: trade for trade in trades}
    for correction in corrections:
        trade = by_id[correction.spread_order_id]
        by_id[trade.id], _ = trade.after(correction.client_order_id, correction.report)
    return tuple(by_id.values())


class _Comparison:
    """Collects what each part of the broker's answer changes, and what stays different."""

    def __init__(self, ours: OurSide) -> None:
        self._ours = ours
        self._known: dict[str, Order] = {
            order.client_order_id: order for trade in ours.trades for order in trade.orders
        }
        self.corrections: list[Correction] = []
        self.foreign: list[ForeignOrder] = []
        self.differences: dict[str, tuple[Subject, str]] = {}

    def orders(self, seen: Sequence[OrderSeen]) -> None:
        """Take over what the broker says of our orders; name foreign ones, lost ones and missing ones."""
        for order in sorted(seen, key=lambda each: (each.client_order_id, each.broker_order_id)):
            ours = self._known.get(order.client_order_id)
            if ours is None:
                self._not_ours(order)
            elif (ours.symbol, float(ours.quantity)) != (order.symbol, order.quantity):
                self._differs(
                    Subject.ORDER,
                    order.client_order_id,
                    f"order {order.client_order_id} is {ours.quantity:+d} {ours.symbol} here and "
                    f"{'an order in dollars' if order.quantity is None else f'{order.quantity:+g}'} {order.symbol} "
                    "at the broker",
                )
            else:
                self._take_over(order.client_order_id, order.report(), Subject.ORDER)
                after = self._known[order.client_order_id]
                if after.status.ended and not order.status.ended and order.status is not OrderStatus.UNKNOWN:
                    self._differs(
                        Subject.ORDER,
                        order.client_order_id,
                        f"order {order.client_order_id} is {after.status} here and {order.status} at the broker",
                    )
        self._missing({order.client_order_id for order in seen})

    def fills(self, seen: Sequence[FillSeen], orders: Sequence[OrderSeen]) -> None:
        """Take over executions of our orders, by the broker's id of the order."""
        by_broker = {order.broker_order_id: order.client_order_id for order in orders}
        by_broker |= {
            order.broker_order_id: client_id for client_id, order in self._known.items() if order.broker_order_id
        }
        for each in seen:
            client_id = by_broker.get(each.broker_order_id, "")
            order = self._known.get(client_id)
            if order is None:
                continue
            if each.fill is None or (each.symbol, each.side) != (order.symbol, order.sign):
                self._differs(
                    Subject.FILL,
                    client_id,
                    f"an execution of order {client_id} ({order.quantity:+d} {order.symbol}) is listed for "
                    f"{'a purchase' if each.side > 0 else 'a sale'} of {each.symbol}"
                    + ("" if each.fill else ", of parts of a share"),
                )
                continue
            report = Report(status=OrderStatus.WORKING, broker_order_id=each.broker_order_id, fill=each.fill)
            self._take_over(client_id, report, Subject.FILL)
        for client_id, order in self._known.items():
            if order.lacks_executions:
                self._differs(
                    Subject.FILL,
                    f"{client_id} lacks",
                    f"order {client_id}: {abs(order.filled)} shares of {order.symbol} are filled, and executions of "
                    f"{abs(order.executed)} are known",
                )

    def positions(self, seen: Sequence[PositionSeen]) -> None:
        """Compare shares of every symbol that either side names; what working orders may have changed is explained."""
        brokers = {position.symbol: float(position.quantity) for position in seen}
        trades = corrected(self._ours.trades, self.corrections)
        pairs = Counter(shares_of_pairs(trades))
        pending: list[tuple[str, float]] = [
            (order.symbol, order.remaining) for trade in trades for leg in LEGS for order in trade.pending(leg)
        ]
        pending += [(order.symbol, order.pending) for order in self.foreign]
        for symbol in sorted(brokers.keys() | pairs.keys() | self._ours.foreign_shares.keys()):
            foreign = self._ours.foreign_shares.get(symbol, 0)
            expected, there = pairs[symbol] + foreign, brokers.get(symbol, 0.0)
            moving = [shares for name, shares in pending if name == symbol and shares]
            least, most = (expected + sum(f(shares, 0) for shares in moving) for f in (min, max))
            if not least <= there <= most:
                self._differs(
                    Subject.POSITION,
                    symbol,
                    f"the broker holds {there:g} {symbol}, {expected:g} are known: {pairs[symbol]} of pairs"
                    + (f", {foreign:g} foreign" if foreign else "")
                    + (f", {sum(moving):+g} may still be filled" if moving else ""),
                )

    def cash(self, there: float, tolerance: float) -> None:
        """Compare cash, unless shares are on their way whose money only one side may have."""
        moving = any(order.lacks_executions or not order.status.ended for order in self._known.values())
        if not math.isfinite(there):
            self._differs(Subject.CASH, "cash", f"the broker's cash is {there}")
        elif not moving and abs(there - self._ours.cash) > tolerance:
            self._differs(
                Subject.CASH, "cash", f"the broker has {there:,.2f} dollars of cash, {self._ours.cash:,.2f} are booked"
            )

    def _take_over(self, client_id: str, report: Report, subject: Subject) -> None:
        order = self._known[client_id]
        result = applied(order, report)
        if result.anomaly:
            self._differs(subject, f"{client_id} {report.fill.execution_id if report.fill else ''}", result.anomaly)
        if result.order != order:
            self.corrections.append(
                Correction(spread_order_id=order.spread_order_id, client_order_id=client_id, report=report)
            )
            self._known[client_id] = result.order

    def _not_ours(self, order: OrderSeen) -> None:
        quantity = order.quantity or 0.0
        filled = math.copysign(order.filled_quantity, quantity)
        self.foreign.append(
            ForeignOrder(
                broker_order_id=order.broker_order_id,
                client_order_id=order.client_order_id,
                symbol=order.symbol,
                pending=0.0 if order.status.ended else quantity - filled,
                filled=filled,
            )
        )
        if order.client_order_id.startswith(CLIENT_ORDER_ID_PREFIX):
            self._differs(
                Subject.ORDER,
                order.client_order_id,
                f"order {order.client_order_id} ({quantity:+g} {order.symbol}) has an id of the platform and is not in "
                "its records: another profile trades in this account, or the database is an older one",
            )

    def _missing(self, seen: set[str]) -> None:
        for client_id, order in self._known.items():
            if client_id in seen or order.status.ended or order.broker_order_id == INTERNAL_BROKER_ID:
                continue
            self._differs(
                Subject.ORDER,
                client_id,
                f"order {client_id} ({order.quantity:+d} {order.symbol}) is {order.status} here, and the broker does "
                "not list it",
            )

    def _differs(self, subject: Subject, name: str, message: str) -> None:
        self.differences[f"{subject} {name}"] = (subject, message)
