"""`pairs-platform audit`: who or what changed something, when and why.

What does not belong here: the table and its entries (`database.audit`).
"""

import json
from datetime import UTC, datetime
from typing import get_args

import click

from pairs_platform.cli.profile_options import profile_options
from pairs_platform.database.audit import AuditAction, entries
from pairs_platform.platform import open_database
from pairs_platform.settings.model import Settings


@click.command("audit")
@profile_options
@click.option("--since", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M"]), help="Not before this moment (UTC).")
@click.option("--action", "actions", multiple=True, type=click.Choice(get_args(AuditAction)), help="May be repeated.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="Number of newest rows.")
@click.option("--json", "as_json", is_flag=True, help="A JSON object in each line, with every detail.")
def command(settings: Settings, since: datetime | None, actions: tuple[str, ...], limit: int, as_json: bool) -> None:
    """Show the audit log, newest first; its rows are only ever added."""
    database = open_database(settings)
    moment = since.replace(tzinfo=UTC) if since else None
    log_entries = entries(database, actions=actions, since=moment, limit=limit)
    if as_json:
        for entry in log_entries:
            click.echo(json.dumps(vars(entry), default=str))
        return
    if not log_entries:
        click.echo("nothing is recorded")
        return
    from pairs_platform.cli.show import print_renderable, rows_table

    rows = [
        {
            "UTC": f"{entry.at_utc:%Y-%m-%d %H:%M:%S}",
            "actor": entry.actor,
            "action": entry.action.replace("_", " "),
            "object": entry.object,
            "reason": entry.reason,
        }
        for entry in log_entries
    ]
    print_renderable(rows_table(rows, title="Audit log"))
