"""`pairs-platform backup`: the whole state of the current profile in one file.

What does not belong here: writing that file (`processes.runtime.backup`).
"""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from pydantic import SecretStr

from pairs_platform.cli.profile_options import profile_options, say_profile
from pairs_platform.core.errors import ConfigurationError, NotFound, StreamUnavailable
from pairs_platform.platform import object_lake, open_streams
from pairs_platform.processes.runtime.backup import ProfileState, save
from pairs_platform.processes.runtime.postgres_server import MLFLOW, MLFLOW_DATABASE
from pairs_platform.processes.runtime.topology import own_mlflow_uri, own_postgres
from pairs_platform.settings.hints import hint
from pairs_platform.settings.model import Settings
from pairs_platform.settings.production import ENVIRONMENT_FILE, own_stores_of, production_folder
from pairs_platform.settings.variables import variable
from pairs_platform.views.remedies import with_remedy

if TYPE_CHECKING:
    from pairs_platform.adapters.redis.snapshot import Snapshot


@click.command("backup")
@profile_options
@click.argument("target", type=click.Path(dir_okay=False, path_type=Path))
def command(settings: Settings, target: Path) -> None:
    """Write the whole profile to one file.

    TARGET gets lake, database, models, Dagster's history and streamed bars, for `pairs-platform restore`. Nothing has
    to stop for it. What a run writes meanwhile may be saved from one store and not from another, so choose a quiet
    time. Configuration and secrets are not saved.
    """
    environment = production_folder(settings) / ENVIRONMENT_FILE
    missing = _not_sourced(settings, environment)
    if missing:
        raise ConfigurationError(
            f"this profile has stores that the environment does not name ({', '.join(missing)}): start it with "
            f"`{hint('up')}`, or source {environment}, and then call `{hint('backup')}` again"
        )
    if not settings.profile_root.is_dir():
        raise NotFound(f"{settings.profile_root} does not exist: there is nothing to save")
    say_profile()
    databases = databases_of(settings)
    if settings.mlflow_uri is not None and "mlflow" not in databases:
        click.echo("without models: the MLflow server is not the platform's own, and is saved where it runs", err=True)
    state = ProfileState(
        settings.profile.name,
        settings.profile_root,
        databases,
        _running_redis(settings),
        object_lake(settings),
    )
    save(state, target, click.echo)


def _not_sourced(settings: Settings, environment: Path) -> list[str]:
    """The variables of a production's stores that the settings do not name."""
    stores: tuple[str, ...] = ()
    if environment.is_file():
        stores = tuple(own_stores_of(settings))
    elif own_postgres(settings).is_prepared:
        stores = ("dagster_url",)
    return [variable(name) for name in stores if getattr(settings, name) is None]


def _running_redis(settings: Settings) -> "Snapshot | None":
    """The streamed bars; None where the platform's own Redis does not run."""
    streams = open_streams(settings)
    try:
        streams.replay.generation()
    except StreamUnavailable as error:
        if settings.redis_url is not None:
            raise
        click.echo(f"without streamed bars: {with_remedy(error)}", err=True)
        return None
    return streams.snapshot


def databases_of(settings: Settings) -> dict[str, SecretStr]:
    """The PostgreSQL databases of the settings by name; MLflow's where it is the platform's own or given by URL."""
    urls = {"database": settings.database_url, "dagster": settings.dagster_url}
    databases = {name: url for name, url in urls.items() if url and url.get_secret_value().startswith("postgresql")}
    uri = settings.mlflow_uri.get_secret_value() if settings.mlflow_uri else ""
    if uri.startswith("postgresql"):
        databases["mlflow"] = SecretStr(uri)
    elif uri == own_mlflow_uri(settings) and own_postgres(settings).is_prepared:
        databases["mlflow"] = own_postgres(settings).url(MLFLOW_DATABASE, MLFLOW)
    return databases
