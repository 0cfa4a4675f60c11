"""Two checkouts of the platform side by side: start of the code location and of commands, the daily graph, signals.

    git worktree add ../before COMMIT
    python -m benchmarks.two_versions ../before                # starts and the daily graph: about ten minutes
    python -m benchmarks.two_versions ../before --bars 24      # and the latency of that many bars, after `make demo`

Both run in turn, in this environment, each on a state folder of its own with the same simulated prices. The ratio is
the median of this checkout over that of the other: of processor time, because the clock follows what else the machine
does; it is printed alongside. Exit code 1 when a ratio is above `--limit`. The latency, on the clock, is what
`benchmarks.live_latency` of each checkout prints for it.
"""

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FIRST, SESSION, SECTOR = "2026-04-06", "2026-06-30", "technology"
STEPS = "correlation_matrix,cointegrated_pairs,garch_fits,pair_scores,composite_rankings,trading_config"
CONSOLE = [sys.executable, "-W", "ignore", "-c", "from pairs_platform.cli import main; main()"]
DAGSTER = [sys.executable, "-W", "ignore", "-m", "dagster"]
MATERIALIZE = [*DAGSTER, "asset", "materialize", "-m", "pairs_platform.definitions"]
MEASURED = {
    "daily graph": [*MATERIALIZE, "--select", STEPS, "--partition", f"{SESSION}|{SECTOR}"],
    "code location": [sys.executable, "-W", "ignore", "-c", "import pairs_platform.definitions"],
    "--help": [*CONSOLE, "--help"],
    "config show": [*CONSOLE, "config", "show"],
    "pairs": [*CONSOLE, "pairs", "--sector", SECTOR],
    "symbols status": [*CONSOLE, "symbols", "status", "--sector", SECTOR],
}


@dataclass(frozen=True)
class Checkout:
    """A folder with a version of the platform, and the state folder that it works on."""

    folder: Path
    environment: Mapping[str, str]

    def run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        """Run a command on this version; ends the benchmark when it fails."""
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            sys.exit(f"{self.folder}: {' '.join(command)} ended with {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def seconds(self, command: list[str]) -> tuple[float, float]:
        """How long a command takes: on the clock, and of processors with those of its children."""
        started, before = time.perf_counter(), os.times()
        self.run(command)
        after = os.times()
        used = after.children_user + after.children_system - before.children_user - before.children_system
        return time.perf_counter() - started, used


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, help="checkout to compare with")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--bars", type=int, default=0, help="bars whose signals are timed; 0: none")
    parser.add_argument("--demo", type=Path, default=ROOT, help="folder with the demo's .state, for --bars")
    parser.add_argument("--limit", type=float, default=1.1)
    arguments = parser.parse_args()
    other = arguments.other.resolve()
    with tempfile.TemporaryDirectory(prefix="two versions ") as folder:
        pair = [checkout(path, Path(folder) / name) for path, name in ((ROOT, "this"), (other, "other"))]
        for version in pair:
            partitions = f"{FIRST}|{SECTOR}...{SESSION}|{SECTOR}"
            version.run([*MATERIALIZE, "--select", "price_history", "--partition-range", partitions])
            for command in MEASURED.values():
                version.run(command)  # compiles kernels, makes databases
        ratios = [compare(name, command, pair, arguments.rounds) for name, command in MEASURED.items()]
    if arguments.bars:
        ratios.append(compare_latency([ROOT, other], arguments.bars, arguments.demo))
    print(f"largest ratio {max(ratios):.2f}, allowed {arguments.limit:.2f}")
    return 0 if max(ratios) <= arguments.limit else 1


def checkout(folder: Path, state: Path) -> Checkout:
    """A version on an empty state folder, its Dagster home there too."""
    home = state / "home"
    home.mkdir(parents=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PAIRS_PLATFORM")}
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "2"}
    place = {"PYTHONPATH": str(folder), "PAIRS_PLATFORM__STATE_ROOT": str(state), "DAGSTER_HOME": str(home)}
    return Checkout(folder, {**environment, **threads, **place})


def compare(name: str, command: list[str], pair: list[Checkout], rounds: int) -> float:
    """Time a command on both in turn; the ratio of the medians of processor time."""
    times: list[list[tuple[float, float]]] = [[], []]
    for _ in range(rounds):
        for version, seconds in zip(pair, times, strict=True):
            seconds.append(version.seconds(command))
    (clock, ours), (their_clock, theirs) = (
        [statistics.median(kind) for kind in zip(*seconds, strict=True)] for seconds in times
    )
    print(
        f"{name:<14} this {ours:6.2f} s   other {theirs:6.2f} s   ratio {ours / theirs:.2f}   "
        f"(on the clock {clock:.2f} and {their_clock:.2f} s)",
        flush=True,
    )
    return ours / theirs


def compare_latency(folders: list[Path], bars: int, demo: Path) -> float:
    """What `benchmarks.live_latency` of each prints on a copy of the demo's state; the ratio of the medians."""
    medians = []
    for folder in folders:
        with tempfile.TemporaryDirectory(prefix="latency ") as state:
            own = checkout(folder, Path(state) / "state")
            own_demo = folder / ".state" if (folder / ".state").is_dir() else demo / ".state"
            shutil.copytree(own_demo, Path(state) / "state", dirs_exist_ok=True)
            words = own.run([sys.executable, "-m", "benchmarks.live_latency", "--help"]).stdout
            flag = "--bars" if "--bars" in words else "--buckets"
            command = [sys.executable, "-m", "benchmarks.live_latency", flag, str(bars)]
            done = subprocess.run(command, cwd=folder, env=own.environment, capture_output=True, text=True, check=False)
        median = re.search(r"arrival → stored\s+median\s+([\d.]+)", done.stdout)
        if median is None:
            sys.exit(f"{folder}: no median in\n{done.stdout}{done.stderr}")
        medians.append(float(median[1]))
    ours, theirs = medians
    print(f"{'signals':<14} this {ours:6.2f} s   other {theirs:6.2f} s   ratio {ours / theirs:.2f}", flush=True)
    return ours / theirs


if __name__ == "__main__":
    sys.exit(main())
