"""Brings a profile and its databases to this version; what is newer is refused.

What does not belong here: the database's own versions (`database.migrations`), Dagster's storage (`defs.instance`).
"""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

import sqlalchemy as sa
from filelock import FileLock
from pydantic import SecretStr

from pairs_platform.adapters.mlflow.registry import database_of, silence_mlflow
from pairs_platform.core.errors import ConfigurationError
from pairs_platform.database.revisions import current_revision, newest_revision
from pairs_platform.lake.atomic import while_locked
from pairs_platform.lake.files import LakePath
from pairs_platform.lake.profile import FORMAT, Profile, format_of, mark_upgraded, rename_profile
from pairs_platform.platform import DATABASE_FILE, database_in, object_lake, open_database
from pairs_platform.settings.model import Settings

EARLIER_DATABASE = "ledger.db"
LOCK_SECONDS = 600


def upgrade_profile(settings: Settings, report: Callable[[str], None]) -> None:
    """Give everything in a profile that an earlier version made the names of this one; no figure changes.

    Each step is done as a whole and is left out where it has been done; the manifests come last. An upgrade that was
    killed goes on when it is called again.

    Parameters
    ----------
    settings : Settings
    report : callable
        Receives a line for each change.

    Raises
    ------
    ConfigurationError
        A process of the earlier version still has the database, or there are two databases.
    ProfileMismatch
        The profile is another one's, or newer than this version.
    """
    earlier = settings.earlier_profile
    if earlier is not None:
        _rename(settings, *earlier)
        report(f"profile {earlier[0].name}: called {settings.profile.name} now")
    folder, lake = settings.profile_root, object_lake(settings)
    folders: list[LakePath] = [folder] if lake is None else [folder, lake]
    if not any(_is_outdated(each, settings) for each in folders):
        return
    from pairs_platform.lake.upgrade import upgrade_lake

    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "upgrade.lock", timeout=LOCK_SECONDS):
        if settings.database_url is None:
            _rename_database(folder)
        database = database_in(folder, settings)
        if database.exists and database.upgrade():
            report(f"database: {database.revision()}")
        for table, n in upgrade_lake(folder / "lake" if lake is None else lake).items():
            report(f"{table}: {n} partition{'' if n == 1 else 's'} rewritten")
        for each in folders:
            mark_upgraded(each, settings.profile)
        report(f"profile {settings.profile.name}: format {FORMAT}")


def _rename(settings: Settings, earlier: Profile, folder: Path) -> None:
    """Give a profile the name of today; what is in its Redis begins anew."""
    if settings.lake_url is not None:
        raise ConfigurationError(
            f"the lake of {earlier.name} is on object storage: move {settings.lake_url}/{earlier.name} to "
            f"{settings.lake_url}/{settings.profile.name} and {folder} to {settings.profile_root}, and set the source "
            f"in both manifest.json to {settings.profile.source!r}"
        )
    with FileLock(folder / "upgrade.lock", timeout=LOCK_SECONDS):
        if settings.database_url is None:
            _rename_database(folder)
        database = database_in(folder, settings)
        if database.exists:
            database.upgrade()
            database.take_over(earlier.name)
        rename_profile(folder, settings.profile_root, settings.profile)


def _is_outdated(folder: LakePath, settings: Settings) -> bool:
    try:
        return format_of(folder, settings.profile) < FORMAT
    except FileNotFoundError:
        return False


def _rename_database(folder: Path) -> None:
    earlier, now = folder / EARLIER_DATABASE, folder / DATABASE_FILE
    if not earlier.is_file():
        return
    if now.exists():
        raise ConfigurationError(f"{folder} has {EARLIER_DATABASE} and {DATABASE_FILE}: move one of them away")
    with closing(sqlite3.connect(earlier)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        # The last connection that closes removes the log; another process with the file would go on writing to it.
    if earlier.with_name(f"{EARLIER_DATABASE}-wal").exists():
        raise ConfigurationError(f"{earlier} is in use: stop every process of the platform, and call this again")
    while_locked(lambda: os.replace(earlier, now))
    earlier.with_name(f"{EARLIER_DATABASE}.lock").unlink(missing_ok=True)


def migrate_stores(settings: Settings, report: Callable[[str], None]) -> None:
    """Bring the profile, the database, and MLflow's where it is the platform's, to this version.

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
    ConfigurationError, ProfileMismatch
        As `upgrade_profile`.
    """
    upgrade_profile(settings, report)
    database = open_database(settings)
    if database.upgrade():
        report(f"database: {database.revision()}")
    uri = settings.mlflow_uri.get_secret_value() if settings.mlflow_uri else None
    if uri is None:
        folder = settings.profile_root / "mlflow"
        if (folder / "mlflow.db").is_file():
            upgrade_mlflow(database_of(folder), report)
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
        silence_mlflow()
        from mlflow.store.db.utils import _upgrade_db

        _upgrade_db(engine)
        report(f"MLflow's database: {current} → {head}")
    finally:
        engine.dispose()
