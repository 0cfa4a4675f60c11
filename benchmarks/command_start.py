"""How long each command that only reads takes, from its start to its end: processor time and wall time.

    python -m benchmarks.command_start                  # every command three times
    python -m benchmarks.command_start --repeats 7 pairs "models list"

Uses the configured state folder, that of a finished demo; writes nothing into it but the report goes to a temporary
folder. Prints medians. The references in the first rows are what Python, pandas and Dagster take to be imported and
nothing else: a command cannot take less than what it needs of them. On a machine with other work, compare processor
time.
"""

import argparse
import os
import resource
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from pairs_platform.processes.runtime.topology import command_of

REFERENCES = ("pass", "import pandas", "import sqlalchemy", "import dagster")
COMMANDS = (
    *("--help", "config show", "profiles list", "symbols list", "alerts", "audit", "models list", "models show 1"),
    *("stream status", "doctor", "symbols status", "pairs", "signals --run-mode replay", "models compare 1 2"),
    *("sql 'select 1'", "export rankings {folder}/rankings.csv", "storage", "report -o {folder}/report.html"),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commands", nargs="*", default=COMMANDS)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; medians of {given.repeats}")
    print("processor s   wall s")
    with tempfile.TemporaryDirectory() as folder:
        for reference in REFERENCES:
            print_row(f'python -c "{reference}"', [sys.executable, "-c", reference], given.repeats)
        for command in given.commands:
            words = shlex.split(command.format(folder=Path(folder).as_posix()))
            print_row(f"pairs-platform {command}", command_of(*words), given.repeats)
    return 0


def print_row(name: str, command: Sequence[str], repeats: int) -> None:
    spent, waited = [], []
    for _ in range(repeats):
        before, began = used(), time.monotonic()
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        waited.append(time.monotonic() - began)
        spent.append(used() - before)
    note = (
        "" if done.returncode == 0 else f"   ended with {done.returncode}: {done.stdout.strip().splitlines()[-1][:80]}"
    )
    print(f"{statistics.median(spent):11.2f} {statistics.median(waited):8.2f}   {name}{note}", flush=True)


def used() -> float:
    """Processor seconds of the processes that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime


if __name__ == "__main__":
    sys.exit(main())
