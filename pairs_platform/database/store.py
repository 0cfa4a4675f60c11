"""The database of a profile, SQLite or PostgreSQL: connecting, transactions, the version of the schema.

What does not belong here: the tables (`tables`), statements (a module for each subject: `models`, `signals`, `alerts`,
`audit`, `sizes`), and MLflow's own database.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from pairs_platform.core.errors import (
    ConfigurationError,
    DatabaseMismatch,
    DatabaseUnavailable,
    FolderReadOnly,
    SchemaOutdated,
)
from pairs_platform.database.read_only import connect_to_read, may_be_written
from pairs_platform.database.tables import APPEND_ONLY, DATABASE_PROFILE, SCHEMA

MIGRATION_LOCK = 7_240_311
"""Key of PostgreSQL's advisory lock while the schema is made."""

TIMEOUT_SECONDS = 30
INSUFFICIENT_PRIVILEGE = "42501"

_CLAIM = sa.text(
    "INSERT INTO database_profile (profile) SELECT :profile WHERE NOT EXISTS (SELECT 1 FROM database_profile) "
    "ON CONFLICT DO NOTHING"
)
"""For processes that come first at once: one of them claims the database, the others find it claimed."""


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
    def _file(self) -> Path:
        """Of a SQLite database."""
        return Path(str(self._url.database))

    @property
    def is_writable(self) -> bool:
        """Whether something can be written: always on a server, which says itself what it refuses."""
        return self._url.drivername != "sqlite" or may_be_written(self._file)

    @property
    def exists(self) -> bool:
        """Whether there is something to read without making it: a SQLite file, or any server."""
        return self._url.drivername != "sqlite" or self._file.is_file()

    @contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        """A connection inside one transaction: all of it is stored, or nothing.

        Raises
        ------
        DatabaseUnavailable
            The database cannot be reached.
        DatabaseMismatch
            It belongs to another profile or a newer platform.
        FolderReadOnly
            Something is to be written into a SQLite file that may only be read.
        """
        with self._reachable(), self._ready.begin() as connection:
            yield connection

    @contextmanager
    def begin_alone(self) -> Iterator[sa.Connection]:
        """As `begin`, for what is read and then changed, and must be on the disk before anything rests on it.

        On SQLite no other process writes meanwhile; on PostgreSQL rows that are read ``FOR UPDATE`` are locked. What is
        stored outlives a loss of power, which by itself may take the newest transactions of SQLite.

        Raises
        ------
        DatabaseUnavailable, DatabaseMismatch, FolderReadOnly
            As `begin`.
        """
        with self.begin() as connection:
            if connection.dialect.name == "sqlite":
                connection.execute(sa.text("PRAGMA synchronous=FULL"))
                connection.execute(sa.text("BEGIN IMMEDIATE"))
            yield connection

    @contextmanager
    def _reachable(self) -> Iterator[None]:
        try:
            yield
        except (exc.OperationalError, exc.InterfaceError, exc.TimeoutError) as error:
            if _is_read_only(getattr(error, "orig", None)):
                raise FolderReadOnly(self._file.parent) from error
            # Of the library's own errors only this one has none of the driver beneath it.
            cause = getattr(error, "orig", None) or "all its connections are in use"
            raise DatabaseUnavailable(f"the database {self._shown} does not answer: {cause}") from error

    @contextmanager
    def _permitted(self) -> Iterator[None]:
        try:
            yield
        except exc.ProgrammingError as error:
            if getattr(error.orig, "pgcode", None) != INSUFFICIENT_PRIVILEGE:
                raise
            raise SchemaOutdated(
                f"the database {self._shown} does not have the tables of this version, and its user may not make them"
            ) from error

    @cached_property
    def _engine(self) -> sa.Engine:
        if self._url.drivername != "sqlite":
            return _postgres(self._url)
        if not may_be_written(self._file):
            return self._reading_engine
        self._file.parent.mkdir(parents=True, exist_ok=True)
        engine = sa.create_engine(self._url, connect_args={"timeout": TIMEOUT_SECONDS})
        sa.event.listen(engine, "connect", _prepare_sqlite)
        return engine

    @property
    def _reading_engine(self) -> sa.Engine:
        """Opens the file for each transaction: another process may have written since."""
        if not self._file.is_file():
            raise FolderReadOnly(self._file.parent)

        def connect() -> sqlite3.Connection:
            return connect_to_read(self._file, timeout=TIMEOUT_SECONDS, check_same_thread=False)

        return sa.create_engine("sqlite://", creator=connect, poolclass=sa.NullPool)

    @cached_property
    def _ready(self) -> sa.Engine:
        self.upgrade()
        with self._engine.begin() as connection:
            owner = sa.select(DATABASE_PROFILE.c.profile)
            claimed = connection.scalar(owner)
            if claimed is None:
                connection.execute(_CLAIM, {"profile": self.profile})
                claimed = connection.scalar(owner)
            if claimed != self.profile:
                raise DatabaseMismatch(
                    f"the database {self._shown} belongs to profile {claimed}, the "
                    f"settings ask for {self.profile}: give each profile a database of its own"
                )
        return self._engine

    def upgrade(self) -> bool:
        """Bring the schema to this version; safe while others do the same.

        Returns
        -------
        Whether it was of an earlier version.

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
            revisions = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
            current = self._revision(config.attributes["connection"])
            if current is not None and current not in revisions:
                raise DatabaseMismatch(
                    f"the database {self._shown} has schema {current}, which this "
                    f"version of the platform does not know (newest {max(revisions)}): install the newer version again"
                )
            command.upgrade(config, "head")
            self._give_rights(config.attributes["connection"])
        return True

    def take_over(self, earlier: str) -> None:
        """Let a database of the profile `earlier` belong to this one, which is the same by another name."""
        with self._reachable(), self._engine.begin() as connection:
            theirs = DATABASE_PROFILE.c.profile == earlier
            connection.execute(sa.update(DATABASE_PROFILE).where(theirs).values(profile=self.profile))

    def give_rights(self) -> None:
        """Let the user of `url` work with the tables, where they belong to another user."""
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
            if not may_be_written(self._file):
                raise FolderReadOnly(self._file.parent)
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


def _checked_url(setting: str, given: str) -> sa.URL:
    try:
        url = sa.make_url(given)
    except exc.ArgumentError:
        raise ConfigurationError(
            f"{setting} is no database URL: write sqlite:///PATH or postgresql+psycopg2://USER:PASSWORD@HOST/NAME"
        ) from None
    if url.drivername not in ("sqlite", "postgresql+psycopg2"):
        raise ConfigurationError(f"{setting} has driver {url.drivername}; use sqlite or postgresql+psycopg2")
    return url


def _postgres(url: sa.URL) -> sa.Engine:
    return sa.create_engine(url, pool_pre_ping=True, connect_args={"connect_timeout": TIMEOUT_SECONDS})


def _is_newest(connection: sa.Connection) -> bool:
    """Whether the schema is this version's: asked by every process, and Alembic takes a third of a second to import."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return False
    return connection.scalar(sa.text("SELECT version_num FROM alembic_version")) == SCHEMA


def _is_read_only(error: object) -> bool:
    """Whether SQLite refused to write; its detailed codes have the kind in their last byte."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF == sqlite3.SQLITE_READONLY


def _prepare_sqlite(connection: Any, _: Any) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "foreign_keys=ON", "synchronous=NORMAL"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
