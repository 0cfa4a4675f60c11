"""Revisions of databases that other packages own: which one a database has, and which one the installed package knows.

What does not belong here: the platform's own schema (`database.migrations`), and the migrations themselves.
"""

import ast
from importlib.metadata import version
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from pairs_platform.core.errors import DatabaseMismatch

PREPARED_FILE = "prepared"


def current_revision(engine: sa.Engine) -> str | None:
    """The Alembic revision that a database has; None in one that no migration has touched."""
    from alembic.migration import MigrationContext

    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def note_prepared(folder: Path, package: str) -> None:
    """Note in a folder that the databases of a package in it are there and of its installed version."""
    (folder / PREPARED_FILE).write_text(version(package), encoding="utf-8")


def is_prepared(folder: Path, package: str) -> bool:
    """Whether `note_prepared` noted the installed version: several processes may open the databases at once."""
    try:
        return (folder / PREPARED_FILE).read_text(encoding="utf-8") == version(package)
    except OSError:
        return False


def newest_revision(scripts: Path, current: str | None, what: str) -> str:
    """Newest revision of a folder of migrations, which must know the current one.

    The migrations are read and not executed: MLflow's import all of MLflow, which takes seconds.

    Raises
    ------
    DatabaseMismatch
        The database is newer than the installed package.
    """
    before = dict(_revision_of(script) for script in sorted((scripts / "versions").glob("[!_]*.py")))
    newest = sorted(before.keys() - {earlier for each in before.values() for earlier in each})
    if current is not None and current not in before:
        raise DatabaseMismatch(
            f"{what} has schema {current}, which the installed version does not know (newest "
            f"{', '.join(newest)}): install the newer version again"
        )
    (head,) = newest
    return head


def _revision_of(script: Path) -> tuple[str, tuple[str, ...]]:
    """The revision that a migration makes, and those that it follows."""
    values: dict[str, Any] = {}
    for node in ast.parse(script.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            for target in node.targets if isinstance(node, ast.Assign) else (node.target,):
                if isinstance(target, ast.Name) and target.id in ("revision", "down_revision"):
                    values[target.id] = ast.literal_eval(node.value)
    earlier = values["down_revision"] or ()
    return values["revision"], (earlier,) if isinstance(earlier, str) else tuple(earlier)
