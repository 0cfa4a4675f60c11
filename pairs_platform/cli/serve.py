"""`pairs-platform serve`: one production process in the foreground, for a process manager.

What does not belong here: which processes there are (`processes.runtime.topology`).
"""

import os
import signal
import subprocess
import sys
import time

import click

from pairs_platform.cli.interrupts import plan_end, stop_on_signals
from pairs_platform.cli.live import SECONDS_TO_STOP
from pairs_platform.cli.profile_options import profile_options_of_production, say_profile
from pairs_platform.cli.up import topology
from pairs_platform.core.operations.run_tags import this_process
from pairs_platform.platform import require_writable
from pairs_platform.processes.runtime.supervisor import require_no_supervisor
from pairs_platform.processes.runtime.topology import write_environment
from pairs_platform.settings.model import Settings
from pairs_platform.settings.production import live_folder, named_stores, note_served

WAIT_SECONDS = 300.0


@click.command("serve")
@profile_options_of_production
@click.argument("name")
def command(settings: Settings, name: str) -> None:
    """Become one production process, for a process manager.

    NAME is that of the process, which starts as soon as those that it needs are ready. The process manager starts all
    of them at once and stops them; what it does when one ends is its own matter (honcho, which reads deploy/Procfile,
    ends all of them).
    """
    require_writable(settings)
    say_profile()
    require_no_supervisor(live_folder(settings))
    settings, home, own, specs = topology(settings, lambda message: click.echo(message, err=True))
    write_environment(settings, home, own)
    names = [spec.name for spec in specs]
    if name not in names:
        raise click.ClickException(f"no process is named {name!r} with these settings; valid: {', '.join(names)}")
    until = time.monotonic() + WAIT_SECONDS
    for spec in specs[: names.index(name)]:
        while not spec.ready():
            if time.monotonic() > until:
                raise click.ClickException(f"{spec.name}, which {name} needs, is not ready after {WAIT_SECONDS:.0f} s")
            time.sleep(0.2)
    served = specs[names.index(name)]
    note_served(settings, name, this_process(), named_stores(own.environment))
    served.prepare()
    sys.stdout.flush()
    environment = {**os.environ, **served.environment}
    if served.stop_signal == signal.SIGTERM:
        os.execvpe(served.command[0], list(served.command), environment)
    # A process manager stops with SIGTERM, on which this one would wait for its clients.
    process = subprocess.Popen(list(served.command), env=environment)
    plan_end("stopped", seconds=SECONDS_TO_STOP)
    stop_on_signals(lambda: process.send_signal(served.stop_signal))
    sys.exit(process.wait())
