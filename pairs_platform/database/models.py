"""Statements about models: trainings with their performance, and decisions about champion and challenger.

What does not belong here: the tables (`tables`), and questions that people ask (`queries`).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from pairs_platform.core.errors import NoSuchModel
from pairs_platform.database.audit import AuditEntry, record
from pairs_platform.database.rows import read_frame, read_rows, replace_rows, row_of
from pairs_platform.database.store import Database
from pairs_platform.database.tables import (
    MODEL_DECISIONS,
    MODEL_PERFORMANCE,
    MODEL_RANKINGS,
    MODEL_TRAINING,
    MODEL_TRENDS,
)

if TYPE_CHECKING:
    import pandas as pd

BY_HAND = "manual_"
"""Beginning of the actions of people."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """One row of `model_decisions`.

    Attributes
    ----------
    sector : str
    session : date
        Newest session that the decision knows.
    action, reason, actor : str
    alias : str or None
        "champion" or "challenger" where the decision changed decision.
    version_before, version_after : int or None
        What the alias named before and after.
    figures : mapping
        What the reason rests on; JSON.
    decided_utc : datetime
    """

    sector: str
    session: date
    action: str
    reason: str
    actor: str
    alias: str | None = None
    version_before: int | None = None
    version_after: int | None = None
    figures: Mapping[str, Any]
    decided_utc: datetime


@dataclass(frozen=True, kw_only=True)
class TrainedVersion:
    """A version of a sector's model: the training that registered it, and what it is called now.

    Attributes
    ----------
    version : int
    aliases : tuple of str
        By the newest decisions, which signals follow.
    training : mapping
        Its row of `model_training`.
    """

    version: int
    aliases: tuple[str, ...]
    training: Mapping[str, Any]


def record_training(database: Database, training: Mapping[str, Any], performance: "pd.DataFrame") -> None:
    """Store one training with its pairs, and bring rankings and trends up to date, in one transaction.

    Storing the same training again changes nothing. Of several trainings of a session the newest counts; a session
    that is trained after later ones moves their trends too.

    Parameters
    ----------
    training : mapping
        Columns of `model_training`.
    performance : DataFrame
        Columns of `model_performance` without run_id, sector and session; columns of others are left out.
    """
    from pairs_platform.core.models.trends import model_trends, rank_models

    sector, session = training["sector"], training["session"]
    key = {"run_id": training["run_id"], "sector": sector, "session": session}
    with database.begin() as connection:
        connection.execute(sa.delete(MODEL_TRAINING).where(MODEL_TRAINING.c.run_id == training["run_id"]))
        connection.execute(sa.insert(MODEL_TRAINING), [row_of(MODEL_TRAINING, training)])
        rows = [
            row_of(MODEL_PERFORMANCE, {**{str(k): v for k, v in row.items()}, **key})
            for row in performance.to_dict("records")
        ]
        if rows:
            connection.execute(sa.insert(MODEL_PERFORMANCE), rows)
        history = _judged(connection, sector)
        today = history[history["session"] == session]
        newest = str(today["run_id"].iloc[0]) if len(today) else training["run_id"]
        replace_rows(
            connection,
            MODEL_RANKINGS,
            (MODEL_RANKINGS.c.sector == sector) & (MODEL_RANKINGS.c.session == session),
            rank_models(today.assign(status="ok")).to_dict("records"),
            {"sector": sector, "session": session, "run_id": newest},
        )
        later = sorted(day for day in set(history["session"]) if day >= session)
        replace_rows(
            connection,
            MODEL_TRENDS,
            (MODEL_TRENDS.c.sector == sector) & (MODEL_TRENDS.c.session >= session),
            model_trends(history, later).to_dict("records"),
            {"sector": sector},
        )


def add_decisions(connection: sa.Connection, decisions: Sequence[Decision]) -> None:
    """Add rows to the audit of champion and challenger in the caller's transaction, which may still fail."""
    rows = [{**vars(decision), "figures": json.dumps(dict(decision.figures), sort_keys=True)} for decision in decisions]
    if rows:
        connection.execute(sa.insert(MODEL_DECISIONS), rows)
    for decision in decisions:
        if decision.alias is not None:
            record(
                connection,
                AuditEntry(
                    actor=decision.actor,
                    action="model_alias_changed",
                    object=f"{decision.alias} of {decision.sector}",
                    sector=decision.sector,
                    session=decision.session,
                    reason=f"{decision.action}: {decision.reason}",
                    detail={"version": [decision.version_before, decision.version_after]},
                    at_utc=decision.decided_utc,
                ),
            )


def read_decisions(database: Database, sector: str) -> list[Decision]:
    """Every decision about a sector, oldest first."""
    statement = sa.select(MODEL_DECISIONS).where(MODEL_DECISIONS.c.sector == sector).order_by(MODEL_DECISIONS.c.id)
    with database.begin() as connection:
        rows = connection.execute(statement).mappings().all()
    return [
        Decision(**{**{name: row[name] for name in row if name != "id"}, "figures": json.loads(row["figures"])})
        for row in rows
    ]


def alias_as_of(database: Database, sector: str, alias: str, session: date) -> Decision | None:
    """The last decision that changed `alias` and knew no session after `session`; None where there is ndecision.

    Its `version_after` is what the alias named then, None where it was removed.
    """
    made = [row for row in read_decisions(database, sector) if row.alias == alias and row.session <= session]
    return made[-1] if made else None


def alias_now(database: Database, sector: str, alias: str, session: date) -> Decision | None:
    """As `alias_as_of`, and decisions made by hand count at once, whatever session they were made in."""
    made = [
        row
        for row in read_decisions(database, sector)
        if row.alias == alias and (row.session <= session or row.action.startswith(BY_HAND))
    ]
    return made[-1] if made else None


def training_of_version(database: Database, sector: str, version: int) -> tuple[str, date] | None:
    """The run that trained a version and the last session of its window; None for an unknown version."""
    table = MODEL_TRAINING
    statement = (
        sa.select(table.c.run_id, table.c.session)
        .where((table.c.sector == sector) & (table.c.model_version == version))
        .order_by(table.c.session.desc(), table.c.trained_utc.desc())
        .limit(1)
    )
    with database.begin() as connection:
        row = connection.execute(statement).first()
    return None if row is None else (row.run_id, row.session)


def trained_versions(database: Database, sector: str) -> list[TrainedVersion]:
    """Every version of a sector's model, oldest first."""
    table = MODEL_TRAINING
    statement = (
        sa.select(table)
        .where((table.c.sector == sector) & table.c.model_version.is_not(None))
        .order_by(table.c.model_version, table.c.trained_utc)
    )
    with database.begin() as connection:
        rows = {row["model_version"]: row for row in connection.execute(statement).mappings()}
    named = {row.alias: row.version_after for row in read_decisions(database, sector) if row.alias is not None}
    return [
        TrainedVersion(
            version=number,
            aliases=tuple(sorted(alias for alias, after in named.items() if after == number)),
            training=dict(row),
        )
        for number, row in rows.items()
    ]


def trained_version(database: Database, sector: str, number: int) -> TrainedVersion:
    """One version of a sector's model.

    Raises
    ------
    NoSuchModel
        Names the versions that there are.
    """
    versions = {version.version: version for version in trained_versions(database, sector)}
    if number in versions:
        return versions[number]
    there = ", ".join(map(str, versions)) or "none"
    raise NoSuchModel(f"the model of {sector} has no version {number}; it has {there}")


def models_of_run(database: Database, run_id: str) -> list[dict[str, Any]]:
    """The rows of `model_performance` of the pairs that a training modelled, by pair."""
    table = MODEL_PERFORMANCE
    statement = sa.select(table).where((table.c.run_id == run_id) & (table.c.status == "ok")).order_by(table.c.pair)
    return read_rows(database, statement)


def read_trainings(database: Database, sector: str) -> "pd.DataFrame":
    """Every training of a sector by session and time, columns of `model_training`."""
    table = MODEL_TRAINING
    statement = sa.select(table).where(table.c.sector == sector).order_by(table.c.session, table.c.trained_utc)
    with database.begin() as connection:
        return read_frame(connection, statement)


def read_performance(database: Database, sector: str) -> "pd.DataFrame":
    """Every row of `model_performance` of a sector, by session and pair."""
    table = MODEL_PERFORMANCE
    statement = sa.select(table).where(table.c.sector == sector).order_by(table.c.session, table.c.pair)
    with database.begin() as connection:
        return read_frame(connection, statement)


def pairs_of_run(database: Database, run_id: str) -> tuple[str, ...]:
    """Pairs that a training modelled."""
    table = MODEL_PERFORMANCE
    statement = sa.select(table.c.pair).where((table.c.run_id == run_id) & (table.c.status == "ok"))
    with database.begin() as connection:
        return tuple(sorted(connection.scalars(statement)))


def _judged(connection: sa.Connection, sector: str) -> "pd.DataFrame":
    """Judged pairs of the newest training of every session: session, pair, lift, f1, skill, run_id."""
    newest = (
        sa.select(
            MODEL_TRAINING.c.run_id,
            sa.func.row_number()
            .over(
                partition_by=MODEL_TRAINING.c.session,
                order_by=(MODEL_TRAINING.c.trained_utc.desc(), MODEL_TRAINING.c.run_id.desc()),
            )
            .label("age"),
        )
        .where(MODEL_TRAINING.c.sector == sector)
        .subquery()
    )
    table = MODEL_PERFORMANCE
    statement = (
        sa.select(table.c.session, table.c.pair, table.c.lift, table.c.f1, table.c.skill, table.c.run_id)
        .join(newest, newest.c.run_id == table.c.run_id)
        .where((newest.c.age == 1) & (table.c.status == "ok") & table.c.lift.is_not(None))
        .order_by(table.c.session, table.c.pair)
    )
    return read_frame(connection, statement)
