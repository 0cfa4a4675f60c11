"""Pairs' trades in the database: the intent before anything is sent, then every change, each in one transaction.

A trade is read, changed by a function of the domain, and stored, while nobody else can change it: what is stored is
never half of a change, and the state that is stored is the one that orders and fills show.

What does not belong here: what a change is (`core.trading.spread_order`), and rows of orders and fills (`orders`,
`fills`).
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from pairs_platform.core.errors import NotFound, Refused
from pairs_platform.core.trading.orders import Applied, Report
from pairs_platform.core.trading.spread_order import Goal, SpreadOrder
from pairs_platform.database.audit import AuditEntry, record
from pairs_platform.database.orders import StoredAt, add_order, change_order, is_same_intent, orders_of
from pairs_platform.database.rows import matching, storable
from pairs_platform.database.store import Database
from pairs_platform.database.tables import FILLS, ORDERS, SPREAD_ORDERS

_INTENT = ("id", "pair", "y", "x", "position", "beta")
_FIXED = (*_INTENT, "decided_utc")
"""What a trade is from its intent on, and stays."""

_CHANGING = ("target_y", "target_x", "price_y", "price_x", "adjusted_y", "adjusted_x")
"""What a split changes; the targets also where a trade is not filled whole."""


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Whose trade it is, and the signal that asked for it: with the pair that signal's key.

    Attributes
    ----------
    account, run_mode, sector : str
    session : date
    bar_utc : datetime
        Start of the signal's bar.
    """

    account: str
    run_mode: str
    sector: str
    session: date
    bar_utc: datetime


@dataclass(frozen=True, kw_only=True)
class StoredTrade:
    """A trade as it is stored.

    Attributes
    ----------
    trade : SpreadOrder
    origin : Origin
    exit_bar_utc : datetime or None
        Start of the bar of the signal that ended it.
    recorded_utc : datetime
        When it was stored, before anything was sent.
    ended_utc : datetime or None
        Since when it holds and expects nothing.
    """

    trade: SpreadOrder
    origin: Origin
    exit_bar_utc: datetime | None
    recorded_utc: datetime
    ended_utc: datetime | None


def store_intent(database: Database, trade: SpreadOrder, origin: Origin, at: StoredAt) -> bool:
    """Store a new trade with the orders that it has, before any of them is sent.

    Returns
    -------
    bool
        False, and nothing is changed, where the same intent is stored already: its writer may have died, or lost the
        database's answer.

    Raises
    ------
    Refused
        The signal has begun another trade already.
    ValueError
        Another intent is stored under the same id.
    """
    try:
        with database.begin_alone() as connection:
            return _add_trade(connection, trade, origin, at)
    except sa.exc.IntegrityError:  # another process has stored it meanwhile
        with database.begin_alone() as connection:
            return _add_trade(connection, trade, origin, at)


def change_trade(
    database: Database,
    trade_id: str,
    change: Callable[[SpreadOrder], SpreadOrder],
    at: StoredAt,
    *,
    exit_bar_utc: datetime | None = None,
    audit: AuditEntry | None = None,
) -> SpreadOrder:
    """Store what `change` makes of a trade as it is stored now: new orders, reports, another goal.

    Parameters
    ----------
    change : callable
        From the stored trade to the changed one, without effects: it runs inside the transaction.
    exit_bar_utc : datetime, optional
        Start of the bar of the signal that ends the trade.
    audit : AuditEntry, optional
        Stored with the change of a person.

    Returns
    -------
    SpreadOrder
        As it is stored now.

    Raises
    ------
    NotFound
        There is no such trade.
    ValueError
        The change takes back what is stored, or makes another trade of it.
    DataError
        An execution is another order's.
    """
    with database.begin_alone() as connection:
        if audit is not None:
            record(connection, audit)
        return _changed(connection, trade_id, change, at, exit_bar_utc)


def change_trades(
    database: Database, changes: Mapping[str, Callable[[SpreadOrder], SpreadOrder]], at: StoredAt
) -> dict[str, SpreadOrder]:
    """Store changes of several trades, by their ids, all or none: orders that fill each other belong together.

    Raises
    ------
    NotFound, ValueError, DataError
        As `change_trade`.
    """
    with database.begin_alone() as connection:
        return {
            trade_id: _changed(connection, trade_id, change, at, None) for trade_id, change in sorted(changes.items())
        }


def apply_report(
    database: Database, client_order_id: str, report: Report, at: StoredAt
) -> tuple[SpreadOrder, Applied] | None:
    """Store what the broker says of an order.

    Returns
    -------
    (SpreadOrder, Applied) or None
        The trade as it is stored now, and what the report did; None where no trade has the order: it is a foreign one.

    Raises
    ------
    DataError
        An execution is another order's.
    """
    results: list[Applied] = []

    def change(trade: SpreadOrder) -> SpreadOrder:
        after, applied = trade.after(client_order_id, report)
        results.append(applied)
        return after

    with database.begin_alone() as connection:
        owner = sa.select(ORDERS.c.spread_order_id).where(ORDERS.c.client_order_id == client_order_id)
        trade_id = connection.scalar(owner)
        if trade_id is None:
            return None
        return _changed(connection, trade_id, change, at, None), results[-1]


def stored_trade(database: Database, trade_id: str) -> StoredTrade | None:
    """A trade by its id; None where there is none."""
    with database.begin() as connection:
        return next(iter(_trades(connection, SPREAD_ORDERS.c.id == trade_id)), None)


def open_trades(database: Database, run_modes: Collection[str], *, account: str | None = None) -> list[StoredTrade]:
    """The trades that hold or expect something, or need a person, oldest first: where a trader begins again."""
    condition = SPREAD_ORDERS.c.run_mode.in_(run_modes) & SPREAD_ORDERS.c.ended_utc.is_(None)
    if account is not None:
        condition &= SPREAD_ORDERS.c.account == account
    with database.begin() as connection:
        return _trades(connection, condition)


def trades_at_work(database: Database, run_mode: str, account: str, since: datetime) -> list[StoredTrade]:
    """The open trades of an account, and those that had an order after a moment of the market's clock, oldest first."""
    worked = sa.select(ORDERS.c.spread_order_id).where(
        (ORDERS.c.account == account) & (ORDERS.c.run_mode == run_mode) & (ORDERS.c.intended_utc >= since)
    )
    mine = (SPREAD_ORDERS.c.run_mode == run_mode) & (SPREAD_ORDERS.c.account == account)
    with database.begin() as connection:
        return _trades(connection, mine & (SPREAD_ORDERS.c.ended_utc.is_(None) | SPREAD_ORDERS.c.id.in_(worked)))


def trades_of_session(database: Database, run_mode: str, sector: str, session: date) -> list[StoredTrade]:
    """The trades of a sector that a session began, filled or ended, oldest first."""
    traded = (
        sa.select(ORDERS.c.spread_order_id)
        .join(FILLS, FILLS.c.client_order_id == ORDERS.c.client_order_id)
        .where((FILLS.c.run_mode == run_mode) & (FILLS.c.session == session))
    )
    condition = (SPREAD_ORDERS.c.run_mode == run_mode) & (SPREAD_ORDERS.c.sector == sector)
    condition &= (SPREAD_ORDERS.c.session == session) | SPREAD_ORDERS.c.id.in_(traded)
    with database.begin() as connection:
        return _trades(connection, condition)


def trades_of_account(database: Database, account: str, run_mode: str) -> list[StoredTrade]:
    """Every trade of an account in a run mode, oldest first."""
    condition = (SPREAD_ORDERS.c.account == account) & (SPREAD_ORDERS.c.run_mode == run_mode)
    with database.begin() as connection:
        return _trades(connection, condition)


def trades_of_run(database: Database, run_mode: str, *, recorded_before: datetime | None = None) -> list[StoredTrade]:
    """Every trade of a run mode, those that were stored before a moment of this machine if given, oldest first."""
    condition = SPREAD_ORDERS.c.run_mode == run_mode
    if recorded_before is not None:
        condition &= SPREAD_ORDERS.c.recorded_utc < recorded_before
    with database.begin() as connection:
        return _trades(connection, condition)


def changed_trades(database: Database, run_mode: str, since: datetime) -> list[StoredTrade]:
    """The trades of a run mode that changed at a moment of this machine's clock or after it, oldest first."""
    with database.begin() as connection:
        return _trades(connection, (SPREAD_ORDERS.c.run_mode == run_mode) & (SPREAD_ORDERS.c.changed_utc >= since))


def newest_change(database: Database, run_mode: str) -> datetime | None:
    """When a trade of a run mode changed last, by the clock of this machine; None without any."""
    statement = sa.select(sa.func.max(SPREAD_ORDERS.c.changed_utc)).where(SPREAD_ORDERS.c.run_mode == run_mode)
    with database.begin() as connection:
        return connection.scalar(statement)


def _add_trade(connection: sa.Connection, trade: SpreadOrder, origin: Origin, at: StoredAt) -> bool:
    stored = _trades(connection, SPREAD_ORDERS.c.id == trade.id)
    if stored:
        if not _is_same_trade(stored[0], trade, origin):
            raise ValueError(f"{trade.id} is stored as another intent")
        return False
    signal = {name: getattr(origin, name) for name in ("account", "run_mode", "sector", "bar_utc")}
    of_signal = matching(SPREAD_ORDERS, {**signal, "pair": trade.pair}) & (SPREAD_ORDERS.c.id != trade.id)
    other = connection.scalar(sa.select(SPREAD_ORDERS.c.id).where(of_signal))
    if other is not None:
        raise Refused(f"the signal of {trade.pair} at {origin.bar_utc} has begun the trade {other} already")
    row = {name: getattr(trade, name) for name in _FIXED} | vars(origin)
    row |= {"exit_bar_utc": None, "recorded_utc": at.utc}
    connection.execute(sa.insert(SPREAD_ORDERS), row | _state(trade, None, at))
    for place, order in enumerate(trade.orders):
        add_order(connection, order, place=place, trade=vars(origin), at=at)
    return True


def _changed(
    connection: sa.Connection,
    trade_id: str,
    change: Callable[[SpreadOrder], SpreadOrder],
    at: StoredAt,
    exit_bar_utc: datetime | None,
) -> SpreadOrder:
    mine = SPREAD_ORDERS.c.id == trade_id
    stored = next(iter(_trades(connection, mine, lock=True)), None)
    if stored is None:
        raise NotFound(f"no trade {trade_id} is stored")
    before = stored.trade
    after = change(before)
    if after == before:
        return before
    if any(getattr(after, name) != getattr(before, name) for name in _FIXED):
        raise ValueError(f"{trade_id}: a change makes another trade of it")
    _store_orders(connection, stored, after, at)
    values = _state(after, stored.ended_utc, at)
    if exit_bar_utc is not None:
        values |= {"exit_bar_utc": exit_bar_utc}
    connection.execute(sa.update(SPREAD_ORDERS).where(mine).values(values))
    return after


def _store_orders(connection: sa.Connection, stored: StoredTrade, after: SpreadOrder, at: StoredAt) -> None:
    before, origin = stored.trade.orders, vars(stored.origin)
    ids = [order.client_order_id for order in before]
    if [order.client_order_id for order in after.orders[: len(ids)]] != ids:
        raise ValueError(f"{after.id}: a change takes stored orders back")
    for earlier, order in zip(before, after.orders, strict=False):
        if order != earlier:
            change_order(connection, earlier, order, trade=origin, at=at)
    for place, order in enumerate(after.orders[len(ids) :], start=len(ids)):
        add_order(connection, order, place=place, trade=origin, at=at)


def _state(trade: SpreadOrder, ended_utc: datetime | None, at: StoredAt) -> dict[str, Any]:
    """Columns that follow from the trade; it has ended since it first was seen to, and not after a late fill."""
    state = trade.state
    return {
        **{name: getattr(trade, name) for name in _CHANGING},
        "goal": trade.goal.value,
        "reason": storable(trade.reason),
        "broken": storable(trade.broken),
        "state": state.value,
        "changed_utc": at.utc,
        "ended_utc": (ended_utc or at.utc) if state.ended else None,
    }


def _is_same_trade(stored: StoredTrade, trade: SpreadOrder, origin: Origin) -> bool:
    known = {order.client_order_id: order for order in stored.trade.orders}
    return (
        stored.origin == origin
        and all(getattr(stored.trade, name) == getattr(trade, name) for name in _INTENT)
        and all(
            order.client_order_id in known and is_same_intent(known[order.client_order_id], order)
            for order in trade.orders
        )
    )


def _trades(connection: sa.Connection, condition: sa.ColumnElement[bool], *, lock: bool = False) -> list[StoredTrade]:
    statement = sa.select(SPREAD_ORDERS).where(condition).order_by(SPREAD_ORDERS.c.recorded_utc, SPREAD_ORDERS.c.id)
    rows = connection.execute(statement.with_for_update() if lock else statement).mappings().all()
    orders = orders_of(connection, sa.select(SPREAD_ORDERS.c.id).where(condition)) if rows else {}
    return [
        StoredTrade(
            trade=SpreadOrder(
                **{name: row[name] for name in (*_FIXED, *_CHANGING, "reason", "broken")},
                goal=Goal(row["goal"]),
                orders=orders.get(row["id"], ()),
            ),
            origin=Origin(**{name: row[name] for name in ("account", "run_mode", "sector", "session", "bar_utc")}),
            **{name: row[name] for name in ("exit_bar_utc", "recorded_utc", "ended_utc")},
        )
        for row in rows
    ]
