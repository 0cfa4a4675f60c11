"""The last part of `pairs-platform demo`: the first bars of the newest session replayed into signals and trades.

What does not belong here: the daily graph before it (`demo`), what is said of the trades (`demo_trades`), and the
processes that serve a real session (`live`).
"""

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self

import click
import pandas as pd

from pairs_platform.core.errors import ConfigurationError
from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.time import moment_utc
from pairs_platform.processes.runtime.supervisor import require_idle
from pairs_platform.processes.runtime.topology import command_of, forget_replays
from pairs_platform.settings.hints import hint
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.model import Settings
from pairs_platform.settings.production import live_folder
from pairs_platform.settings.variables import set_variable

if TYPE_CHECKING:
    from pairs_platform.adapters.redis.health import ProcessHealth
    from pairs_platform.cli.demo_trades import TradedHour
    from pairs_platform.core.signals.requests import StreamRequest
    from pairs_platform.platform import Platform

BARS = 12
"""Bars that are replayed; of hourly bars the whole session, which has fewer."""
BAR_SECONDS = 3.0
TIMEOUT_SECONDS = 120.0

_LOOKS_OF_A_BAR = 4
"""Looks in which the trader takes a bar's signals and sends what follows from them."""

Execute = Callable[["StreamRequest"], list[str]]
"""Computes the signals that a request asks for in this process; its failures."""


@dataclass(frozen=True)
class Replayed:
    """What came of the replayed bars: the signals of each sector, and what the paper account did."""

    signals: dict[str, pd.DataFrame]
    hour: "TradedHour"


def replay_part(settings: Settings, sectors: Sequence[str], session: date, execute: Execute) -> Replayed:
    """Replay `BARS` bars through server, collector, Redis, signals and the trader with the paper account.

    At every bar the job that the sensor would request runs in this process; the decision is the sensor's. Play begins
    once the trader has looked at its account, so that no entry is missed because a process was slow to start.

    Raises
    ------
    click.ClickException
        When a process ended, a run failed, or the bars did not come.
    """
    from pairs_platform.cli.demo_trades import traded_hour
    from pairs_platform.core.streaming.intervals import bar_intervals
    from pairs_platform.database.signals import SignalKey, signal_frame
    from pairs_platform.platform import Platform

    hourly = settings.frequency is Frequency.ONE_HOUR
    grid = bar_intervals(session, settings.frequency)
    grid = grid if hourly else grid[:BARS]
    settings = _replay_settings(settings, session, len(grid))
    with _redis(settings):
        forget_replays(settings)
        platform = Platform(settings)
        with _Processes(settings) as processes:
            began_ns = time.time_ns()
            processes.start("replay", "stream", "replay")
            processes.start("trade", "trade")
            looked = _looks_of(platform, began_ns)
            processes.wait(lambda: looked() > 0, "the trader has not begun", platform.streams.trader)
            processes.start("collect", "stream", "collect")
            _compute(platform, sectors, len(grid), processes, execute)
            _await_trader(platform, processes, moment_utc(grid[-1].end_ns), looked)
        keys = {sector: SignalKey(run_mode="replay", sector=sector, session=session) for sector in sectors}
        signals = {sector: signal_frame(platform.database, key) for sector, key in keys.items()}
        return Replayed(signals, traded_hour(platform, sectors, session))


def _replay_settings(settings: Settings, session: date, n_bars: int) -> Settings:
    """Settings of this process and its children: some bars of a session once, and the platform's own account."""
    set_variable("stream.mode", "replay")
    set_variable("broker.kind", "paper")
    for name, value in {
        "first": session,
        "bars": n_bars,
        "mode": "single_pass",
        "speed": settings.frequency.minutes * 60 / BAR_SECONDS,
        "port": _free_port(),
    }.items():
        set_variable(f"stream.replay.{name}", str(value))
    return load_settings()


def _compute(
    platform: "Platform", sectors: Sequence[str], n_bars: int, processes: "_Processes", execute: Execute
) -> None:
    """Run the job of each bar as it becomes complete."""
    from pairs_platform.core.signals.requests import decide_signal_requests

    streams = platform.streams
    after, done, until = "0-0", 0, time.monotonic() + TIMEOUT_SECONDS
    while done < n_bars:
        processes.fail_if_ended()
        if time.monotonic() > until:
            raise click.ClickException(
                f"{done} of {n_bars} bars came in {TIMEOUT_SECONDS:.0f} s{_health(streams.health, 'collector')}"
            )
        bar_closes = streams.bar_closes.after(after, block_ms=1000)
        if not bar_closes:
            continue
        after, done = bar_closes[-1].id, done + len(bar_closes)
        due = decide_signal_requests(bar_closes, market_ns=streams.clock.now_ns(), sectors=sectors, run_mode="replay")
        for request in due.signals:
            failures = execute(request)
            if failures:
                raise click.ClickException("a run of signals failed\n" + "\n".join(failures))


def _looks_of(platform: "Platform", began_ns: int) -> Callable[[], int]:
    """How often the trader that was started since a moment has looked at its account."""

    def looks() -> int:
        said = platform.streams.trader.read()
        return int(said.get("looks", 0)) if int(said.get("started_wall_ns", 0)) >= began_ns else 0

    return looks


def _await_trader(platform: "Platform", processes: "_Processes", end_utc: datetime, looked: Callable[[], int]) -> None:
    """Return when the trader has written the account down at the end of the last bar, and has seen its signals."""
    from pairs_platform.database.equity import AccountKey, newest_equity
    from pairs_platform.processes.trader.brokers import paper_account_name

    account, before = AccountKey(paper_account_name("replay"), "replay"), looked()

    def has_ended() -> bool:
        newest = newest_equity(platform.database, account)
        return newest is not None and newest.at_utc >= end_utc and looked() >= before + _LOOKS_OF_A_BAR

    processes.wait(has_ended, "the trader has not seen the last bar", platform.streams.trader)


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


def _health(process: "ProcessHealth", name: str) -> str:
    health = process.read()
    return f"; the {name} is {health.get('state')}: {health.get('detail', '')}" if health else ""


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


class _Processes:
    """Commands of `pairs-platform` that run while the context is open."""

    def __init__(self, settings: Settings) -> None:
        self._folder = live_folder(settings)
        self._started: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._started.values()):
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def start(self, name: str, *words: str) -> None:
        """Start a command; what it says goes to a file."""
        with self._log(name).open("wb") as log:
            self._started[name] = subprocess.Popen(
                command_of(*words), stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )

    def fail_if_ended(self) -> None:
        """Raise where one has ended."""
        for name, process in self._started.items():
            if process.poll() is not None:
                last_lines = self._log(name).read_text(errors="replace").strip().splitlines()[-3:]
                raise click.ClickException("\n".join([f"{name} ended with status {process.returncode}", *last_lines]))

    def wait(self, condition: Callable[[], bool], otherwise: str, health: "ProcessHealth") -> None:
        """Return when a condition holds; raise after a time, with what the trader says of itself."""
        until = time.monotonic() + TIMEOUT_SECONDS
        while not condition():
            self.fail_if_ended()
            if time.monotonic() > until:
                raise click.ClickException(f"{otherwise} after {TIMEOUT_SECONDS:.0f} s{_health(health, 'trader')}")
            time.sleep(0.2)

    def _log(self, name: str) -> Path:
        return self._folder / f"demo_{name}.log"


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
        "replay server → collector → Redis → run → trader: the way of live bars; all of it runs with\n"
        f"  {hint('live')}"
    )
