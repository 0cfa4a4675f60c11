"""The last part of `pairs-platform demo`: the first bars of the newest session replayed into signals.

What does not belong here: the daily graph before it (`demo`), and the processes that serve a real session (`live`).
"""

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import date
from typing import TYPE_CHECKING

import click
import pandas as pd

from pairs_platform.core.errors import ConfigurationError
from pairs_platform.core.prices.bars import Frequency
from pairs_platform.processes.runtime.supervisor import require_idle
from pairs_platform.processes.runtime.topology import command_of, forget_replays
from pairs_platform.settings.hints import hint
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.model import Settings
from pairs_platform.settings.production import live_folder
from pairs_platform.settings.variables import set_variable

if TYPE_CHECKING:
    from pairs_platform.adapters.redis.health import ProcessHealth
    from pairs_platform.core.signals.requests import StreamRequest

BARS = 12
"""Bars that are replayed; of hourly bars the whole session, which has fewer."""
BAR_SECONDS = 3.0
TIMEOUT_SECONDS = 120.0

Execute = Callable[["StreamRequest"], list[str]]
"""Computes the signals that a request asks for in this process; its failures."""


def replay_part(settings: Settings, sectors: Sequence[str], session: date, execute: Execute) -> dict[str, pd.DataFrame]:
    """Replay `BARS` bars through server, collector and Redis, and return the signals of each sector.

    At every bar the job that the sensor would request runs in this process; the decision is the sensor's.

    Raises
    ------
    click.ClickException
        When a process ended, a run failed, or the bars did not come.
    """
    from pairs_platform.core.signals.requests import decide_signal_requests
    from pairs_platform.core.streaming.intervals import bar_intervals
    from pairs_platform.database.signals import SignalKey, signal_frame
    from pairs_platform.platform import open_database, open_streams

    hourly = settings.frequency is Frequency.ONE_HOUR
    n_bars = len(bar_intervals(session, settings.frequency)) if hourly else BARS
    set_variable("stream.mode", "replay")
    for name, value in {
        "first": session,
        "bars": n_bars,
        "mode": "single_pass",
        "speed": settings.frequency.minutes * 60 / BAR_SECONDS,
        "port": _free_port(),
    }.items():
        set_variable(f"stream.replay.{name}", str(value))
    settings = load_settings()
    with _redis(settings):
        forget_replays(settings)
        streams = open_streams(settings, "replay")
        with _processes(settings, ["replay", "collect"]) as fail_if_ended:
            after, done, until = "0-0", 0, time.monotonic() + TIMEOUT_SECONDS
            while done < n_bars:
                fail_if_ended()
                if time.monotonic() > until:
                    raise click.ClickException(
                        f"{done} of {n_bars} bars came in {TIMEOUT_SECONDS:.0f} s{_health(streams.health)}"
                    )
                bar_closes = streams.bar_closes.after(after, block_ms=1000)
                if not bar_closes:
                    continue
                after, done = bar_closes[-1].id, done + len(bar_closes)
                due = decide_signal_requests(
                    bar_closes, market_ns=streams.clock.now_ns(), sectors=sectors, run_mode="replay"
                )
                for request in due.signals:
                    failures = execute(request)
                    if failures:
                        raise click.ClickException("a run of signals failed\n" + "\n".join(failures))
        database = open_database(settings)
        keys = {sector: SignalKey(run_mode="replay", sector=sector, session=session) for sector in sectors}
        return {sector: signal_frame(database, key) for sector, key in keys.items()}


def why_no_replay(settings: Settings) -> str:
    """The reason why no session can be replayed here; empty where one can."""
    if settings.frequency is Frequency.ONE_DAY:
        return "bars of a day give no signals within a session"
    if os.name == "nt" and settings.redis_url is None:
        return "there is no embedded Redis on Windows; name one with PAIRS_PLATFORM__REDIS_URL"
    try:
        require_idle(live_folder(settings))  # its sensor would request the same signals, and its replay be forgotten
    except ConfigurationError as busy:
        return str(busy)
    return ""


def _health(collector: "ProcessHealth") -> str:
    health = collector.read()
    return f"; the collector is {health.get('state')}: {health.get('detail', '')}" if health else ""


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _redis(settings: Settings) -> Iterator[None]:
    from pairs_platform.processes.runtime.redis_server import embedded_redis

    with embedded_redis(settings.profile_root / "redis") if settings.redis_url is None else nullcontext():
        yield


@contextmanager
def _processes(settings: Settings, names: list[str]) -> Iterator[Callable[[], None]]:
    """Run commands of `pairs-platform stream` while the context is open; yields a function that raises if one ended."""
    folder = live_folder(settings)
    folder.mkdir(parents=True, exist_ok=True)
    started: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name in names:
            with (folder / f"demo_{name}.log").open("wb") as log:
                started[name] = subprocess.Popen(
                    command_of("stream", name), stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
                )

        def fail_if_ended() -> None:
            for name, process in started.items():
                if process.poll() is not None:
                    last_lines = (folder / f"demo_{name}.log").read_text(errors="replace").strip().splitlines()[-3:]
                    raise click.ClickException(
                        "\n".join([f"stream {name} ended with status {process.returncode}", *last_lines])
                    )

        yield fail_if_ended
    finally:
        for process in reversed(started.values()):
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def print_signals(frame: pd.DataFrame, sector: str) -> None:
    """Print z of every pair of a sector at every bar with the action of the trading rule, then the orders in words."""
    from pairs_platform.cli.show import frame_table, print_renderable
    from pairs_platform.core.signals.orders import signal_order
    from pairs_platform.core.time import MARKET_TIMEZONE
    from pairs_platform.core.trading.legs import ORDER_UNIT

    if frame.empty:
        click.echo(
            f"\nNo pair of {sector} is configured for the replayed session, so there are no signals: a normal outcome."
        )
        return
    marks = {"enter_long": "▲", "enter_short": "▼", "exit": "○", "stop": "✕", "skip": "–", "hold": ""}
    starts = pd.to_datetime(frame["bar_utc"]).dt.tz_convert(MARKET_TIMEZONE).dt.strftime("%H:%M")
    z = frame["z"].map(lambda value: "" if pd.isna(value) else f"{value:+.1f}")
    cells = frame.assign(bar=starts, shown=z + frame["action"].map(marks))
    order = cells["role"].map({"selected": 0, "closing": 1, "pinned": 2, "watchlist": 3})
    shown = cells.assign(order=order).pivot(index=["order", "pair", "role"], columns="bar", values="shown").fillna("")
    table = shown.reset_index().drop(columns="order")
    session = frame["session"].iloc[0]
    title = f"Signals of {len(starts.unique())} replayed bars · {sector} · {session} · z at each close (New York time)"
    print_renderable(frame_table(table, title=title))
    orders = cells[cells["action"].isin(["enter_long", "enter_short", "exit", "stop"])]
    if len(orders):
        words = orders[["bar", "pair", "role", "z", "late"]].assign(
            order=[*map(signal_order, orders.to_dict("records"))]
        )
        print_renderable(frame_table(words, title=f"Orders · {sector} · {session} · {ORDER_UNIT}"))
    late = int(frame.loc[frame["late"], "bar_utc"].nunique())
    counts = ", ".join(f"{action} {n}" for action, n in frame["action"].value_counts().items())
    click.echo(
        f"▲ enter long, ▼ enter short, ○ exit, ✕ stop, – skipped · {counts} · bars decided late: {late}\n"
        "replay server → collector → Redis → run: the way that live bars go; all of it runs with\n"
        f"  {hint('live')}"
    )
