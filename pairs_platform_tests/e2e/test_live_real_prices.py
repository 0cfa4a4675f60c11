"""Recorded sessions through replay server, collector, Redis, signals and trader.

Signals are value for value those of the batch path, trades those of the backtest.
"""

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
from pairs_platform_tests.support.rule_trades import (
    TOLERANCE,
    backtested,
    busy_config,
    compared,
    nested_risk,
    stored_trades,
    unexplained_dollars,
    window_closes,
)
from pairs_platform_tests.support.streamed_desk import streamed_desk
from pairs_platform_tests.support.waiting import WAIT_SECONDS, until

LOOKBACK = 25
SYMBOLS = 8

PLATFORM = """
frequency: 5min
lookback: {{intraday: {lookback}}}
correlation: {{gate: 0.3}}
source: {{kind: files, files: {{paths: ["{file}"]}}}}
stream: {{bar: {bar}, replay: {{files: ["{file}"], speed: 0}}}}
risk: {risk}
"""


def prepared(folder: Path, file: Path, session: date, bar: str) -> Profile:
    """A profile of real prices up to the configuration of the session before, in which every pair is traded."""
    listed = pd.read_parquet(file, columns=["symbol", "sector"]).drop_duplicates()
    symbols = sorted(listed.loc[listed["sector"] == "Information Technology", "symbol"])[:SYMBOLS]
    text = PLATFORM.format(lookback=LOOKBACK, file=file.as_posix(), bar=bar, risk=nested_risk())
    universe = f"universe: {{technology: {{active: true, symbols: [{', '.join(symbols)}]}}}}\n"
    profile = configured_profile(folder, text, universe, session, ("technology",))
    busy_config(profile.platform, profile.config, entry_z=1.0, exit_z=0.8, max_half_lives=0.3)
    return profile


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
def test_a_recorded_session_gives_the_signals_and_trades_of_the_batch_path(real_data, tmp_path, name, session, bar):
    """Values on the whole way; then, from the same bars bar by bar and each decided in time, actions and trades."""
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
        desk = streamed_desk(platform)
        for one in announced:
            streams.bars.add([each for each in bars if one.interval.start_ns <= each.ts_ns < one.interval.end_ns])
            streams.replay.publish_clock(one.interval.end_ns, 0.0)
            streams.bar_closes.publish(one)
            desk.look(2)
            signal_partition(platform, profile.key, run_id="in time")
            desk.look(2)
        rows, window = profile.assert_complete(), profile.window()
    assert not rows["late"].any()
    assert rows["bar_utc"].nunique() == len(grid) == 78
    assert (rows["action"] != "skip").mean() > 0.9
    assert {"enter_long", "enter_short", "exit"} & set(rows["action"])
    pd.testing.assert_series_equal(rows["z"], at_once["z"])
    differences = compared(stored_trades(platform), backtested(profile.config, window), window)
    assert differences.largest < TOLERANCE
    assert differences.closed > 2
    assert unexplained_dollars(platform, window_closes(window)) == pytest.approx(0.0, abs=0.005)
