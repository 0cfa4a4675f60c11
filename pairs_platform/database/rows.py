"""What every statement needs: conditions from keys, rows from mappings, rows and frames read, rows in place of others.

What does not belong here: any table's own statements.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from pairs_platform.database.store import Database

if TYPE_CHECKING:
    import pandas as pd


def matching(table: sa.Table, values: Mapping[str, Any]) -> sa.ColumnElement[bool]:
    """That columns of a table have these values."""
    return sa.and_(*(table.c[name] == value for name, value in values.items()))


def read_rows(database: Database, statement: sa.Select[Any]) -> list[dict[str, Any]]:
    """The rows of a statement by the names of their columns, read in a transaction of its own."""
    with database.begin() as connection:
        return [dict(row) for row in connection.execute(statement).mappings()]


def read_frame(connection: sa.Connection, statement: sa.Select[Any]) -> "pd.DataFrame":
    """The rows of a statement as a frame, which has its columns even where there are no rows."""
    import pandas as pd

    result = connection.execute(statement)
    return pd.DataFrame(result.all(), columns=list(result.keys()))


def storable(text: str) -> str:
    """A text from outside as both databases take it: what is no character of UTF-8 is replaced."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def row_of(table: sa.Table, values: Mapping[str, Any]) -> dict[str, Any]:
    """The table's columns out of `values`, missing and NaN as null, NumPy scalars as Python's."""
    import pandas as pd

    row: dict[str, Any] = {}
    for column in table.columns:
        value = values.get(column.name)
        if value is None or pd.isna(value):
            row[column.name] = None
        else:
            row[column.name] = value.item() if hasattr(value, "item") else value
    return row


def replace_rows(
    connection: sa.Connection,
    table: sa.Table,
    where: sa.ColumnElement[bool],
    rows: Sequence[Mapping[Any, Any]],
    key: Mapping[str, Any],
) -> None:
    """Put `rows`, each completed by `key`, in place of the rows that `where` names; in the caller's transaction."""
    connection.execute(sa.delete(table).where(where))
    if rows:
        connection.execute(sa.insert(table), [row_of(table, {**row, **key}) for row in rows])
