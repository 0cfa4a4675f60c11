"""Questions that people ask of the database, answered as frames.

What does not belong here: writing, and tables that nobody asks about.
"""

from datetime import date

import pandas as pd
import sqlalchemy as sa

from pairs_platform.core.prices.calendar import session_offset
from pairs_platform.database.rows import read_frame
from pairs_platform.database.store import Database
from pairs_platform.database.tables import MODEL_PERFORMANCE, MODEL_TRENDS


def best_performing_pairs(database: Database, sector: str, *, rows: int = 10) -> pd.DataFrame:
    """The pairs with the highest mean lift over the last 30 sessions of their newest trend.

    Returns
    -------
    DataFrame
        Columns of `model_trends`, best first; one row for each pair.
    """
    table = MODEL_TRENDS
    newest = (
        sa.select(table.c.pair, sa.func.max(table.c.session).label("session"))
        .where(table.c.sector == sector)
        .group_by(table.c.pair)
        .subquery()
    )
    statement = (
        sa.select(table)
        .join(newest, (newest.c.pair == table.c.pair) & (newest.c.session == table.c.session))
        .where((table.c.sector == sector) & table.c.lift_30.is_not(None))
        .order_by(table.c.lift_30.desc(), table.c.pair)
        .limit(rows)
    )
    with database.begin() as connection:
        return read_frame(connection, statement)


def recent_pair_performance(
    database: Database, sector: str, *, as_of: date, sessions: int = 7, pair: str | None = None
) -> pd.DataFrame:
    """Performance of the trainings of the last `sessions` exchange sessions up to `as_of`, newest first.

    Parameters
    ----------
    pair : str, optional
        Only this pair.
    """
    table = MODEL_PERFORMANCE
    first = session_offset(as_of, 1 - sessions)
    statement = sa.select(table).where(
        (table.c.sector == sector) & (table.c.session >= first) & (table.c.session <= as_of)
    )
    if pair is not None:
        statement = statement.where(table.c.pair == pair)
    statement = statement.order_by(table.c.session.desc(), table.c.pair)
    with database.begin() as connection:
        return read_frame(connection, statement)
