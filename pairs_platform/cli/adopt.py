"""`pairs-platform adopt`: what the profile did before `up`, in the databases of its production.

What does not belong here: copying (`processes.runtime.adoption`) and reporting to Dagster (`defs.adoption`).
"""

import click

from pairs_platform.cli.profile_options import profile_options, say_profile
from pairs_platform.settings.model import Settings
from pairs_platform.settings.production import EMBEDDED_HOME


@click.command("adopt")
@profile_options
def command(settings: Settings) -> None:
    """Bring what the profile did before `up` into its databases.

    Materializations, models, figures and signals of the embedded databases are copied, once `up` has made those of
    production on a profile that demo, ui or live has filled. Dagster learns which partitions there are,
    without results of checks. MLflow's runs, versions and aliases keep their ids and numbers. What is there already
    stays as it is, so that a second call adds nothing. Refused once production has trained models of its own.
    """
    from pairs_platform.cli.backup import databases_of
    from pairs_platform.defs.adoption import report_materializations
    from pairs_platform.defs.instance import open_instance
    from pairs_platform.platform import Platform, require_writable
    from pairs_platform.processes.runtime.adoption import adopt_stores
    from pairs_platform.processes.runtime.dagster_home import prepare_home
    from pairs_platform.views.mlflow_pages import served_pages

    require_writable(settings)
    say_profile()
    adopt_stores(settings, databases_of(settings).get("mlflow"), click.echo)
    with open_instance(prepare_home(settings)) as instance:
        n_partitions = report_materializations(instance, Platform(settings), settings.profile_root / EMBEDDED_HOME)
    click.echo(f"Dagster: {n_partitions} materializations reported")
    for line in served_pages(settings):
        click.echo(line)
