"""What a partition is called: a session of a sector, as Dagster and the terminal write it.

What does not belong here: where a partition is stored (`lake.store`) and Dagster's definitions (`defs.partitions`).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from pairs_platform.core.prices.calendar import require_session

SLUG = re.compile(r"[a-z][a-z0-9_]*")
"""How sectors and tables are named."""


@dataclass(frozen=True, order=True)
class PartitionKey:
    """One session of one sector; prints as Dagster's multi-partition key, ``2024-01-03|technology``.

    Raises
    ------
    NotFound
        `session` is not a session of the exchange.
    ValueError
        `sector` is not a slug (lower-case letters, digits, underscores).
    """

    session: date
    sector: str

    def __post_init__(self) -> None:
        if isinstance(self.session, datetime):
            raise ValueError(f"the session of a partition is a date, not the moment {self.session}")
        require_session(self.session)
        if not SLUG.fullmatch(self.sector):
            raise ValueError(f"{self.sector!r} is not a sector slug: lower-case letters, digits and underscores")

    def __str__(self) -> str:
        return f"{self.session}|{self.sector}"


def keys_of(sessions: Iterable[date], sector: str) -> list[PartitionKey]:
    """The keys of a sector's `sessions`, in order."""
    return [PartitionKey(session, sector) for session in sessions]


def key_of(name: str) -> PartitionKey:
    """The key that prints as `name`.

    Raises
    ------
    ValueError, NotFound
        It is none.
    """
    session, sector = name.split("|")
    return PartitionKey(date.fromisoformat(session), sector)
