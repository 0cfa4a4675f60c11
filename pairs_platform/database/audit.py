"""The audit log: who or what changed something, when and why.

What does not belong here: what became of champion and challenger in detail (`models.Decision`), and the tables.
"""

import hashlib
import json
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from getpass import getuser
from typing import Any, Literal

import sqlalchemy as sa

from pairs_platform.core.masking import masked
from pairs_platform.core.time import utc_now
from pairs_platform.database.store import Database
from pairs_platform.database.tables import AUDIT_LOG

AuditAction = Literal[
    "configuration_changed", "model_alias_changed", "run_retried", "data_deleted", "state_restored", "alert_closed",
    "symbols_switched", "history_adopted", "kill_switch_set", "kill_switch_released",
    "trade_released",
]  # fmt: skip

CONFIGURATION_LOCK = 7_240_312
"""Key of PostgreSQL's advisory lock while the configuration in force is compared with the one recorded last."""


def person() -> str:
    """Who sits at this console: user@host."""
    return f"{getuser()}@{socket.gethostname()}"


@dataclass(frozen=True, kw_only=True)
class AuditEntry:
    """One row of `audit_log`.

    Attributes
    ----------
    actor : str
        `person()`, or the part of the platform that acted.
    action : AuditAction
    object : str
        What was changed.
    reason : str
    detail : mapping
        JSON; values before and after as lists of two.
    sector : str or None
    session : date or None
    run_id : str or None
        Dagster's.
    at_utc : datetime
    process : str
        host/pid.
    """

    actor: str
    action: AuditAction
    object: str
    reason: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)
    sector: str | None = None
    session: date | None = None
    run_id: str | None = None
    at_utc: datetime = field(default_factory=utc_now)
    process: str = field(default_factory=lambda: f"{socket.gethostname()}/{os.getpid()}")


def record(connection: sa.Connection, entry: AuditEntry) -> None:
    """Add a row inside the transaction of what it tells about, so that neither is stored without the other."""
    detail = masked(json.dumps(dict(entry.detail), sort_keys=True, default=str))
    connection.execute(sa.insert(AUDIT_LOG), {**vars(entry), "reason": masked(entry.reason), "detail": detail})


def record_once(database: Database, entry: AuditEntry) -> None:
    """Add a row about a run, unless one of the same action is there."""
    same = sa.select(AUDIT_LOG.c.id).where((AUDIT_LOG.c.action == entry.action) & (AUDIT_LOG.c.run_id == entry.run_id))
    with database.begin() as connection:
        if connection.execute(same.limit(1)).first() is None:
            record(connection, entry)


def record_configuration(database: Database, values: Mapping[str, Any], *, actor: str) -> bool:
    """Record the configuration in force where it is not the one recorded last.

    Parameters
    ----------
    values : mapping
        Every setting by its dotted path, without secrets.
    actor : str

    Returns
    -------
    Whether a row was added; its detail has the values, and of changed ones those before and after.
    """
    text = json.dumps(dict(values), sort_keys=True, default=str)
    after, digest = json.loads(text), hashlib.sha256(text.encode()).hexdigest()[:16]
    statement = (
        sa.select(AUDIT_LOG).where(AUDIT_LOG.c.action == "configuration_changed").order_by(AUDIT_LOG.c.id.desc())
    )
    with database.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": CONFIGURATION_LOCK})
        else:
            connection.execute(sa.text("BEGIN IMMEDIATE"))
        last = connection.execute(statement.limit(1)).mappings().first()
        if last is not None and last["object"] == f"settings {digest}":
            return False
        before = json.loads(last["detail"])["values"] if last is not None else {}
        names = sorted({*before, *after}) if last is not None else []
        changed = {name: [before.get(name), after.get(name)] for name in names if before.get(name) != after.get(name)}
        reason = f"changed: {', '.join(changed)}" if changed else "first use"
        record(
            connection,
            AuditEntry(
                actor=actor,
                action="configuration_changed",
                object=f"settings {digest}",
                reason=reason,
                detail={"changed": changed, "values": after},
            ),
        )
    return True


def entries(
    database: Database, *, actions: Sequence[str] = (), since: datetime | None = None, limit: int | None = None
) -> list[AuditEntry]:
    """Rows of the audit, newest first."""
    statement = sa.select(AUDIT_LOG).order_by(AUDIT_LOG.c.id.desc())
    if actions:
        statement = statement.where(AUDIT_LOG.c.action.in_(actions))
    if since is not None:
        statement = statement.where(AUDIT_LOG.c.at_utc >= since)
    with database.begin() as connection:
        rows = connection.execute(statement.limit(limit)).mappings().all()
    return [
        AuditEntry(**{**{name: row[name] for name in row if name != "id"}, "detail": json.loads(row["detail"])})
        for row in rows
    ]
