"""`pairs-platform live`: Redis, collector, sensor and UI together, in replay mode without any key.

What does not belong here: the processes (`processes.runtime.topology`) and their supervision.
"""

import sys
import tempfile
from pathlib import Path

import click

from pairs_platform.cli.address_options import address_options
from pairs_platform.cli.dagster_calls import dagster_calls
from pairs_platform.cli.interrupts import EXIT_CODE, plan_end, stop_on_signals
from pairs_platform.cli.profile_options import profile_options
from pairs_platform.cli.trade_teller import TradeTeller
from pairs_platform.core.prices.bars import Frequency
from pairs_platform.platform import Platform
from pairs_platform.processes.runtime.dagster_home import prepare_home
from pairs_platform.processes.runtime.migrations import migrate_stores
from pairs_platform.processes.runtime.supervisor import Supervisor
from pairs_platform.processes.runtime.topology import live_processes, replayed, require_startable
from pairs_platform.settings.hints import hint
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.model import Settings
from pairs_platform.settings.production import live_folder
from pairs_platform.settings.variables import set_variable

SECONDS_TO_STOP = 240.0
"""A dozen processes are stopped one after the other, each of which may take `supervisor.STOP_SECONDS`."""


@click.command("live")
@profile_options
@click.option("--mode", type=click.Choice(["replay", "alpaca"]), help="Where bars come from.")
@click.option("--session", type=click.DateTime(["%Y-%m-%d"]), help="Session that is replayed; the newest one.")
@click.option("--speed", type=click.FloatRange(0), help="Market seconds by real second in replay.")
@click.option("--start", help="New York time (HH:MM) at which the replay starts.")
@click.option("--bars", type=click.IntRange(0), help="Bars that are replayed; 0 plays to the close.")
@click.option("--faults", help="What goes wrong with the simulated broker of a replay: presets or faults, with commas.")
@click.option("--resume", is_flag=True, help="Go on with the replay and the signals that are stored.")
@address_options
def command(
    settings: Settings,
    mode: str | None,
    session: object,
    speed: float | None,
    start: str | None,
    bars: int | None,
    faults: str | None,
    resume: bool,
    host: str,
    port: int,
) -> None:
    """Stream bars, compute signals and serve the UI, until Ctrl-C.

    In replay mode a stored session is played through the same client library, collector, Redis and sensor that serve
    Alpaca, and the signals are traded with a simulated broker, unless broker.kind names another. Every start plays from
    the beginning, and forgets the signals and trades of earlier replays, unless --resume is given.
    """
    for name, value in (
        ("stream.mode", mode),
        ("stream.replay.first", f"{session:%Y-%m-%d}" if session else None),
        ("stream.replay.speed", speed),
        ("stream.replay.start", start),
        ("stream.replay.bars", bars),
        ("broker.simulated.faults", faults),
    ):
        if value is not None:
            set_variable(name, str(value))
    settings = _with_broker(load_settings())
    if faults is not None and settings.broker.kind != "simulated":
        raise click.UsageError(f"--faults are those of the simulated broker: broker.kind is {settings.broker.kind}")
    if settings.frequency is Frequency.ONE_DAY:
        raise click.ClickException("bars of a day give no signals within a session: choose --frequency 5min or 1h")
    require_startable(settings, [(host, port, "port")])
    home = prepare_home(settings)
    dagster = dagster_calls()
    migrate_stores(settings, click.echo)
    dagster.prepare(home, click.echo)
    plan_end("stopped", seconds=SECONDS_TO_STOP)
    with tempfile.TemporaryDirectory(prefix="pairs-platform-") as folder:
        specs = live_processes(settings, home, dagster, Path(folder), host=host, port=port, fresh=not resume)
        supervisor = Supervisor(specs, live_folder(settings), click.echo)
        stop_on_signals(supervisor.stop)
        run_mode, teller = settings.stream.run_mode, TradeTeller(Platform(settings), click.echo)
        click.echo(f"profile {settings.profile.name}, run mode {run_mode}: starting {', '.join(supervisor.names)}")

        def started() -> None:
            _say_where(settings, host, port)
            teller.begin()

        all_started = supervisor.run(started, teller.end)
    click.echo("stopped")
    if not all_started:
        sys.exit(EXIT_CODE)


def _with_broker(settings: Settings) -> Settings:
    """The settings; a replay at some speed is traded with the simulated broker where nobody chose another."""
    stream = settings.stream
    if stream.mode != "replay" or not stream.replay.speed or settings.broker.is_chosen:
        return settings
    set_variable("broker.kind", "simulated")
    return load_settings()


def _say_where(settings: Settings, host: str, port: int) -> None:
    lines = [
        f"running: UI at http://{host}:{port}, logs and pids in {live_folder(settings)}",
        *replayed(settings),
        *(f"  {hint('signals --follow')}", "    signals as they are stored"),
        *(f"  {hint('stream status')}", "    the collector and its bars"),
        *(f"  {hint('positions')}", "    what is held; `orders`, `portfolio` and `risk` say more"),
        "Ctrl-C stops everything; trades are told below",
    ]
    click.echo("\n".join(lines))
