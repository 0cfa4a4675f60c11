"""Recorded sessions through replay server, collector, Redis and signals: value for value those of the batch path."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from pairs_platform.core.streaming.intervals import bar_intervals
from pairs_platform.database.replays import forget_replay
from pairs_platform.processes.runtime.redis_server import embedded_redis
from pairs_platform.processes.runtime.topology import command_of
from pairs_platform.workflows.signals import signal_partition
from pairs_platform_tests.support.live_processes import Profile, configured_profile
from pairs_platform_tests.support.waiting import WAIT_SECONDS, until

LOOKBACK = 20
SYMBOLS = 8

PLATFORM = """
frequency: 5min
lookback: {{intraday: {lookback}}}
correlation: {{gate: 0.3}}
source: {{kind: files, files: {{paths: ["{file}"]}}}}
stream: {{bar: {bar}, replay: {{files: ["{file}"], speed: 0}}}}
"""


def prepared(folder: Path, file: Path, session: date, bar: str) -> Profile:
    """A profile of real prices, daily stages run up to the configuration of the session before; no models."""
    listed = pd.read_parquet(file, columns=["symbol", "sector"]).drop_duplicates()
    symbols = sorted(listed.loc[listed["sector"] == "Information Technology", "symbol"])[:SYMBOLS]
    text = PLATFORM.format(lookback=LOOKBACK, file=file.as_posix(), bar=bar)
    universe = f"universe: {{technology: {{active: true, symbols: [{', '.join(symbols)}]}}}}\n"
    return configured_profile(folder, text, universe, session, ("technology",))


@contextmanager
def streaming(profile: Profile) -> Iterator[None]:
    """The replay server and the collector, each a process."""
    started: list[subprocess.Popen[bytes]] = []
    try:
        for name in ("replay", "collect"):
            with (profile.folder / f"{name}.log").open("wb") as log:
                started.append(
                    subprocess.Popen(
                        command_of("stream", name),
                        cwd=profile.folder,
                        env=dict(profile.environment),
                        stdout=log,
                        stderr=subprocess.STDOUT,
                        stdin=subprocess.DEVNULL,
                    )
                )
        yield
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait(WAIT_SECONDS)


@pytest.mark.parametrize(
    ("name", "session", "bar"),
    [
        ("real_intraday_5min.parquet", date(2025, 7, 2), "5min"),
        ("real_intraday.parquet", date(2018, 4, 18), "1min"),
    ],
)
def test_a_recorded_session_gives_the_signals_of_the_batch_path(real_data, tmp_path, name, session, bar):
    """Values on the whole way; then, from the same bars bar by bar and each decided in time, actions too."""
    profile = prepared(tmp_path / "a profile", real_data / name, session, bar)
    platform, streams = profile.platform, profile.platform.streams
    grid = bar_intervals(session, platform.settings.frequency)
    with embedded_redis(platform.settings.profile_root / "redis"):
        with streaming(profile):
            until(lambda: len(profile.intervals) == len(grid))
        signal_partition(platform, profile.key, run_id="at once")
        at_once = profile.assert_complete()
        bars, announced = streams.bars.of_session(session), streams.bar_closes.of_session(session)
        assert len({(one.symbol, one.ts_ns) for one in bars}) > 0.95 * SYMBOLS * (390 if bar == "1min" else 78)
        streams.replay.reset()
        forget_replay(platform.database)
        for one in announced:
            streams.bars.add([each for each in bars if one.interval.start_ns <= each.ts_ns < one.interval.end_ns])
            streams.replay.publish_clock(one.interval.end_ns, 0.0)
            streams.bar_closes.publish(one)
            signal_partition(platform, profile.key, run_id="in time")
        rows = profile.assert_complete()
    assert not rows["late"].any()
    assert rows["bar_utc"].nunique() == len(grid) == 78
    assert (rows["action"] != "skip").mean() > 0.9
    assert {"enter_long", "enter_short", "exit"} & set(rows["action"])
    pd.testing.assert_series_equal(rows["z"], at_once["z"])
