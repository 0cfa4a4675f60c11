"""What risk refused, limited or noticed: rows are added, and kept.

What does not belong here: which checks and limits there are (`core.risk`), and alerts (`alerts`).
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal

import sqlalchemy as sa

from pairs_platform.database.equity import AccountKey
from pairs_platform.database.orders import StoredAt
from pairs_platform.database.rows import storable
from pairs_platform.database.store import Database
from pairs_platform.database.tables import RISK_EVENTS

Severity = Literal["info", "warning", "error"]


@dataclass(frozen=True, kw_only=True)
class RiskEvent:
    """One thing that risk has to say.

    Attributes
    ----------
    kind : str
        What happened: "denial", "limit", "state", "anomaly", "reject" and others.
    code : str
        Which check or limit.
    severity : str
        "info", "warning" or "error".
    message : str
        What happened, in a sentence.
    sector, pair, symbol, spread_order_id, client_order_id : str or None
        What it concerns.
    value, bound : float or None
        What was judged, and by which bound.
    detail : mapping
        JSON; further figures.
    """

    kind: str
    code: str
    severity: Severity
    message: str
    sector: str | None = None
    pair: str | None = None
    symbol: str | None = None
    spread_order_id: str | None = None
    client_order_id: str | None = None
    value: float | None = None
    bound: float | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


def store_events(database: Database, key: AccountKey, events: Sequence[RiskEvent], at: StoredAt) -> None:
    """Add events, in the order in which they happened."""
    rows = [
        {
            **vars(event),
            **vars(key),
            "message": storable(event.message),
            "detail": json.dumps(dict(event.detail), sort_keys=True, default=str),
            "at_utc": at.utc,
            "market_utc": at.market_utc,
            "session": at.session,
        }
        for event in events
    ]
    if rows:
        with database.begin() as connection:
            connection.execute(sa.insert(RISK_EVENTS), rows)


def state_changes(database: Database, run_mode: str, since: datetime, after: int) -> list[tuple[int, str, datetime]]:
    """Changes of the trading state from a moment of this machine on, after an event, oldest first.

    Returns
    -------
    list of (number, message, moment)
        `moment` by the market's clock.
    """
    table = RISK_EVENTS.c
    statement = (
        sa.select(table.id, table.message, table.market_utc)
        .where((table.run_mode == run_mode) & (table.kind == "state") & (table.at_utc >= since) & (table.id > after))
        .order_by(table.id)
    )
    with database.begin() as connection:
        return [(row.id, row.message, row.market_utc) for row in connection.execute(statement)]


def event_rows(
    database: Database,
    run_modes: Collection[str],
    *,
    kinds: Collection[str] = (),
    session: date | None = None,
    limit: int | None = None,
) -> list[dict[str, Any]]:
    """Events of some run modes, of one session if given, newest first: columns of the table, `detail` as a dict."""
    statement = sa.select(RISK_EVENTS).where(RISK_EVENTS.c.run_mode.in_(run_modes)).order_by(RISK_EVENTS.c.id.desc())
    if kinds:
        statement = statement.where(RISK_EVENTS.c.kind.in_(kinds))
    if session is not None:
        statement = statement.where(RISK_EVENTS.c.session == session)
    with database.begin() as connection:
        rows = connection.execute(statement.limit(limit)).mappings().all()
    return [{**row, "detail": json.loads(row["detail"])} for row in rows]
