"""`pairs-platform alerts`: the open and recent alerts, messages that were not delivered, a test of the receivers.

What does not belong here: what is worth an alert (`core.operations.alert_causes`) and sending (`workflows.alerts`).
"""

from datetime import timedelta

import click

from pairs_platform.cli.commands import CommandGroup
from pairs_platform.cli.profile_options import profile_options, say_profile
from pairs_platform.cli.show import print_rows, rows_option, say
from pairs_platform.core.errors import ConfigurationError
from pairs_platform.core.folding import listed
from pairs_platform.core.operations.alerts import TITLES
from pairs_platform.core.time import utc_now
from pairs_platform.settings.hints import hint
from pairs_platform.settings.model import Settings
from pairs_platform.settings.variables import variable


@click.group("alerts", cls=CommandGroup, invoke_without_command=True)
@click.option(
    "--days", type=click.FloatRange(0), default=1.0, show_default=True, help="Days for which closed alerts are shown."
)
@rows_option()
@profile_options
@click.pass_context
def command(context: click.Context, settings: Settings, days: float, rows: int) -> None:
    """Show open alerts and messages that were not delivered.

    Those that were closed lately are shown too.
    """
    if context.invoked_subcommand is not None:
        return
    from pairs_platform.adapters.notify.apprise_notifier import receivers
    from pairs_platform.database.alerts import failed_deliveries, recent_alerts
    from pairs_platform.platform import open_database, require_begun

    require_begun(settings)
    database = open_database(settings)
    alerts = recent_alerts(database, utc_now() - timedelta(days=days))
    lines = [
        {
            "number": alert.id,
            "since UTC": f"{alert.opened_utc:%Y-%m-%d %H:%M}",
            "over UTC": f"{alert.resolved_utc:%m-%d %H:%M}" if alert.resolved_utc else "open",
            "severity": alert.severity,
            "kind": TITLES[alert.kind],
            "partition": f"{alert.session or ''}|{alert.sector or ''}".strip("|"),
            "what": alert.what.partition("\n")[0],
            "times seen": alert.times,
        }
        for alert in alerts
    ]
    if lines:
        print_rows(lines, "Alerts", rows=rows)
        still_open = [alert for alert in alerts[:rows] if alert.resolved_utc is None]
        for alert in still_open:
            if "\n" in alert.what:  # a command to type stands in it, which no cell can hold
                say(f"{alert.id}: {alert.what}")
        for remedy in dict.fromkeys(alert.remedy for alert in still_open):
            numbers = [alert.id for alert in still_open if alert.remedy == remedy]
            say(f"{listed(numbers, 12)}: {remedy}")
    else:
        say(f"nothing is broken in profile {settings.profile.name}")
    for delivery in failed_deliveries(database, list(receivers(settings.alert_urls))):
        say(f"not delivered to {delivery.target} after {delivery.attempts} attempts: {delivery.error}", fg="red")


@command.command("close")
@profile_options
@click.argument("number", type=int)
@click.option("--reason", required=True, help="Why it is over; kept in the audit.")
def close(settings: Settings, number: int, reason: str) -> None:
    """Close the open alert NUMBER by hand."""
    from pairs_platform.database.alerts import close_alert
    from pairs_platform.database.audit import person
    from pairs_platform.platform import open_database

    database = open_database(settings)
    closed = close_alert(database, number, actor=person(), reason=reason, now=utc_now())
    if closed is None:
        raise click.ClickException(f"no open alert has number {number}: `{hint('alerts')}` lists them")
    say_profile()
    click.echo(f"closed: {closed.what}")


@command.command("test")
@profile_options
def test(settings: Settings) -> None:
    """Send a message to every receiver now; exit code 1 when a delivery failed."""
    from pairs_platform.adapters.notify.apprise_notifier import receivers, send

    urls = receivers(settings.alert_urls)
    if not urls:
        raise click.ClickException(f"no receiver is configured: set {variable('alert_urls')}, see docs/alerts.md")
    say_profile()
    failed = 0
    for name, url in urls.items():
        try:
            error = send(name, url, "pairs platform: test", "Alerts of the pairs platform reach this receiver.")
        except ConfigurationError as mistake:
            error = str(mistake)
        failed += bool(error)
        click.echo(f"{name}: {error or 'sent'}")
    if failed:
        raise click.exceptions.Exit(1)
