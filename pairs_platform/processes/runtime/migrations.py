"""Brings the platform's databases to this version; one that is newer is refused.

What does not belong here: the database's own versions (`database.migrations`), Dagster's storage (`defs.instance`).
"""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import sqlalchemy as sa
from pydantic import SecretStr

from pairs_platform.database.revisions import current_revision, newest_revision
from pairs_platform.platform import open_database
from pairs_platform.settings.model import Settings


def migrate_stores(settings: Settings, report: Callable[[str], None]) -> None:
    """Bring the database, and MLflow's where it is the platform's, to this version.

    Parameters
    ----------
    settings : Settings
        The database of an MLflow server that is named by URL is not known here: `upgrade_mlflow` migrates it.
    report : callable
        Called with each change.

    Raises
    ------
    DatabaseMismatch
        A database is newer than this version.
    """
    database = open_database(settings)
    if database.upgrade():
        report(f"database: {database.revision()}")
    uri = settings.mlflow_uri.get_secret_value() if settings.mlflow_uri else None
    if uri is None:
        mlflow_file = (settings.profile_root / "mlflow" / "mlflow.db").absolute()
        if mlflow_file.is_file():
            upgrade_mlflow(SecretStr(f"sqlite:///{mlflow_file.as_posix()}"), report)
    elif not uri.startswith(("http://", "https://")):
        upgrade_mlflow(SecretStr(uri), report)


def upgrade_mlflow(url: SecretStr, report: Callable[[str], None]) -> None:
    """Bring a database of MLflow to the installed version; an empty one is left to MLflow.

    Raises
    ------
    DatabaseMismatch
        It is newer than the installed version.
    """
    mlflow = find_spec("mlflow")
    assert mlflow is not None
    assert mlflow.origin is not None
    scripts = Path(mlflow.origin).parent / "store" / "db_migrations"
    engine = sa.create_engine(url.get_secret_value())
    try:
        current = current_revision(engine)
        head = newest_revision(scripts, current, "MLflow's database")
        if current is None or current == head:
            return
        from mlflow.store.db.utils import _upgrade_db

        _upgrade_db(engine)
        report(f"MLflow's database: {current} → {head}")
    finally:
        engine.dispose()
