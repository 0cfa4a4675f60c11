"""`pairs-platform audit`: who or what changed something, when and why.

What does not belong here: the table and its entries (`database.audit`).
"""

import json
from datetime import UTC, datetime
from typing import get_args

import click

from pairs_platform.cli.profile_options import reading_options, say_profile
from pairs_platform.cli.show import older_rows, print_rows, rows_option
from pairs_platform.database.audit import AuditAction, entries
from pairs_platform.platform import open_database
from pairs_platform.settings.model import Settings


@click.command("audit")
@reading_options
@click.option("--since", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M"]), help="Not before this moment (UTC).")
@click.option(
    "--action",
    "actions",
    multiple=True,
    metavar="ACTION",
    type=click.Choice(get_args(AuditAction)),
    help=f"May be repeated: {', '.join(get_args(AuditAction))}.",
)
@rows_option()
@click.option("--json", "as_json", is_flag=True, help="A JSON object in each line, with every detail.")
def command(settings: Settings, since: datetime | None, actions: tuple[str, ...], rows: int, as_json: bool) -> None:
    """Show who changed what, newest first.

    Rows of the audit log are only ever added.
    """
    database = open_database(settings)
    moment = since.replace(tzinfo=UTC) if since else None
    log_entries = entries(database, actions=actions, since=moment, limit=rows + 1)
    older = len(log_entries) > rows
    log_entries = log_entries[:rows]
    if as_json or not log_entries:
        say_profile()
    if as_json:
        for entry in log_entries:
            click.echo(json.dumps(vars(entry), default=str))
        return
    if not log_entries:
        click.echo("nothing is recorded")
        return
    lines = [
        {
            "UTC": f"{entry.at_utc:%Y-%m-%d %H:%M:%S}",
            "actor": entry.actor,
            "action": entry.action.replace("_", " "),
            "object": entry.object,
            "reason": entry.reason,
        }
        for entry in log_entries
    ]
    print_rows(lines, "Audit log", rows=rows)
    if older:
        click.echo(older_rows(rows))
