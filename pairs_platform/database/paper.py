"""The books of the internal paper broker: its accounts, orders, executions, and what it booked beside them.

They are the broker's, as another broker has its own in its house; the trader's are in `spread_orders`, `orders` and
`fills`. What does not belong here: when an order is filled (`adapters.paper`).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from pairs_platform.core.trading.orders import OrderStatus
from pairs_platform.database.tables import PAPER_ACCOUNTS, PAPER_BOOKINGS, PAPER_FILLS, PAPER_ORDERS


@dataclass(frozen=True)
class PaperPosition:
    """Shares of a symbol (< 0 short), the mean price at which they came, and the newest price."""

    shares: int
    average_price: float
    price: float


@dataclass(frozen=True, kw_only=True)
class PaperAccount:
    """An account of the paper broker.

    Attributes
    ----------
    cash : float
        Dollars, with the proceeds of shorts.
    last_equity : float
        Dollars at the end of the session before.
    positions : mapping of str to PaperPosition
        By symbol, those with shares.
    booked_session : date or None
        Newest session whose corporate actions and borrowing fees are booked.
    market_utc : datetime or None
        End of the newest bar.
    """

    cash: float
    last_equity: float
    positions: Mapping[str, PaperPosition]
    booked_session: date | None = None
    market_utc: datetime | None = None

    @property
    def equity(self) -> float:
        """Cash and positions at their newest prices, dollars."""
        return self.cash + self.long_value + self.short_value

    @property
    def long_value(self) -> float:
        """Dollars of long positions, ≥ 0."""
        return sum(max(each.shares, 0) * each.price for each in self.positions.values())

    @property
    def short_value(self) -> float:
        """Dollars of short positions, ≤ 0."""
        return sum(min(each.shares, 0) * each.price for each in self.positions.values())


@dataclass(frozen=True, kw_only=True)
class PaperOrder:
    """An order as the paper broker has it: columns of `paper_orders`."""

    client_order_id: str
    broker_order_id: str
    symbol: str
    quantity: int
    limit_price: float | None
    status: OrderStatus
    filled_quantity: int
    average_price: float | None
    reason: str
    valid_session: date
    submitted_utc: datetime
    updated_utc: datetime


@dataclass(frozen=True, kw_only=True)
class PaperFill:
    """An execution of the paper broker: columns of `paper_fills`; `quantity` is signed."""

    execution_id: str
    broker_order_id: str
    symbol: str
    quantity: int
    cumulative_quantity: int
    price: float
    commission: float
    filled_utc: datetime


@dataclass(frozen=True, kw_only=True)
class PaperBooking:
    """What the paper broker booked beside fills: columns of `paper_bookings`."""

    session: date
    kind: str
    symbol: str
    quantity: float
    amount: float


def read_account(connection: sa.Connection, account: str) -> PaperAccount | None:
    """An account, which nobody else changes in this transaction; None where there is none."""
    statement = sa.select(PAPER_ACCOUNTS).where(PAPER_ACCOUNTS.c.account == account).with_for_update()
    row = connection.execute(statement).mappings().first()
    if row is None:
        return None
    return PaperAccount(
        cash=row["cash"],
        last_equity=row["last_equity"],
        positions={symbol: PaperPosition(*values) for symbol, values in json.loads(row["positions"]).items()},
        booked_session=row["booked_session"],
        market_utc=row["market_utc"],
    )


def write_account(connection: sa.Connection, account: str, run_mode: str, state: PaperAccount, now: datetime) -> None:
    """Put an account in the place of what is stored of it."""
    positions = {symbol: [each.shares, each.average_price, each.price] for symbol, each in state.positions.items()}
    values = {
        "cash": state.cash,
        "last_equity": state.last_equity,
        "positions": json.dumps(positions, sort_keys=True),
        "booked_session": state.booked_session,
        "market_utc": state.market_utc,
        "changed_utc": now,
    }
    mine = PAPER_ACCOUNTS.c.account == account
    if not connection.execute(sa.update(PAPER_ACCOUNTS).where(mine).values(values)).rowcount:
        connection.execute(sa.insert(PAPER_ACCOUNTS), {"account": account, "run_mode": run_mode, **values})


def read_orders(connection: sa.Connection, account: str, condition: sa.ColumnElement[bool]) -> list[PaperOrder]:
    """Orders of an account that satisfy a condition on `paper_orders`, the oldest first."""
    statement = (
        sa.select(*(PAPER_ORDERS.c[name] for name in PaperOrder.__dataclass_fields__))
        .where((PAPER_ORDERS.c.account == account) & condition)
        .order_by(PAPER_ORDERS.c.submitted_utc, PAPER_ORDERS.c.broker_order_id)
    )
    rows = connection.execute(statement).mappings()
    return [PaperOrder(**{**row, "status": OrderStatus(row["status"])}) for row in rows]


def write_order(connection: sa.Connection, account: str, order: PaperOrder) -> None:
    """Put an order in the place of what is stored of it."""
    values = {**vars(order), "status": order.status.value}
    mine = (PAPER_ORDERS.c.account == account) & (PAPER_ORDERS.c.client_order_id == order.client_order_id)
    if not connection.execute(sa.update(PAPER_ORDERS).where(mine).values(values)).rowcount:
        connection.execute(sa.insert(PAPER_ORDERS), {"account": account, **values})


def add_fill(connection: sa.Connection, account: str, fill: PaperFill) -> None:
    """Add an execution."""
    connection.execute(sa.insert(PAPER_FILLS), {"account": account, **vars(fill)})


def read_fills(connection: sa.Connection, account: str, since: datetime) -> list[PaperFill]:
    """Executions of an account that became known after a moment, in order: each is its order's last change."""
    same = (PAPER_ORDERS.c.account == PAPER_FILLS.c.account) & (
        PAPER_ORDERS.c.broker_order_id == PAPER_FILLS.c.broker_order_id
    )
    statement = (
        sa.select(*(PAPER_FILLS.c[name] for name in PaperFill.__dataclass_fields__))
        .join(PAPER_ORDERS, same)
        .where((PAPER_FILLS.c.account == account) & (PAPER_ORDERS.c.updated_utc > since))
        .order_by(PAPER_FILLS.c.filled_utc, PAPER_FILLS.c.execution_id)
    )
    return [PaperFill(**row) for row in connection.execute(statement).mappings()]


def add_bookings(connection: sa.Connection, account: str, bookings: Sequence[PaperBooking]) -> None:
    """Add what was booked beside fills."""
    rows: list[dict[str, Any]] = [{"account": account, **vars(booking)} for booking in bookings]
    if rows:
        connection.execute(sa.insert(PAPER_BOOKINGS), rows)


def read_bookings(connection: sa.Connection, account: str) -> list[PaperBooking]:
    """What was booked beside fills, by session, kind and symbol."""
    statement = (
        sa.select(*(PAPER_BOOKINGS.c[name] for name in PaperBooking.__dataclass_fields__))
        .where(PAPER_BOOKINGS.c.account == account)
        .order_by(PAPER_BOOKINGS.c.session, PAPER_BOOKINGS.c.kind, PAPER_BOOKINGS.c.symbol)
    )
    return [PaperBooking(**row) for row in connection.execute(statement).mappings()]
