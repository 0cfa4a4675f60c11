"""`pairs-platform migrate`: bring every database to this version; one that is newer is refused.

What does not belong here: the database's own versions (`database.migrations`).
"""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import click
import sqlalchemy as sa
from pydantic import SecretStr

from pairs_platform.ports.market_data import PermanentSourceError
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.model import Settings
from pairs_platform.settings.variables import value_of


@click.command("migrate")
@click.option("--mlflow-database", "name", help="Environment variable with the URL of the only database to migrate.")
def command(name: str | None) -> None:
    """Bring the database, MLflow's database and Dagster's storage to this version, and say what changed.

    Each start of `up`, `live` and `ui` does the same. Where another user than the platform's owns the database's
    tables, its URL is read from PAIRS_PLATFORM__DATABASE_OWNER_URL. The database of an MLflow server of your own is
    brought to the installed version of MLflow with --mlflow-database, before that server starts.
    """
    from pairs_platform.processes.runtime.dagster_home import open_instance, prepare_home

    said: list[str] = []
    if name is not None:
        url = value_of(name)
        if not url:
            raise click.BadParameter(f"{name} is not set: it holds the URL of MLflow's database", param_hint="name")
        try:
            upgrade_mlflow(SecretStr(url), said.append)
        except (sa.exc.ArgumentError, sa.exc.OperationalError) as error:
            raise PermanentSourceError(f"the database that {name} names: {getattr(error, 'orig', error)}") from None
    else:
        settings = load_settings()
        home = prepare_home(settings)
        open_instance(home).dispose()
        migrate_all(settings, home, said.append)
    click.echo("\n".join(said) or "every database is at this version already")


def migrate_all(settings: Settings, home: Path, tell: Callable[[str], None]) -> None:
    """Bring every database that is the platform's to this version.

    Parameters
    ----------
    settings : Settings
        The database behind an MLflow server by URL is not known here: `--mlflow-database` migrates it.
    home : Path
        Prepared Dagster home.
    tell : callable
        Is told what changed.

    Raises
    ------
    DatabaseMismatch, PermanentSourceError
        A database is newer than this version.
    """
    from pairs_platform.platform import open_database

    database = open_database(settings)
    if database.upgrade():
        tell(f"database: {database.revision()}")
    uri = settings.mlflow_uri.get_secret_value() if settings.mlflow_uri else None
    if uri is None:
        mlflow_file = (settings.profile_root / "mlflow" / "mlflow.db").absolute()
        if mlflow_file.is_file():
            upgrade_mlflow(SecretStr(f"sqlite:///{mlflow_file.as_posix()}"), tell)
    elif not uri.startswith(("http://", "https://")):
        upgrade_mlflow(SecretStr(uri), tell)
    _migrate_dagster(home, tell)


def upgrade_mlflow(url: SecretStr, tell: Callable[[str], None]) -> None:
    """Bring a database of MLflow to the installed version; an empty one is left to MLflow.

    Raises
    ------
    PermanentSourceError
        It is newer than the installed version.
    """
    found = find_spec("mlflow")
    assert found is not None
    assert found.origin is not None
    scripts = Path(found.origin).parent / "store" / "db_migrations"
    engine = sa.create_engine(url.get_secret_value())
    try:
        current = _revision(engine)
        head = _newest(scripts, current, "MLflow's database")
        if current is None or current == head:
            return
        from mlflow.store.db.utils import _upgrade_db

        _upgrade_db(engine)
        tell(f"MLflow's database: {current} → {head}")
    finally:
        engine.dispose()


def _migrate_dagster(home: Path, tell: Callable[[str], None]) -> None:
    import dagster as dg
    from dagster._core.storage.sql import ALEMBIC_SCRIPTS_LOCATION

    package, _, folder = ALEMBIC_SCRIPTS_LOCATION.partition(":")
    found = find_spec(package)
    assert found is not None
    assert found.origin is not None
    scripts = Path(found.origin).parent / folder
    with dg.DagsterInstance.from_config(str(home)) as instance:
        storages = (instance.run_storage, instance.event_log_storage, instance.schedule_storage)
        versions = [storage.alembic_version() for storage in storages if storage is not None]
        currents = {version[0] for version in versions if version is not None}
        heads = {_newest(scripts, current, "Dagster's storage") for current in currents}
        if currents == heads:
            return
        instance.upgrade()
        tell(f"Dagster's storage: {', '.join(sorted(str(one) for one in currents - heads))} → {', '.join(heads)}")


def _revision(engine: sa.Engine) -> str | None:
    from alembic.migration import MigrationContext

    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def _newest(scripts: Path, current: str | None, what: str) -> str:
    """Newest revision of a folder of migrations, which must know the current one."""
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(scripts))
    directory = ScriptDirectory.from_config(config)
    known = {script.revision for script in directory.walk_revisions()}
    if current is not None and current not in known:
        raise PermanentSourceError(
            f"{what} has schema {current}, which the installed version does not know (newest "
            f"{directory.get_current_head()}): install the newer version again"
        )
    return str(directory.get_current_head())
