"""Trades of pairs, their orders and fills, as tests store them."""

import dataclasses
from datetime import UTC, date, datetime, timedelta
from typing import Any

from pairs_platform.core.trading.orders import Fill, Leg, Order, OrderStatus, Purpose, Report, client_order_id
from pairs_platform.core.trading.spread_order import SpreadOrder
from pairs_platform.database.orders import StoredAt
from pairs_platform.database.spread_orders import Origin

OPENED = datetime(2023, 3, 8, 14, 30, tzinfo=UTC)
SESSION = date(2023, 3, 8)
ORIGIN = Origin(account="PA1", run_mode="live", sector="technology", session=SESSION, bar_utc=OPENED)
REPLAYED = dataclasses.replace(ORIGIN, run_mode="replay")


def at(minutes: float = 5.0) -> StoredAt:
    """Stored some minutes after the open, which this machine's clock takes for a day in 2026."""
    return StoredAt(
        OPENED + timedelta(minutes=minutes), datetime(2026, 11, 28, 9, tzinfo=UTC) + timedelta(minutes=minutes)
    )


def order_of(
    trade_id: str, leg: Leg, quantity: int, *, purpose: Purpose = "open", attempt: int = 1, **given: Any
) -> Order:
    """An order of a trade on A (y) and B (x)."""
    values = {
        "client_order_id": client_order_id("a test", "PA1", trade_id, leg, purpose, attempt),
        "symbol": "A" if leg == "y" else "B",
        "limit_price": None,
        "intended_utc": at().market_utc,
        **given,
    }
    return Order(spread_order_id=trade_id, leg=leg, purpose=purpose, attempt=attempt, quantity=quantity, **values)


def trade_of(trade_id: str = "t1", *, orders: bool = True, **given: Any) -> SpreadOrder:
    """Long 100 A, short 150 B; with an order for each leg unless told otherwise."""
    legs = (order_of(trade_id, "y", 100), order_of(trade_id, "x", -150, limit_price=49.5)) if orders else ()
    values = {
        "pair": "A_B",
        "y": "A",
        "x": "B",
        "position": 1,
        "beta": 0.75,
        "target_y": 100,
        "target_x": -150,
        "decided_utc": at().market_utc,
        "price_y": 100.0,
        "price_x": 50.0,
        **given,
    }
    return SpreadOrder(id=trade_id, orders=legs, **values)


def fill_of(execution_id: str, quantity: int, price: float = 100.0, **given: Any) -> Fill:
    """An execution ten seconds after the first bar."""
    filled = OPENED + timedelta(minutes=5, seconds=10)
    return Fill(**{"execution_id": execution_id, "quantity": quantity, "price": price, "filled_utc": filled, **given})


def filled(order: Order, execution_id: str, quantity: int | None = None, price: float = 100.0) -> Report:
    """That an order has filled, whole unless told otherwise."""
    shares = abs(order.quantity) if quantity is None else quantity
    return Report(
        status=OrderStatus.WORKING,
        broker_order_id=f"b-{order.client_order_id}",
        filled_quantity=shares,
        fill=fill_of(execution_id, shares, price),
    )
