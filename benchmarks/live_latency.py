"""From the last streamed bar of a bar to its signals in the database, through the processes of `live`.

    python -m benchmarks.live_latency                 # 60 bars, 23 symbols: about ten minutes
    python -m benchmarks.live_latency --bars 12       # about three minutes
    python -m benchmarks.live_latency --production    # the same through `pairs-platform up`, on PostgreSQL

Uses the state of the demo (`make demo` first) in the configured state folder. Starts `pairs-platform live` as a person
does, lets it replay the newest session with one bar every `--spacing` seconds, and looks at Redis, the database and
Dagster's instance from outside. The wall clock of one machine stamps everything. Exit code 1 when the median is above
3 s or the 95th percentile above 5 s.
"""

import argparse
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import numpy as np

from pairs_platform.core.time import moment_utc
from pairs_platform.database.signals import SignalKey, bars_with_signals, forget_replay, sessions_with_signals
from pairs_platform.platform import open_database, open_streams
from pairs_platform.processes.runtime.dagster_home import prepare_home
from pairs_platform.processes.runtime.supervisor import PROCESSES_FILE
from pairs_platform.processes.runtime.topology import command_of
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.production import ENVIRONMENT_FILE, live_folder, production_folder, state_of
from pairs_platform.settings.variables import variable
from pairs_platform_tests.support.redis_streams import arrivals

MEDIAN_SECONDS, P95_SECONDS = 3.0, 5.0
POLL_SECONDS = 0.02
PARTS = ("arrival → announced", "announced → requested", "requested → run starts", "run starts → stored")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bars", type=int, default=60)
    parser.add_argument("--spacing", type=float, default=8.0, help="real seconds from bar to bar")
    parser.add_argument("--port", type=int, default=3111)
    parser.add_argument("--production", action="store_true")
    given = parser.parse_args()
    settings = load_settings()
    if given.production:
        return production(given)
    speed = settings.frequency.minutes * 60 / given.spacing
    words = ["live", "--speed", f"{speed:g}", "--bars", str(given.bars), "--port", str(given.port)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    since = time.time()
    forget_replay(open_database(settings))
    live = subprocess.Popen(command_of(*words), env=environment, start_new_session=True)
    try:
        stored = watch(settings, live, given.bars, given.bars * given.spacing + 180)
        pids = json.loads((live_folder(settings) / PROCESSES_FILE).read_text())
        print("processes: " + ", ".join(f"{name} {one['pid']}" for name, one in pids.items()))
        return report(settings, stored, given.bars, since)
    finally:
        live.send_signal(signal.SIGINT)
        live.wait(60)


def production(given: argparse.Namespace) -> int:
    """`up` in the foreground on a copy of the demo's state, watched through the stores that it names."""
    settings = load_settings()
    with tempfile.TemporaryDirectory(prefix="pairs-platform-latency-", ignore_cleanup_errors=True) as folder:
        own = shutil.ignore_patterns("dagster*", "live", "production", "redis")
        shutil.copytree(settings.profile_root, Path(folder) / settings.profile_root.name, ignore=own)
        os.environ[variable("state_root")] = folder
        return _production(given)


def _production(given: argparse.Namespace) -> int:
    settings = load_settings()
    speed = settings.frequency.minutes * 60 / given.spacing
    for name, value in (("speed", f"{speed:g}"), ("bars", str(given.bars))):
        os.environ[variable(f"stream.replay.{name}")] = value
    os.environ[variable("services.ui_port")] = str(given.port)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    since = time.time()
    up = subprocess.Popen(command_of("up", "--foreground"), env=environment, start_new_session=True)
    try:
        while not state_of(settings).get("healthy"):
            if up.poll() is not None:
                raise SystemExit("`pairs-platform up` ended early")
            time.sleep(0.2)
        for line in (production_folder(settings) / ENVIRONMENT_FILE).read_text().splitlines():
            name, _, value = shlex.split(line)[1].partition("=")
            os.environ[name] = value
        settings = load_settings()
        stored = watch(settings, up, given.bars, given.bars * given.spacing + 180)
        return report(settings, stored, given.bars, since)
    finally:
        up.send_signal(signal.SIGINT)
        up.wait(60)


def watch(settings, live: subprocess.Popen, n_bars: int, seconds: float) -> dict:
    """When the signals of each bar were first in the database, seconds since 1970, by the start of the bar."""
    database, sector, until = open_database(settings), settings.active_sectors[0], time.time() + seconds
    seen: dict = {}
    while len(seen) < n_bars and time.time() < until:
        if live.poll() is not None:
            raise SystemExit("`pairs-platform live` ended early")
        for session in sessions_with_signals(database, "replay", sector)[-1:]:
            for start in bars_with_signals(database, SignalKey(run_mode="replay", sector=sector, session=session)):
                seen.setdefault((session, start), time.time())
        time.sleep(POLL_SECONDS)
    return seen


def report(settings, stored: dict, n_bars: int, since: float) -> int:
    streams = open_streams(settings, "replay")
    home = prepare_home(settings)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        chosen = dg.RunsFilter(job_name="five_minute_signals", created_after=datetime.fromtimestamp(since, UTC))
        records = instance.get_run_records(chosen)
    runs = {record.dagster_run.tags["pairs_platform/bucket_ns"]: record for record in reversed(records)}
    rows = []
    for (session, bar), seen in sorted(stored.items()):
        announced = {moment_utc(one.interval.start_ns): one for one in streams.bar_closes.of_session(session)}[bar]
        start, end = announced.interval.start_ns, announced.interval.end_ns
        arrived = [ms / 1e3 for ms, ts in arrivals(streams, settings, session) if start <= ts < end]
        run = runs.get(str(start))
        if run is None or run.start_time is None:
            continue
        rows.append(
            (
                announced.wall_ns / 1e9 - max(arrived),
                run.create_timestamp.timestamp() - announced.wall_ns / 1e9,
                run.start_time - run.create_timestamp.timestamp(),
                seen - run.start_time,
                seen - max(arrived),
            )
        )
    parts = np.array(rows)
    if not len(parts):
        print("no bar has both its signals and its run")
        return 1
    symbols = len(streams.bars.newest())
    print(f"{len(parts)} of {n_bars} bars measured, {symbols} symbols, {os.cpu_count()} cores; seconds")
    for name, column in zip((*PARTS, "arrival → stored"), parts.T, strict=True):
        low, p95 = np.percentile(column, [50, 95])
        print(f"  {name:<24} median {low:6.2f}   95th percentile {p95:6.2f}   largest {column.max():6.2f}")
    median, p95 = np.percentile(parts[:, -1], [50, 95])
    missed = len(parts) < n_bars or median > MEDIAN_SECONDS or p95 > P95_SECONDS
    print("a requirement is missed" if missed else "every requirement is met")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
