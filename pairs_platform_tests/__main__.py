"""Every check of the project, one after the other: lint, types, import contracts, definitions, tests."""

import os
import subprocess
import sys
import time
from pathlib import Path

CHECKS = (
    ("lint", ["ruff", "check", "."]),
    ("format", ["ruff", "format", "--check", "."]),
    ("types", ["mypy"]),
    ("import contracts", ["lint-imports"]),
    ("definitions", ["dagster", "definitions", "validate", "-m", "pairs_platform.definitions"]),
    ("tests", ["pytest", "-n", "2", "--durations=8"]),
)
SCRIPTS = Path(sys.executable).parent


def main() -> int:
    """Run the checks in this interpreter's environment; the exit code is 1 when any of them failed."""
    failed = []
    environment = {**os.environ, "NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    for name, command in CHECKS:
        started = time.perf_counter()
        print(f"--- {name}", flush=True)
        if subprocess.run([SCRIPTS / command[0], *command[1:]], env=environment, check=False).returncode:
            failed.append(name)
        print(f"--- {name}: {time.perf_counter() - started:.0f} s", flush=True)
    print(f"failed: {', '.join(failed)}" if failed else "every check passed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
