"""From nothing to a healthy `pairs-platform up`: PostgreSQL created, databases migrated, every process ready.

    python -m benchmarks.start_time            # three starts from an empty state folder, and one on its data

Prints the seconds of each start and their median. Exit code 1 when the median is above 90 s. Ports as configured must
be free. Measures this platform alone: there is no reference that starts the same.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pairs_platform.processes.runtime.topology import command_of
from pairs_platform.settings.variables import variable

LIMIT_SECONDS, STARTS = 90.0, 3


def main() -> int:
    empty = []
    for _ in range(STARTS):
        with tempfile.TemporaryDirectory() as folder:
            empty.append(seconds(Path(folder), "up"))
            seconds(Path(folder), "down")
            if len(empty) == STARTS:
                again = seconds(Path(folder), "up")
                seconds(Path(folder), "down")
    median = statistics.median(empty)
    print(f"{os.cpu_count()} cores; from nothing: {', '.join(f'{one:.1f}' for one in empty)} s, median {median:.1f} s")
    print(f"with its data: {again:.1f} s")
    print("the requirement is met" if median <= LIMIT_SECONDS else "the requirement is missed")
    return 0 if median <= LIMIT_SECONDS else 1


def seconds(folder: Path, word: str) -> float:
    """How long a command takes on a state folder."""
    environment = {**os.environ, variable("state_root"): str(folder)}
    began = time.monotonic()
    done = subprocess.run(command_of(word), env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{word}: {done.stdout}{done.stderr}")
    return time.monotonic() - began


if __name__ == "__main__":
    sys.exit(main())
