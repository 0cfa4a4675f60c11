"""The history of a profile's embedded databases, brought into those of its production.

What does not belong here: how rows are copied (`database.copying`, `adapters.mlflow.copying`), and what is reported to
Dagster (`defs.adoption`).
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from pydantic import SecretStr

from pairs_platform.adapters.mlflow.copying import copy_registry
from pairs_platform.core.errors import ConfigurationError
from pairs_platform.database.audit import AuditEntry, person, record
from pairs_platform.database.copying import copy_history
from pairs_platform.database.store import Database
from pairs_platform.database.tables import AUDIT_LOG, MODEL_TRAINING
from pairs_platform.platform import DATABASE_FILE, Platform, database_in, open_database
from pairs_platform.processes.runtime.migrations import migrate_stores
from pairs_platform.processes.runtime.topology import served_artifacts
from pairs_platform.settings.hints import hint
from pairs_platform.settings.model import Settings
from pairs_platform.views.trading_config import TRADING_CONFIG

ADOPTED: Final = "history_adopted"


def history_to_adopt(settings: Settings) -> str | None:
    """What the profile has from before its production, in words; None where production knows it or there is none."""
    if settings.database_url is None or settings.dagster_url is None:
        return None
    platform = Platform(settings)
    n_sessions = sum(len(platform.lake.sessions(TRADING_CONFIG, sector)) for sector in settings.active_sectors)
    embedded = settings.profile_root / DATABASE_FILE
    if not n_sessions or not embedded.is_file():
        return None
    with platform.database.begin() as connection:
        trained = connection.scalar(sa.select(sa.func.count()).select_from(MODEL_TRAINING))
        adopted = connection.scalar(sa.select(AUDIT_LOG.c.id).where(AUDIT_LOG.c.action == ADOPTED).limit(1))
    if trained or adopted is not None:
        return None
    sessions = "1 session" if n_sessions == 1 else f"{n_sessions} sessions"
    return (
        f"the databases of Dagster, MLflow and the platform are new here; the profile has {sessions} from before, "
        "with models and signals"
    )


def adopt_stores(settings: Settings, mlflow_database: SecretStr | None, report: Callable[[str], None]) -> None:
    """Copy the platform's database and MLflow's; what is there already is left as it is.

    Parameters
    ----------
    settings : Settings
        Name the databases of production.
    mlflow_database : SecretStr or None
        MLflow's; None where a server that is not the platform's own holds it.
    report : callable
        Called with each result.

    Raises
    ------
    ConfigurationError
        The settings name no database of production, or the profile has none of its own.
    Refused
        Production has trainings of its own.
    """
    if settings.database_url is None or settings.dagster_url is None:
        raise ConfigurationError(
            f"the settings name no databases of production: start it with `{hint('up')}`, and then call "
            f"`{hint('adopt')}`"
        )
    without = {"database_url": None, "database_owner_url": None, "dagster_url": None, "mlflow_uri": None}
    embedded = settings.model_copy(update=without)
    folder = settings.profile_root
    if not (folder / DATABASE_FILE).is_file():
        raise ConfigurationError(f"{folder} has no database of its own: there is no history to adopt")
    migrate_stores(embedded, report)
    migrate_stores(settings, report)
    _adopt_models(settings, folder / "mlflow", mlflow_database, report)
    _adopt_rows(database_in(folder, embedded), open_database(settings), report)


def _adopt_models(settings: Settings, folder: Path, database: SecretStr | None, report: Callable[[str], None]) -> None:
    if not (folder / "mlflow.db").is_file():
        return
    if database is None:
        report(
            "models: left where they are, the MLflow server is not the platform's own; train the newest session again"
        )
        return
    assert settings.mlflow_uri is not None
    is_served = settings.mlflow_uri.get_secret_value().startswith("http")
    n_runs = copy_registry(folder, database, served_artifacts(settings) if is_served else None)
    report(f"models: {n_runs} runs of MLflow, with their versions, aliases and files")


def _adopt_rows(source: Database, target: Database, report: Callable[[str], None]) -> None:
    added = copy_history(source, target)
    if added:
        with target.begin() as connection:
            record(connection, AuditEntry(actor=person(), action=ADOPTED, object=target.profile, detail=added))
    report(f"database: {', '.join(f'{n} of {name}' for name, n in added.items()) or 'nothing is missing'}")
