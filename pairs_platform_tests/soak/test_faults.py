"""Faults that take long or need a market of their own, against real processes."""

import dataclasses
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg
import psutil
import pytest

from pairs_platform.cli.dagster_calls import dagster_calls
from pairs_platform.core.streaming.intervals import bar_intervals
from pairs_platform.core.time import moment_utc
from pairs_platform.defs.instance import open_instance
from pairs_platform.platform import open_streams
from pairs_platform.processes.replay.playlist import open_playlist
from pairs_platform.processes.replay.server import ReplayServer
from pairs_platform.processes.replay.wire import BARS, UPDATED_BARS, Batch
from pairs_platform.processes.runtime.dagster_home import prepare_home
from pairs_platform.processes.runtime.redis_server import embedded_redis
from pairs_platform.processes.runtime.supervisor import Supervisor
from pairs_platform.processes.runtime.topology import forget_replays, live_processes
from pairs_platform.settings.production import live_folder
from pairs_platform_tests.support.live_processes import Profile, kill_a_run, make_profile, running_live
from pairs_platform_tests.support.replays import listen_locally
from pairs_platform_tests.support.waiting import WAIT_SECONDS, until

N_BARS = 7
HOUR_NS = 3600 * 10**9


def statuses(profile: Profile) -> list[dg.DagsterRunStatus]:
    return [one.dagster_run.status for one in profile.runs()]


def test_daemon_collector_and_redis_are_killed_in_one_session(demo, tmp_path):
    profile = make_profile(demo, tmp_path / "a profile")
    with running_live(profile, "--speed", "600") as live:
        live.await_bars(1)
        live.kill("daemon")
        live.await_restart("daemon")
        live.await_bars(3)
        live.kill("collector")
        live.await_restart("collector")
        live.await_bars(5)
        live.kill("redis")
        live.await_restart("redis")
        profile.await_signals(N_BARS)
        profile.assert_complete()
        assert {one.dagster_run.status for one in profile.runs()}.isdisjoint({dg.DagsterRunStatus.FAILURE})
        restarts = {name: one["restarts"] for name, one in live.processes().items()}
        assert restarts == {"redis": 1, "webserver": 0, "daemon": 1, "replay": 0, "collector": 1}
        assert live.stop() == 0
    until(lambda: not profile.members())


def test_a_killed_run_behind_the_last_bar_is_run_again(demo, tmp_path):
    """No later bar would fill it."""
    profile = make_profile(demo, tmp_path / "a profile")
    with running_live(profile, "--start", "14:30", "--speed", "90") as live:
        profile.await_signals(N_BARS - 1)
        killed = kill_a_run(profile)
        profile.await_signals(N_BARS)
        profile.assert_complete()
        until(lambda: all(one.dagster_run.is_finished for one in profile.runs()))
        records = {one.dagster_run.run_id: one.dagster_run for one in profile.runs()}
        assert records[killed].status is dg.DagsterRunStatus.FAILURE
        again = [run for run in records.values() if run.parent_run_id == killed]
        assert [run.status for run in again] == [dg.DagsterRunStatus.SUCCESS]
        assert live.stop() == 0


def test_redis_away_for_three_minutes(demo, tmp_path):
    """It does not answer while the second half of the session is played; everything is fetched again afterwards."""
    profile = make_profile(demo, tmp_path / "a profile")
    with running_live(profile, "--speed", "180") as live:
        profile.await_signals(2)
        server = psutil.Process(live.pid("redis"))
        server.suspend()
        time.sleep(180)
        server.resume()
        profile.await_signals(N_BARS)
        rows = profile.assert_complete()
        assert rows["late"].any()
        until(lambda: all(one.dagster_run.is_finished for one in profile.runs()), 2 * WAIT_SECONDS)
        assert live.stop() == 0


def test_a_clock_that_jumps(demo, tmp_path):
    """An hour forward and an hour back, in Redis, where every process reads it; the replay corrects it in a second."""
    profile = make_profile(demo, tmp_path / "a profile")
    with running_live(profile, "--speed", "360"):
        streams = profile.platform.streams
        for n, jump in ((2, HOUR_NS), (4, -HOUR_NS)):
            profile.await_signals(n)
            for _ in range(20):
                streams.replay.publish_clock(streams.clock.now_ns() + jump, 0.0)
                time.sleep(0.05)
        profile.await_signals(N_BARS)
        early = {
            moment_utc(one.interval.start_ns)
            for one in streams.bar_closes.of_session(profile.session)
            if one.reason == "grace"
        }
        rows = profile.assert_complete(corrected=frozenset(early))
        assert rows["bar_utc"].nunique() == N_BARS
        assert set(statuses(profile)) <= {dg.DagsterRunStatus.SUCCESS, *_UNDER_WAY}


_UNDER_WAY = (dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING)


class Unruly(ReplayServer):
    """A replay whose bars come twice, late, out of order and corrected, and of which one symbol stops."""

    SILENT, SILENT_FROM = "AMAT", 2
    LATE, LATE_AT = "AMD", 3
    CORRECTED, CORRECTED_AT = "ADI", 4

    def _batches(self, played: Any, rows: Any) -> Iterator[tuple[int, Batch]]:
        late: list[dict[str, Any]] = []
        for k, (instant, positions) in enumerate(played.ticks()):
            bars = [rows[position] for position in positions]
            bars = [bar for bar in bars if bar["S"] != self.SILENT or k < self.SILENT_FROM]
            if k == 1:
                bars = [*bars, *bars]
            if k == self.LATE_AT:
                late = [bar for bar in bars if bar["S"] == self.LATE]
                bars = [bar for bar in bars if bar["S"] != self.LATE]
            yield instant, Batch(BARS, bars[::-1] + (late if k == self.LATE_AT + 1 else []))
            if k == self.CORRECTED_AT:
                fixed = [
                    {**bar, "c": bar["c"] * 0.999, "l": bar["l"] * 0.998} for bar in bars if bar["S"] == self.CORRECTED
                ]
            if k == self.CORRECTED_AT + 1:
                yield instant, Batch(UPDATED_BARS, fixed)


@contextmanager
def unruly_live(profile: Profile, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The processes of `live` under its supervisor, except that the replay server is the one above."""
    settings, home = profile.platform.settings, prepare_home(profile.platform.settings)
    open_instance(home).dispose()
    monkeypatch.chdir(profile.folder)
    specs = [
        dataclasses.replace(spec, environment={**profile.environment, **spec.environment})
        for spec in live_processes(
            settings, home, dagster_calls(), profile.folder, host="127.0.0.1", port=1, fresh=True
        )
        if spec.name in ("code", "daemon", "collector")
    ]
    with embedded_redis(settings.profile_root / "redis"), listen_locally(profile.replay_port) as listener:
        forget_replays(settings)
        server = Unruly(open_playlist(settings), open_streams(settings, "replay").replay)
        serving = threading.Thread(target=server.serve, args=(listener,), daemon=True)
        serving.start()
        supervisor, started = Supervisor(specs, live_folder(settings), print), threading.Event()
        running = threading.Thread(target=supervisor.run, args=(started.set,))
        running.start()
        try:
            assert started.wait(WAIT_SECONDS)
            yield
        finally:
            supervisor.stop()
            running.join(WAIT_SECONDS)
            server.stop()
            serving.join(WAIT_SECONDS)
    assert server.failure is None


def test_bars_twice_late_out_of_order_and_corrected_and_a_symbol_that_stops(demo, tmp_path, monkeypatch):
    profile = make_profile(demo, tmp_path / "a profile", stream__replay__speed="360")
    with unruly_live(profile, monkeypatch):
        profile.await_signals(N_BARS)
        grid = bar_intervals(profile.session, profile.platform.settings.frequency)
        after = {moment_utc(grid[k].start_ns) for k in (Unruly.LATE_AT, Unruly.CORRECTED_AT)}
        rows = profile.assert_complete(corrected=frozenset(after))
        streams = profile.platform.streams
        assert len(streams.bars.of_session(profile.session)) > len(streams.bars.merged(profile.session))
    legs = rows["pair"].str.split("_").map(lambda names: Unruly.SILENT in names)
    assert legs.any()
    limit = profile.config.trading.max_stale_bars
    age = rows["bar_utc"].rank(method="dense").astype(int) - Unruly.SILENT_FROM
    stale = rows[legs & (age > limit)]
    assert len(stale)
    assert set(stale["action"]) == {"skip"}
    assert stale["reason"].str.startswith(("stale", "gap")).all()
    assert not rows[~legs]["reason"].str.startswith("stale").any()
