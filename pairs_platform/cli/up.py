"""`pairs-platform up`: the production processes of the current profile, in the background or the foreground.

What does not belong here: which processes there are (`processes.runtime.topology`) and their supervision.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import click

from pairs_platform.cli.dagster_calls import dagster_calls
from pairs_platform.cli.interrupts import plan_end, stop_on_signals
from pairs_platform.cli.live import SECONDS_TO_STOP
from pairs_platform.cli.profile_options import profile_options_of_production
from pairs_platform.core.errors import ConfigurationError, Unavailable
from pairs_platform.core.operations.run_tags import this_process
from pairs_platform.lake.atomic import replace_file
from pairs_platform.platform import require_writable
from pairs_platform.processes.runtime.adoption import history_to_adopt
from pairs_platform.processes.runtime.dagster_home import prepare_home
from pairs_platform.processes.runtime.supervisor import ProcessSpec, Supervisor
from pairs_platform.processes.runtime.topology import (
    OwnStores,
    command_of,
    own_stores,
    prepare_lock,
    production_ports,
    production_processes,
    replayed,
    require_startable,
    write_environment,
)
from pairs_platform.settings.hints import hint
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.model import Settings
from pairs_platform.settings.production import STATE_FILE, live_folder, named_stores, state_of
from pairs_platform.settings.variables import unset_variable
from pairs_platform.views.mlflow_pages import served_pages

LOG_FILE = "up.log"
START_SECONDS = 600.0
_LAST_LINES = 12


@click.command("up")
@profile_options_of_production
@click.option("--foreground", is_flag=True, help="Stay, and stop everything with Ctrl-C.")
@click.option("--resume", is_flag=True, help="In replay, go on with the replay and the signals that are stored.")
def command(settings: Settings, foreground: bool, resume: bool) -> None:
    """Start the production processes in the background.

    The command returns when all of them are healthy; `down` stops them. PostgreSQL, Redis and the MLflow server are
    started too, each unless the environment names one (PAIRS_PLATFORM__DATABASE_URL, __DAGSTER_URL, __MLFLOW_URI,
    __REDIS_URL).
    """
    running = state_of(settings)
    if running:
        raise ConfigurationError(f"`up` runs already (pid {running['pid']}): stop it with `{hint('down')}`")
    require_startable(settings, production_ports(settings))
    if foreground:
        _run(settings, fresh=not resume)
    else:
        _start(settings, resume=resume)


def topology(
    settings: Settings, report: Callable[[str], None], *, fresh: bool = False
) -> tuple[Settings, Path, OwnStores, list[ProcessSpec]]:
    """The production processes, of which a fresh replay forgets the earlier ones.

    This process and its children have the variables by which they find each other.
    """
    require_writable(settings)
    with prepare_lock(settings):  # the processes of a process manager start at once
        own = own_stores(settings)
        os.environ.update(own.environment)
        unset_variable("database_owner_url")
        settings = load_settings()
        home = prepare_home(settings)
        os.environ["DAGSTER_HOME"] = str(home)
        return settings, home, own, production_processes(settings, home, own, dagster_calls(), report, fresh=fresh)


def _run(settings: Settings, *, fresh: bool) -> None:
    settings, home, own, specs = topology(settings, click.echo, fresh=fresh)
    folder = live_folder(settings)
    supervisor = Supervisor(specs, folder, click.echo, "up")
    plan_end("stopped", seconds=SECONDS_TO_STOP)
    stop_on_signals(supervisor.stop)
    click.echo(f"profile {settings.profile.name}: starting {', '.join(supervisor.names)}")
    path = write_environment(settings, home, own)
    state = {"pid": os.getpid(), "process": this_process(), "named": named_stores(own.environment)}

    def started() -> None:
        click.echo(_where(settings, path))
        replace_file(folder / STATE_FILE, json.dumps({**state, "healthy": True}).encode())

    if not state_of(settings):
        replace_file(folder / STATE_FILE, json.dumps({**state, "healthy": False}).encode())
    try:
        supervisor.run(started)
    finally:
        if state_of(settings).get("pid") == os.getpid():
            (folder / STATE_FILE).unlink()
    click.echo("stopped")


def _start(settings: Settings, *, resume: bool) -> None:
    folder = live_folder(settings)
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / LOG_FILE
    with log.open("wb") as file:
        process = subprocess.Popen(
            command_of("up", "--foreground", *(["--resume"] if resume else [])),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=sys.platform != "win32",
        )
    plan_end(f"stopped, nothing runs; this starts again: {hint('up')}", seconds=SECONDS_TO_STOP)
    until = time.monotonic() + START_SECONDS
    while not state_of(settings).get("healthy"):
        if process.poll() is not None:
            last_lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LAST_LINES:]
            raise Unavailable("nothing runs:\n" + "\n".join(last_lines))
        if time.monotonic() > until:
            process.terminate()
            process.wait()
            raise Unavailable(f"not healthy after {START_SECONDS:.0f} s, everything is stopped; see {log}")
        try:
            time.sleep(0.2)
        except KeyboardInterrupt:
            process.terminate()
            process.wait()
            raise
    click.echo(log.read_text(encoding="utf-8"), nl=False)


def _where(settings: Settings, environment: Path) -> str:
    services = settings.services
    lines = [
        f"running: UI at http://{services.host}:{services.ui_port}",
        *replayed(settings),
        *(f"  {line}" for line in served_pages(settings)),
        f"  logs and pids in {live_folder(settings)}",
        f"  . {environment}     lets a shell work on these databases",
        f"  {hint('down')}     stops everything",
    ]
    history = history_to_adopt(settings)
    if history is not None:
        lines += [f"  {history}:", f"    {hint('adopt')}     brings them over"]
    return "\n".join(lines)
