"""`pairs-platform risk`: whether the kill switch is set, what the accounts are worth, and what risk had to say.

What does not belong here: checks and limits (`core.risk`), and setting the kill switch (`kill`).
"""

from typing import TYPE_CHECKING, Any

import click

from pairs_platform.cli.profile_options import reading_options, say_profile
from pairs_platform.cli.run_mode_option import in_words, print_of_run_modes, run_mode_option
from pairs_platform.cli.show import older_rows, rows_option, say
from pairs_platform.settings.model import Settings

if TYPE_CHECKING:
    from pairs_platform.database.store import Database

GOES_FIRST = ("bound", "value", "kind", "severity")
"""Columns that a narrow terminal goes without, in this order."""


@click.command("risk")
@reading_options
@run_mode_option
@rows_option()
def command(settings: Settings, run_modes: tuple[str, ...], rows: int) -> None:
    """Show the kill switch, the accounts' worth, and events of risk."""
    from pairs_platform.database.kill_switch import in_force
    from pairs_platform.database.risk_events import event_rows
    from pairs_platform.platform import open_database

    database = open_database(settings)
    say_profile()
    switches = in_force(database, run_modes)
    for switch in switches:
        say(
            f"kill switch · {switch.run_mode}: {switch.level} since {switch.set_utc:%Y-%m-%d %H:%M} UTC by "
            f"{switch.actor}: {switch.reason}",
            fg="red",
        )
    for mode in run_modes:
        if all(switch.run_mode != mode for switch in switches):
            say(f"kill switch · {mode}: not set")
    _print_worth(database, run_modes)
    events = event_rows(database, run_modes, limit=rows + 1)
    if not events:
        click.echo(f"risk has said nothing in the run mode {in_words(run_modes)}")
        return
    lines = [_line(row) for row in events[:rows]]
    title = f"Risk · {in_words(run_modes)} · newest first"
    print_of_run_modes(lines, title, run_modes, rows=rows, goes_first=GOES_FIRST)
    if len(events) > rows:
        click.echo(older_rows(rows))


def _print_worth(database: "Database", run_modes: tuple[str, ...]) -> None:
    from pairs_platform.database.equity import newest_equity_rows

    for row in newest_equity_rows(database, run_modes):
        fall = 1.0 - row["equity"] / row["high_water"] if row["high_water"] > 0 else 0.0
        gross = row["long_value"] - row["short_value"]
        moment = f"{row['at_utc']:%Y-%m-%d %H:%M} UTC"
        say(
            f"account {row['account']} · {row['run_mode']}: ${row['equity']:,.2f} at {moment}, "
            f"{fall:.2%} below its high, ${gross:,.2f} held long and short together"
        )


def _line(row: dict[str, Any]) -> dict[str, Any]:
    concerns = row["pair"] or row["symbol"] or row["sector"] or ""
    return {
        "UTC": f"{row['at_utc']:%m-%d %H:%M:%S}",
        "run mode": row["run_mode"],
        "severity": row["severity"],
        "kind": row["kind"],
        "code": row["code"].replace("_", " "),
        "concerns": concerns,
        "value": row["value"],
        "bound": row["bound"],
        "message": row["message"],
    }
