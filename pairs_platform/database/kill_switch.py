"""The kill switch: set by a person or by risk, in force until a person releases it, also over restarts.

What does not belong here: what each level lets pass (`core.risk.trading_state`), and who carries it out.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

import sqlalchemy as sa

from pairs_platform.core.risk.trading_state import Actor, KillLevel, KillSwitch
from pairs_platform.core.time import market_day, moment_ns
from pairs_platform.database.audit import AuditEntry, record
from pairs_platform.database.rows import storable
from pairs_platform.database.store import Database
from pairs_platform.database.tables import KILL_SWITCH

LEVELS = tuple(KillLevel)
"""From the mildest to the strictest."""

_FIELDS = ("id", "run_mode", "level", "reason", "actor", "person", "set_utc", "flat_utc")


@dataclass(frozen=True)
class Engagement:
    """The kill switch as it was set once, and nobody has released it.

    Attributes
    ----------
    id : str
    run_mode : str
    level : KillLevel
    reason : str
    actor : str
        A person as user@host, or the part of the platform that set it.
    person : bool
        Whether a person set it, and not a limit.
    set_utc : datetime
    flat_utc : datetime or None
        When the account was seen to be flat.
    """

    id: str
    run_mode: str
    level: KillLevel
    reason: str
    actor: str
    person: bool
    set_utc: datetime
    flat_utc: datetime | None


def set_kill_switch(
    database: Database,
    run_modes: Sequence[str],
    level: KillLevel,
    *,
    reason: str,
    actor: str,
    now: datetime,
    person: bool = True,
) -> None:
    """Set the kill switch of some run modes; it is in force when this returns, and the audit log says by whom.

    Parameters
    ----------
    person : bool
        Whether `actor` is a person, and not a limit.
    """
    rows = [
        {
            "id": uuid4().hex,
            "run_mode": run_mode,
            "session": market_day(moment_ns(now)),
            "level": level.value,
            "reason": storable(reason),
            "actor": actor,
            "person": person,
            "set_utc": now,
        }
        for run_mode in run_modes
    ]
    with database.begin_alone() as connection:
        connection.execute(sa.insert(KILL_SWITCH), rows)
        for row in rows:
            record(
                connection,
                AuditEntry(
                    actor=actor,
                    action="kill_switch_set",
                    object=f"{level.value} of the run mode {row['run_mode']}",
                    reason=storable(reason),
                    detail={"id": row["id"]},
                    at_utc=now,
                ),
            )


def in_force(database: Database, run_modes: Collection[str]) -> list[Engagement]:
    """The kill switches of some run modes that nobody has released, oldest first."""
    with database.begin() as connection:
        return _in_force(connection, run_modes)


def kill_switch(database: Database, run_mode: str) -> KillSwitch:
    """The kill switch of a run mode: the strictest in force, the first one of these. Read it before each order."""
    strictest = max(in_force(database, (run_mode,)), key=lambda each: LEVELS.index(each.level), default=None)
    if strictest is None:
        return KillSwitch()
    return KillSwitch(
        level=strictest.level,
        reason=strictest.reason,
        actor=Actor(name=strictest.actor, person=strictest.person),
        changed_utc=strictest.set_utc,
        flat_utc=strictest.flat_utc,
    )


def last_release(database: Database, run_mode: str) -> datetime | None:
    """When a person last released the kill switch of a run mode, by the clock of a machine; None if nobody ever did."""
    with database.begin() as connection:
        statement = sa.select(sa.func.max(KILL_SWITCH.c.released_utc)).where(KILL_SWITCH.c.run_mode == run_mode)
        released: datetime | None = connection.scalar(statement)
    return released


def note_flat(database: Database, run_mode: str, now: datetime) -> None:
    """Note in every kill switch of a run mode that is in force that the account was seen to be flat, the first time."""
    mine = (
        (KILL_SWITCH.c.run_mode == run_mode) & KILL_SWITCH.c.released_utc.is_(None) & KILL_SWITCH.c.flat_utc.is_(None)
    )
    with database.begin() as connection:
        connection.execute(sa.update(KILL_SWITCH).where(mine).values(flat_utc=now))


def release_kill_switch(
    database: Database, run_modes: Collection[str], *, reason: str, actor: str, now: datetime
) -> list[Engagement]:
    """Release every kill switch of some run modes that is in force; those that were, and the audit log says by whom."""
    with database.begin_alone() as connection:
        released = _in_force(connection, run_modes, lock=True)
        for switch in released:
            values = {"released_utc": now, "released_by": actor, "release_reason": storable(reason)}
            connection.execute(sa.update(KILL_SWITCH).where(KILL_SWITCH.c.id == switch.id).values(values))
            record(
                connection,
                AuditEntry(
                    actor=actor,
                    action="kill_switch_released",
                    object=f"{switch.level.value} of the run mode {switch.run_mode}",
                    reason=storable(reason),
                    detail={"id": switch.id, "set_by": switch.actor, "set_for": switch.reason},
                    at_utc=now,
                ),
            )
    return released


def _in_force(connection: sa.Connection, run_modes: Collection[str], *, lock: bool = False) -> list[Engagement]:
    statement = (
        sa.select(*(KILL_SWITCH.c[name] for name in _FIELDS))
        .where(KILL_SWITCH.c.run_mode.in_(run_modes) & KILL_SWITCH.c.released_utc.is_(None))
        .order_by(KILL_SWITCH.c.set_utc, KILL_SWITCH.c.run_mode, KILL_SWITCH.c.id)
    )
    rows = connection.execute(statement.with_for_update() if lock else statement).mappings()
    return [Engagement(**{**row, "level": KillLevel(row["level"])}) for row in rows]
