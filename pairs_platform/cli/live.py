"""`pairs-platform live`: Redis, collector, sensor and UI together, in replay mode without any key."""

import signal
import sys
import time
import urllib.request
from pathlib import Path
from urllib.error import URLError

import click

from pairs_platform.cli.instance import open_instance, prepare_home
from pairs_platform.cli.profile_options import chosen_settings, profile_options, set_option
from pairs_platform.core.prices.bars import Frequency
from pairs_platform.settings import Settings
from pairs_platform.stream.supervisor import ProcessSpec, Supervisor


@click.command("live")
@profile_options
@click.option("--mode", type=click.Choice(["replay", "alpaca"]), help="Where bars come from.")
@click.option("--session", type=click.DateTime(["%Y-%m-%d"]), help="Session that is replayed; the newest one.")
@click.option("--speed", type=click.FloatRange(0), help="Market seconds by real second in replay.")
@click.option("--start", help="New York time (HH:MM) at which the replay starts.")
@click.option("--buckets", type=click.IntRange(0), help="Buckets that are replayed; 0 plays to the close.")
@click.option("--resume", is_flag=True, help="Go on with the replay and the signals that are stored.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address that the UI listens on.")
@click.option("--port", default=3000, show_default=True, type=click.IntRange(1, 65535))
def command(
    source: str | None,
    data: str | None,
    frequency: str | None,
    mode: str | None,
    session: object,
    speed: float | None,
    start: str | None,
    buckets: int | None,
    resume: bool,
    host: str,
    port: int,
) -> None:
    """Stream bars, compute signals at every bucket and serve the UI, until Ctrl-C.

    In replay mode a stored session is played through the same client library, collector, Redis and sensor that serve
    Alpaca. Every start plays from the beginning, and forgets the signals of earlier replays, unless --resume is given.
    """
    for name, value in (
        ("stream.mode", mode),
        ("stream.replay.first", f"{session:%Y-%m-%d}" if session else None),
        ("stream.replay.speed", speed),
        ("stream.replay.start", start),
        ("stream.replay.buckets", buckets),
    ):
        if value is not None:
            set_option(name, str(value))
    settings = chosen_settings(source, data, frequency)
    if settings.frequency is Frequency.ONE_DAY:
        raise click.ClickException("bars of a day give no signals within a session: choose --frequency 5min or 1h")
    home = prepare_home(settings)
    open_instance(home).dispose()
    specs = processes(settings, home, host=host, port=port, fresh=not resume)
    supervisor = Supervisor(specs, live_folder(settings), click.echo)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: supervisor.stop())
    feed = settings.stream.feed
    click.echo(f"profile {settings.profile.name}, feed {feed}: starting {', '.join(supervisor.names)}", nl=True)
    supervisor.run(started=lambda: _say_where(settings, host, port))
    click.echo("stopped")


def live_folder(settings: Settings) -> Path:
    """Where the logs and the pids of the live processes are."""
    return settings.profile_root / "live"


def processes(settings: Settings, home: Path, *, host: str, port: int, fresh: bool) -> list[ProcessSpec]:
    """The processes of `live`, in the order in which they start: a replay begins when everything else is there."""
    workspace = Path("workspace.yaml")
    location = ["-w", str(workspace)] if workspace.exists() else ["-m", "pairs_platform.definitions"]
    dagster = {"DAGSTER_HOME": str(home)}
    found = []
    if settings.redis_url is None:
        from pairs_platform.stream.embedded_redis import answers, server_command

        folder = settings.profile_root / "redis"
        found.append(ProcessSpec("redis", server_command(folder), ready=lambda: answers(folder)))
    web = [script("dagster-webserver"), "-h", host, "-p", str(port), *location]
    found.append(ProcessSpec("webserver", web, dagster, ready=lambda: _serves(host, port)))
    asked = time.time()
    daemon = [script("dagster-daemon"), "run", *location]
    found.append(ProcessSpec("daemon", daemon, dagster, ready=lambda: _sensors_run(home, since=asked)))
    if settings.stream.mode == "replay":
        prepare = (lambda: forget_replays(settings)) if fresh else (lambda: None)
        found.append(ProcessSpec("replay", command_of("stream", "replay"), prepare=prepare))
    found.append(ProcessSpec("collector", command_of("stream", "collect"), ready=lambda: _collects(settings)))
    return found


def script(name: str) -> str:
    """A console script of this environment."""
    return str(Path(sys.executable).parent / name)


def command_of(*words: str) -> list[str]:
    """The command line of a command of this console, in this interpreter."""
    return [sys.executable, "-c", "from pairs_platform.cli import main; main()", *words]


def forget_replays(settings: Settings) -> None:
    """Forget what earlier replays left in Redis, and the signals that they gave."""
    from pairs_platform.ledger.signals import forget_replay
    from pairs_platform.stores import open_bus, open_ledger

    open_bus(settings, "replay").reset()
    forget_replay(open_ledger(settings))


def _serves(host: str, port: int) -> bool:
    shown = "127.0.0.1" if host == "0.0.0.0" else host
    try:
        with urllib.request.urlopen(f"http://{shown}:{port}/server_info", timeout=2) as reply:
            return bool(reply.status == 200)
    except (URLError, OSError):
        return False


def _sensors_run(home: Path, *, since: float) -> bool:
    """Whether the daemon has looked at its sensors since a moment."""
    with open_instance(home) as instance:
        beat = instance.get_daemon_heartbeats().get("SENSOR")
    return beat is not None and beat.timestamp >= since


def _collects(settings: Settings) -> bool:
    """Whether the collector has said how it is since a moment ago."""
    from pairs_platform.stores import open_bus

    beat = int(open_bus(settings).health().get("heartbeat_wall_ns", 0))
    return time.time_ns() - beat < 5 * 10**9


def _say_where(settings: Settings, host: str, port: int) -> None:
    click.echo(
        f"running: UI at http://{host}:{port}, logs and pids in {live_folder(settings)}\n"
        "  pairs-platform signals --follow     signals as they are stored\n"
        "  pairs-platform stream status        the collector, its bars and its buckets\n"
        "Ctrl-C stops everything"
    )
