"""Executions in the database: each is stored once, and never changed.

What does not belong here: when a fill counts (`core.trading.orders`), and the transaction in which it is stored
(`spread_orders`).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from pairs_platform.core.errors import DataError
from pairs_platform.core.time import market_day, moment_ns
from pairs_platform.core.trading.orders import Fill, Order, by_time
from pairs_platform.database.tables import FILLS, ORDERS

_FIELDS = ("execution_id", "quantity", "price", "filled_utc", "commission")

OF_TRADE = ("account", "run_mode", "sector")
"""What orders and fills have of their trade."""


def add_fills(
    connection: sa.Connection,
    order: Order,
    fills: Sequence[Fill],
    *,
    trade: Mapping[str, Any],
    now: datetime,
) -> None:
    """Add executions of an order, in the caller's transaction.

    Parameters
    ----------
    trade : mapping
        account, run_mode and sector of the trade.

    Raises
    ------
    DataError
        The account has an execution of the same id for another order.
    """
    rows = [
        {
            **{name: getattr(fill, name) for name in _FIELDS},
            **{name: trade[name] for name in OF_TRADE},
            "client_order_id": order.client_order_id,
            "session": market_day(moment_ns(fill.filled_utc)),
            "symbol": order.symbol,
            "recorded_utc": now,
        }
        for fill in fills
    ]
    ids = [row["execution_id"] for row in rows]
    taken = sa.select(FILLS.c.execution_id, FILLS.c.client_order_id).where(
        (FILLS.c.account == trade["account"]) & FILLS.c.execution_id.in_(ids)
    )
    for execution_id, owner in connection.execute(taken):
        raise DataError(
            f"execution {execution_id} of {trade['account']} is order {owner}'s, and is reported for "
            f"{order.client_order_id}: compare both with the broker's list of fills"
        )
    connection.execute(sa.insert(FILLS), rows)


def fills_of(connection: sa.Connection, trades: sa.Select[tuple[str]]) -> dict[str, tuple[Fill, ...]]:
    """The executions of the orders of some trades by client order id, each order's by time and execution id."""
    statement = (
        sa.select(FILLS.c.client_order_id, *(FILLS.c[name] for name in _FIELDS))
        .join(ORDERS, ORDERS.c.client_order_id == FILLS.c.client_order_id)
        .where(ORDERS.c.spread_order_id.in_(trades))
    )
    fills: dict[str, list[Fill]] = {}
    for row in connection.execute(statement).mappings():
        fills.setdefault(row["client_order_id"], []).append(Fill(**{name: row[name] for name in _FIELDS}))
    # Sorted here: how a database sorts texts depends on its locale.
    return {owner: tuple(sorted(each, key=by_time)) for owner, each in fills.items()}
