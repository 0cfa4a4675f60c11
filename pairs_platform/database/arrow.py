"""The database's tables as Arrow, whole, for people who look around with SQL.

What does not belong here: questions with an answer of their own (`queries`), and the SQL (`lake.sql`).
"""

from collections.abc import Collection
from datetime import date, datetime
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from pairs_platform.database.store import Database
from pairs_platform.database.tables import METADATA, Moment

ROWS_AT_ONCE = 50_000
"""Rows that are Python objects at the same time while a table is read."""

_TYPES: dict[type[Any], pa.DataType] = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
    date: pa.date32(),
    datetime: pa.timestamp("us", tz="UTC"),
}


def arrow_schemas() -> dict[str, pa.Schema]:
    """Columns and types of every table by name."""
    return {
        name: pa.schema([(column.name, _arrow_type(column)) for column in table.columns])
        for name, table in METADATA.tables.items()
    }


def arrow_tables(database: Database, names: Collection[str]) -> dict[str, pa.Table]:
    """The rows of the tables `names`, read in one transaction; without rows where nobody made the database yet.

    Raises
    ------
    DatabaseUnavailable, DatabaseMismatch
        As `Database.begin`.
    """
    schemas = arrow_schemas()
    if not names or not database.exists:
        return {name: schemas[name].empty_table() for name in names}
    with database.begin() as connection:
        return {name: _read(connection, METADATA.tables[name], schemas[name]) for name in names}


def _arrow_type(column: sa.Column[Any]) -> pa.DataType:
    # SQLAlchemy does not know the Python type of a type of our own.
    return _TYPES[datetime if isinstance(column.type, Moment) else column.type.python_type]


def _read(connection: sa.Connection, table: sa.Table, schema: pa.Schema) -> pa.Table:
    result = connection.execute(sa.select(table), execution_options={"yield_per": ROWS_AT_ONCE})
    batches = [
        pa.RecordBatch.from_arrays(
            [pa.array(values, field.type) for values, field in zip(zip(*rows, strict=True), schema, strict=True)],
            schema=schema,
        )
        for rows in result.partitions()
    ]
    return pa.Table.from_batches(batches, schema)
