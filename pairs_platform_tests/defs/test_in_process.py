"""What surrounds a run of the console."""

import re
import signal
import sys
from pathlib import Path

import pytest
from dagster._core.execution.compute_logs import mirror_stream_to_file

from pairs_platform.defs import in_process

PROCESSES = Path("/proc")


@pytest.mark.skipif(not PROCESSES.exists(), reason="the system tells no signals of a process")
def test_processes_that_mirror_output_leave_ctrl_c_to_the_run(tmp_path, capfd):
    assert in_process.JobRunner
    with capfd.disabled(), mirror_stream_to_file(sys.stdout, str(tmp_path / "out")) as pids:
        for pid in pids:
            blocked = re.search(r"^SigBlk:\s*(\w+)$", (PROCESSES / str(pid) / "status").read_text(), re.MULTILINE)
            assert int(blocked[1], 16) >> (signal.SIGINT - 1) & 1
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
