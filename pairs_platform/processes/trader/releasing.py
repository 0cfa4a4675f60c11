"""A person lets a broken trade go on: after the broker was asked about its orders, and holds what the trades say.

What does not belong here: what a trade does when it goes on (`core.trading.legging`), and the kill switch
(`database.kill_switch`).
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from pairs_platform.core.errors import NotFound, Refused
from pairs_platform.core.trading.netting import shares_of_pairs
from pairs_platform.core.trading.orders import Order, OrderStatus, written_off
from pairs_platform.core.trading.spread_order import LEGS, Goal, SpreadOrder
from pairs_platform.database.audit import AuditEntry
from pairs_platform.database.equity import AccountKey, newest_equity
from pairs_platform.database.orders import StoredAt
from pairs_platform.database.positions import positions_at
from pairs_platform.database.spread_orders import (
    StoredTrade,
    apply_report,
    change_trade,
    open_trades,
    stored_trade,
)
from pairs_platform.database.store import Database
from pairs_platform.ports.broker import Broker

IN_DOUBT = (OrderStatus.INTENDED, OrderStatus.UNKNOWN)


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What a person says of a broken trade.

    Attributes
    ----------
    reason, actor : str
    never_sent : bool
        The broker has none of the orders that it does not list.
    despite_broker : bool
        The trade goes on although the broker holds other shares than the trades say.
    leave : bool
        What it holds is left at once; a trade that was being closed is left in any case, with new orders.
    """

    reason: str
    actor: str
    never_sent: bool = False
    despite_broker: bool = False
    leave: bool = False


def release_trade(
    database: Database, broker: Broker, key: AccountKey, trade_id: str, truth: Truth, now: datetime
) -> SpreadOrder:
    """Ask the broker about the orders of a broken trade, and let it go on; an entry of the audit says who did.

    Parameters
    ----------
    broker : Broker
        Of the account `key`.
    now : datetime
        Time of this machine.

    Returns
    -------
    SpreadOrder
        As it is stored now.

    Raises
    ------
    NotFound
        There is no such trade.
    Refused
        It is not broken or another account's; nobody knows whether the broker has an order; or the broker holds other
        shares than the trades say.
    Unavailable
        The broker does not answer: nothing is changed.
    """
    stored = _broken(database, key, trade_id)
    at = StoredAt(now, now)
    for order in _pending(stored.trade):
        found = broker.order(order.client_order_id)
        if found is not None:
            apply_report(database, order.client_order_id, found.report(), at)
    stored = _broken(database, key, trade_id)
    doubtful = [order for order in _pending(stored.trade) if order.status in IN_DOUBT]
    if doubtful and not truth.never_sent:
        listed = ", ".join(f"{order.client_order_id} ({order.quantity:+d} {order.symbol})" for order in doubtful)
        raise Refused(
            f"{broker.label} does not list {listed}: look at the broker's own page, and say --never-sent where it has "
            "none of them"
        )
    difference = _difference(database, broker, key, stored.trade)
    if difference and not truth.despite_broker:
        raise Refused(f"{difference}: put the account right first, or say --despite-broker")
    ids = {order.client_order_id for order in doubtful}

    def change(trade: SpreadOrder) -> SpreadOrder:
        return _released(trade, ids, truth)

    detail = {"broken": stored.trade.broken, "never_sent": sorted(ids), "broker_differs": difference}
    entry = AuditEntry(
        actor=truth.actor, action="trade_released", object=trade_id, reason=truth.reason, detail=detail,
        sector=stored.origin.sector, session=stored.origin.session, at_utc=now,
    )  # fmt: skip
    return change_trade(database, trade_id, change, at, audit=entry)


def _broken(database: Database, key: AccountKey, trade_id: str) -> StoredTrade:
    stored = stored_trade(database, trade_id)
    if stored is None:
        broken = [each.trade.id for each in open_trades(database, [key.run_mode]) if each.trade.broken]
        raise NotFound(f"there is no trade {trade_id}; those that need a person: {', '.join(broken) or 'none'}")
    if (stored.origin.account, stored.origin.run_mode) != (key.account, key.run_mode):
        raise Refused(
            f"{trade_id} is a trade of the account {stored.origin.account} in the run mode {stored.origin.run_mode}, "
            f"the settings name {key.account} in {key.run_mode}: run it with the settings of that account"
        )
    if not stored.trade.broken:
        raise Refused(f"{trade_id} is {stored.trade.state}: only a broken trade is released")
    return stored


def _pending(trade: SpreadOrder) -> list[Order]:
    return [order for leg in LEGS for order in trade.pending(leg)]


def _released(trade: SpreadOrder, never_sent: Collection[str], truth: Truth) -> SpreadOrder:
    for order in _pending(trade):
        if order.client_order_id in never_sent and order.status in IN_DOUBT:
            trade = trade.with_state_of(written_off(order, truth.reason))
    trade = trade.released()
    leave = truth.leave or trade.goal is not Goal.HOLD
    return trade.to_leave(Goal.UNWIND, f"a person: {truth.reason}") if leave else trade


def _difference(database: Database, broker: Broker, key: AccountKey, trade: SpreadOrder) -> str:
    """Where the broker holds other shares of the trade's legs than all trades and foreign shares; empty where not.

    Shares that working orders may have filled meanwhile are no difference.
    """
    trades = [each.trade for each in open_trades(database, [key.run_mode], account=key.account)]
    ours = shares_of_pairs(trades)
    newest = newest_equity(database, key)
    rows = [] if newest is None else positions_at(database, key, newest.at_utc)
    foreign = {row.symbol: row.quantity for row in rows if not row.spread_order_id}
    held = {position.symbol: float(position.quantity) for position in broker.positions()}
    found = []
    for symbol in (trade.y, trade.x):
        expected = ours.get(symbol, 0) + foreign.get(symbol, 0.0)
        moving = sum(
            abs(order.remaining)
            for each in trades
            for order in _pending(each)
            if order.symbol == symbol and order.status not in IN_DOUBT
        )
        if abs(held.get(symbol, 0.0) - expected) > moving:
            found.append(f"{broker.label} holds {held.get(symbol, 0.0):g} {symbol}, the trades say {expected:g}")
    return "; ".join(found)
