"""`pairs-platform kill`: set the kill switch, whether a trader runs or not.

What does not belong here: keeping it (`database.kill_switch`), what each level lets pass (`core.risk.trading_state`),
and carrying it out.
"""

import click

from pairs_platform.cli.profile_options import profile_options, say_profile
from pairs_platform.cli.run_mode_option import in_words, run_mode_option
from pairs_platform.cli.show import say
from pairs_platform.core.time import utc_now
from pairs_platform.settings.hints import hint
from pairs_platform.settings.model import Settings

EFFECTS = {
    "flatten": "orders are canceled and every trade is closed",
    "halt": "nothing but cancelations is sent, not even what closes a trade",
    "reducing": "no trade is begun; those that are open go on and end",
}


@click.command("kill")
@profile_options
@click.option("--reason", required=True, help="Why; kept with it and in the audit.")
@click.option(
    "--level",
    type=click.Choice(list(EFFECTS)),
    default="flatten",
    show_default=True,
    help="flatten: cancel and close all; halt: send nothing; reducing: begin nothing.",
)
@run_mode_option
def command(settings: Settings, reason: str, level: str, run_modes: tuple[str, ...]) -> None:
    """Stop trading: set the kill switch, until a person releases it.

    It is in force at once and over restarts; without a trader what is open stays open, and is named.
    """
    from pairs_platform.core.risk.trading_state import KillLevel
    from pairs_platform.database.audit import person
    from pairs_platform.database.kill_switch import set_kill_switch
    from pairs_platform.platform import open_database
    from pairs_platform.views.open_trades import what_is_open

    if not reason.strip():
        raise click.UsageError("--reason is empty: say why, for those who release it")
    database = open_database(settings)
    set_kill_switch(database, run_modes, KillLevel(level), reason=reason, actor=person(), now=utc_now())
    say_profile()
    say(f"kill switch set · {in_words(run_modes)}: {level}, so {EFFECTS[level]}")
    still = what_is_open(database, run_modes)
    if not still:
        say("flat: no trade and no order is open in the database")
        return
    say(f"not flat: {still}", fg="red")
    say(f"`{hint('positions')}` and `{hint('orders')} --open` show what is left; a trader that runs acts on it at once")
