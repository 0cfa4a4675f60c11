"""`pairs-platform demo`: the daily graph for one sector and the last three sessions, in this process.

What does not belong here: the jobs (`defs.in_process`), their results as text (`day`), the replay (`demo_live`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from pairs_platform.cli.interrupts import end_if_interrupted, plan_end
from pairs_platform.cli.profile_options import profile_options
from pairs_platform.cli.sector_name import SECTOR
from pairs_platform.settings.hints import hint
from pairs_platform.settings.model import Settings

if TYPE_CHECKING:
    from pairs_platform.defs.in_process import JobRunner


@click.command("demo")
@profile_options
@click.option(
    "--session", type=click.DateTime(["%Y-%m-%d"]), help="Last session; the newest complete one if not given."
)
@click.option("--sector", type=SECTOR, help="Sector slug; the first active one if not given.")
def command(settings: Settings, session: datetime | None, sector: str | None) -> None:
    """Run price history → trading configuration → models for one sector and three sessions, then replay the first
    hour of the last one into signals, and show what came out.

    The same jobs as the 06:00 schedule and the signal sensor run, in this process; the Dagster UI shows their runs.
    """
    from pairs_platform.cli.data import short_lines
    from pairs_platform.cli.day import print_day, print_models
    from pairs_platform.platform import Platform
    from pairs_platform.views.data_check import check_data
    from pairs_platform.views.demo_choice import default_sector, demo_sessions

    plan_end(_stopped(settings))
    platform = Platform(settings)
    if settings.source.kind == "files":
        click.echo("\n".join(short_lines(check_data(platform))) + "\n")
    sector = sector or default_sector(platform)
    sessions = demo_sessions(platform, sector, session.date() if session else None)
    click.echo(
        f"source     {platform.market_data.label}\nprofile    {settings.profile.name} in {settings.profile_root}\n"
        f"sector     {sector} ({len(platform.listings(sector))} symbols)\n"
        f"sessions   {', '.join(str(day) for day in sessions)}, "
        f"lookback {settings.lookback_sessions} sessions of {settings.frequency.value} bars\n"
        f"training   every correlated pair, up to {settings.gru.network.max_epochs} epochs: nothing is reduced\n"
    )
    for note in platform.universe_notes:
        click.echo(f"{note}\n")
    _run(settings, sector, sessions)
    print_day(platform, sector, sessions[-1])
    print_models(platform, sector, sessions)
    _replay(settings, sector, sessions[-1])
    _next_steps(sector, sessions[-1])


def _run(settings: Settings, sector: str, sessions: list[date]) -> None:
    """Prices of the whole lookback in one run, then a run per session, with progress."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from pairs_platform.core.folding import shortened
    from pairs_platform.core.prices.calendar import session_offset

    first = session_offset(sessions[0], 1 - settings.lookback_sessions)
    columns = (
        TextColumn("{task.description:<34}"),
        BarColumn(),
        TextColumn("{task.fields[step]:<28}"),
        TimeElapsedColumn(),
    )
    with _runner(settings) as runner, Progress(*columns, console=Console(width=110)) as progress:
        runs = [(f"prices {first} to {sessions[-1]}", partial(runner.fetch_prices, sector, first, sessions[-1]))]
        runs += [(f"session {day}", partial(runner.identify_pairs, sector, day)) for day in sessions]
        for title, run in runs:
            task = progress.add_task(title, total=None, step="starting")

            def show(step: str, done: int, total: int, task: Any = task) -> None:
                progress.update(task, completed=done, total=total, step=step)

            failures = run(show)
            end_if_interrupted()
            if failures:
                progress.stop()
                raise click.ClickException(f"{title} failed\n" + "\n".join(map(shortened, failures)))
            progress.update(task, step="done", completed=1, total=1)


def _replay(settings: Settings, sector: str, session: date) -> None:
    """Replay the first hour of the session into signals of the configuration made at the close before it."""
    from pairs_platform.cli.demo_live import print_signals, replay_part, why_no_replay

    reason = why_no_replay(settings)
    if reason:
        click.echo(f"\nNo part of the session is replayed: {reason}")
        return
    with _runner(settings) as runner:
        print_signals(replay_part(settings, sector, session, runner.compute_signals))


@contextmanager
def _runner(settings: Settings) -> "Iterator[JobRunner]":
    """Runs the jobs of the definitions in this process."""
    from pairs_platform.build import build_definitions
    from pairs_platform.defs.in_process import JobRunner
    from pairs_platform.defs.instance import cancel_own_runs, open_instance
    from pairs_platform.processes.runtime.dagster_home import prepare_home

    home = prepare_home(settings)
    plan_end(_stopped(settings), partial(cancel_own_runs, home))
    with open_instance(home) as instance:
        yield JobRunner(build_definitions(settings), instance)


def _stopped(settings: Settings) -> str:
    return f"stopped; what was finished is kept in {settings.profile_root}, and this goes on: {hint('demo')}"


def _next_steps(sector: str, session: date) -> None:
    steps: tuple[tuple[str, str], ...] = (
        ("ui", "the asset graph, plots, checks and these runs at http://127.0.0.1:3000"),
        (f"pairs --sector {sector}", "every pair and the gate that rejected it"),
        (f"models list --sector {sector}", "every version of the models, and which one is champion"),
        (f"symbols status --sector {sector}", "the range and the gaps of each symbol"),
        (f"sql \"from composite_rankings where session = '{session}'\"", "the lake in DuckDB"),
    )
    click.echo("\nWhere to look next (the console script is in .venv/bin, on Windows in .venv\\Scripts)")
    for words, meaning in steps:
        click.echo(f"  {hint(words)}\n    {meaning}")
