"""`pairs-platform orders`: the orders of the platform as the database knows them.

What does not belong here: the table (`database.orders`), the life of an order (`core.trading.orders`), and what a
broker has (`ports.broker`).
"""

from typing import Any

import click

from pairs_platform.cli.profile_options import reading_options, say_profile
from pairs_platform.cli.run_mode_option import in_words, print_of_run_modes, run_mode_option
from pairs_platform.cli.show import dollars, rows_option
from pairs_platform.core.time import market_moment, moment_ns
from pairs_platform.settings.model import Settings

GOES_FIRST = ("broker's id", "attempt", "purpose", "limit $", "reason")
"""Columns that a narrow terminal goes without, in this order."""


@click.command("orders")
@reading_options
@run_mode_option
@click.option("--open", "open_only", is_flag=True, help="Only orders of which something may still be filled.")
@rows_option()
def command(settings: Settings, run_modes: tuple[str, ...], open_only: bool, rows: int) -> None:
    """Show the orders that were sent, newest first.

    Every order is stored before it is sent, so that one whose answer was lost is here too.
    """
    from pairs_platform.database.orders import order_rows
    from pairs_platform.platform import open_database

    stored = order_rows(open_database(settings), run_modes, open_only=open_only)
    shown = in_words(run_modes)
    if not stored:
        say_profile()
        what = "may still fill" if open_only else "is stored"
        click.echo(f"no order {what} in the run mode {shown}")
        return
    lines = [_line(row) for row in stored]
    title = f"{'Open orders' if open_only else 'Orders'} · {shown} · New York"
    print_of_run_modes(lines, title, run_modes, rows=rows, goes_first=GOES_FIRST, whole=("order",))


def _line(row: dict[str, Any]) -> dict[str, Any]:
    shares, executed = abs(row["quantity"]), row["executed"]
    filled = max(executed, row["reported_filled"])
    return {
        "written down": f"{market_moment(moment_ns(row['intended_utc'])):%m-%d %H:%M:%S}",
        "run mode": row["run_mode"],
        "pair": row["pair"],
        "order": f"{'buy' if row['quantity'] > 0 else 'sell'} {shares} {row['symbol']}",
        "limit $": dollars(row["limit_price"]),
        "status": row["status"],
        "filled": f"{filled} of {shares}",
        "mean $": dollars(row["mean_price"]),
        "purpose": row["purpose"],
        "attempt": row["attempt"],
        "reason": row["reason"],
        "broker's id": row["broker_order_id"],
    }
