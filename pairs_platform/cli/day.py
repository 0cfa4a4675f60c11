"""The result of one sector-day in a terminal: what to trade, then funnel, ranking and models.

What does not belong here: the plan (`views.trading_plan`), the frames and sentences (`views.reports.day`).
"""

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

import click

from pairs_platform.cli.show import frame_table, narrowed, output_width, print_renderable, say

if TYPE_CHECKING:
    from pairs_platform.platform import Platform

RANKING_SHOWN = 15


def print_plan(platform: "Platform", sector: str, session: date) -> None:
    """Print what may be traded in the session after `session`, or why nothing is known about that."""
    from pairs_platform.core.errors import PartitionMissing
    from pairs_platform.core.partition_key import PartitionKey
    from pairs_platform.views.remedies import with_remedy
    from pairs_platform.views.trading_plan import plan_lines, trading_plan

    try:
        plan = trading_plan(platform, PartitionKey(session, sector))
    except PartitionMissing as error:
        click.echo(f"No plan of {sector} from {session}: {with_remedy(error)}\n")
        return
    headline, *lines = plan_lines(plan, output_width())
    click.secho(headline, bold=True)
    click.echo("\n".join(lines) + "\n")


def print_day(platform: "Platform", sector: str, session: date, *, rows: int = RANKING_SHOWN) -> None:
    """Print the plan, then funnel, ranking and selection of one session of one sector from the lake."""
    from pairs_platform.core.partition_key import PartitionKey
    from pairs_platform.core.screening.contracts import COINTEGRATED_PAIRS
    from pairs_platform.core.selection.contracts import COMPOSITE_RANKINGS
    from pairs_platform.views.pair_orders import with_orders_of_screen
    from pairs_platform.views.reports.day import (
        NULL_NOTE,
        ORDER,
        RANKING_GOES_FIRST,
        best_backtest,
        funnel_frame,
        ranking_frame,
        selection,
    )

    key = PartitionKey(session, sector)
    rankings = with_orders_of_screen(platform, key, platform.lake.read(COMPOSITE_RANKINGS, key))
    metadata = platform.lake.metadata(COMPOSITE_RANKINGS, key)
    funnel = funnel_frame(metadata["funnel"], platform.lake.metadata(COINTEGRATED_PAIRS, key)["placebo"])
    ranking = ranking_frame(rankings.head(rows), platform.settings.selection.sessions_averaged)
    place = f"{sector} · {session} · {metadata['source']}"
    print_plan(platform, sector, session)
    print_renderable(
        frame_table(funnel, title=f"Selection funnel · {place}"),
        f"{NULL_NOTE}\n",
        frame_table(narrowed(ranking, RANKING_GOES_FIRST, output_width()), title=f"Ranking · {place}", whole=(ORDER,)),
    )
    summary = selection(rankings)
    for line in (
        summary.outcome,
        *(f"  {line}" for line in summary.nearest),
        *summary.pinned,
        best_backtest(metadata["monitor"]),
    ):
        if line is not None:
            say(line)


def print_models(platform: "Platform", sector: str, sessions: Sequence[date]) -> None:
    """Print the results of the trainings of some sessions, and the model that the configuration names for signals."""
    from pairs_platform.core.partition_key import PartitionKey
    from pairs_platform.views.drawing.model_figures import MODELS_NOTE, MODELS_UNIT
    from pairs_platform.views.reports.day import configured_model, models_frame

    frame = models_frame(platform, sector, sessions)
    print_renderable(frame_table(frame, title=f"Models · {sector} · {MODELS_UNIT}"), f"{MODELS_NOTE}\n")
    for line in configured_model(platform, PartitionKey(sessions[-1], sector)):
        say(line)
