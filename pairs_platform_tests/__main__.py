"""The checks of the project, as a person or CI asks for them, and the files that are written from the code.

python -m pairs_platform_tests check     lint, format, types, import contracts
python -m pairs_platform_tests fix       mend what lint and format can mend by themselves
python -m pairs_platform_tests fast      tests without servers and processes
python -m pairs_platform_tests record    write the files of `support/recorded.py` again
python -m pairs_platform_tests           every check and every test
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CHECK = {
    "lint": ["ruff", "check", "."],
    "format": ["ruff", "format", "--check", "."],
    "types": ["mypy"],
    "import contracts": ["lint-imports"],
}
FIX = {"lint": ["ruff", "check", "--fix", "."], "format": ["ruff", "format", "."]}
FAST = [
    *("core", "ports", "settings", "adapters/files", "adapters/simulated"),
    *sorted(path.name for path in Path(__file__).parent.glob("test_*.py")),
]
"""What needs no server, of `pairs_platform_tests`."""

PYTEST = ["pytest", "-n", "3", "--dist", "loadfile", "--no-loadscope-reorder", "--durations=8"]
"""A file is run by one process in its own order, so that its processes and servers are started once.

One process more than the two cores that the time is promised for: over a third of the time of a test it waits, for a
server or another process.
"""

PARTS = {
    "check": CHECK,
    "fix": FIX,
    "fast": {"tests": [*PYTEST, *(f"pairs_platform_tests/{path}" for path in FAST)]},
    "all": {
        **CHECK,
        "definitions": ["dagster", "definitions", "validate", "-m", "pairs_platform.definitions"],
        "tests": PYTEST,
    },
}
SCRIPTS = Path(sys.executable).parent
MEMORY, MEMORY_BYTES = Path("/dev/shm"), 4 * 2**30
"""Where Linux keeps files in memory, and what must be free there: a run of all tests leaves half of it."""


@contextmanager
def fast_files() -> Iterator[dict[str, str]]:
    """Variables for a run whose files lie in memory, where there is room for them: databases wait for no disk.

    A caller's own TMPDIR stays. Paths stay short, whatever the user's name: PostgreSQL keeps 200 characters of the
    place of a model's files.
    """
    if "TMPDIR" in os.environ or not os.access(MEMORY, os.W_OK) or shutil.disk_usage(MEMORY).free < MEMORY_BYTES:
        yield {}
        return
    with tempfile.TemporaryDirectory(prefix="tests-", dir=MEMORY, ignore_cleanup_errors=True) as folder:
        options = f"{os.environ.get('PYTEST_ADDOPTS', '')} --basetemp={folder}/t"
        yield {"TMPDIR": folder, "PYTEST_ADDOPTS": options.strip()}


def run(steps: dict[str, list[str]]) -> int:
    """Run console scripts of this interpreter's environment; the exit code is 1 when any of them failed."""
    failed = []
    environment = {**os.environ, "NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    for name, command in steps.items():
        started = time.perf_counter()
        print(f"--- {name}", flush=True)
        with fast_files() as place:
            done = subprocess.run([SCRIPTS / command[0], *command[1:]], env=environment | place, check=False)
        if done.returncode:
            failed.append(name)
        print(f"--- {name}: {time.perf_counter() - started:.0f} s", flush=True)
    print(f"failed: {', '.join(failed)}" if failed else "all well", flush=True)
    return 1 if failed else 0


def main() -> int:
    """Run the part that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="?", default="all", choices=[*PARTS, "record"])
    part = parser.parse_args().part
    if part != "record":
        return run(PARTS[part])
    from pairs_platform_tests.support.recorded import record

    record()
    return 0


if __name__ == "__main__":
    sys.exit(main())
