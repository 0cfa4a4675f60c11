"""What is held and expected now, as the database knows it: the legs of open trades, and whether nothing is open.

It asks no broker. What does not belong here: how a trade stands (`core.trading.spread_order`), and tables of a terminal
(`cli`).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pairs_platform.core.trading.orders import Leg
from pairs_platform.core.trading.spread_order import LEGS
from pairs_platform.database.positions import newest_position_rows
from pairs_platform.database.spread_orders import StoredTrade, open_trades
from pairs_platform.database.store import Database


@dataclass(frozen=True, kw_only=True)
class HeldLeg:
    """A leg of an open trade, or what no trade of the platform holds.

    Attributes
    ----------
    run_mode, account, symbol : str
    pair, state : str
        Empty where no trade holds it.
    quantity : float
        Signed shares that are filled, for all that is known.
    wanted : int or None
        Signed shares that the trade wants to hold now; None where no trade holds it.
    average_price : float or None
        Dollars a share at which the leg was built, over its known executions.
    price : float or None
        Dollars a share by the newest snapshot.
    gain : float or None
        Dollars since the trade began, after commissions; without borrowing fees and dividends.
    since_utc : datetime or None
        When the trade was decided.
    """

    run_mode: str
    account: str
    symbol: str
    pair: str = ""
    state: str = ""
    quantity: float
    wanted: int | None = None
    average_price: float | None = None
    price: float | None = None
    gain: float | None = None
    since_utc: datetime | None = None


def held_legs(database: Database, run_modes: Collection[str]) -> tuple[HeldLeg, ...]:
    """The legs of every open trade, oldest trade first, then what the accounts hold beside them."""
    snapshot = newest_position_rows(database, run_modes)
    prices = {(row["run_mode"], row["account"], row["symbol"]): row["price"] for row in snapshot}
    trades = open_trades(database, run_modes)
    legs = [_leg(stored, leg, prices) for stored in trades for leg in LEGS]
    others = [
        HeldLeg(
            run_mode=row["run_mode"],
            account=row["account"],
            symbol=row["symbol"],
            quantity=row["quantity"],
            average_price=row["average_price"],
            price=row["price"],
        )
        for row in snapshot
        if not row["spread_order_id"] and row["quantity"]
    ]
    return (*legs, *others)


def what_is_open(database: Database, run_modes: Collection[str]) -> str:
    """What is open, in words; empty where no trade holds or expects anything: then, and only then, all is flat."""
    trades = [stored.trade for stored in open_trades(database, run_modes)]
    if not trades:
        return ""
    holding = sorted({trade.pair for trade in trades if any(trade.held(leg) for leg in LEGS)})
    pending = sum(len(trade.pending(leg)) for trade in trades for leg in LEGS)
    broken = sorted({f"{trade.pair} (trade {trade.id})" for trade in trades if trade.broken})
    parts = [_counted(len(trades), "trade is open", "trades are open")]
    if holding:
        parts.append(f"shares are held of {', '.join(holding)}")
    if pending:
        parts.append(_counted(pending, "order may still fill", "orders may still fill"))
    if broken:
        parts.append(f"a person is needed for {', '.join(broken)}")
    return "; ".join(parts)


def _leg(stored: StoredTrade, leg: Leg, prices: Mapping[tuple[str, str, str], Any]) -> HeldLeg:
    trade, origin = stored.trade, stored.origin
    symbol = trade.symbol(leg)
    price = prices.get((origin.run_mode, origin.account, symbol))
    orders = [order for order in trade.orders if order.leg == leg and order.fills]
    executed = sum(order.executed for order in orders)
    return HeldLeg(
        run_mode=origin.run_mode,
        account=origin.account,
        symbol=symbol,
        pair=trade.pair,
        state=trade.state.value,
        quantity=trade.held(leg),
        wanted=trade.wanted(leg),
        average_price=trade.traded(leg, 1)[1],
        price=price,
        gain=None if price is None or not orders else executed * price + sum(order.proceeds for order in orders),
        since_utc=trade.decided_utc,
    )


def _counted(n: int, one: str, many: str) -> str:
    return f"{n} {one if n == 1 else many}"
