"""`pairs-platform report`: one session as an HTML or PDF file, for people who have no terminal.

What does not belong here: content and form of the report (`views.reports`).
"""

from datetime import datetime
from pathlib import Path

import click

from pairs_platform.cli.profile_options import reading_options, say_profile
from pairs_platform.cli.sector_name import SECTOR
from pairs_platform.settings.model import Settings


@click.command("report")
@reading_options
@click.option("--session", type=click.DateTime(["%Y-%m-%d"]), help="Session; the newest stored one if not given.")
@click.option("--sector", type=SECTOR, help="Sector slug; every sector that is stored for the session if not given.")
@click.option(
    "-o",
    "--output",
    "target",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File; its suffix chooses the format, .html or .pdf.  [default: reports/<session>.html of the profile]",
)
def command(settings: Settings, session: datetime | None, sector: str | None, target: Path | None) -> None:
    """Write the report of a session as HTML or PDF.

    It has funnel, ranking, selection, configuration, model, signals and spreads. An existing file is replaced. The same
    state gives the same bytes.
    """
    from pairs_platform.platform import Platform
    from pairs_platform.views.reports.files import require_folder
    from pairs_platform.views.reports.session import report_of, reported_keys, require_form, write_report

    if target is not None:
        require_form(target)
        require_folder(target)
    platform = Platform(settings)
    keys = reported_keys(platform, session.date() if session else None, sector)
    path = target or settings.profile_root / "reports" / f"{keys[0].session}.html"
    size = write_report(path, report_of(platform, keys))
    say_profile()
    click.echo(f"{keys[0].session}, {', '.join(key.sector for key in keys)}: {path} ({size:,} bytes)")
    click.echo(f"open it in a browser: {path.resolve().as_uri()}")
