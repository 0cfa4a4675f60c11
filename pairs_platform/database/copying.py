"""Rows of one database into another: what the other one lacks is added, and nothing in it is changed.

What does not belong here: which databases (`processes.runtime.adoption`), and whole ones as files (backup).
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import sqlalchemy as sa

from pairs_platform.core.errors import Refused
from pairs_platform.database.store import Database
from pairs_platform.database.tables import (
    AUDIT_LOG,
    BOOKINGS,
    EQUITY,
    FILLS,
    KILL_SWITCH,
    MODEL_DECISIONS,
    MODEL_PERFORMANCE,
    MODEL_RANKINGS,
    MODEL_TRAINING,
    MODEL_TRENDS,
    ORDERS,
    PAPER_ACCOUNTS,
    PAPER_BOOKINGS,
    PAPER_FILLS,
    PAPER_ORDERS,
    POSITIONS,
    RISK_EVENTS,
    SIGNAL_OUTCOMES,
    SIGNALS,
    SPREAD_ORDERS,
    STORAGE_SIZES,
)

KEYED = (
    MODEL_TRAINING, MODEL_PERFORMANCE, MODEL_RANKINGS, MODEL_TRENDS, SIGNALS, SIGNAL_OUTCOMES, SPREAD_ORDERS, ORDERS,
    FILLS, BOOKINGS, POSITIONS, EQUITY, KILL_SWITCH, PAPER_ACCOUNTS, PAPER_ORDERS, PAPER_FILLS, PAPER_BOOKINGS,
    STORAGE_SIZES,
)  # fmt: skip
"""Each refers to earlier ones alone."""

NUMBERED = (MODEL_DECISIONS, AUDIT_LOG, RISK_EVENTS)
"""Their rows have numbers of the database's own: the same row is one with the same content.

Alerts and their messages are of the instance that raised them, and stay there."""

BATCH = 5_000
Row = dict[str, Any]


def copy_history(source: Database, target: Database) -> dict[str, int]:
    """Add the figures of a profile's database to another database of that profile, in one transaction.

    Returns
    -------
    dict of str to int
        Added rows by table, where there are some.

    Raises
    ------
    Refused
        `target` has trainings that `source` does not: they have the same version numbers, and other models.
    """
    with source.begin() as reading, target.begin() as writing:
        require_only_known(reading, writing, MODEL_TRAINING.c.run_id, "the database")
        added = {table.name: add_missing(reading, writing, table) for table in KEYED}
        added |= {table.name: _add_numbered(reading, writing, table) for table in NUMBERED}
    return {name: n_rows for name, n_rows in added.items() if n_rows}


def require_only_known(source: sa.Connection, target: sa.Connection, column: sa.Column[Any], where: str) -> None:
    """Refuse a target in which `column` has values that it does not have in the source.

    Raises
    ------
    Refused
    """
    known, there = (set(connection.scalars(sa.select(column))) for connection in (source, target))
    own = sorted(map(str, there - known))
    if own:
        raise Refused(
            f"{where} of production has trainings of its own already ({len(own)}, such as {own[0]}), whose models have "
            "the version numbers of those that are to be brought over: go on with these, or restore a backup of the "
            "profile into an empty state_root"
        )


def add_missing(
    source: sa.Connection, target: sa.Connection, table: sa.Table, change: Callable[[Row], Row] = lambda row: row
) -> int:
    """Add the rows of a table whose primary keys the target lacks, each as `change` returns it; their number."""
    keys = list(table.primary_key)
    there = {tuple(row) for row in target.execute(sa.select(*keys))}

    def is_missing(row: Mapping[str, Any]) -> bool:
        return tuple(row[key.name] for key in keys) not in there

    return _add(source, target, table, lambda row: change(row) if is_missing(row) else None)


def _add_numbered(source: sa.Connection, target: sa.Connection, table: sa.Table) -> int:
    names = [column.name for column in table.columns if not column.primary_key]
    there = {tuple(row) for row in target.execute(sa.select(*(table.c[name] for name in names)))}

    def without_number(row: Row) -> Row | None:
        content = {name: row[name] for name in names}
        return None if tuple(content.values()) in there else content

    return _add(source, target, table, without_number)


def _add(source: sa.Connection, target: sa.Connection, table: sa.Table, wanted: Callable[[Row], Row | None]) -> int:
    added = 0
    for rows in _batches(source, table):
        batch = [row for row in map(wanted, rows) if row is not None]
        if batch:
            target.execute(sa.insert(table), batch)
            added += len(batch)
    return added


def _batches(source: sa.Connection, table: sa.Table) -> Iterator[list[Row]]:
    """Rows in the order of their keys, some thousand at a time."""
    found = source.execution_options(yield_per=BATCH).execute(sa.select(table).order_by(*table.primary_key))
    for part in found.partitions():
        yield [dict(row._mapping) for row in part]
