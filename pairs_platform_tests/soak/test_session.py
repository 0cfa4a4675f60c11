"""A whole session of 5-minute bars with a fault every few bars, and a universe of 500 symbols."""

import time
from collections.abc import Iterator
from datetime import date
from itertools import cycle

import click
import numpy as np
import pandas as pd
import psutil
import pytest

from pairs_platform.core.prices.sectors import GICS_SECTORS
from pairs_platform.core.streaming.intervals import bar_intervals
from pairs_platform.core.time import moment_utc
from pairs_platform_tests.support.demo_profile import SYMBOLS
from pairs_platform_tests.support.live_processes import Live, Profile, configured_profile, kill_a_run, running_live
from pairs_platform_tests.support.redis_streams import arrivals
from pairs_platform_tests.support.waiting import WAIT_SECONDS

pytestmark = pytest.mark.timeout(1500)

SESSION = date(2023, 3, 8)
BAR_SECONDS = 6.0
FAULT_EVERY = 8
MEMORY_GROWTH_MIB = 40.0

PLATFORM = """
frequency: 5min
lookback: {intraday: 20}
correlation: {gate: 0.8}
source: {simulated: {planted_pairs_per_sector: 3, max_half_life_bars: 12}}
"""


def universe_of(symbols: dict[str, tuple[str, ...]]) -> str:
    lines = [f"  {sector}: {{active: true, symbols: [{', '.join(names)}]}}" for sector, names in symbols.items()]
    return "universe:\n" + "\n".join(lines) + "\n"


class Memory:
    """Resident memory of processes [MiB], by name and pid."""

    def __init__(self) -> None:
        self.seen: dict[tuple[str, int], list[float]] = {}

    def look(self, live: Live) -> None:
        for name in ("collector", "redis"):
            try:
                held = psutil.Process(live.pid(name)).memory_info().rss / 2**20
            except (psutil.NoSuchProcess, KeyError):
                continue
            self.seen.setdefault((name, live.pid(name)), []).append(held)

    def growth(self) -> Iterator[tuple[str, int, int, float]]:
        """Name, pid, looks, and growth from the first third to the last, of those that lived for long."""
        for (name, pid), held in self.seen.items():
            third = len(held) // 3
            if third >= 5:
                yield name, pid, len(held), float(np.median(held[-third:]) - np.median(held[:third]))


def test_a_session_with_a_fault_every_few_bars(tmp_path, capsys):
    universe = universe_of({"technology": SYMBOLS})
    profile = configured_profile(tmp_path / "a profile", PLATFORM, universe, SESSION, ("technology",))
    n = len(bar_intervals(SESSION, profile.platform.settings.frequency))
    memory, rows = Memory(), []
    with running_live(profile, "--speed", f"{300 / BAR_SECONDS:g}") as live:
        faults = cycle(["collector", "a run", "redis", "daemon"])
        for stop in range(FAULT_EVERY, n, FAULT_EVERY):
            live.await_bars(stop)
            fault, began, before = next(faults), time.monotonic(), len(profile.done())
            if fault == "a run":
                kill_a_run(profile)
            else:
                restarts = live.processes()[fault]["restarts"]
                live.kill(fault)
                live.await_restart(fault, restarts + 1)
            again = time.monotonic() - began
            profile.await_signals(max(stop, before + 1))
            rows.append((stop, fault, again, time.monotonic() - began))
            memory.look(live)
            for _ in range(10):
                memory.look(live)
                time.sleep(0.5)
        profile.await_signals(n)
        found = profile.assert_complete()
        assert live.stop() == 0
    table = pd.DataFrame(rows, columns=["bar", "killed", "runs again [s]", "signals again [s]"])
    grown = list(memory.growth())
    with capsys.disabled():
        click.echo("\n" + table.round(1).to_string(index=False))
        late = found.loc[found["late"], "bar_utc"].nunique()
        click.echo(f"{found['bar_utc'].nunique()} bars, {late} decided late, {len(found)} signals")
        for name, pid, looks, grew in grown:
            click.echo(f"{name} {pid}: {grew:+.1f} MiB over {looks} looks")
    assert all(grew < MEMORY_GROWTH_MIB for *_, grew in grown)


def test_five_hundred_symbols_in_eleven_sectors_are_done_within_the_bar(tmp_path, capsys):
    """A synthetic universe; configurations of the daily job, on a lookback of 20 sessions and with few pairs."""
    sizes = {sector: 46 if k < 5 else 45 for k, sector in enumerate(GICS_SECTORS)}
    universe = {
        sector: tuple(f"S{k:02d}N{j:02d}" for j in range(size)) for k, (sector, size) in enumerate(sizes.items())
    }
    assert sum(map(len, universe.values())) == 500
    text = PLATFORM.replace("gate: 0.8", "gate: 0.97")
    profile = configured_profile(tmp_path / "a profile", text, universe_of(universe), SESSION, tuple(universe))
    by_sector = [Profile(profile.folder, profile.environment, profile.platform, SESSION, one) for one in universe]
    frequency = profile.platform.settings.frequency
    last = bar_intervals(SESSION, frequency)[-2:]
    with running_live(profile, "--start", "15:45", "--speed", "5") as live:
        for one in by_sector:
            one.await_signals(len(bar_intervals(SESSION, frequency)), 4 * WAIT_SECONDS)
        arrived = list(arrivals(profile.platform.streams, profile.platform.settings, SESSION))
        took = []
        for interval in last:
            came = max(ms for ms, ts in arrived if interval.start_ns <= ts < interval.end_ns) / 1e3
            rows = [one.signals for one in by_sector]
            done = max(one.loc[one["bar_utc"] == moment_utc(interval.start_ns), "decided_utc"].max() for one in rows)
            took.append((str(moment_utc(interval.start_ns)), pd.Timestamp(done).timestamp() - came))
        assert live.stop() == 0
    with capsys.disabled():
        click.echo("\nfrom the last streamed bar of a bar to the signals of all 11 sectors, 500 symbols [s]")
        for start, seconds in took:
            click.echo(f"  {start}  {seconds:6.1f}   room {300 - seconds:6.1f}")
    assert max(seconds for _, seconds in took) < 300
