"""`pairs-platform positions`: what open trades hold, as their fills say, and what an account holds beside them.

What does not belong here: how positions follow from fills (`views.open_trades`), and what a broker has
(`ports.broker`).
"""

from typing import TYPE_CHECKING, Any

import click

from pairs_platform.cli.profile_options import reading_options, say_profile
from pairs_platform.cli.run_mode_option import in_words, print_of_run_modes, run_mode_option
from pairs_platform.cli.show import dollars, rows_option
from pairs_platform.core.time import market_moment, moment_ns
from pairs_platform.settings.model import Settings

if TYPE_CHECKING:
    from pairs_platform.views.open_trades import HeldLeg

GOES_FIRST = ("account", "since", "price $", "mean $", "wanted")
"""Columns that a narrow terminal goes without, in this order."""


@click.command("positions")
@reading_options
@run_mode_option
@rows_option()
def command(settings: Settings, run_modes: tuple[str, ...], rows: int) -> None:
    """Show what open trades hold, leg by leg.

    Shares are those of the stored fills; prices and what an account holds beside them are those of the newest snapshot.
    """
    from pairs_platform.platform import open_database
    from pairs_platform.views.open_trades import held_legs, what_is_open

    database = open_database(settings)
    shown = in_words(run_modes)
    legs = held_legs(database, run_modes)
    if not legs:
        say_profile()
        click.echo(f"flat in the run mode {shown}: no trade and no order is open in the database")
        return
    lines = [_line(leg) for leg in legs]
    print_of_run_modes(lines, f"Positions · {shown} · New York", run_modes, rows=rows, goes_first=GOES_FIRST)
    still = what_is_open(database, run_modes)
    click.echo(still or "no trade of the platform is open: what is listed is held beside them")


def _line(leg: "HeldLeg") -> dict[str, Any]:
    since = leg.since_utc
    return {
        "run mode": leg.run_mode,
        "account": leg.account,
        "pair": leg.pair or "no trade's",
        "symbol": leg.symbol,
        "shares": f"{leg.quantity:+,g}" if leg.quantity else "0",
        "wanted": None if leg.wanted is None else f"{leg.wanted:+,d}" if leg.wanted else "0",
        "mean $": dollars(leg.average_price),
        "price $": dollars(leg.price),
        "gain $": None if leg.gain is None else f"{leg.gain:+,.2f}",
        "state": leg.state,
        "since": None if since is None else f"{market_moment(moment_ns(since)):%m-%d %H:%M}",
    }
