"""How long commands may take to end themselves; Ctrl-C in a terminal is tested in `e2e/test_interrupts.py`."""

import signal
import sys
from pathlib import Path

from pairs_platform.cli import interrupts, serve
from pairs_platform.cli.live import SECONDS_TO_STOP
from pairs_platform.processes.collector import collector
from pairs_platform.processes.runtime.supervisor import STOP_SECONDS, ProcessSpec
from pairs_platform.processes.runtime.topology import OwnStores


def test_a_collector_has_the_time_that_its_supervisor_gives_it(console, monkeypatch):
    monkeypatch.setattr(collector, "run_collector", lambda _: None)
    assert console("stream", "collect").exit_code == 0
    assert interrupts._plan.seconds == STOP_SECONDS


def test_a_served_database_is_not_ended_in_the_middle_of_its_end(console, monkeypatch):
    spec = ProcessSpec("postgres", [sys.executable, "-c", ""], stop_signal=int(signal.SIGINT))
    monkeypatch.setattr(
        serve, "topology", lambda settings, _: (settings, Path(), OwnStores(None, {}, None, None), [spec])
    )
    monkeypatch.setattr(serve, "write_environment", lambda *_: None)
    assert console("serve", "postgres").exit_code == 0
    assert interrupts._plan.seconds == SECONDS_TO_STOP
