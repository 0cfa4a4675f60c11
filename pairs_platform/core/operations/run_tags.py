"""What several folders agree on about runs: whose they are, which process executes one, which wait for each other.

What does not belong here: what becomes of the runs of dead processes (`defs.instance`,
`defs.launcher.run_launcher`).
"""

import os
import socket

CODE_LOCATION = "pairs_platform"
"""Name of the one code location, as in `workspace.yaml`: Dagster shows a run among those of its jobs by this name."""

PROCESS_TAG = "pairs_platform/process"
"""Tag of the runs whose process the platform started itself, so that a dead one is recognised."""

SIGNALS_TAG = "pairs_platform/signals"
"""Tag of the runs of signals, with the sector: those of one sector wait for each other (`dagster.yaml`)."""

SECTOR_TAG = "pairs_platform/sector"
"""Runs with the same value wait for each other (`dagster.yaml`): a sector's prices come before its sessions."""

RETRY_OF_TAG = "pairs_platform/retry_of"
"""Id of the failed run in whose place another one is."""

DAILY = {"pairs_platform/stage": "daily"}
"""Tag of the runs that may be long: the queue lets few of them run at a time, and signals pass them."""


def tag_of(pid: int) -> str:
    """Value of `PROCESS_TAG`: host, process id and when the process started."""
    import psutil

    return f"{socket.gethostname()}/{pid}/{psutil.Process(pid).create_time():.0f}"


def this_process() -> str:
    """`tag_of` this process."""
    return tag_of(os.getpid())


def pid_of(value: str) -> int:
    """Id of the process that a tag names."""
    return int(value.split("/")[1])


def is_of_this_host(value: str) -> bool:
    """Whether a tag names a process of this host."""
    return value.partition("/")[0] == socket.gethostname()


def is_alive_here(value: str) -> bool:
    """Whether a tag names a living process of this host."""
    if not is_of_this_host(value):
        return False
    import psutil

    try:
        return tag_of(pid_of(value)) == value
    except psutil.NoSuchProcess:
        return False
