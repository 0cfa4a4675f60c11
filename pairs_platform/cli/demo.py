"""`pairs-platform demo`: the daily graph for one sector or all and the last three sessions, in this process.

What does not belong here: the jobs (`defs.in_process`), their results as text (`day`), the replay (`demo_live`).
"""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from functools import partial
from typing import IO, TYPE_CHECKING, Any

import click

from pairs_platform.cli.interrupts import end_if_interrupted, plan_end
from pairs_platform.cli.profile_options import profile_options
from pairs_platform.cli.sector_name import ALL, SECTOR_OR_ALL
from pairs_platform.settings.hints import hint
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.model import Settings
from pairs_platform.settings.variables import set_variable

if TYPE_CHECKING:
    from pairs_platform.defs.in_process import JobRunner
    from pairs_platform.platform import Platform


@click.command("demo")
@profile_options
@click.option(
    "--session", type=click.DateTime(["%Y-%m-%d"]), help="Last session; the newest complete one if not given."
)
@click.option(
    "--sector",
    type=SECTOR_OR_ALL,
    help="Sector slug, or all for every active one; the first active one if not given.",
)
def command(settings: Settings, session: datetime | None, sector: str | None) -> None:
    """Run prices → pairs → models for a sector, then trade an hour.

    Three sessions of a sector are run, the first hour of the last one becomes signals and trades of the paper account,
    and what came out is shown. The same jobs as the 06:00 schedule and the signal sensor run, in this process; the
    Dagster UI shows their runs.
    """
    from pairs_platform.cli.data import short_lines
    from pairs_platform.cli.day import print_day, print_models
    from pairs_platform.platform import Platform, require_writable
    from pairs_platform.views.data_check import check_data
    from pairs_platform.views.demo_choice import default_sector, demo_sectors, demo_sessions, newest_session

    plan_end(_stopped(settings))
    require_writable(settings)
    platform = Platform(settings)
    if settings.source.kind == "files":
        click.echo("\n".join(short_lines(check_data(platform))) + "\n")
    sectors = demo_sectors(platform) if sector == ALL else [sector or default_sector(platform)]
    last = session.date() if session else min(newest_session(platform, each) for each in sectors)
    *_, sessions = (demo_sessions(platform, each, last) for each in sectors)
    settings = _with_active(platform, sectors)
    click.echo(
        f"source     {platform.market_data.label}\nprofile    {settings.profile.name} in {settings.profile_root}\n"
        f"{_sectors(platform, sectors)}"
        f"sessions   {', '.join(str(day) for day in sessions)}, "
        f"lookback {settings.lookback_sessions} sessions of {settings.frequency.value} bars\n"
        f"training   every correlated pair, up to {settings.gru.network.max_epochs} epochs: nothing is reduced\n"
    )
    for note in platform.universe_notes:
        click.echo(f"{note}\n")
    for each in sectors:
        _run(settings, each, sessions)
        print_day(platform, each, sessions[-1])
        print_models(platform, each, sessions)
    _replay(settings, sectors, sessions[-1])
    _next_steps(settings, sectors[0], sessions[-1])


def _sectors(platform: "Platform", taken: list[str]) -> str:
    """Lines on the sectors of this demo and on the others, with the words that take those."""
    from pairs_platform.views.demo_choice import sector_lines

    shown, others = sector_lines(platform, taken)
    lines = [f"{'sector ' if len(taken) == 1 else 'sectors'}    {shown}"]
    if others:
        lines += [f"others     {others}", f"           {hint('demo --sector NAME')}; every active one: --sector all"]
    return "".join(f"{line}\n" for line in lines)


def _with_active(platform: "Platform", sectors: list[str]) -> Settings:
    """The settings in which the sectors of this demo are active, also for the processes that replay a session."""
    for sector in set(sectors) - set(platform.settings.active_sectors):
        symbols = [listing.symbol for listing in platform.listings(sector)]
        if len(symbols) > 1:
            set_variable(f"universe.{sector}.active", "true")
            set_variable(f"universe.{sector}.symbols", json.dumps(symbols))
    return load_settings()


def _run(settings: Settings, sector: str, sessions: Sequence[date]) -> None:
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
    with (
        _runner(settings) as runner,
        _terminal() as file,
        Progress(*columns, console=Console(width=110, file=file)) as progress,
    ):
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


@contextmanager
def _terminal() -> "Iterator[IO[str] | None]":
    """The terminal, for a display that goes on while Dagster sends output to the log of a step; None without one."""
    if not sys.stdout.isatty():
        yield None
        return
    with os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding=sys.stdout.encoding, errors="replace") as file:
        yield file


def _replay(settings: Settings, sectors: list[str], session: date) -> None:
    """Replay the first hour of the session into signals and trades of the configurations of the close before it."""
    from pairs_platform.cli.demo_live import print_signals, replay_part, why_no_replay
    from pairs_platform.cli.demo_trades import print_trades
    from pairs_platform.platform import Platform

    reason = why_no_replay(settings)
    if reason:
        click.echo(f"\nNo part of the session is replayed: {reason}")
        return
    with _runner(settings) as runner:
        replayed = replay_part(settings, sectors, session, runner.compute_signals)
    for sector, frame in replayed.signals.items():
        print_signals(frame, sector)
    print_trades(replayed.hour, Platform(settings).market_data.label)


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


def _next_steps(settings: Settings, sector: str, session: date) -> None:
    steps: tuple[tuple[str, str], ...] = (
        ("ui", f"the asset graph, plots, checks and these runs at {settings.ui_url}"),
        (f"pairs --sector {sector}", "every pair and the gate that rejected it"),
        ("positions --run-mode replay", "what the paper account holds after the replayed hour"),
        ("signals", "the board of the session: what each pair says at its newest bar"),
        (f"report --sector {sector}", "all of the session on pages: what to trade, rankings, backtests, signals"),
        (f"models list --sector {sector}", "every version of the models, and which one is champion"),
        (f"symbols status --sector {sector}", "the range and the gaps of each symbol"),
        (f"sql \"from composite_rankings where session = '{session}'\"", "the lake in DuckDB"),
    )
    click.echo("\nWhere to look next (the console script is in .venv/bin, on Windows in .venv\\Scripts)")
    for words, meaning in steps:
        click.echo(f"  {hint(words)}\n    {meaning}")
