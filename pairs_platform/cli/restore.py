"""`pairs-platform restore`: the state of a backup into an empty profile.

What does not belong here: reading the backup (`processes.runtime.backup`).
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import click
from pydantic import SecretStr

from pairs_platform.adapters.mlflow.registry import move_artifacts
from pairs_platform.cli.backup import databases_of
from pairs_platform.cli.profile_options import profile_options, say_profile
from pairs_platform.core.errors import ConfigurationError, ProfileMismatch
from pairs_platform.database.audit import AuditEntry, person, record
from pairs_platform.lake.files import remove_below
from pairs_platform.platform import object_lake, open_database, open_streams, require_writable
from pairs_platform.processes.runtime.backup import (
    read_manifest,
    require_empty,
    require_empty_databases,
    require_empty_lake,
    restore_databases,
    restore_files,
    restore_streams,
)
from pairs_platform.processes.runtime.migrations import upgrade_profile
from pairs_platform.processes.runtime.postgres_server import (
    APPLICATION,
    DAGSTER,
    DAGSTER_DATABASE,
    MLFLOW,
    MLFLOW_DATABASE,
    OWNER,
    TRADING_DATABASE,
)
from pairs_platform.processes.runtime.redis_server import embedded_redis
from pairs_platform.processes.runtime.topology import own_stores
from pairs_platform.settings.model import Settings


@click.command("restore")
@profile_options
@click.argument("backup", metavar="SOURCE", type=click.Path(dir_okay=False, path_type=Path))
def command(settings: Settings, backup: Path) -> None:
    """Restore what `backup` wrote, where no state is yet.

    All of SOURCE is verified before anything is written. Databases on PostgreSQL come back into those that the
    environment names, which must be empty, or into the platform's own. A backup by an earlier version is brought to
    this one.
    """
    require_writable(settings)
    manifest = read_manifest(backup)
    if manifest["profile"] != settings.profile.name:
        raise ProfileMismatch(
            f"{backup} holds profile {manifest['profile']}, the settings ask for {settings.profile.name}: use the "
            "configuration that it was made with"
        )
    folder = settings.profile_root
    require_empty(folder)
    lake = object_lake(settings)
    if lake is not None:
        require_empty_lake(lake)
    databases = _named_databases(settings, manifest["postgresql"], backup)
    require_empty_databases(databases)
    if settings.redis_url is not None:
        open_streams(settings).snapshot.require_no_keys()
    say_profile()
    try:
        restore_files(folder, backup, lake)
        with _running_databases(settings, manifest["postgresql"], databases) as (running, targets):
            restore_databases(targets, backup)
            if "mlflow" in targets:
                move_artifacts(targets["mlflow"], folder / "mlflow")
            upgrade_profile(running, click.echo)
            database = open_database(running)
            database.give_rights()
            entry = AuditEntry(
                actor=person(), action="state_restored", object=str(backup), detail={"saved": manifest["saved_utc"]}
            )
            with database.begin() as connection:
                record(connection, entry)
        with embedded_redis(folder / "redis") if settings.redis_url is None else nullcontext():
            n_keys = restore_streams(open_streams(settings).snapshot, backup)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        if lake is not None:
            remove_below(lake)
        if databases:
            names = ", ".join(sorted(databases))
            click.echo(f"not restored; the databases named for {names} may hold tables now: empty them", err=True)
        raise
    n_members = len(manifest["members"])
    click.echo(f"restored {n_members} files and databases and {n_keys} keys of Redis to {folder}")


def _named_databases(settings: Settings, saved: Sequence[str], source: Path) -> dict[str, SecretStr]:
    """The databases that the environment names, with the database's owner; empty where it names none."""
    named = databases_of(settings)
    if named and set(named) != set(saved):
        raise ConfigurationError(
            f"{source} has on PostgreSQL: {', '.join(saved) or 'nothing'}; the environment names databases for: "
            f"{', '.join(sorted(named))}. Name the same ones, or none to restore into the platform's own"
        )
    if "database" in named and settings.database_owner_url is not None:
        named["database"] = settings.database_owner_url
    return named


@contextmanager
def _running_databases(
    settings: Settings, saved: Sequence[str], named: Mapping[str, SecretStr]
) -> Iterator[tuple[Settings, Mapping[str, SecretStr]]]:
    """The databases that are restored into; the platform's own, for as long as needed, where none is named."""
    if named or not saved:
        yield settings, named
        return
    server = own_stores(settings).postgres
    assert server is not None
    with server.running():
        owner = server.url(TRADING_DATABASE, OWNER)
        own = {
            "database": owner,
            "dagster": server.url(DAGSTER_DATABASE, DAGSTER),
            "mlflow": server.url(MLFLOW_DATABASE, MLFLOW),
        }
        app = server.url(TRADING_DATABASE, APPLICATION)
        yield (
            settings.model_copy(update={"database_url": app, "database_owner_url": owner}),
            {name: own[name] for name in saved},
        )
