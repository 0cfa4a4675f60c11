"""`pairs-platform migrate`: bring the profile and every database to this version; what is newer is refused.

What does not belong here: what is done to each (`processes.runtime.migrations`, `defs.instance`).
"""

import click
import sqlalchemy as sa
from pydantic import SecretStr

from pairs_platform.cli.profile_options import profile_options, say_profile
from pairs_platform.core.errors import ConfigurationError, DatabaseUnavailable
from pairs_platform.settings.model import Settings
from pairs_platform.settings.variables import value_of


@click.command("migrate")
@profile_options
@click.option("--mlflow-database", "name", help="Environment variable with the URL of the only database to migrate.")
@click.option("--quiet", is_flag=True, help="Print nothing where nothing has changed.")
def command(settings: Settings, name: str | None, quiet: bool) -> None:
    """Bring the profile and its databases to this version.

    Dagster's storage is brought too, and what changed is reported. Files, columns and values of a profile that an
    earlier version made get their names of today. No figure changes; a call that was killed is made again. Each start
    of `up`, `live` and `ui` does the same. Where another user than the platform's owns the database's tables, its URL
    is read from PAIRS_PLATFORM__DATABASE_OWNER_URL. The database of an MLflow server of your own is brought to the
    installed version of MLflow with --mlflow-database, before that server starts.
    """
    from pairs_platform.defs.instance import prepare_instance
    from pairs_platform.platform import require_writable
    from pairs_platform.processes.runtime.dagster_home import prepare_home
    from pairs_platform.processes.runtime.migrations import migrate_stores, upgrade_mlflow

    changes: list[str] = []
    if name is not None:
        url = value_of(name)
        if not url:
            raise click.BadParameter(f"{name} is not set: it holds the URL of MLflow's database", param_hint="name")
        try:
            upgrade_mlflow(SecretStr(url), changes.append)
        except sa.exc.ArgumentError:
            raise ConfigurationError(
                f"{name} is no database URL: write postgresql+psycopg2://USER:PASSWORD@HOST/NAME"
            ) from None
        except sa.exc.OperationalError as error:
            raise DatabaseUnavailable(f"the database that {name} names does not answer: {error.orig}") from None
    else:
        require_writable(settings)
        if not quiet:
            say_profile()
        migrate_stores(settings, changes.append)
        prepare_instance(prepare_home(settings), changes.append)
    if changes or not quiet:
        click.echo("\n".join(changes) or "every database is at this version already")
