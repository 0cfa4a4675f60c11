"""`pairs-platform trade`: the trader alone.

What does not belong here: what it does (`processes.trader`), and starting it with everything else (`live`, `up`).
"""

import logging

import click

from pairs_platform.cli.interrupts import plan_end
from pairs_platform.cli.profile_options import profile_options, say_profile
from pairs_platform.settings.model import Settings


@click.command("trade")
@profile_options
def command(settings: Settings) -> None:
    """Trade signals with the account of the settings.

    It runs in the foreground until Ctrl-C. The account is the platform's own paper account, filled from streamed bars,
    unless broker.kind says otherwise. Positions stay as they are when it ends; the next start goes on with them.
    """
    from pairs_platform.platform import require_writable
    from pairs_platform.processes.runtime.supervisor import STOP_SECONDS
    from pairs_platform.processes.trader.trader import run_trader

    require_writable(settings)
    plan_end("stopped; what is held stays", seconds=STOP_SECONDS)
    say_profile()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("alpaca").setLevel(logging.CRITICAL)
    run_trader(settings)
