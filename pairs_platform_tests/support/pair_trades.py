"""Trades of a pair, their orders and fills, with what a test does not care about filled in."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from pairs_platform.core.trading.orders import Fill, Order, OrderStatus, Report, client_order_id
from pairs_platform.core.trading.spread_order import SpreadOrder

BEGIN = datetime(2023, 3, 9, 15, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """A moment after the beginning."""
    return BEGIN + timedelta(seconds=seconds)


def order_of(quantity: int = 100, *, leg: str = "y", purpose: str = "open", attempt: int = 1, **more) -> Order:
    """An intended order of the trade `trade_of()`."""
    return Order(
        **{
            "client_order_id": client_order_id("demo", "paper", "trade", leg, purpose, attempt),
            "spread_order_id": "trade",
            "symbol": {"y": "PDFS", "x": "AVGO"}[leg],
            "leg": leg,
            "purpose": purpose,
            "attempt": attempt,
            "quantity": quantity,
            "limit_price": 50.0,
            "intended_utc": BEGIN,
            **more,
        }
    )


def fill_of(quantity: int, execution_id: str = "e1", *, price: float = 50.0, seconds: float = 1.0, **more) -> Fill:
    """An execution some seconds after the beginning."""
    return Fill(execution_id=execution_id, quantity=quantity, price=price, filled_utc=at(seconds), **more)


def filled(order: Order, quantity: int | None = None, *, price: float = 50.0, seconds: float = 1.0) -> Order:
    """An order with one execution, of all its shares or so many; it works, or is FILLED."""
    shares = abs(order.quantity) if quantity is None else quantity
    done = shares >= abs(order.quantity)
    return replace(
        order,
        status=OrderStatus.FILLED if done else OrderStatus.WORKING,
        broker_order_id=f"b-{order.client_order_id}",
        fills=(fill_of(shares, f"{order.client_order_id}-1", price=price, seconds=seconds),),
        reported_filled=shares,
    )


def trade_of(*orders: Order, position: int = 1, beta: float = 1.0, **more) -> SpreadOrder:
    """A trade of 100 PDFS at $50 against 50 AVGO at $100, long the spread unless the test says otherwise."""
    return SpreadOrder(
        **{
            "id": "trade",
            "pair": "AVGO_PDFS",
            "y": "PDFS",
            "x": "AVGO",
            "position": position,
            "beta": beta,
            "target_y": 100 * position,
            "target_x": -50 * position if beta > 0 else 50 * position,
            "decided_utc": BEGIN,
            "price_y": 50.0,
            "price_x": 100.0,
            "orders": orders,
            **more,
        }
    )


def working(filled_quantity: int = 0, *, fill: Fill | None = None, broker_order_id: str = "b1") -> Report:
    """A report of an order that the broker works on."""
    return Report(
        status=OrderStatus.WORKING, broker_order_id=broker_order_id, filled_quantity=filled_quantity, fill=fill
    )


def ended(status: OrderStatus, filled_quantity: int = 0, *, fill: Fill | None = None, reason: str = "") -> Report:
    """A report of an order that has ended."""
    return Report(status=status, broker_order_id="b1", filled_quantity=filled_quantity, fill=fill, reason=reason)
