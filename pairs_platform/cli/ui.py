"""`pairs-platform ui`: the Dagster UI and daemon of the current profile."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import click

from pairs_platform.cli.instance import open_instance, prepare_home
from pairs_platform.cli.profile_options import chosen_settings, profile_options

SECONDS_TO_STOP = 60


@click.command("ui")
@profile_options
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=3000, show_default=True, type=click.IntRange(1, 65535))
def command(source: str | None, data: str | None, frequency: str | None, host: str, port: int) -> None:
    """Start the Dagster UI and the daemon (schedule, sensors, run queue) until Ctrl-C."""
    settings = chosen_settings(source, data, frequency)
    home = prepare_home(settings)
    open_instance(home).dispose()
    workspace = Path("workspace.yaml")
    location = ["-w", str(workspace)] if workspace.exists() else ["-m", "pairs_platform.definitions"]
    click.echo(f"profile {settings.profile.name}: http://{host}:{port} (state in {settings.profile_root})")
    command_line = [sys.executable, "-m", "dagster", "dev", "-h", host, "-p", str(port), *location]
    process = subprocess.Popen(command_line, env={**os.environ, "DAGSTER_HOME": str(home)})
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        code = process.wait()
    except KeyboardInterrupt:
        _stop(process)
        return
    if code:
        raise click.ClickException(f"dagster dev ended with exit code {code}")


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """Let `dagster dev` end its own children; from a terminal, Ctrl-C has reached it already."""
    if process.poll() is None:
        if sys.platform == "win32":
            process.terminate()
        else:
            process.send_signal(signal.SIGINT)
    process.wait(timeout=SECONDS_TO_STOP)
