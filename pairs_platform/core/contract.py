"""Contracts of the lake's tables: what a partition must satisfy before it may be published.

Each stage keeps its own contracts in `core/<stage>/contracts.py`. What does not belong here: storing (`lake`).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pairs_platform.core.errors import ContractViolation

if TYPE_CHECKING:
    import pandas as pd
    import pandera.pandas as pa

_SHOWN = 5

_OF_COLUMNS = {
    "column_in_dataframe": "is missing",
    "column_in_schema": "does not belong to the table",
    "column_ordered": "is at another place than the table has it",
}
"""pandera's names of what is wrong with a column as a whole."""

_RULES = (
    (r"less_than\(inf\)", "must be finite"),
    (r"greater_than\((.+)\)", r"must be above \1"),
    (r"greater_than_or_equal_to\((.+)\)", r"must be \1 or more"),
    (r"less_than\((.+)\)", r"must be below \1"),
    (r"less_than_or_equal_to\((.+)\)", r"must be \1 or less"),
    (r"in_range\((.+), (.+)\)", r"must be from \1 to \2"),
    (r"isin\([\[(](.+?),?[\])]\)", r"must be one of \1"),
    (r"dtype\('(.+)'\)", r"must be of type \1"),
    ("not_nullable", "must not be empty"),
    ("field_uniqueness", "must be unique"),
    ("multiple_fields_uniqueness", "rows must be unique"),
)
"""pandera's names of its own checks, and what they ask for."""


@dataclass(frozen=True)
class Contract:
    """Name, version and schema of a table.

    Attributes
    ----------
    table : str
        Name of the table, equal to the asset's key where an asset writes it.
    version : int
        Raised with every change of columns or meaning; readers refuse another version.
    schema : pandera.DataFrameSchema
        Column types, nullability, value checks, uniqueness; strict about unknown columns, without coercion. A `str`
        column holds text, an `object` column holds lists of float64.
    asset : str
        Key of the asset that writes the table; empty where it has the table's name.
    """

    table: str
    version: int
    schema: "pa.DataFrameSchema"
    asset: str = ""

    def __post_init__(self) -> None:
        if not self.schema.strict or self.schema.coerce:
            raise ValueError(f"{self.table}: the schema of a contract is strict and does not coerce")

    @property
    def written_by(self) -> str:
        """Key of the asset that writes the table."""
        return self.asset or self.table

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, in the contract's order."""
        return tuple(self.schema.columns)

    def empty(self) -> "pd.DataFrame":
        """A frame without rows that satisfies the column types: the valid form of "nothing found"."""
        import pandas as pd

        return pd.DataFrame({name: pd.Series(dtype=self.dtype(name)) for name in self.columns})

    def frame(self, rows: "Sequence[Mapping[str, object]] | pd.DataFrame") -> "pd.DataFrame":
        """`rows` as a frame with the contract's columns and types, in its order.

        Columns that `rows` lack are null, missing texts are None; columns that the contract lacks are left out.
        """
        import pandas as pd

        frame = pd.DataFrame(rows, columns=list(self.columns)).astype({name: self.dtype(name) for name in self.columns})
        for name, column in self.schema.columns.items():
            if str(column.dtype) == "str":
                frame[name] = frame[name].where(frame[name].notna(), None)
        return frame

    def dtype(self, column: str) -> str:
        """Type of a column in a frame, as pandas names it; text is ``"object"``."""
        name = str(self.schema.columns[column].dtype)
        return "object" if name == "str" else name

    def violations(self, frame: "pd.DataFrame") -> list[str]:
        """Every way in which `frame` breaks the contract, in words; empty when it holds. The index takes no part."""
        if frame.empty and frame.dtypes.equals(self.empty().dtypes):
            # Nothing to judge but names and types; the schema takes 15 ms to say so, and most side tables are empty.
            return []
        from pandera.errors import SchemaErrors

        try:
            self.schema.validate(frame.reset_index(drop=True), lazy=True)
        except SchemaErrors as error:
            cases = error.failure_cases.astype(object)
        else:
            return []
        # A check of whole rows is reported once per cell of the row: name the rows, not the cells.
        of_rows = (cases["schema_context"] == "DataFrameSchema") & cases["index"].notna()
        cases["column"] = cases["column"].where(~of_rows, None)
        cases = cases[~of_rows | ~cases.duplicated(["check", "index"])]
        return [
            _in_words(column, check, group)
            for (column, check), group in cases.groupby(["column", "check"], sort=False, dropna=False)
        ]

    def require(self, frame: "pd.DataFrame") -> "pd.DataFrame":
        """Return `frame`, or raise `ContractViolation` that lists the first violations."""
        violations = self.violations(frame)
        if violations:
            more = f" and {len(violations) - _SHOWN} more" if len(violations) > _SHOWN else ""
            raise ContractViolation(f"{self.table} v{self.version}: {'; '.join(violations[:_SHOWN])}{more}")
        return frame


def reason_where_not_ok(frame: "pd.DataFrame") -> "pd.Series":
    """Whether each row has a reason exactly where its status is not "ok"."""
    return frame["reason"].isna() == (frame["status"] == "ok")


def _in_words(column: str | None, check: str, cases: "pd.DataFrame") -> str:
    import pandas as pd

    first = cases.sort_values("index", kind="stable").iloc[0]
    row, value = first["index"], first["failure_case"]
    if check in _OF_COLUMNS:
        return f"column {value} {_OF_COLUMNS[check]}"
    rule = rule_in_words(check)
    if pd.isna(row):
        return f"{rule} (found {value})" if pd.isna(column) else f"{column} {rule} (found {value})"
    rows = "1 row" if len(cases) == 1 else f"{len(cases)} rows"
    if pd.isna(column):
        return f"{rule}: fails on {rows}, first on row {row}"
    return f"{column} {rule}: fails on {rows}, first on row {row} with {value!r}"


def rule_in_words(check: str) -> str:
    """What a check asks for: in our words where pandera has named it, else as its contract says it."""
    for pattern, words in _RULES:
        found = re.fullmatch(pattern, check)
        if found:
            return found.expand(words)
    return check
