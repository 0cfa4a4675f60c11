"""Snapshots of an account: what it was worth, and what it held by leg of a trade and by symbol.

What does not belong here: how positions follow from fills (`core.trading.positions`), and questions about the worth
alone (`equity`).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from pairs_platform.core.time import market_day, moment_ns
from pairs_platform.database.equity import AccountKey, EquityRow, put_equity, select_newest
from pairs_platform.database.rows import matching, read_rows, replace_rows
from pairs_platform.database.store import Database
from pairs_platform.database.tables import POSITIONS


@dataclass(frozen=True, kw_only=True)
class PositionRow:
    """A leg of a trade, or what no trade of the platform holds of a symbol.

    Attributes
    ----------
    symbol : str
    quantity : float
        Signed shares: < 0 is a short position; whole for every leg of a trade.
    spread_order_id, pair : str
        Empty where no trade holds it.
    sector : str or None
    average_price, price, market_value : float or None
        Dollars a share at which it came, dollars a share now, signed dollars now.
    realized, commission, borrow, dividends : float or None
        Dollars since the trade began; dividends that a short pays are negative.
    """

    symbol: str
    quantity: float
    spread_order_id: str = ""
    pair: str = ""
    sector: str | None = None
    average_price: float | None = None
    price: float | None = None
    market_value: float | None = None
    realized: float | None = None
    commission: float | None = None
    borrow: float | None = None
    dividends: float | None = None


def store_snapshot(database: Database, key: AccountKey, equity: EquityRow, positions: Sequence[PositionRow]) -> None:
    """Store what an account is worth and holds at a moment, in place of what was stored for it, in one transaction."""
    of_moment = {**vars(key), "at_utc": equity.at_utc}
    where = matching(POSITIONS, of_moment)
    of_moment |= {"session": market_day(moment_ns(equity.at_utc))}
    with database.begin() as connection:
        put_equity(connection, key, equity)
        replace_rows(connection, POSITIONS, where, [vars(position) for position in positions], of_moment)


def positions_at(database: Database, key: AccountKey, market_utc: datetime) -> list[PositionRow]:
    """What an account held at the moment of a snapshot, by symbol and trade; empty where nothing was held."""
    names = PositionRow.__dataclass_fields__
    statement = (
        sa.select(*(POSITIONS.c[name] for name in names))
        .where(matching(POSITIONS, {**vars(key), "at_utc": market_utc}))
        .order_by(POSITIONS.c.symbol, POSITIONS.c.spread_order_id)
    )
    with database.begin() as connection:
        return [PositionRow(**row) for row in connection.execute(statement).mappings()]


def newest_position_rows(database: Database, run_modes: Collection[str]) -> list[dict[str, Any]]:
    """What every account of some run modes held at its newest snapshot, by symbol and trade: columns of the table."""
    statement = select_newest(POSITIONS, run_modes).order_by(POSITIONS.c.symbol, POSITIONS.c.spread_order_id)
    return read_rows(database, statement)


def position_rows(database: Database, key: AccountKey, first: datetime, last: datetime) -> list[dict[str, Any]]:
    """What an account held at every snapshot from a moment on, up to another, in order: columns of the table."""
    moments = matching(POSITIONS, vars(key)) & POSITIONS.c.at_utc.between(first, last)
    order = (POSITIONS.c.at_utc, POSITIONS.c.symbol, POSITIONS.c.spread_order_id)
    return read_rows(database, sa.select(POSITIONS).where(moments).order_by(*order))
