"""The result of one sector-day in a terminal: funnel, ranking, what was selected or why nothing was, and its models.

What does not belong here: the frames and sentences (`views.reports.day`).
"""

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

import click

from pairs_platform.cli.show import frame_table, print_renderable

if TYPE_CHECKING:
    from pairs_platform.platform import Platform

RANKING_SHOWN = 15


def print_day(platform: "Platform", sector: str, session: date) -> None:
    """Print funnel, ranking and selection of one session of one sector from the lake."""
    from pairs_platform.core.partition_key import PartitionKey
    from pairs_platform.core.screening.contracts import COINTEGRATED_PAIRS
    from pairs_platform.core.selection.contracts import COMPOSITE_RANKINGS
    from pairs_platform.views.reports.day import NULL_NOTE, best_backtest, funnel_frame, ranking_frame, selection

    key = PartitionKey(session, sector)
    rankings = platform.lake.read(COMPOSITE_RANKINGS, key)
    metadata = platform.lake.metadata(COMPOSITE_RANKINGS, key)
    funnel = funnel_frame(metadata["funnel"], platform.lake.metadata(COINTEGRATED_PAIRS, key)["placebo"])
    ranking = ranking_frame(rankings.head(RANKING_SHOWN), platform.settings.selection.sessions_averaged)
    place = f"{sector} · {session} · {metadata['source']}"
    print_renderable(
        frame_table(funnel, title=f"Selection funnel · {place}"),
        f"{NULL_NOTE}\n",
        frame_table(ranking, title=f"Ranking · {place}"),
    )
    summary = selection(rankings)
    for line in (
        summary.outcome,
        *(f"  {line}" for line in summary.nearest),
        *summary.pinned,
        best_backtest(metadata["monitor"]),
    ):
        if line is not None:
            click.echo(line)


def print_models(platform: "Platform", sector: str, sessions: Sequence[date]) -> None:
    """Print the results of the trainings of some sessions, and the model that the configuration names for signals."""
    from pairs_platform.core.partition_key import PartitionKey
    from pairs_platform.views.reports.day import MODELS_NOTE, MODELS_UNIT, configured_model, models_frame

    frame = models_frame(platform, sector, sessions)
    print_renderable(frame_table(frame, title=f"Models · {sector} · {MODELS_UNIT}"), f"{MODELS_NOTE}\n")
    for line in configured_model(platform, PartitionKey(sessions[-1], sector)):
        click.echo(line)
