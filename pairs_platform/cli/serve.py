"""`pairs-platform serve`: one production process in the foreground, for a process manager."""

import os
import sys
import time

import click

from pairs_platform.cli.up import topology
from pairs_platform.settings import load_settings

WAIT_SECONDS = 300.0


@click.command("serve")
@click.argument("name")
def command(name: str) -> None:
    """Become the production process NAME, as soon as those that it needs are ready.

    The process manager starts all of them at once and stops them; what it does when one ends is its own matter
    (honcho, which reads deploy/Procfile, ends all of them).
    """
    _, _, _, specs = topology(load_settings(), lambda words: click.echo(words, err=True))
    names = [spec.name for spec in specs]
    if name not in names:
        raise click.ClickException(f"no process is named {name!r} with these settings; valid: {', '.join(names)}")
    until = time.monotonic() + WAIT_SECONDS
    for spec in specs[: names.index(name)]:
        while not spec.ready():
            if time.monotonic() > until:
                raise click.ClickException(f"{spec.name}, which {name} needs, is not ready after {WAIT_SECONDS:.0f} s")
            time.sleep(0.2)
    chosen = specs[names.index(name)]
    chosen.prepare()
    sys.stdout.flush()
    os.execvpe(chosen.command[0], list(chosen.command), {**os.environ, **chosen.environment})
