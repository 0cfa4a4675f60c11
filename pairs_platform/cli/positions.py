"""`pairs-platform positions`: what open trades hold, as their fills say, and what an account holds beside them.

What does not belong here: how positions follow from fills (`views.open_trades`), and what a broker has
(`ports.broker`).
"""

from typing import TYPE_CHECKING, Any

import click

from pairs_platform.cli.profile_options import profile_options, say_profile
from pairs_platform.cli.run_mode_option import run_mode_option
from pairs_platform.cli.show import narrowed, output_width, print_frame, rows_option
from pairs_platform.settings.model import Settings

if TYPE_CHECKING:
    from pairs_platform.views.open_trades import HeldLeg

GOES_FIRST = ("account", "since", "price $", "mean $", "wanted")
"""Columns that a narrow terminal goes without, in this order."""


@click.command("positions")
@profile_options
@run_mode_option
@rows_option()
def command(settings: Settings, run_modes: tuple[str, ...], rows: int) -> None:
    """Show what open trades hold, leg by leg.

    Shares are those of the stored fills; prices and what an account holds beside them are those of the newest snapshot.
    """
    import pandas as pd

    from pairs_platform.platform import open_database
    from pairs_platform.views.open_trades import held_legs, what_is_open

    database = open_database(settings)
    shown = " and ".join(run_modes)
    legs = held_legs(database, run_modes)
    if not legs:
        say_profile()
        click.echo(f"flat in the run mode {shown}: no trade and no order is open in the database")
        return
    frame = pd.DataFrame([_line(leg) for leg in legs])
    if len(run_modes) == 1:
        frame = frame.drop(columns="run mode")
    print_frame(narrowed(frame, GOES_FIRST, output_width()), f"Positions · {shown} · New York", rows=rows)
    still = what_is_open(database, run_modes)
    click.echo(still or "no trade of the platform is open: what is listed is held beside them")


def _line(leg: "HeldLeg") -> dict[str, Any]:
    from zoneinfo import ZoneInfo

    from pairs_platform.core.time import MARKET_TIMEZONE

    since = leg.since_utc
    return {
        "run mode": leg.run_mode,
        "account": leg.account,
        "pair": leg.pair or "no trade's",
        "symbol": leg.symbol,
        "shares": f"{leg.quantity:+,g}" if leg.quantity else "0",
        "wanted": None if leg.wanted is None else f"{leg.wanted:+,d}" if leg.wanted else "0",
        "mean $": None if leg.average_price is None else f"{leg.average_price:,.2f}",
        "price $": None if leg.price is None else f"{leg.price:,.2f}",
        "gain $": None if leg.gain is None else f"{leg.gain:+,.2f}",
        "state": leg.state,
        "since": None if since is None else f"{since.astimezone(ZoneInfo(MARKET_TIMEZONE)):%m-%d %H:%M}",
    }
