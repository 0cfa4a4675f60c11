"""A replay server on a free port, in a thread, and Alpaca's own client library as its client."""

import asyncio
import concurrent.futures
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import Any

import pandas as pd
from alpaca.data.live.stock import StockDataStream

from pairs_platform.core.errors import NotFound, Unavailable
from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.prices.calendar import session_of
from pairs_platform.core.streaming.settings import ReplaySettings
from pairs_platform.ports.market_data import empty_actions
from pairs_platform.processes.replay.playlist import Playlist
from pairs_platform.processes.replay.server import ReplayServer
from pairs_platform.processes.web import listen
from pairs_platform_tests.support.waiting import WAIT_SECONDS, until

TODAY = date(2024, 7, 9)


listen_locally = partial(listen, "127.0.0.1", server="the replay server", choice="stream.replay.port")
"""A socket at a port of this machine; 0 takes a free one."""


@dataclass
class WrittenBars:
    """A source of the bars that it was given."""

    frame: pd.DataFrame
    due: pd.DataFrame = field(default_factory=empty_actions)
    label: str = "written bars"

    def sessions(self) -> Sequence[date]:
        return sorted({day.date() for day in session_of(self.frame["ts_utc"]).unique()})

    def bars(self, session: date) -> pd.DataFrame:
        return self.frame[session_of(self.frame["ts_utc"]) == pd.Timestamp(session)].reset_index(drop=True)

    def actions(self, session: date) -> pd.DataFrame:
        return self.due

    def absent(self, sessions: Sequence[date]) -> NotFound:
        return NotFound(f"no bars of {sessions[0]}; newest: {self.sessions()[-1]}")


@dataclass
class KeptClock:
    """A `ReplayOutput` that keeps what is published; it fails while `is_away`."""

    published: list[tuple[int, float]] = field(default_factory=list)
    resets: int = 0
    is_away: bool = False

    @property
    def last(self) -> tuple[int, float]:
        """What was published last."""
        return self.published[-1] if self.published else (0, 0.0)

    def publish_clock(self, market_ns: int, rate: float) -> None:
        if self.is_away:
            raise Unavailable("away")
        self.published.append((market_ns, rate))

    def reset(self) -> int:
        if self.is_away:
            raise Unavailable("away")
        self.resets += 1
        return self.resets


@dataclass(frozen=True)
class RunningReplay:
    server: ReplayServer
    output: KeptClock
    port: int

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def socket(self) -> str:
        return f"ws://127.0.0.1:{self.port}/v2/iex"


def make_playlist(
    source: WrittenBars,
    *,
    length: Frequency = Frequency.FIVE_MINUTES,
    profile: Frequency = Frequency.FIVE_MINUTES,
    today: date = TODAY,
    **settings: Any,
) -> Playlist:
    return Playlist(source, ReplaySettings(**{"speed": 0, **settings}), length=length, profile=profile, today=today)


@contextmanager
def running_replay(playlist: Playlist, **options: Any) -> Iterator[RunningReplay]:
    """Serve a playlist while the block runs."""
    output = KeptClock()
    server = ReplayServer(playlist, output, **options)
    listener = listen_locally(0)
    thread = threading.Thread(target=server.serve, args=(listener,), daemon=True)
    thread.start()
    try:
        yield RunningReplay(server, output, listener.getsockname()[1])
    finally:
        server.stop()
        thread.join(WAIT_SECONDS)
        listener.close()
    assert not thread.is_alive()
    assert server.failure is None


@dataclass
class Received:
    """What a client's handlers got, in order."""

    bars: list[Any] = field(default_factory=list)
    updated: list[Any] = field(default_factory=list)


@contextmanager
def alpaca_client(
    url: str, *symbols: str, raw: bool = True, keys: tuple[str, str] = ("KEY", "SECRET"), **options: Any
) -> Iterator[Received]:
    """An unmodified `StockDataStream` that subscribes to bars and updated bars, in a thread while the block runs."""
    received = Received()

    async def on_bar(bar: Any) -> None:
        received.bars.append(bar)

    async def on_update(bar: Any) -> None:
        received.updated.append(bar)

    stream = StockDataStream(*keys, raw_data=raw, url_override=url, **options)
    stream.subscribe_bars(on_bar, *symbols)
    stream.subscribe_updated_bars(on_update, *symbols)
    thread = threading.Thread(target=stream.run, daemon=True)
    thread.start()
    try:
        yield received
    finally:
        until(lambda: stream._loop is not None)
        with suppress(RuntimeError, concurrent.futures.CancelledError):  # it has ended by itself
            asyncio.run_coroutine_threadsafe(_end(stream), stream._loop).result(WAIT_SECONDS)
        thread.join(WAIT_SECONDS)
        assert not thread.is_alive()


async def _end(stream: StockDataStream) -> None:
    """Stop; without the close it would notice only when the next message arrives, or after 5 s."""
    await stream.stop_ws()
    await stream.close()


def raw_rows(bars: pd.DataFrame) -> list[tuple[Any, ...]]:
    """Bars as comparable rows."""
    return list(
        zip(
            bars["symbol"],
            pd.DatetimeIndex(bars["ts_utc"]).as_unit("ns").asi8.tolist(),
            *(bars[name].tolist() for name in ("open", "high", "low", "close", "volume")),
            strict=True,
        )
    )


def received_rows(messages: Sequence[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """Raw messages as comparable rows."""
    return [(m["S"], m["t"].to_unix_nano(), m["o"], m["h"], m["l"], m["c"], m["v"]) for m in messages]
