"""What `pairs-platform ui` costs: the time until it answers, then memory and processor time while nobody uses it.

    python -m benchmarks.idle_ui                 # three starts, then a minute of rest
    python -m benchmarks.idle_ui --starts 1 --rest 120

Uses the configured state folder, that of a finished demo. Memory is the proportional set size, in which a page that
processes share counts once. Measures this platform alone: there is no reference that serves the same.
"""

import argparse
import os
import signal
import statistics
import sys
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import psutil

from pairs_platform.processes.runtime.topology import command_of

SETTLE_SECONDS = 20.0
POLL_SECONDS = 0.05


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--rest", type=float, default=60.0, help="seconds over which processor time is counted")
    parser.add_argument("--port", type=int, default=3112)
    given = parser.parse_args()
    waits, used = [], []
    for start in range(given.starts):
        began = time.monotonic()
        ui = psutil.Popen(command_of("ui", "--port", str(given.port)), start_new_session=sys.platform != "win32")
        try:
            await_answer(ui, f"http://127.0.0.1:{given.port}/server_info")
            waits.append(time.monotonic() - began)
            used.append(sum(processor_seconds(ui).values()))
            if start == given.starts - 1:
                time.sleep(SETTLE_SECONDS)
                print_rest(ui, given.rest)
        finally:
            ui.send_signal(signal.SIGINT)
            ui.wait()
    print(
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; answers after {median(waits)} s, "
        f"processor time until then {median(used)} s"
    )
    return 0


def median(values: list[float]) -> str:
    return f"{statistics.median(values):.1f} ({', '.join(f'{value:.1f}' for value in values)})"


def await_answer(ui: psutil.Popen, url: str) -> None:
    while True:
        try:
            with urlopen(url, timeout=2) as reply:
                if reply.status == 200:
                    return
        except (URLError, OSError):
            if ui.poll() is not None:
                raise SystemExit(f"the UI ended with status {ui.returncode}") from None
        time.sleep(POLL_SECONDS)


def family(ui: psutil.Popen) -> list[psutil.Process]:
    return [psutil.Process(ui.pid), *ui.children(recursive=True)]


def processor_seconds(ui: psutil.Popen) -> dict[int, float]:
    """Of every process by its pid; those of a process that has ended are its parent's."""
    return {process.pid: sum(process.cpu_times()[:4]) for process in family(ui)}


def print_rest(ui: psutil.Popen, seconds: float) -> None:
    """Each process with its memory and its share of a core over `seconds`, and their sums."""
    before = processor_seconds(ui)
    time.sleep(seconds)
    after = processor_seconds(ui)
    totals = [0.0, 0.0, 0.0]
    for process in family(ui):
        memory = process.memory_full_info()
        proportional = getattr(memory, "pss", memory.uss) / 1e6
        share = 100 * (after[process.pid] - before.get(process.pid, 0.0)) / seconds
        totals = [totals[0] + proportional, totals[1] + memory.rss / 1e6, totals[2] + share]
        print(
            f"{proportional:6.0f} MB, resident {memory.rss / 1e6:5.0f} MB, {share:5.2f} % of a core  {named(process)}"
        )
    print(f"{totals[0]:6.0f} MB, resident {totals[1]:5.0f} MB, {totals[2]:5.2f} % of a core  together")


def named(process: psutil.Process) -> str:
    words = [Path(word).name for word in process.cmdline()]
    return " ".join(word for word in words if "instance" not in word)[:110]


if __name__ == "__main__":
    sys.exit(main())
