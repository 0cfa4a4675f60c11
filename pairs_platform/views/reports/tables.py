"""The tables that people take elsewhere, as frames.

What does not belong here: files (`files`).
"""

from collections.abc import Mapping
from datetime import date
from functools import partial
from typing import TYPE_CHECKING

import pandas as pd

from pairs_platform.core.errors import NoSuchSector, NotFound
from pairs_platform.core.prices.sectors import SECTORS

if TYPE_CHECKING:
    import sqlalchemy as sa

    from pairs_platform.platform import Platform

EXPORTS: Mapping[str, tuple[str, str]] = {
    "rankings": ("composite_rankings", "session, sector, rank NULLS LAST, pair"),
    "configurations": ("trading_config", "session, sector, pair"),
    "performance": ("model_performance", "session, sector, pair"),
    "model_rankings": ("model_rankings", "session, sector, pair"),
    "trends": ("model_trends", "session, sector, pair"),
    "signals": ("signals", "session, sector, bar_utc, pair"),
    "signal_outcomes": ("signal_outcomes", "session, sector, bar_utc, pair"),
    "spread_orders": ("spread_orders", "recorded_utc, id"),
    "orders": ("orders", "recorded_utc, spread_order_id, place"),
    "fills": ("fills", "filled_utc, account, execution_id"),
    "bookings": ("bookings", "booked_utc, account, id"),
    "positions": ("positions", "at_utc, account, run_mode, symbol, spread_order_id"),
    "equity": ("equity", "at_utc, account, run_mode"),
    "risk_events": ("risk_events", "id"),
    "kill_switch": ("kill_switch", "set_utc, id"),
}
"""What can be exported: table of the lake or the database, and its order."""


_LEGS = "(SELECT session, sector, pair, y, x FROM cointegrated_pairs)"
"""Which leg of a ranked pair is the dependent one."""


def exported(platform: "Platform", name: str, sector: str | None, first: date, last: date) -> pd.DataFrame:
    """Rows of an export: every column of its table, and the orders in words where it names pairs to trade.

    Parameters
    ----------
    platform : Platform
    name : str
        One of `EXPORTS`.
    sector : str or None
        All of them if not given; rows that concern no sector, as those of an account do, are always there.
    first, last : date
        Sessions, both included.

    Raises
    ------
    NotFound
        The name or the sector is unknown.
    """
    from pairs_platform.database.arrow import arrow_schemas, arrow_tables
    from pairs_platform.database.tables import METADATA, VIEWS
    from pairs_platform.lake.sql import ExternalTables, query
    from pairs_platform.lake.tables import TABLES

    if name not in EXPORTS:
        raise NotFound(f"{name!r} is no export; valid: {', '.join(EXPORTS)}")
    if sector is not None and sector not in SECTORS:
        raise NoSuchSector(f"{sector!r} is no sector; valid: {', '.join(SECTORS)}")
    table, order = EXPORTS[name]
    columns = "*"
    if name == "rankings":
        table, columns = f"{table} LEFT JOIN {_LEGS} USING (session, sector, pair)", f"{table}.*, y, x"
    where = f"session BETWEEN DATE '{first:%Y-%m-%d}' AND DATE '{last:%Y-%m-%d}'"
    where += _of_sector(sector, METADATA.tables.get(EXPORTS[name][0]))
    database_tables = ExternalTables(arrow_schemas(), VIEWS, partial(arrow_tables, platform.database))
    statement = f"SELECT {columns} FROM {table} WHERE {where} ORDER BY {order}"
    return _in_words(name, query(platform.lake, TABLES, statement, database_tables))


def _of_sector(sector: str | None, table: "sa.Table | None") -> str:
    """The condition of a sector; a table of the database may have rows, or nothing but rows, that concern none."""
    if sector is None or (table is not None and "sector" not in table.columns):
        return ""
    concerns_all = " OR sector IS NULL" if table is not None and table.columns["sector"].nullable else ""
    return f" AND (sector = '{sector}'{concerns_all})"


def _in_words(name: str, rows: pd.DataFrame) -> pd.DataFrame:
    from pairs_platform.core.signals.orders import signal_order
    from pairs_platform.views.pair_orders import with_orders

    if name == "signals":
        names = ["role", "action", "y", "x", "beta", "position", "late"]
        words = [signal_order(dict(zip(names, row, strict=True))) for row in rows[names].itertuples(index=False)]
        return rows.assign(order_words=pd.Series(words, index=rows.index, dtype=object))
    return with_orders(rows) if name in ("rankings", "configurations") else rows
