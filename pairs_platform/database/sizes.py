"""How large every part of the state was, by session.

What does not belong here: measuring (`workflows.storage`).
"""

from collections.abc import Mapping
from datetime import date, datetime

import sqlalchemy as sa

from pairs_platform.database.store import Database
from pairs_platform.database.tables import STORAGE_SIZES


def store_sizes(database: Database, session: date, sizes: Mapping[str, int], now: datetime) -> None:
    """Keep the sizes of a session in place of those measured earlier for it; bytes by part."""
    rows = [{"session": session, "part": part, "bytes": size, "measured_utc": now} for part, size in sizes.items()]
    with database.begin() as connection:
        connection.execute(sa.delete(STORAGE_SIZES).where(STORAGE_SIZES.c.session == session))
        if rows:
            connection.execute(sa.insert(STORAGE_SIZES), rows)


def sizes_by_session(database: Database) -> dict[date, dict[str, int]]:
    """Bytes by part of every measured session, in order."""
    statement = sa.select(STORAGE_SIZES).order_by(STORAGE_SIZES.c.session, STORAGE_SIZES.c.part)
    sizes: dict[date, dict[str, int]] = {}
    with database.begin() as connection:
        for row in connection.execute(statement).mappings():
            sizes.setdefault(row["session"], {})[row["part"]] = row["bytes"]
    return sizes


def database_sizes(database: Database) -> dict[str, int]:
    """Bytes by table, indexes included, where the database is on PostgreSQL; empty on SQLite, which is one file."""
    with database.begin() as connection:
        if connection.dialect.name != "postgresql":
            return {}
        asked = (
            "SELECT relname, pg_total_relation_size(oid) FROM pg_class WHERE relkind = 'r' AND relnamespace = :space"
        )
        space = connection.scalar(sa.text("SELECT 'public'::regnamespace::oid"))
        return {str(name): int(size) for name, size in connection.execute(sa.text(asked), {"space": space})}
