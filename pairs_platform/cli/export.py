"""`pairs-platform export`: rankings, signals, performance and others as CSV, Excel or Parquet.

What does not belong here: the tables (`views.reports.tables`) and the file formats (`views.reports.files`).
"""

from datetime import date, datetime
from pathlib import Path

import click

from pairs_platform.cli.profile_options import reading_options, say_profile
from pairs_platform.cli.sector_name import SECTOR
from pairs_platform.core.errors import ConfigurationError
from pairs_platform.core.prices.calendar import CALENDAR_END, CALENDAR_START
from pairs_platform.settings.model import Settings

_DAY = click.DateTime(["%Y-%m-%d"])
KINDS = {".csv": "csv", ".xlsx": "xlsx", ".parquet": "parquet"}


@click.command("export")
@reading_options
@click.argument("table", metavar="TABLE")
@click.argument("target", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--sector", type=SECTOR, help="Sector slug; every sector if not given.")
@click.option("--session", type=_DAY, help="One session.")
@click.option("--from", "first", type=_DAY, help="First session.")
@click.option("--to", "last", type=_DAY, help="Last session.")
def command(
    settings: Settings,
    table: str,
    target: Path,
    sector: str | None,
    session: datetime | None,
    first: datetime | None,
    last: datetime | None,
) -> None:
    """Write a table as .csv, .xlsx or .parquet.

    TABLE is rankings, configurations, performance, model_rankings, trends, signals, signal_outcomes, spread_orders,
    orders, fills, bookings, positions, equity, risk_events or kill_switch; the suffix of TARGET chooses the format. An
    existing file is replaced.
    """
    from pairs_platform.platform import Platform
    from pairs_platform.views.reports.files import require_folder, write_export
    from pairs_platform.views.reports.tables import exported

    kind = KINDS.get(target.suffix.lower())
    if kind is None:
        raise ConfigurationError(f"{target}: the suffix names no format; valid: {', '.join(KINDS)}")
    require_folder(target)
    if session is not None and (first is not None or last is not None):
        raise click.UsageError("give --session, or --from and --to")
    begin, end = _range(session or first, session or last)
    frame = exported(Platform(settings), table, sector, begin, end)
    write_export(target, frame, kind)  # type: ignore[arg-type]
    say_profile()
    click.echo(f"{len(frame)} rows: {target}")


def _range(first: datetime | None, last: datetime | None) -> tuple[date, date]:
    begin = first.date() if first else CALENDAR_START
    end = last.date() if last else CALENDAR_END
    if begin > end:
        raise click.UsageError(f"--from {begin} is after --to {end}")
    return begin, end
