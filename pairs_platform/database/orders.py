"""Orders in the database: written down before they are sent, and brought up to what is known of them.

What does not belong here: the life of an order (`core.trading.orders`), and the transaction in which orders are stored
(`spread_orders`).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from pairs_platform.core.time import market_day, moment_ns
from pairs_platform.core.trading.orders import Order, OrderStatus
from pairs_platform.database.fills import OF_TRADE, add_fills, fills_of
from pairs_platform.database.rows import read_rows, storable
from pairs_platform.database.store import Database
from pairs_platform.database.tables import FILLS, ORDERS, SPREAD_ORDERS

_INTENT = ("client_order_id", "spread_order_id", "symbol", "leg", "purpose", "attempt", "quantity", "limit_price")
"""What an order is from its intent on, and stays."""

_MOMENT = ("intended_utc", "arrival_price")
"""When the intent was first written down, and what the market was like."""

WORKING = tuple(status.value for status in OrderStatus if not status.ended)


@dataclass(frozen=True)
class StoredAt:
    """When something is stored: by the market's clock, and by this machine's; both aware."""

    market_utc: datetime
    utc: datetime

    @property
    def session(self) -> date:
        """Day in New York by the market's clock."""
        return market_day(moment_ns(self.market_utc))


def is_same_intent(one: Order, other: Order) -> bool:
    """Whether two orders are one intent, whatever is known of each."""
    return all(getattr(one, name) == getattr(other, name) for name in _INTENT)


def add_order(connection: sa.Connection, order: Order, *, place: int, trade: Mapping[str, Any], at: StoredAt) -> None:
    """Add an order with its fills, in the caller's transaction; `trade` has account, run_mode and sector."""
    row = {
        **{name: getattr(order, name) for name in (*_INTENT, *_MOMENT)},
        **_known(order),
        **{name: trade[name] for name in OF_TRADE},
        "place": place,
        "session": at.session,
        "recorded_utc": at.utc,
        "changed_utc": at.utc,
    }
    connection.execute(sa.insert(ORDERS), row)
    if order.fills:
        add_fills(connection, order, order.fills, trade=trade, now=at.utc)


def change_order(
    connection: sa.Connection, before: Order, after: Order, *, trade: Mapping[str, Any], at: StoredAt
) -> None:
    """Store what is known more of an order, in the caller's transaction.

    Raises
    ------
    ValueError
        It is another intent under the same id, or lacks an execution that is stored.
    DataError
        As `fills.add_fills`.
    """
    if not is_same_intent(before, after):
        raise ValueError(f"{after.client_order_id} is stored as another intent")
    if any(getattr(before, name) != getattr(after, name) for name in _MOMENT):
        raise ValueError(f"{after.client_order_id} was written down at another moment")
    if not set(before.fills) <= set(after.fills):
        raise ValueError(f"{after.client_order_id} lacks executions that are stored")
    mine = ORDERS.c.client_order_id == after.client_order_id
    connection.execute(sa.update(ORDERS).where(mine).values(**_known(after), changed_utc=at.utc))
    new = [fill for fill in after.fills if fill not in before.fills]
    if new:
        add_fills(connection, after, new, trade=trade, now=at.utc)


def orders_of(connection: sa.Connection, trades: sa.Select[tuple[str]]) -> dict[str, tuple[Order, ...]]:
    """The orders of some trades with their fills, by trade and in the order in which they were intended."""
    fills = fills_of(connection, trades)
    statement = (
        sa.select(ORDERS).where(ORDERS.c.spread_order_id.in_(trades)).order_by(ORDERS.c.spread_order_id, ORDERS.c.place)
    )
    orders: dict[str, tuple[Order, ...]] = {}
    for row in connection.execute(statement).mappings():
        order = Order(
            **{name: row[name] for name in (*_INTENT, *_MOMENT, "cancel_requested_utc")},
            status=OrderStatus(row["status"]),
            broker_order_id=row["broker_order_id"],
            fills=fills.get(row["client_order_id"], ()),
            reported_filled=row["reported_filled"],
            reason=row["reason"],
        )
        orders[order.spread_order_id] = (*orders.get(order.spread_order_id, ()), order)
    return orders


def order_rows(database: Database, run_modes: Collection[str], *, open_only: bool = False) -> list[dict[str, Any]]:
    """Orders of some run modes, newest first: columns of the table, `pair`, `executed` shares and their `mean_price`.

    Parameters
    ----------
    open_only : bool
        Only those of which something may still be filled.
    """
    shares = sa.func.coalesce(sa.func.sum(FILLS.c.quantity), 0)
    paid = sa.func.sum(FILLS.c.quantity * FILLS.c.price)
    executed = (
        sa.select(FILLS.c.client_order_id, shares.label("executed"), (paid / shares).label("mean_price"))
        .group_by(FILLS.c.client_order_id)
        .subquery()
    )
    statement = (
        sa.select(
            ORDERS,
            SPREAD_ORDERS.c.pair,
            sa.func.coalesce(executed.c.executed, 0).label("executed"),
            executed.c.mean_price,
        )
        .join(SPREAD_ORDERS, SPREAD_ORDERS.c.id == ORDERS.c.spread_order_id)
        .outerjoin(executed, executed.c.client_order_id == ORDERS.c.client_order_id)
        .where(ORDERS.c.run_mode.in_(run_modes))
        .order_by(ORDERS.c.recorded_utc.desc(), ORDERS.c.client_order_id)
    )
    if open_only:
        statement = statement.where(ORDERS.c.status.in_(WORKING))
    return read_rows(database, statement)


def _known(order: Order) -> dict[str, Any]:
    return {
        "status": order.status.value,
        "broker_order_id": order.broker_order_id,
        "reported_filled": order.reported_filled,
        "cancel_requested_utc": order.cancel_requested_utc,
        "reason": storable(order.reason),
    }
