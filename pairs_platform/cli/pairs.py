"""`pairs-platform pairs`: the newest ranking, and why each pair passed or failed.

What does not belong here: the frames (`views.reports.day`) and their layout (`show`).
"""

from datetime import datetime
from typing import TYPE_CHECKING

import click

from pairs_platform.cli.day import RANKING_SHOWN, print_day
from pairs_platform.cli.profile_options import reading_options, say_profile
from pairs_platform.cli.sector_name import SECTOR
from pairs_platform.cli.show import print_frame, rows_option
from pairs_platform.settings.model import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from pairs_platform.core.partition_key import PartitionKey


@click.command("pairs")
@reading_options
@click.option("--sector", type=SECTOR, help="Sector slug; every sector with a ranking if not given.")
@click.option("--session", type=click.DateTime(["%Y-%m-%d"]), help="As-of session; the newest stored one if not given.")
@click.option("--pair", help="Only this pair, as SYMBOL_SYMBOL in any order, with every column.")
@rows_option(RANKING_SHOWN)
def command(
    settings: Settings,
    sector: str | None,
    session: datetime | None,
    pair: str | None,
    rows: int,
) -> None:
    """Show what to trade next, the ranking, and why pairs failed.

    What to trade comes first; then the funnel of a session, its ranking, and the gate that each pair passed or failed.
    """
    from pairs_platform.core.errors import NothingRanked
    from pairs_platform.core.partition_key import PartitionKey
    from pairs_platform.core.prices.sectors import SECTORS
    from pairs_platform.core.selection.contracts import COMPOSITE_RANKINGS
    from pairs_platform.platform import Platform
    from pairs_platform.views.pair_orders import LOW_Z, with_orders_of_screen

    platform = Platform(settings)
    stored = {
        slug: platform.lake.sessions(COMPOSITE_RANKINGS.table, slug) for slug in SECTORS if sector in (None, slug)
    }
    stored = {slug: days for slug, days in stored.items() if days}
    if not stored:
        of_sector = f" of {sector}" if sector else ""
        raise NothingRanked(f"profile {platform.settings.profile.name} has no ranking{of_sector} yet", sector)
    keys = [PartitionKey(session.date() if session else days[-1], slug) for slug, days in stored.items()]
    if pair:
        _print_pair(
            pair,
            {key: with_orders_of_screen(platform, key, platform.lake.read(COMPOSITE_RANKINGS, key)) for key in keys},
        )
        return
    for key in keys:
        rankings = with_orders_of_screen(platform, key, platform.lake.read(COMPOSITE_RANKINGS, key))
        print_day(platform, key.sector, key.session, rows=rows)
        why = rankings[["rank", "pair", LOW_Z, "gates_passed", "explanation"]]
        print_frame(why, "Why each one passed or failed", rows=rows, whole=(LOW_Z,))


def _print_pair(text: str, rankings: "Mapping[PartitionKey, pd.DataFrame]") -> None:
    """Every column of the pair, in each of the rankings that has it."""
    from pairs_platform.core.screening.pair_names import find_pair
    from pairs_platform.views.drawing.cells import cell

    names = {str(name) for frame in rankings.values() for name in frame["pair"]}
    name = find_pair(text, names)
    say_profile()
    for frame in rankings.values():
        for _, row in frame[frame["pair"] == name].iterrows():
            for column, value in row.items():
                click.echo(f"{str(column).replace('_', ' '):<26} {cell(value)}")
