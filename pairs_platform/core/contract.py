"""Contracts of the lake's tables: what a partition must satisfy before it may be published.

Each stage keeps its own contracts in `core/<stage>/contracts.py`. What does not belong here: storing (`lake`).
"""

from dataclasses import dataclass

import pandas as pd
import pandera.pandas as pa


class ContractViolation(ValueError):
    """A frame that does not satisfy its table's contract; nothing of it is stored."""


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
        Column types, nullability, value checks, uniqueness; strict about unknown columns.
    """

    table: str
    version: int
    schema: pa.DataFrameSchema

    def violations(self, frame: pd.DataFrame) -> list[str]:
        """Every way in which `frame` breaks the contract, in words; empty when it holds."""
        try:
            self.schema.validate(frame, lazy=True)
        except pa.errors.SchemaErrors as error:
            cases = error.failure_cases.astype(object)
            return [f"{row.column or self.table}: {row.check} (value {row.failure_case!r}, row {row.index})"
                    for row in cases.rename(columns={"index": "index_"}).rename(columns={"index_": "index"}).itertuples(index=False)]
        return []

    def require(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return `frame`, or raise `ContractViolation` that lists the first violations."""
        found = self.violations(frame)
        if found:
            more = f" and {len(found) - 5} more" if len(found) > 5 else ""
            raise ContractViolation(f"{self.table} v{self.version}: {'; '.join(found[:5])}{more}")
        return frame
