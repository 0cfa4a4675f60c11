"""What replays stored, all of which goes before sessions are replayed again.

What does not belong here: the bars of replays (`adapters.redis`). The kill switch stays: a person sets and releases it.
"""

import sqlalchemy as sa

from pairs_platform.database.audit import AuditEntry, person, record
from pairs_platform.database.store import Database
from pairs_platform.database.tables import (
    BOOKINGS,
    EQUITY,
    PAPER_ACCOUNTS,
    PAPER_BOOKINGS,
    PAPER_FILLS,
    PAPER_ORDERS,
    POSITIONS,
    RISK_EVENTS,
    SIGNALS,
    SPREAD_ORDERS,
)

_OF_A_RUN_MODE = (SIGNALS, SPREAD_ORDERS, BOOKINGS, POSITIONS, EQUITY, RISK_EVENTS, PAPER_ACCOUNTS)
"""With signals go their outcomes, with trades their orders and fills."""


def forget_replay(database: Database) -> int:
    """Delete every row of the run mode `replay`, so that sessions can be replayed again; how many there were."""
    with database.begin() as connection:
        accounts = sa.select(PAPER_ACCOUNTS.c.account).where(PAPER_ACCOUNTS.c.run_mode == "replay")
        for table in (PAPER_ORDERS, PAPER_FILLS, PAPER_BOOKINGS):
            connection.execute(sa.delete(table).where(table.c.account.in_(accounts)))
        deleted = {
            table.name: connection.execute(sa.delete(table).where(table.c.run_mode == "replay")).rowcount
            for table in _OF_A_RUN_MODE
        }
        deleted = {name: n_rows for name, n_rows in deleted.items() if n_rows}
        if deleted:
            record(
                connection,
                AuditEntry(
                    actor=person(),
                    action="data_deleted",
                    object="signals and trades of the run mode replay",
                    reason="a replay starts from the beginning",
                    detail=deleted,
                ),
            )
    return sum(deleted.values())
