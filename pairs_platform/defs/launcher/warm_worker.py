"""The warm worker: imports what a run of signals needs, then reads one run and executes it.

What does not belong here: anything that is decided before the run is known. It ends when its input does.
"""

import json
import sys
from importlib import import_module


def main() -> int:
    """Load the definitions of the module that the command line names, then wait for one line of JSON.

    The line holds the arguments of ``dagster api execute_run``; the exit code is that of the run.
    """
    import redis  # noqa: F401 - imported now, so that the run need not
    from dagster._cli.api import execute_run_command

    import pairs_platform.workflows.signals  # noqa: F401

    import_module(sys.argv[1]).defs.get_repository_def()
    line = sys.stdin.readline()
    if not line.strip():
        return 0
    try:
        execute_run_command.main(args=[json.loads(line)], standalone_mode=False)
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
