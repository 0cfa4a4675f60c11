"""How long commands may take to end themselves, and a closed terminal; Ctrl-C is tested in `e2e/test_interrupts.py`."""

import signal
import sys
import time
from pathlib import Path

from pairs_platform.cli import interrupts, serve
from pairs_platform.cli.live import SECONDS_TO_STOP
from pairs_platform.processes.collector import collector
from pairs_platform.processes.runtime.supervisor import STOP_SECONDS, ProcessSpec
from pairs_platform.processes.runtime.topology import OwnStores
from pairs_platform.processes.trader import trader
from pairs_platform_tests.support.terminal import Terminal
from pairs_platform_tests.support.waiting import WAIT_SECONDS, until


def test_a_collector_has_the_time_that_its_supervisor_gives_it(console, monkeypatch):
    monkeypatch.setattr(collector, "run_collector", lambda _: None)
    assert console("stream", "collect").exit_code == 0
    assert interrupts._plan.seconds == STOP_SECONDS


def test_a_trader_has_it_too(console, monkeypatch):
    monkeypatch.setattr(trader, "run_trader", lambda _: None)
    assert console("trade").exit_code == 0
    assert interrupts._plan.seconds == STOP_SECONDS


def test_a_served_database_is_not_ended_in_the_middle_of_its_end(console, monkeypatch):
    spec = ProcessSpec("postgres", [sys.executable, "-c", ""], stop_signal=int(signal.SIGINT))
    monkeypatch.setattr(
        serve, "topology", lambda settings, _: (settings, Path(), OwnStores(None, {}, None, None), [spec])
    )
    monkeypatch.setattr(serve, "write_environment", lambda *_: None)
    assert console("serve", "postgres").exit_code == 0
    assert interrupts._plan.seconds == SECONDS_TO_STOP


SUPERVISES = """
import sys
from pathlib import Path
from pairs_platform.cli.interrupts import stop_on_signals, watched
from pairs_platform.processes.runtime.supervisor import ProcessSpec, Supervisor

spec = ProcessSpec("sleeper", [sys.executable, "-c", "import time; time.sleep(600)"])
with watched():
    supervisor = Supervisor([spec], Path("runtime"), print)
    stop_on_signals(supervisor.stop)
    supervisor.run(lambda: print("running", flush=True))
    print("stopped", flush=True)
    Path("ended in order").touch()
"""


def test_a_closed_terminal_stops_what_runs_in_order(tmp_path):
    with Terminal(folder=tmp_path, command=[sys.executable, "-c", SUPERVISES]) as terminal:
        terminal.read_until("running")
        assert len(terminal.left()) == 1
        terminal.close()
        terminal.process.wait(WAIT_SECONDS)
        assert terminal.left() == []
    assert (tmp_path / "ended in order").exists()


def test_nohup_keeps_what_runs(tmp_path):
    with Terminal(folder=tmp_path, command=["nohup", sys.executable, "-c", SUPERVISES]) as terminal:
        until(lambda: (tmp_path / "nohup.out").exists() and "running" in (tmp_path / "nohup.out").read_text())
        terminal.close()
        time.sleep(0.5)
        assert terminal.process.poll() is None
        terminal.process.terminate()
        terminal.process.wait(WAIT_SECONDS)
        assert terminal.left() == []
    assert (tmp_path / "ended in order").exists()


def test_ctrl_c_is_heard_where_a_shell_has_started_it_in_the_background(tmp_path):
    ignoring = ["sh", "-c", "trap '' INT; exec \"$@\"", "sh"]
    with Terminal(folder=tmp_path, command=[*ignoring, sys.executable, "-c", SUPERVISES]) as terminal:
        terminal.read_until("running")
        terminal.interrupt()
        assert terminal.left() == []
    assert (tmp_path / "ended in order").exists()
