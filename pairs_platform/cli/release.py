"""`pairs-platform release`: a person releases the kill switch.

What does not belong here: keeping it (`database.kill_switch`), and setting it (`kill`).
"""

import click

from pairs_platform.cli.profile_options import profile_options, say_profile
from pairs_platform.cli.run_mode_option import in_words, run_mode_option
from pairs_platform.cli.show import say
from pairs_platform.core.time import utc_now
from pairs_platform.settings.model import Settings


@click.command("release")
@profile_options
@click.option("--reason", required=True, help="Why trading may go on; kept with it and in the audit.")
@run_mode_option
def command(settings: Settings, reason: str, run_modes: tuple[str, ...]) -> None:
    """Release the kill switch: trading may go on."""
    from pairs_platform.database.audit import person
    from pairs_platform.database.kill_switch import release_kill_switch
    from pairs_platform.platform import open_database
    from pairs_platform.views.open_trades import what_is_open

    if not reason.strip():
        raise click.UsageError("--reason is empty: say why trading may go on")
    database = open_database(settings)
    released = release_kill_switch(database, run_modes, reason=reason, actor=person(), now=utc_now())
    if not released:
        raise click.ClickException(f"no kill switch is set in the run mode {in_words(run_modes)}")
    say_profile()
    for switch in released:
        say(f"released · {switch.run_mode}: {switch.level}, set by {switch.actor}: {switch.reason}")
    still = what_is_open(database, run_modes)
    if still:
        say(f"still open: {still}")
