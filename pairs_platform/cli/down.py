"""`pairs-platform down`: stop what `pairs-platform up` started."""

import time

import click
import psutil

from pairs_platform.cli.up import state_of
from pairs_platform.settings import load_settings

STOP_SECONDS = 180.0


@click.command("down")
def command() -> None:
    """Stop the production processes in the reverse of the order in which they started."""
    settings = load_settings()
    state = state_of(settings)
    if not state:
        click.echo("nothing runs")
        return
    process = psutil.Process(int(str(state["pid"])))
    process.terminate()
    until = time.monotonic() + STOP_SECONDS
    while state_of(settings) and process.status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > until:
            raise click.ClickException(f"pid {process.pid} still runs after {STOP_SECONDS:.0f} s")
        time.sleep(0.1)
    click.echo("stopped")
