"""The database: one database, SQLite or PostgreSQL, that keeps what models did and what was decided about them.

What does not belong here: the tables (`tables`), questions that people ask (`queries`), and MLflow's own database.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy import exc

from pairs_platform.database.audit import AuditEntry, record
from pairs_platform.database.errors import DatabaseMismatch, DatabaseUnavailable
from pairs_platform.database.tables import (
    APPEND_ONLY,
    DATABASE_PROFILE,
    MODEL_DECISIONS,
    MODEL_PERFORMANCE,
    MODEL_RANKINGS,
    MODEL_TRAINING,
    MODEL_TRENDS,
    SCHEMA,
)

if TYPE_CHECKING:
    import pandas as pd

MIGRATION_LOCK = 7_240_311
"""Key of PostgreSQL's advisory lock while the schema is made."""

TIMEOUT_SECONDS = 30
INSUFFICIENT_PRIVILEGE = "42501"

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
        "champion" or "challenger" where the decision changed one.
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


class Database:
    """The database of one profile; connects, migrates and claims the database with its first use.

    Parameters
    ----------
    url : str
        ``sqlite:///…`` or ``postgresql+psycopg2://…``.
    profile : str
        Whose figures these are; another profile's database is refused.
    owner_url : str, optional
        The same database for its owner, who makes and changes tables and gives the user of `url` the rights to work
        with them. Without it the user of `url` does both.
    """

    def __init__(self, url: str, profile: str, *, owner_url: str | None = None) -> None:
        self._url = _checked_url("database_url", url)
        self._owner_url = None if owner_url is None else _checked_url("database_owner_url", owner_url)
        self.profile = profile

    def __repr__(self) -> str:
        return f"Database({self._shown}, {self.profile})"

    @property
    def _shown(self) -> str:
        """The URL without the password, and without the query, where there may be others."""
        return self._url.set(query={}).render_as_string()

    @property
    def exists(self) -> bool:
        """Whether there is something to read without making it: a SQLite file, or any server."""
        return self._url.drivername != "sqlite" or Path(str(self._url.database)).is_file()

    @contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        """A connection inside one transaction: all of it is stored, or nothing.

        Raises
        ------
        DatabaseUnavailable
            The database cannot be reached.
        DatabaseMismatch
            It belongs to another profile or a newer platform.
        """
        with self._reachable(), self._ready.begin() as connection:
            yield connection

    @contextmanager
    def _reachable(self) -> Iterator[None]:
        try:
            yield
        except (exc.OperationalError, exc.InterfaceError, exc.TimeoutError) as error:
            raise DatabaseUnavailable(
                f"the database {self._shown} does not answer: {getattr(error, 'orig', None) or error}"
            ) from error

    @contextmanager
    def _permitted(self) -> Iterator[None]:
        try:
            yield
        except exc.ProgrammingError as error:
            if getattr(error.orig, "pgcode", None) != INSUFFICIENT_PRIVILEGE:
                raise
            raise DatabaseMismatch(
                f"the database {self._shown} does not have the tables of this "
                "version, and its user may not make them: run `pairs-platform migrate` with the owner's URL in "
                "PAIRS_PLATFORM__DATABASE_OWNER_URL"
            ) from error

    @cached_property
    def _engine(self) -> sa.Engine:
        if self._url.drivername != "sqlite":
            return _postgres(self._url)
        Path(str(self._url.database)).parent.mkdir(parents=True, exist_ok=True)
        engine = sa.create_engine(self._url, connect_args={"timeout": TIMEOUT_SECONDS})
        sa.event.listen(engine, "connect", _prepare_sqlite)
        return engine

    @cached_property
    def _ready(self) -> sa.Engine:
        self.upgrade()
        with self._engine.begin() as connection:
            found = connection.scalar(sa.select(DATABASE_PROFILE.c.profile))
            if found is None:
                connection.execute(sa.insert(DATABASE_PROFILE).values(profile=self.profile))
            elif found != self.profile:
                raise DatabaseMismatch(
                    f"the database {self._shown} belongs to profile {found}, the "
                    f"settings ask for {self.profile}: give each profile a database of its own"
                )
        return self._engine

    def upgrade(self) -> bool:
        """Bring the schema to this version; safe while others do the same.

        Returns
        -------
        Whether it was an older one.

        Raises
        ------
        DatabaseMismatch
            The schema is newer than this version of the platform.
        """
        with self._reachable(), self._permitted(), self._engine.begin() as connection:
            if _is_newest(connection):
                return False
        from alembic import command
        from alembic.script import ScriptDirectory

        with self._reachable(), self._permitted(), self._migrating() as config:
            known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
            current = self._revision(config.attributes["connection"])
            if current is not None and current not in known:
                raise DatabaseMismatch(
                    f"the database {self._shown} has schema {current}, which this "
                    f"version of the platform does not know (newest {max(known)}): install the newer version again"
                )
            command.upgrade(config, "head")
            self._give_rights(config.attributes["connection"])
        return True

    def give_rights(self) -> None:
        """Let the user of `url` work with the tables, where they belong to another one."""
        if self._owner_url is not None:
            with self._reachable(), _postgres(self._owner_url).begin() as connection:
                self._give_rights(connection)

    def _give_rights(self, connection: sa.Connection) -> None:
        """Rights to read, add, change and remove rows, and no more; of tables that only grow to read and add."""
        if self._owner_url is None or self._owner_url.username == self._url.username:
            return
        quote = connection.dialect.identifier_preparer.quote
        name = quote(str(self._url.username))
        statements = [
            f"GRANT USAGE ON SCHEMA public TO {name}",
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {name}",
            f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {name}",
            f"REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM {name}",
            *(f"REVOKE UPDATE, DELETE ON {quote(table)} FROM {name}" for table in APPEND_ONLY),
        ]
        for statement in statements:
            connection.execute(sa.text(statement))

    def downgrade(self, revision: str = "base") -> None:
        """Take the schema back to an earlier version; what only newer versions keep is lost."""
        from alembic import command

        with self._reachable(), self._migrating() as config:
            command.downgrade(config, revision)

    def revision(self) -> str | None:
        """Version of the schema; None in an empty database."""
        with self._reachable(), self._engine.begin() as connection:
            return self._revision(connection)

    @staticmethod
    def _revision(connection: sa.Connection) -> str | None:
        from alembic.migration import MigrationContext

        return MigrationContext.configure(connection).get_current_revision()

    @contextmanager
    def _migrating(self) -> Iterator[Any]:
        """Alembic's configuration over a connection that nobody else migrates on."""
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(files("pairs_platform.database") / "migrations"))
        if self._url.drivername == "sqlite":
            from filelock import FileLock

            with FileLock(f"{self._url.database}.lock", timeout=TIMEOUT_SECONDS), self._engine.begin() as connection:
                connection.execute(sa.text("BEGIN IMMEDIATE"))  # by itself the driver commits each change of a table
                config.attributes["connection"] = connection
                yield config
            return
        owner = self._engine if self._owner_url is None else _postgres(self._owner_url)
        with owner.begin() as connection:
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
            config.attributes["connection"] = connection
            yield config

    def record_training(self, training: Mapping[str, Any], performance: "pd.DataFrame") -> None:
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
        with self.begin() as connection:
            connection.execute(sa.delete(MODEL_TRAINING).where(MODEL_TRAINING.c.run_id == training["run_id"]))
            connection.execute(sa.insert(MODEL_TRAINING), [_row(MODEL_TRAINING, training)])
            rows = [
                _row(MODEL_PERFORMANCE, {**{str(k): v for k, v in row.items()}, **key})
                for row in performance.to_dict("records")
            ]
            if rows:
                connection.execute(sa.insert(MODEL_PERFORMANCE), rows)
            history = self._judged(connection, sector)
            today = history[history["session"] == session]
            newest = str(today["run_id"].iloc[0]) if len(today) else training["run_id"]
            _replace(
                connection,
                MODEL_RANKINGS,
                (MODEL_RANKINGS.c.sector == sector) & (MODEL_RANKINGS.c.session == session),
                rank_models(today.assign(status="ok")).to_dict("records"),
                {"sector": sector, "session": session, "run_id": newest},
            )
            later = sorted(day for day in set(history["session"]) if day >= session)
            _replace(
                connection,
                MODEL_TRENDS,
                (MODEL_TRENDS.c.sector == sector) & (MODEL_TRENDS.c.session >= session),
                model_trends(history, later).to_dict("records"),
                {"sector": sector},
            )

    @staticmethod
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
        chosen = (
            sa.select(table.c.session, table.c.pair, table.c.lift, table.c.f1, table.c.skill, table.c.run_id)
            .join(newest, newest.c.run_id == table.c.run_id)
            .where((newest.c.age == 1) & (table.c.status == "ok") & table.c.lift.is_not(None))
            .order_by(table.c.session, table.c.pair)
        )
        return _frame(connection, chosen)

    @staticmethod
    def add_decisions(connection: sa.Connection, decisions: Sequence[Decision]) -> None:
        """Add rows to the audit of champion and challenger in the caller's transaction, which may still fail."""
        rows = [{**vars(one), "figures": json.dumps(dict(one.figures), sort_keys=True)} for one in decisions]
        if rows:
            connection.execute(sa.insert(MODEL_DECISIONS), rows)
        for one in decisions:
            if one.alias is not None:
                record(
                    connection,
                    AuditEntry(
                        actor=one.actor,
                        action="model_alias_changed",
                        object=f"{one.alias} of {one.sector}",
                        sector=one.sector,
                        session=one.session,
                        reason=f"{one.action}: {one.reason}",
                        detail={"version": [one.version_before, one.version_after]},
                        at_utc=one.decided_utc,
                    ),
                )

    def decisions(self, sector: str) -> list[Decision]:
        """Every decision about a sector, oldest first."""
        chosen = sa.select(MODEL_DECISIONS).where(MODEL_DECISIONS.c.sector == sector).order_by(MODEL_DECISIONS.c.id)
        with self.begin() as connection:
            rows = connection.execute(chosen).mappings().all()
        return [
            Decision(**{**{name: row[name] for name in row if name != "id"}, "figures": json.loads(row["figures"])})
            for row in rows
        ]

    def alias_as_of(self, sector: str, alias: str, session: date) -> Decision | None:
        """The last decision that changed `alias` and knew no session after `session`; None where there is none.

        Its `version_after` is what the alias named then, None where it was removed.
        """
        known = [one for one in self.decisions(sector) if one.alias == alias and one.session <= session]
        return known[-1] if known else None

    def alias_now(self, sector: str, alias: str, session: date) -> Decision | None:
        """As `alias_as_of`, and decisions made by hand count at once, whatever session they were made in."""
        known = [
            one
            for one in self.decisions(sector)
            if one.alias == alias and (one.session <= session or one.action.startswith(BY_HAND))
        ]
        return known[-1] if known else None

    def training_of_version(self, sector: str, version: int) -> tuple[str, date] | None:
        """The run that trained a version and the last session of its window; None for an unknown version."""
        table = MODEL_TRAINING
        query = (
            sa.select(table.c.run_id, table.c.session)
            .where((table.c.sector == sector) & (table.c.model_version == version))
            .order_by(table.c.session.desc(), table.c.trained_utc.desc())
            .limit(1)
        )
        with self.begin() as connection:
            row = connection.execute(query).first()
        return None if row is None else (row.run_id, row.session)

    def trainings(self, sector: str) -> "pd.DataFrame":
        """Every training of a sector by session and time, columns of `model_training`."""
        table = MODEL_TRAINING
        chosen = sa.select(table).where(table.c.sector == sector).order_by(table.c.session, table.c.trained_utc)
        with self.begin() as connection:
            return _frame(connection, chosen)

    def performance(self, sector: str) -> "pd.DataFrame":
        """Every row of `model_performance` of a sector, by session and pair."""
        table = MODEL_PERFORMANCE
        chosen = sa.select(table).where(table.c.sector == sector).order_by(table.c.session, table.c.pair)
        with self.begin() as connection:
            return _frame(connection, chosen)

    def pairs_of_run(self, run_id: str) -> tuple[str, ...]:
        """Pairs that a training modelled."""
        table = MODEL_PERFORMANCE
        chosen = sa.select(table.c.pair).where((table.c.run_id == run_id) & (table.c.status == "ok"))
        with self.begin() as connection:
            return tuple(sorted(connection.scalars(chosen)))


def _checked_url(setting: str, given: str) -> sa.URL:
    try:
        url = sa.make_url(given)
    except exc.ArgumentError:
        raise DatabaseMismatch(
            f"{setting} is no database URL: write sqlite:///PATH or postgresql+psycopg2://USER:PASSWORD@HOST/NAME"
        ) from None
    if url.drivername not in ("sqlite", "postgresql+psycopg2"):
        raise DatabaseMismatch(f"{setting} has driver {url.drivername}; use sqlite or postgresql+psycopg2")
    return url


def _postgres(url: sa.URL) -> sa.Engine:
    return sa.create_engine(url, pool_pre_ping=True, connect_args={"connect_timeout": TIMEOUT_SECONDS})


def _is_newest(connection: sa.Connection) -> bool:
    """Whether the schema is this version's: asked by every process, and Alembic takes a third of a second to import."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return False
    return connection.scalar(sa.text("SELECT version_num FROM alembic_version")) == SCHEMA


def _frame(connection: sa.Connection, chosen: sa.Select[Any]) -> "pd.DataFrame":
    import pandas as pd

    result = connection.execute(chosen)
    return pd.DataFrame(result.all(), columns=list(result.keys()))


def _row(table: sa.Table, values: Mapping[str, Any]) -> dict[str, Any]:
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


def _replace(
    connection: sa.Connection,
    table: sa.Table,
    where: sa.ColumnElement[bool],
    rows: Sequence[Mapping[Any, Any]],
    key: Mapping[str, Any],
) -> None:
    connection.execute(sa.delete(table).where(where))
    if rows:
        connection.execute(sa.insert(table), [_row(table, {**row, **key}) for row in rows])


def _prepare_sqlite(connection: Any, _: Any) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "foreign_keys=ON", "synchronous=NORMAL"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
