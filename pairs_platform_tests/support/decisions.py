"""Decisions that tests put into a database."""

from collections.abc import Sequence

from pairs_platform.database.models import Decision, add_decisions
from pairs_platform.database.store import Database


def store_decisions(database: Database, decisions: Sequence[Decision]) -> None:
    with database.begin() as connection:
        add_decisions(connection, decisions)
