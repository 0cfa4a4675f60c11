"""What changed shares and cash of an account: the bookings beside fills, stored once each, and all of them together.

What does not belong here: how an account follows from its bookings (`core.trading.positions`), and storing fills
(`fills`).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from pairs_platform.core.time import market_day, moment_ns
from pairs_platform.core.trading.positions import Booking, BookingKind, fill_booking
from pairs_platform.database.equity import AccountKey
from pairs_platform.database.orders import StoredAt
from pairs_platform.database.rows import matching
from pairs_platform.database.spread_orders import trades_of_account
from pairs_platform.database.store import Database
from pairs_platform.database.tables import BOOKINGS

_FIELDS = tuple(Booking.__dataclass_fields__)


def store_bookings(database: Database, key: AccountKey, bookings: Sequence[Booking], at: StoredAt) -> int:
    """Store events that are no fills, in one transaction; how many were new: the first booking of an id stays.

    Raises
    ------
    ValueError
        A booking is a fill, which `spread_orders` stores with its order.
    """
    fills = [booking.id for booking in bookings if booking.kind is BookingKind.FILL]
    if fills:
        raise ValueError(f"{fills[0]} is a fill: it is stored with its order")
    with database.begin_alone() as connection:
        _lock_account(connection, key)
        of_account = BOOKINGS.c.account == key.account
        known = set(connection.scalars(sa.select(BOOKINGS.c.id).where(of_account)))
        new = {booking.id: _row(booking, key, at) for booking in reversed(bookings) if booking.id not in known}
        if new:
            connection.execute(sa.insert(BOOKINGS), list(new.values()))
    return len(new)


def booking_ids(database: Database, key: AccountKey, since: datetime) -> set[str]:
    """Ids of what is stored of an account from a moment on, but for fills."""
    mine = matching(BOOKINGS, vars(key)) & (BOOKINGS.c.booked_utc >= since)
    with database.begin() as connection:
        return set(connection.scalars(sa.select(BOOKINGS.c.id).where(mine)))


def account_bookings(database: Database, key: AccountKey) -> list[Booking]:
    """Every booking of an account, those of its fills too, by time and id; `positions.booked` adds them up."""
    statement = sa.select(*(BOOKINGS.c[name] for name in _FIELDS)).where(matching(BOOKINGS, vars(key)))
    with database.begin() as connection:
        rows = connection.execute(statement).mappings().all()
    stored = [Booking(**{**row, "kind": BookingKind(row["kind"])}) for row in rows]
    fills = [
        fill_booking(order, fill)
        for trade in trades_of_account(database, key.account, key.run_mode)
        for order in trade.trade.orders
        for fill in order.fills
    ]
    return sorted([*stored, *fills], key=lambda booking: (booking.booked_utc, booking.id))


def _lock_account(connection: sa.Connection, key: AccountKey) -> None:
    """Let nobody else book for the account in this transaction, where the database is not locked as a whole."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext(:account))"), {"account": key.account})


def _row(booking: Booking, key: AccountKey, at: StoredAt) -> dict[str, Any]:
    return {
        **{name: getattr(booking, name) for name in _FIELDS},
        **vars(key),
        "kind": booking.kind.value,
        "session": market_day(moment_ns(booking.booked_utc)),
        "recorded_utc": at.utc,
    }
