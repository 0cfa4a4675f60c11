"""`pairs-platform storage`: storage usage of the state, its growth, and what retention would remove.

What does not belong here: measuring (`workflows.storage`) and removing (`defs.housekeeping`).
"""

from typing import TYPE_CHECKING

import click

from pairs_platform.cli.profile_options import reading_options
from pairs_platform.settings.model import Settings

if TYPE_CHECKING:
    from pairs_platform.platform import Platform


@click.command("storage")
@reading_options
@click.option("--retention", is_flag=True, help="Count what retention would remove from Dagster's storage too.")
def command(settings: Settings, retention: bool) -> None:
    """Measure the state, and say when the disk is full.

    Every part is listed with its growth.
    """
    from pairs_platform.cli.show import print_renderable, rows_table, say
    from pairs_platform.core.operations.retention import FEWEST_SESSIONS
    from pairs_platform.platform import Platform
    from pairs_platform.workflows.storage import measure_storage

    platform = Platform(settings)
    usage = measure_storage(platform)
    rows = [
        {"part": part, "MB": f"{size / 1e6:.2f}", "MB per session": usage.growth_of(part)}
        for part, size in sorted(usage.sizes.items(), key=lambda item: -item[1])
    ]
    print_renderable(rows_table(rows, title=f"State of {settings.profile.name}"))
    total, free = usage.total / 1e6, usage.free_bytes / 1e6
    say(f"{total:.1f} MB on this disk, {free:.0f} MB free")
    forecast = usage.growth
    if forecast.sessions_left == forecast.sessions_left:
        say(
            f"grows by {forecast.bytes_per_session / 1e6:.3f} MB a session (95 %: {forecast.low / 1e6:.3f} to "
            f"{forecast.high / 1e6:.3f}); at the upper end the disk is full in {forecast.sessions_left:.0f} sessions"
        )
    else:
        say(f"sessions measured: {usage.n_sessions}; growth is forecast from {FEWEST_SESSIONS} of them on")
    for part in usage.missing:
        say(f"not measured: {part}")
    if retention:
        _say_what_retention_removes(platform)


def _say_what_retention_removes(platform: "Platform") -> None:
    from pairs_platform.cli.show import say
    from pairs_platform.database.audit import person
    from pairs_platform.database.read_only import is_writable
    from pairs_platform.defs.housekeeping.purge import purge
    from pairs_platform.defs.instance import open_instance
    from pairs_platform.processes.runtime.dagster_home import prepare_home

    settings = platform.settings
    if not is_writable(settings.profile_root):
        say(f"what retention would remove is not counted: {settings.profile_root} may only be read")
        return
    with open_instance(prepare_home(settings)) as instance:
        old = purge(instance, platform, dry_run=True, actor=person())
    say(
        f"retention would remove {old.events} events of {old.runs} runs, {old.compute_log_bytes / 1e6:.1f} MB of output"
    )
