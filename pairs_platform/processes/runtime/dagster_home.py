"""The Dagster home of a profile, used by the commands that run jobs or start the UI."""

import os
from importlib.resources import files as package_files
from pathlib import Path
from typing import TYPE_CHECKING

from pairs_platform.core.operations.run_tags import PROCESS_TAG, is_alive_here, is_of_this_host
from pairs_platform.lake.atomic import replace_file
from pairs_platform.settings.model import Settings
from pairs_platform.settings.variables import set_variable, variable

if TYPE_CHECKING:
    from dagster import DagsterInstance

COMPUTE_SLOTS = max(1, (os.cpu_count() or 1) // 2)
"""Steps of heavy computation at a time; each one uses two threads."""

POOLS = {"compute": COMPUTE_SLOTS, "market_data": 1, "training": 1}
"""Slots of every pool. They are there before the first run: runs that make the same pool at once on PostgreSQL fail
(Dagster goes on in the transaction that the second insert has ended)."""

_POSTGRES_STORAGE = f"""\
# Dagster's storage on PostgreSQL, and its limits, in production. Its files are in DAGSTER_HOME.
storage:
  postgres:
    postgres_url:
      env: {variable("dagster_url")}

"""


def render_dagster_yaml(home: str) -> str:
    """Text of dagster.yaml for a home folder, from the packaged template."""
    return _template().replace("{home}", home)


def production_dagster_yaml() -> str:
    """Text of dagster.yaml for any home folder with the storage that `dagster_url` names."""
    text = _template()
    return _POSTGRES_STORAGE + text[text.index("telemetry:") :]


def _template() -> str:
    return (package_files("pairs_platform.config") / "dagster.yaml").read_text(encoding="utf-8")


def prepare_home(settings: Settings) -> Path:
    """Make the profile's Dagster home, write its dagster.yaml, and return the absolute folder."""
    is_embedded = settings.dagster_url is None
    home = (settings.profile_root / ("dagster" if is_embedded else "dagster-postgres")).resolve()
    home.mkdir(parents=True, exist_ok=True)
    text = render_dagster_yaml(home.as_posix()) if is_embedded else production_dagster_yaml()
    if settings.dagster_url is not None:  # dagster.yaml reads the variable, and knows nothing of secrets in files
        set_variable("dagster_url", settings.dagster_url.get_secret_value())
    replace_file(home / "dagster.yaml", text.encode())
    return home


def open_instance(home: Path) -> "DagsterInstance":
    """Open the Dagster instance of a prepared home; pools that are not there are made, other limits stay."""
    import dagster as dg

    instance = dg.DagsterInstance.from_config(str(home))
    known = instance.event_log_storage.get_concurrency_keys()
    for pool, slots in POOLS.items():
        if pool not in known or pool == "compute":
            instance.event_log_storage.set_concurrency_slots(pool, slots)
    end_dead_runs(instance)
    return instance


def end_dead_runs(instance: "DagsterInstance") -> None:
    """Mark runs as failed whose process on this host is gone, and free the pool slots that they held.

    A killed process cannot do so itself, and without a daemon nobody else would: the next run would wait for its slots.
    """
    import dagster as dg

    unfinished = [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]
    for run in instance.get_runs(dg.RunsFilter(statuses=unfinished)):
        process = run.tags.get(PROCESS_TAG, "")
        if is_of_this_host(process) and not is_alive_here(process):
            instance.report_run_failed(run, message="the process of this run is gone")
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
