"""`pairs-platform demo`: the daily graph for one sector and the last three sessions, in this process."""

import uuid
from collections.abc import Callable
from datetime import date, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from pairs_platform.cli.profile_options import chosen_settings, profile_options
from pairs_platform.settings.model import Settings

if TYPE_CHECKING:
    import dagster as dg

    from pairs_platform.platform import Platform

SESSIONS = 3


@click.command("demo")
@profile_options
@click.option(
    "--session", type=click.DateTime(["%Y-%m-%d"]), help="Last session; the newest complete one if not given."
)
@click.option("--sector", help="Sector slug; the first active one if not given.")
def command(
    source: str | None, data: str | None, frequency: str | None, session: datetime | None, sector: str | None
) -> None:
    """Run price history → trading configuration → models for one sector and three sessions, then replay the first
    hour of the last one into signals, and show what came out.

    The same jobs as the 06:00 schedule and the signal sensor run, in this process; the Dagster UI shows their runs.
    """
    from pairs_platform.cli.day import print_day, print_models
    from pairs_platform.platform import Platform

    settings = chosen_settings(source, data, frequency)
    platform = Platform(settings)
    sector = sector or _default_sector(platform)
    sessions = _sessions(platform, sector, session.date() if session else None)
    click.echo(
        f"source     {platform.market_data.label}\nprofile    {settings.profile.name} in {settings.profile_root}\n"
        f"sector     {sector} ({len(platform.listings(sector))} symbols)\n"
        f"sessions   {', '.join(str(day) for day in sessions)}, "
        f"lookback {settings.lookback_sessions} sessions of {settings.frequency.value} bars\n"
        f"training   every correlated pair, up to {settings.gru.network.max_epochs} epochs: nothing is reduced\n"
    )
    _run(settings, sector, sessions)
    print_day(platform, sector, sessions[-1])
    print_models(platform, sector, sessions)
    _replay(settings, sector, sessions[-1])
    _next_steps(sector, sessions[-1], data)


def _default_sector(platform: "Platform") -> str:
    active = platform.settings.active_sectors
    if platform.settings.universe_origin == "config":
        if not active:
            raise click.ClickException(
                "no sector is active; set `active: true` for one in universe.yaml, or give --sector"
            )
        return active[0]
    known = [listing.sector for listing in platform.market_data.universe() or ()]
    preferred = [sector for sector in active if sector in known]
    return preferred[0] if preferred else max(sorted(set(known)), key=known.count)


def _sessions(platform: "Platform", sector: str, last: date | None) -> list[date]:
    from pairs_platform.core.prices.calendar import (
        last_session_before,
        require_session,
        session_offset,
        sessions_between,
        sessions_ending,
    )
    from pairs_platform.core.time import MARKET_TIMEZONE

    platform.listings(sector)
    available = platform.market_data.sessions_available()
    newest = last_session_before(platform.clock().astimezone(ZoneInfo(MARKET_TIMEZONE)).date())
    if available:
        newest = min(newest, available[1])
    last = require_session(last) if last else newest
    if last > newest:
        raise click.ClickException(f"session {last} is not complete or not in the source; the newest is {newest}")
    needed = platform.settings.lookback_sessions + SESSIONS - 1
    if available:
        stored = sessions_between(available[0], last)
        if len(stored) < needed:
            raise click.ClickException(
                f"{platform.market_data.label} has {len(stored)} sessions up to {last}; {SESSIONS} sessions with a "
                f"lookback of {platform.settings.lookback_sessions} need {needed}: choose a later --session, or a "
                "smaller lookback in the configuration"
            )
    session_offset(last, 1 - needed)
    return sessions_ending(last, SESSIONS)


def _run(settings: Settings, sector: str, sessions: list[date]) -> None:
    """Prices of the whole stretch in one run, then a run per session, with progress."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from pairs_platform.build import build_definitions
    from pairs_platform.core.prices.calendar import session_offset
    from pairs_platform.defs.automation import daily_job, price_run, session_run
    from pairs_platform.processes.runtime.dagster_home import open_instance, prepare_home

    job = build_definitions(settings).resolve_job_def(daily_job.name)
    first = session_offset(sessions[0], 1 - settings.lookback_sessions)
    requests = [(f"prices {first} to {sessions[-1]}", price_run(sector, first, sessions[-1]))]
    requests += [(f"session {day}", session_run(sector, day)) for day in sessions]
    columns = (
        TextColumn("{task.description:<34}"),
        BarColumn(),
        TextColumn("{task.fields[step]:<28}"),
        TimeElapsedColumn(),
    )
    with open_instance(prepare_home(settings)) as instance, Progress(*columns, console=Console(width=110)) as progress:
        for title, request in requests:
            task = progress.add_task(title, total=None, step="starting")

            def show(step: str, done: int, total: int, task: Any = task) -> None:
                progress.update(task, completed=done, total=total, step=step)

            failures = _execute(job, request, instance, show)
            if failures:
                progress.stop()
                raise click.ClickException(f"{title} failed\n" + "\n".join(failures))
            progress.update(task, step="done", completed=1, total=1)


def _replay(settings: Settings, sector: str, session: date) -> None:
    """The first hour of the session as signals of the configuration that was made at the close before it."""
    from pairs_platform.build import build_definitions
    from pairs_platform.cli.demo_live import print_signals, replay_part, why_no_replay
    from pairs_platform.defs.signals.sensors import signal_job
    from pairs_platform.processes.runtime.dagster_home import open_instance, prepare_home

    reason = why_no_replay(settings)
    if reason:
        click.echo(f"\nNo part of the session is replayed: {reason}")
        return
    job = build_definitions(settings).resolve_job_def(signal_job.name)
    with open_instance(prepare_home(settings)) as instance:

        def execute(request: "dg.RunRequest") -> list[str]:
            return _execute(job, request, instance, lambda *_: None)

        print_signals(replay_part(settings, sector, session, execute))


def _execute(
    job: "dg.JobDefinition",
    request: "dg.RunRequest",
    instance: "dg.DagsterInstance",
    show: Callable[[str, int, int], None],
) -> list[str]:
    """Execute one request; the failures of its steps and blocking checks in words, none on success."""
    from pairs_platform.core.operations.run_tags import PROCESS_TAG, this_process

    run_id = str(uuid.uuid4())
    job = job.get_subset(asset_selection=set(request.asset_selection)) if request.asset_selection else job
    total, finished = len(job.graph.nodes), [0]

    def listen(entry: Any) -> None:
        event = entry.dagster_event
        if event is None and entry.user_message.startswith("training ") and "epoch" in entry.user_message:
            words = entry.user_message.split(", ")
            show(f"gru_models, {words[1].removesuffix(' at most')}"[:28], finished[0], total)
        elif event is not None and event.is_step_start:
            show(event.step_key, finished[0], total)
        elif event is not None and (event.is_step_success or event.is_step_failure):
            finished[0] += 1

    instance.add_event_listener(run_id, listen)
    result = job.execute_in_process(
        instance=instance,
        partition_key=request.partition_key,
        tags={**request.tags, PROCESS_TAG: this_process()},
        run_id=run_id,
        raise_on_error=False,
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
    )
    if result.success:
        return []
    checks = [
        f"check {event.asset_check_evaluation_data.check_name}: {event.asset_check_evaluation_data.description}"
        for event in result.all_events
        if event.event_type_value == "ASSET_CHECK_EVALUATION" and not event.asset_check_evaluation_data.passed
    ]
    return [_words(event) for event in result.all_events if event.is_step_failure] + checks


def _words(event: Any) -> str:
    error = event.step_failure_data.error
    cause = error
    while cause is not None and cause.cause is not None:
        cause = cause.cause
    told = event.step_failure_data.user_failure_data
    text = told.description if told and told.description else cause.message.strip() if cause else "no reason given"
    return f"{event.step_key}: {text}"


def _next_steps(sector: str, session: date, data: str | None) -> None:
    choice = f' SOURCE=files DATA="{data}"' if data else ""
    option = f' --data "{data}"' if data else ""
    steps: tuple[tuple[str, str], ...] = (
        (f"make ui{choice}", "the asset graph, plots, checks and these runs at http://127.0.0.1:3000"),
        (f"pairs-platform pairs --sector {sector}{option}", "every pair and the gate where it stopped"),
        (f"pairs-platform models list --sector {sector}", "every version of the models, and which one is champion"),
        (
            f"pairs-platform symbols status --sector {sector}{option}",
            "the range and the gaps of each symbol",
        ),
        (f"pairs-platform sql{option} \"from composite_rankings where session = '{session}'\"", "the lake in DuckDB"),
    )
    click.echo("\nWhere to look next (the console script is in .venv/bin, on Windows in .venv\\Scripts)")
    for line, meaning in steps:
        click.echo(f"  {line}\n    {meaning}")
