"""`pairs-platform ui`: the Dagster UI and daemon of the current profile.

What does not belong here: the stream (`live`) and production (`up`).
"""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import click
import psutil

from pairs_platform.cli.address_options import address_options
from pairs_platform.cli.interrupts import end_interrupted, plan_end, stop_on_signals
from pairs_platform.cli.profile_options import profile_options
from pairs_platform.platform import require_writable
from pairs_platform.processes.runtime.dagster_home import prepare_home
from pairs_platform.processes.runtime.supervisor import Supervisor, require_idle, stop_family
from pairs_platform.processes.runtime.topology import (
    code_location,
    command_of,
    free_port,
    require_free_ports,
    script,
    ui_processes,
)
from pairs_platform.settings.model import Settings
from pairs_platform.settings.production import live_folder

SECONDS_TO_STOP = 60.0
"""Processes are stopped one after the other."""

SECONDS_OF_A_RUN = 4.0
"""A run that has not ended so long after it was asked to is ended: a computation may not let it listen."""


@click.command("ui")
@profile_options
@address_options
@click.option("--read-only", is_flag=True, help="For viewers: nothing can be launched or changed, and no daemon runs.")
def command(settings: Settings, host: str, port: int, read_only: bool) -> None:
    """Serve the Dagster UI with schedule and sensors, until Ctrl-C.

    Dagster's daemon runs with it and starts what schedule, sensors and backfills ask for. The code is loaded once, at
    the start: after a change of settings or of code, start it again.
    """
    require_writable(settings)
    if read_only:
        free_port(host, port, "port")
    else:
        require_idle(live_folder(settings))  # a port that another `ui` has taken is the smaller part of the news
        require_free_ports(live_folder(settings), [(host, port, "port")])
    home = prepare_home(settings)
    plan_end("stopped", seconds=SECONDS_TO_STOP)
    if read_only:
        _serve_viewers(settings, home, host, port)
    else:
        _serve(settings, home, host, port)


def _serve(settings: Settings, home: Path, host: str, port: int) -> None:
    with tempfile.TemporaryDirectory(prefix="pairs-platform-") as folder:
        specs = ui_processes(home, Path(folder), host=host, port=port, migrate=_migrate)
        supervisor = Supervisor(specs, live_folder(settings), click.echo, "ui", lambda runs: _canceled(home, runs))
        stop_on_signals(supervisor.stop)
        click.echo(f"profile {settings.profile.name}: starting {', '.join(supervisor.names)}")
        supervisor.run(lambda: _say_where(settings, host, port))
    end_interrupted()


def _say_where(settings: Settings, host: str, port: int) -> None:
    click.echo(
        f"running: UI at http://{host}:{port}, logs and pids in {live_folder(settings)}\nCtrl-C stops everything"
    )


def _migrate() -> None:
    """Bring every store to this version in a process of its own: this one stays as small as it is."""
    done = subprocess.run(command_of("migrate", "--quiet"), start_new_session=sys.platform != "win32", check=False)
    if done.returncode:
        raise click.exceptions.Exit(done.returncode)


@contextmanager
def _canceled(home: Path, runs: Sequence[psutil.Process]) -> Iterator[None]:
    """Let the runs that are under way end as canceled, while their processes and everything else are stopped."""
    if not runs:
        yield
        return
    from pairs_platform.defs.instance import canceled_runs

    with canceled_runs(home, {run.pid for run in runs}):
        for run in runs:
            with suppress(psutil.NoSuchProcess):
                run.terminate()
        _, alive = psutil.wait_procs(runs, timeout=SECONDS_OF_A_RUN)
        for run in alive:
            with suppress(psutil.NoSuchProcess):
                run.kill()
        yield


def _serve_viewers(settings: Settings, home: Path, host: str, port: int) -> None:
    """Serve a web server alone, beside whatever runs on the profile."""
    _migrate()
    command_line = [script("dagster-webserver"), "--read-only", "-h", host, "-p", str(port), *code_location(home)]
    click.echo(f"profile {settings.profile.name}: http://{host}:{port} (state in {settings.profile_root})")
    # Of its own group: Ctrl-C reaches this process alone, which stops the others.
    process = psutil.Popen(
        command_line, env={**os.environ, "DAGSTER_HOME": str(home)}, start_new_session=sys.platform != "win32"
    )
    try:
        code = process.wait()
    finally:
        stop_family(process.pid, signal.SIGTERM)
    raise click.ClickException(f"the UI ended with exit code {code}")
