"""`pairs-platform stream`: the processes of the stream, its state, its symbols.

What does not belong here: what the processes do (`processes.collector`, `processes.replay`).
"""

import logging
from datetime import date, datetime
from typing import TYPE_CHECKING, get_args

import click

from pairs_platform.cli.commands import CommandGroup
from pairs_platform.cli.interrupts import plan_end
from pairs_platform.cli.profile_options import profile_options, say_profile
from pairs_platform.cli.sector_name import SECTOR
from pairs_platform.cli.show import print_renderable, print_rows, rows_option, rows_table
from pairs_platform.core.operations.run_tags import pid_of
from pairs_platform.core.streaming.settings import SymbolSet
from pairs_platform.core.time import moment_utc
from pairs_platform.settings.model import Settings
from pairs_platform.settings.production import live_folder, served_processes

if TYPE_CHECKING:
    from pairs_platform.adapters.redis.market_clock import MarketClock


@click.group("stream", cls=CommandGroup)
def command() -> None:
    """Collect, replay, look at and store streamed bars."""


@command.command("collect")
@profile_options
def collect(settings: Settings) -> None:
    """Run the collector in the foreground: from Alpaca or the replay server into Redis."""
    from pairs_platform.processes.collector.collector import run_collector
    from pairs_platform.processes.runtime.supervisor import STOP_SECONDS

    plan_end("stopped", seconds=STOP_SECONDS)  # it stores the bars that it has
    say_profile()
    _log()
    run_collector(settings)


@command.command("replay")
@profile_options
def replay(settings: Settings) -> None:
    """Run the replay server in the foreground: stored bars over Alpaca's protocol."""
    from pairs_platform.processes.replay.server import run_replay

    say_profile()
    _log()
    run_replay(settings)


def _log() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    # The client library logs every reconnect with a traceback; the collector says the same in one line.
    logging.getLogger("alpaca").setLevel(logging.CRITICAL)


@command.command("status")
@profile_options
@rows_option()
def status(settings: Settings, rows: int) -> None:
    """Show the health of collector and trader, newest bars, the newest bar-close events, the processes that run."""
    from pairs_platform.platform import open_streams
    from pairs_platform.processes.runtime.supervisor import running_processes

    streams = open_streams(settings)
    processes = [
        {"process": name, **{field: process[field] for field in ("pid", "alive", "restarts")}}
        for name, process in running_processes(live_folder(settings)).items()
    ]
    processes += [
        {"process": f"serve {name}", "pid": str(pid_of(str(noted["process"]))), "alive": True, "restarts": None}
        for name, noted in served_processes(live_folder(settings)).items()
    ]
    if processes:
        print_renderable(rows_table(processes, title="Processes"))
    risk = streams.connection.eviction()
    if risk:
        click.secho(risk, fg="yellow")
    health = streams.health.read()
    if not health:
        say_profile()
        click.echo(f"no collector has run in the run mode {streams.run_mode}")
        return
    fields = [{"field": name, "value": _readable(name, value)} for name, value in sorted(health.items())]
    print_renderable(rows_table(fields, title=f"Collector · run mode {streams.run_mode}"))
    trader = streams.trader.read()
    if trader:
        fields = [{"field": name, "value": _readable(name, value)} for name, value in sorted(trader.items())]
        print_renderable(rows_table(fields, title=f"Trader · run mode {streams.run_mode}"))
    bars = [{"symbol": symbol, "newest bar": _moment(ns)} for symbol, ns in sorted(streams.bars.newest().items())]
    if bars:
        print_rows(bars, "Newest bars (start, UTC)", rows=rows)
    newest = streams.bar_closes.after()[-5:]
    if newest:
        events = [
            {
                "bar": _moment(event.interval.start_ns),
                "complete by": event.reason,
                "symbols in": event.symbols_in,
                "waited for": event.symbols_expected,
            }
            for event in newest
        ]
        print_renderable(rows_table(events, title="Newest bar-close events"))
        refused = streams.quarantine.of_session(newest[-1].interval.session)[-5:]
        if refused:
            print_renderable(rows_table(refused, title="Newest rows that were refused, and why"))


def _readable(name: str, value: str) -> str:
    return _moment(int(value)) if name.endswith("_ns") and value.isdigit() and int(value) > 0 else value


def _moment(ns: int) -> str:
    return f"{moment_utc(round(ns, -9)):%Y-%m-%d %H:%M:%S}"


@command.command("symbols")
@profile_options
@click.argument("name", type=click.Choice(get_args(SymbolSet)), required=False)
def symbols(settings: Settings, name: SymbolSet | None) -> None:
    """Show which set of symbols is streamed, or switch to another; a running collector follows within seconds."""
    from pairs_platform.database.audit import AuditEntry, person, record
    from pairs_platform.platform import open_database, open_streams

    streams = open_streams(settings)
    before = streams.symbols.current()
    say_profile()
    if name is not None and name != before:
        entry = AuditEntry(
            actor=person(), action="symbols_switched", object="streamed symbols", detail={"changed": [before, name]}
        )
        with open_database(settings).begin() as connection:
            record(connection, entry)
            streams.symbols.switch(name)
    click.echo(f"streamed symbols: {streams.symbols.current()}")


@command.command("save")
@profile_options
@click.option("--session", type=click.DateTime(["%Y-%m-%d"]), help="Session; the one of the market clock if not given.")
@click.option("--sector", type=SECTOR, help="Sector slug; every active one if not given.")
def save(settings: Settings, session: datetime | None, sector: str | None) -> None:
    """Store the streamed bars of a session as a partition of `streamed_bars`."""
    from pairs_platform.build import build_definitions
    from pairs_platform.core.partition_key import PartitionKey
    from pairs_platform.core.streaming.contracts import STREAMED_BARS
    from pairs_platform.defs.in_process import JobRunner
    from pairs_platform.defs.instance import open_instance
    from pairs_platform.platform import Platform, open_streams, require_writable
    from pairs_platform.processes.runtime.dagster_home import prepare_home

    require_writable(settings)
    day = session.date() if session else _session_of_market(open_streams(settings).clock)
    lake = Platform(settings).lake
    say_profile()
    with open_instance(prepare_home(settings)) as instance:
        runner = JobRunner(build_definitions(settings), instance)
        for slug in [sector] if sector else settings.active_sectors:
            key = PartitionKey(day, slug)
            failures = runner.save_streamed_bars(key)
            if failures:
                raise click.ClickException(f"{key} was not stored: {failures[0].removeprefix('streamed_bars: ')}")
            click.echo(f"streamed_bars {key}: {len(lake.read(STREAMED_BARS, key))} bars")


def _session_of_market(clock: "MarketClock") -> date:
    from pairs_platform.core.errors import ClockUnknown
    from pairs_platform.core.streaming.sessions import newest_session
    from pairs_platform.views.remedies import with_remedy

    try:
        session = newest_session(clock.now_ns())
    except ClockUnknown as error:
        raise click.ClickException(f"{with_remedy(error)}, or give --session") from None
    if session is None:
        raise click.ClickException("the market clock is before the calendar: give --session")
    return session


@command.command("reset")
@profile_options
def reset(settings: Settings) -> None:
    """Remove every replay: its bars in Redis and its signals in the database. Live bars and signals stay."""
    from pairs_platform.processes.runtime.topology import forget_replays

    forget_replays(settings)
    say_profile()
    click.echo("replays are forgotten")
