"""`pairs-platform ui`: the Dagster UI and daemon of the current profile.

What does not belong here: the stream (`live`) and production (`up`).
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from typing import IO

import click
import psutil

from pairs_platform.cli.address_options import address_options
from pairs_platform.cli.interrupts import plan_end
from pairs_platform.cli.profile_options import profile_options
from pairs_platform.platform import require_writable
from pairs_platform.processes.runtime.dagster_home import prepare_home
from pairs_platform.processes.runtime.migrations import migrate_stores
from pairs_platform.processes.runtime.supervisor import require_idle, the_only_one
from pairs_platform.processes.runtime.topology import code_location, free_port, script
from pairs_platform.settings.model import Settings
from pairs_platform.settings.production import live_folder

SECONDS_TO_STOP = 30
_NO_ADVICE = ("-W", "ignore:Function `dev_command` is superseded")
"""Dagster's advice to start it by another program is for who types `dagster dev`."""


@click.command("ui")
@profile_options
@address_options
@click.option("--read-only", is_flag=True, help="For viewers: nothing can be launched or changed, and no daemon runs.")
def command(settings: Settings, host: str, port: int, read_only: bool) -> None:
    """Serve the Dagster UI with schedule and sensors, until Ctrl-C.

    Dagster's daemon runs with it and starts what schedule, sensors and backfills ask for.
    """
    require_writable(settings)
    if not read_only:  # a port that another `ui` has taken is the smaller part of the news
        require_idle(live_folder(settings))
    free_port(host, port, "port")
    with nullcontext() if read_only else the_only_one(live_folder(settings), "ui"):
        _serve(settings, host, port, read_only=read_only)


def _serve(settings: Settings, host: str, port: int, *, read_only: bool) -> None:
    from pairs_platform.defs.instance import canceled_runs, prepare_instance

    home = prepare_home(settings)
    migrate_stores(settings, click.echo)
    prepare_instance(home, click.echo)
    location = code_location(home)
    click.echo(f"profile {settings.profile.name}: http://{host}:{port} (state in {settings.profile_root})")
    quiet = ("--log-level", "warning", "--code-server-log-level", "warning")
    command_line = [sys.executable, *_NO_ADVICE, "-m", "dagster", "dev", *quiet, "-h", host, "-p", str(port), *location]
    if read_only:
        command_line = [script("dagster-webserver"), "--read-only", "-h", host, "-p", str(port), *location]
    # A Python handler in place of an ignored SIGINT (background jobs inherit that) is the default again in the child.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    plan_end("stopped", seconds=SECONDS_TO_STOP + 5.0)
    # Of its own group: Ctrl-C reaches this process alone, which stops the others.
    process = psutil.Popen(
        command_line,
        env={**os.environ, "DAGSTER_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=sys.platform != "win32",
    )
    stopping = threading.Event()
    threading.Thread(target=_show, args=(process.stdout, stopping), daemon=True).start()
    try:
        code = process.wait()
    except KeyboardInterrupt:
        stopping.set()
        family = [*process.children(recursive=True), process] if process.is_running() else [process]
        with nullcontext() if read_only else canceled_runs(home, {member.pid for member in family}):
            _stop(family)
        raise
    if code:
        raise click.ClickException(f"the UI ended with exit code {code}")


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _show(output: IO[bytes], stopping: threading.Event) -> None:
    """Show what the processes say, until they are stopped: how each of them ends is no news then."""
    for line in output:
        if not stopping.is_set():
            click.echo(line.decode(errors="replace"), nl=False)


def _stop(family: Sequence[psutil.Process]) -> None:
    """Let `dagster dev` end its own children, and end those that are still there after a while.

    A termination and not an interrupt: a process that is still importing shows a traceback for the latter.
    """
    for member in reversed(family):
        with suppress(psutil.NoSuchProcess):
            member.terminate()
    _, alive = psutil.wait_procs(family, timeout=SECONDS_TO_STOP)
    for member in alive:
        member.kill()
