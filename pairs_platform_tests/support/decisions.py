"""Decisions that tests put into a database."""

from collections.abc import Sequence

from pairs_platform.database.store import Database, Decision


def store_decisions(database: Database, decisions: Sequence[Decision]) -> None:
    with database.begin() as connection:
        database.add_decisions(connection, decisions)
