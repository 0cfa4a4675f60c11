"""Bars per second from a socket to Redis, through the collector process, and its memory.

A server of its own process speaks Alpaca's protocol and sends minutes of 500 symbols as fast as they are taken; the
collector is the process that `pairs-platform stream collect` runs; Redis is the embedded one. The reference is a plain
loop of one XADD per bar into the same Redis.

    python -m benchmarks.ingestion [--bars 10000000]

Required: 20,000 bars/s, every bar, memory that does not grow. Exit code 1 when a requirement is missed.
"""

import argparse
import asyncio
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from datetime import date
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import msgpack
import psutil
from websockets.asyncio.server import ServerConnection, serve

from pairs_platform.adapters.redis.connection import connect
from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.streaming.intervals import bar_intervals
from pairs_platform.platform import open_streams
from pairs_platform.processes.runtime.redis_server import embedded_redis
from pairs_platform.settings.loading import load_settings

SESSION = date(2024, 3, 28)
SYMBOLS = tuple(f"S{i:03d}" for i in range(500))
MINUTES = bar_intervals(SESSION, Frequency.ONE_MINUTE)
REQUIRED_PER_SECOND = 20_000
REFERENCE_BARS = 20_000
SAMPLE_SECONDS = 0.5


def frame(place: int) -> bytes:
    """One minute of every symbol, as Alpaca sends it."""
    stamp, close = msgpack.Timestamp(MINUTES[place].start_ns // 10**9, 0), 100.0 + place / 7
    values = {"o": close, "h": close + 0.31, "l": close - 0.29, "c": close + 0.07, "v": 1200, "n": 14, "vw": close}
    return bytes(msgpack.packb([{"T": "b", "S": symbol, "t": stamp, **values} for symbol in SYMBOLS]))


def serve_bars(told: Connection, frames: int) -> None:
    """Send `frames` frames to the first subscriber, the session's last minute last; report port and start."""
    encoded = [frame(place) for place in range(len(MINUTES))]

    async def handle(socket: ServerConnection) -> None:
        async def say(**fields: Any) -> None:
            await socket.send(bytes(msgpack.packb([fields])))

        await say(T="success", msg="connected")
        await socket.recv()
        await say(T="success", msg="authenticated")
        request = msgpack.unpackb(await socket.recv())
        await say(T="subscription", bars=request["bars"], updatedBars=request["updatedBars"])
        told.send(time.perf_counter())
        for place in range(frames - 1):
            await socket.send(encoded[place % (len(MINUTES) - 1)])
        await socket.send(encoded[-1])
        await socket.wait_closed()

    async def run() -> None:
        async with serve(handle, "127.0.0.1", 0, compression=None) as server:
            told.send(server.sockets[0].getsockname()[1])
            await asyncio.Event().wait()

    asyncio.run(run())


def measure(bars: int, folder: Path) -> None:
    os.environ["PAIRS_PLATFORM__STATE_ROOT"] = str(folder)
    frames = bars // len(SYMBOLS)
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve_bars, args=(there, frames), daemon=True)
    server.start()
    stream = {"PORT": here.recv(), "BAR": "1min", "SYMBOLS": "testing"}
    names = {f"PAIRS_PLATFORM__STREAM__{name}": str(value) for name, value in stream.items() if name != "PORT"}
    os.environ |= names | {
        "PAIRS_PLATFORM__STREAM__REPLAY__PORT": str(stream["PORT"]),
        "PAIRS_PLATFORM__STREAM__TESTING": "[" + ",".join(f'"{symbol}"' for symbol in SYMBOLS) + "]",
    }
    settings = load_settings()
    with embedded_redis(settings.profile_root / "redis"):
        streams, client = open_streams(settings), connect(None, settings.profile_root / "redis")
        streams.replay.publish_clock(MINUTES[-1].end_ns, 0.0)
        script = "from pairs_platform.settings.loading import load_settings\n"
        script += (
            "from pairs_platform.processes.collector.collector import run_collector\nrun_collector(load_settings())"
        )
        collector = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL)
        try:
            began = here.recv()
            watched, sizes = psutil.Process(collector.pid), []
            while (
                len(streams.bars.newest()) < len(SYMBOLS) or min(streams.bars.newest().values()) < MINUTES[-1].start_ns
            ):
                sizes.append(watched.memory_info().rss / 2**20)
                time.sleep(SAMPLE_SECONDS)
            took = time.perf_counter() - began
            cpu = watched.cpu_times()
            collector.terminate()
            collector.wait(60)
        finally:
            collector.kill()
            server.kill()
        health, sent = streams.health.read(), frames * len(SYMBOLS)
        info = client.info()
        report(sent, took, sizes, cpu.user + cpu.system)
        print(f"Redis: {info['used_memory'] / 2**20:.0f} MiB for {client.xlen(stream_key(client)):,} bars held")
        print(f"in Redis by the collector's count: {health['bars']} of {sent}, dropped {health['dropped']}")
        reference = plain_loop(client)
        print(f"one XADD per bar, redis-py: {reference:,.0f} bars/s; ratio {sent / took / reference:.1f}")
        if sent / took < REQUIRED_PER_SECOND or health["bars"] != str(sent):
            sys.exit(f"required: {REQUIRED_PER_SECOND:,} bars/s and every bar")


def report(sent: int, took: float, sizes: list[float], cpu_s: float) -> None:
    early = sizes[len(sizes) // 10 : len(sizes) // 5 + 1]
    late = sizes[-max(1, len(sizes) // 10) :]
    print(f"{sent:,} bars in {took:.1f} s: {sent / took:,.0f} bars/s ({cpu_s / sent * 1e6:.1f} µs of CPU per bar)")
    print(
        f"memory of the collector: {max(early):.0f} MiB early, {max(late):.0f} MiB late, {max(sizes):.0f} MiB at most"
    )


def stream_key(client: Any) -> str:
    return next(str(key) for key in client.scan_iter("pairs:*:bars:*"))


def plain_loop(client: Any) -> float:
    began = time.perf_counter()
    for i in range(REFERENCE_BARS):
        bar = {"symbol": SYMBOLS[i % 500], "ts": MINUTES[0].start_ns, "revision": 0, "source": "feed"}
        client.xadd("plain", {**bar, "bar": "100.1,100.3,99.8,100.2,1200"}, maxlen=1_000_000, approximate=True)
    return REFERENCE_BARS / (time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bars", type=int, default=1_000_000)
    with tempfile.TemporaryDirectory() as folder:
        measure(parser.parse_args().bars, Path(folder))


if __name__ == "__main__":
    main()
