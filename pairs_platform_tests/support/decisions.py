"""Decisions that tests put into a ledger."""

from collections.abc import Sequence

from pairs_platform.database.store import Decision, Ledger


def store_decisions(ledger: Ledger, decisions: Sequence[Decision]) -> None:
    with ledger.begin() as connection:
        ledger.add_decisions(connection, decisions)
