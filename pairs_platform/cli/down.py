"""`pairs-platform down`: stop what `pairs-platform up` started.

What does not belong here: stopping the single processes, which their supervisor does.
"""

from pathlib import Path

import click
import psutil

from pairs_platform.cli.profile_options import profile_options, say_profile
from pairs_platform.processes.runtime.supervisor import holder_of
from pairs_platform.settings.model import Settings
from pairs_platform.settings.production import live_folder, served_processes, state_of

STOP_SECONDS = 180.0


@click.command("down")
@profile_options
def command(settings: Settings) -> None:
    """Stop the production processes.

    They stop in the reverse of the order in which they started.
    """
    say_profile()
    state = state_of(settings)
    if not state:
        click.echo(_what_else_runs(live_folder(settings)))
        return
    process = psutil.Process(int(str(state["pid"])))
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except psutil.TimeoutExpired:
        raise click.ClickException(f"pid {process.pid} still runs after {STOP_SECONDS:.0f} s") from None
    click.echo("stopped")


def _what_else_runs(folder: Path) -> str:
    """What runs on the profile without `up`, and who stops it."""
    served, holder = ", ".join(served_processes(folder)), holder_of(folder)
    if served:
        return f"`up` does not run; its process manager stops what `serve` runs: {served}"
    return f"`up` does not run; {holder} does: stop it with Ctrl-C" if holder else "nothing runs"
