"""What an account was worth, moment by moment.

What does not belong here: what it held, which is stored with it (`positions`), and what became of the money
(`core.trading.attribution`).
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from pairs_platform.core.time import market_day, moment_ns
from pairs_platform.database.rows import matching, read_rows, replace_rows
from pairs_platform.database.store import Database
from pairs_platform.database.tables import EQUITY


@dataclass(frozen=True)
class AccountKey:
    """Whose money: an account with a broker, in a run mode."""

    account: str
    run_mode: str


@dataclass(frozen=True, kw_only=True)
class EquityRow:
    """What an account was worth at a moment, in dollars.

    Attributes
    ----------
    at_utc : datetime
        By the market's clock.
    equity, cash : float
    long_value, short_value : float
        ≥ 0 and ≤ 0.
    high_water : float
        Largest equity so far, this one included.
    buying_power : float or None
    """

    at_utc: datetime
    equity: float
    cash: float
    long_value: float
    short_value: float
    high_water: float
    buying_power: float | None = None


def put_equity(connection: sa.Connection, key: AccountKey, row: EquityRow) -> None:
    """Put what an account is worth at a moment in place of what was stored for it, in the caller's transaction."""
    where = matching(EQUITY, {**vars(key), "at_utc": row.at_utc})
    values = vars(row) | {"session": market_day(moment_ns(row.at_utc))}
    replace_rows(connection, EQUITY, where, [values], vars(key))


def newest_equity(database: Database, key: AccountKey, *, before: datetime | None = None) -> EquityRow | None:
    """The newest row of an account (before a moment, if given); None without one."""
    statement = (
        sa.select(*(EQUITY.c[name] for name in EquityRow.__dataclass_fields__))
        .where(matching(EQUITY, vars(key)))
        .order_by(EQUITY.c.at_utc.desc())
        .limit(1)
    )
    if before is not None:
        statement = statement.where(EQUITY.c.at_utc < before)
    with database.begin() as connection:
        row = connection.execute(statement).mappings().first()
    return EquityRow(**row) if row is not None else None


def equity_between(database: Database, key: AccountKey, first: datetime, last: datetime) -> list[EquityRow]:
    """The rows of an account from a moment on, up to another, in order."""
    moments = EQUITY.c.at_utc.between(first, last)
    statement = (
        sa.select(*(EQUITY.c[name] for name in EquityRow.__dataclass_fields__))
        .where(matching(EQUITY, vars(key)) & moments)
        .order_by(EQUITY.c.at_utc)
    )
    with database.begin() as connection:
        return [EquityRow(**row) for row in connection.execute(statement).mappings()]


def accounts_of_session(database: Database, session: date) -> list[AccountKey]:
    """Accounts that were written down in a session, by run mode and name."""
    of_session = sa.select(EQUITY.c.account, EQUITY.c.run_mode).where(EQUITY.c.session == session).distinct()
    with database.begin() as connection:
        found = [AccountKey(**row) for row in connection.execute(of_session).mappings()]
    return sorted(found, key=lambda key: (key.run_mode, key.account))


def select_newest(table: sa.Table, run_modes: Collection[str]) -> sa.Select[Any]:
    """The rows of a table that are of the newest snapshot of every account in some run modes."""
    newest = (
        sa.select(EQUITY.c.account, EQUITY.c.run_mode, sa.func.max(EQUITY.c.at_utc).label("at_utc"))
        .where(EQUITY.c.run_mode.in_(run_modes))
        .group_by(EQUITY.c.account, EQUITY.c.run_mode)
        .subquery()
    )
    return sa.select(table).join(newest, matching(table, dict(newest.c.items())))


def newest_equity_rows(database: Database, run_modes: Collection[str]) -> list[dict[str, Any]]:
    """The newest row of every account in some run modes, by run mode and account: columns of the table."""
    statement = select_newest(EQUITY, run_modes).order_by(EQUITY.c.run_mode, EQUITY.c.account)
    return read_rows(database, statement)


def equity_rows(database: Database, run_mode: str) -> list[dict[str, Any]]:
    """Every row of a run mode by account and moment: columns of the table."""
    statement = sa.select(EQUITY).where(EQUITY.c.run_mode == run_mode).order_by(EQUITY.c.account, EQUITY.c.at_utc)
    return read_rows(database, statement)
