"""`pairs-platform pairs`: the newest ranking, and why each pair passed or failed.

What does not belong here: the frames (`views.reports.day`) and their layout (`show`).
"""

from datetime import datetime

import click

from pairs_platform.cli.profile_options import profile_options, profile_settings


@click.command("pairs")
@profile_options
@click.option("--sector", help="Sector slug; every sector with a ranking if not given.")
@click.option("--session", type=click.DateTime(["%Y-%m-%d"]), help="As-of session; the newest stored one if not given.")
@click.option("--pair", help="Only this pair, as SYMBOL_SYMBOL, with every column.")
@click.option("--rows", default=40, show_default=True, help="Pairs that the table shows.")
def command(
    source: str | None,
    data: str | None,
    frequency: str | None,
    sector: str | None,
    session: datetime | None,
    pair: str | None,
    rows: int,
) -> None:
    """Show funnel and ranking of a session, then every pair with the gate that rejected it."""
    from pairs_platform.cli.day import print_day
    from pairs_platform.cli.show import frame_table, print_renderable
    from pairs_platform.core.partition_key import PartitionKey
    from pairs_platform.core.prices.sectors import SECTORS
    from pairs_platform.core.screening.spread import pair_name
    from pairs_platform.core.selection.contracts import COMPOSITE_RANKINGS
    from pairs_platform.platform import Platform
    from pairs_platform.views.drawing.cells import cell

    if pair is not None and len(pair.replace("-", "_").split("_")) != 2:
        raise click.UsageError(f"--pair {pair}: write two symbols as in PDFS_ROG")
    platform = Platform(profile_settings(source, data, frequency))
    stored = {
        slug: platform.lake.sessions(COMPOSITE_RANKINGS.table, slug) for slug in SECTORS if sector in (None, slug)
    }
    stored = {slug: days for slug, days in stored.items() if days}
    if not stored:
        raise click.ClickException(
            f"profile {platform.settings.profile.name} has no ranking{f' of {sector}' if sector else ''} yet: make demo"
        )
    for slug, days in stored.items():
        key = PartitionKey(session.date() if session else days[-1], slug)
        rankings = platform.lake.read(COMPOSITE_RANKINGS, key)
        if pair:
            name = pair_name(*pair.upper().replace("-", "_").split("_", 1))
            row = rankings[rankings["pair"] == name]
            if row.empty:
                raise click.ClickException(f"{name} is not among the {len(rankings)} pairs of {key}")
            for column, value in row.iloc[0].items():
                click.echo(f"{str(column).replace('_', ' '):<26} {cell(value)}")
            continue
        print_day(platform, slug, key.session)
        print_renderable(
            frame_table(
                rankings[["rank", "pair", "gates_passed", "explanation"]].head(rows),
                title="Why each one passed or failed",
            )
        )
        if len(rankings) > rows:
            click.echo(f"{len(rankings) - rows} more pairs; --rows {len(rankings)} shows all")
