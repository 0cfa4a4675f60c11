"""Revisions of databases that other packages own: which one a database has, and which one the installed package knows.

What does not belong here: the platform's own schema (`database.migrations`), and the migrations themselves.
"""

from pathlib import Path

import sqlalchemy as sa

from pairs_platform.core.errors import DatabaseMismatch


def current_revision(engine: sa.Engine) -> str | None:
    """The Alembic revision that a database has; None in one that no migration has touched."""
    from alembic.migration import MigrationContext

    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def newest_revision(scripts: Path, current: str | None, what: str) -> str:
    """Newest revision of a folder of migrations, which must know the current one.

    Raises
    ------
    DatabaseMismatch
        The database is newer than the installed package.
    """
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(scripts))
    directory = ScriptDirectory.from_config(config)
    revisions = {script.revision for script in directory.walk_revisions()}
    if current is not None and current not in revisions:
        raise DatabaseMismatch(
            f"{what} has schema {current}, which the installed version does not know (newest "
            f"{directory.get_current_head()}): install the newer version again"
        )
    return str(directory.get_current_head())
