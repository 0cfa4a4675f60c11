"""The supervisor over real processes that live, die, and do not want to die."""

import json
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from pairs_platform.core.errors import ConfigurationError, Unavailable
from pairs_platform.processes.runtime import supervisor as module
from pairs_platform.processes.runtime.supervisor import PROCESSES_FILE, ProcessSpec, Supervisor, running_processes
from pairs_platform_tests.support.waiting import WAIT_SECONDS, until

SLEEPS = "import time; time.sleep(3600)"


def python(code: str, *words: str) -> list[str]:
    return [sys.executable, "-c", code, *words]


@contextmanager
def supervised(specs: list[ProcessSpec], folder: Path) -> Iterator[tuple[Supervisor, list[str]]]:
    """A supervisor that has started everything, and what it has told so far; stopped at the end."""
    told: list[str] = []
    supervisor, started = Supervisor(specs, folder, told.append), threading.Event()
    thread = threading.Thread(target=supervisor.run, args=(started.set,))
    thread.start()
    try:
        assert started.wait(WAIT_SECONDS)
        yield supervisor, told
    finally:
        supervisor.stop()
        thread.join(WAIT_SECONDS)
        assert not thread.is_alive()


def pid_of(folder: Path, name: str) -> int:
    return int(str(running_processes(folder)[name]["pid"]))


class TestStart:
    def test_in_order_each_after_the_one_before_is_ready(self, tmp_path):
        ready, seen = tmp_path / "ready", []
        first = ProcessSpec(
            "first",
            python(f"import time, pathlib; time.sleep(0.3); pathlib.Path({str(ready)!r}).touch(); {SLEEPS}"),
            ready=ready.exists,
            prepare=lambda: seen.append(("first", ready.exists())),
        )
        second = ProcessSpec("second", python(SLEEPS), prepare=lambda: seen.append(("second", ready.exists())))
        with supervised([first, second], tmp_path / "live") as (supervisor, _):
            assert seen == [("first", False), ("second", True)]
            assert supervisor.names == ["first", "second"]

    def test_what_is_done_meanwhile_is_done_while_a_process_starts_and_before_the_next_one(self, tmp_path):
        seen: list[tuple[str, bool]] = []

        def look(name: str) -> None:
            seen.append((name, psutil.pid_exists(pid_of(tmp_path, "first"))))

        first = ProcessSpec("first", python(SLEEPS), ready=lambda: len(seen) > 0, meanwhile=lambda: look("meanwhile"))
        second = ProcessSpec("second", python(SLEEPS), prepare=lambda: look("second"))
        with supervised([first, second], tmp_path):
            assert seen == [("meanwhile", True), ("second", True)]

    def test_what_fails_meanwhile_ends_the_process_that_starts(self, tmp_path):
        pids: list[int] = []

        def fail() -> None:
            pids.append(pid_of(tmp_path, "one"))
            raise ConfigurationError("no")

        with pytest.raises(ConfigurationError):
            Supervisor([ProcessSpec("one", python(SLEEPS), meanwhile=fail)], tmp_path, print).run()
        assert not psutil.pid_exists(pids[0])

    def test_pids_are_written_and_removed_at_the_end(self, tmp_path):
        folder = tmp_path / "live"
        assert running_processes(folder) == {}
        with supervised([ProcessSpec("one", python(SLEEPS)), ProcessSpec("two", python(SLEEPS))], folder):
            found = running_processes(folder)
            assert list(found) == ["one", "two"]
            assert [(one["alive"], one["restarts"]) for one in found.values()] == [(True, 0)] * 2
            assert found["one"]["command"] == python(SLEEPS)
            assert psutil.Process(pid_of(folder, "two")).cmdline() == python(SLEEPS)
        assert running_processes(folder) == {}

    def test_what_a_process_says_is_in_its_log_with_its_own_environment(self, tmp_path):
        say = f"import os, sys; print(os.environ['OWN'], os.environ['PATH'] != '', flush=True); {SLEEPS}"
        with supervised([ProcessSpec("one", python(say), {"OWN": "a value"})], tmp_path):
            until(lambda: (tmp_path / "one.log").read_text() == "a value True\n")

    def test_an_early_death_is_an_error_with_its_last_words(self, tmp_path):
        words = "import sys; [print('line', k, flush=True) for k in range(9)]; sys.exit('the port is taken')"
        good: list[int] = []
        started: list[bool] = []
        bad = ProcessSpec(
            "bad", python(words), ready=lambda: False, prepare=lambda: good.append(pid_of(tmp_path, "good"))
        )
        with pytest.raises(Unavailable) as raised:
            Supervisor([ProcessSpec("good", python(SLEEPS)), bad], tmp_path, print).run(lambda: started.append(True))
        assert "bad ended with status 1:" in str(raised.value)
        assert "the port is taken" in str(raised.value)
        assert "line 8" in str(raised.value)
        assert "line 2" not in str(raised.value)
        assert str(tmp_path / "bad.log") in str(raised.value)
        assert started == []
        assert not psutil.pid_exists(good[0])
        assert running_processes(tmp_path) == {}

    def test_one_that_is_never_ready_is_an_error_and_is_ended(self, tmp_path, monkeypatch):
        monkeypatch.setattr(module, "READY_SECONDS", 0.3)
        pids: list[int] = []

        def ready() -> bool:
            pids.append(pid_of(tmp_path, "slow"))
            return False

        with pytest.raises(Unavailable, match="slow is not ready after 0 s; see its log"):
            Supervisor([ProcessSpec("slow", python(SLEEPS), ready=ready)], tmp_path, print).run()
        assert not psutil.pid_exists(pids[0])

    def test_a_stop_during_the_start_starts_nothing_more(self, tmp_path):
        prepared: list[str] = []
        supervisor: Supervisor

        def ready() -> bool:
            supervisor.stop()
            return False

        specs = [
            ProcessSpec("first", python(SLEEPS), ready=ready),
            ProcessSpec("second", python(SLEEPS), prepare=lambda: prepared.append("second")),
        ]
        supervisor = Supervisor(specs, tmp_path, print)
        assert not supervisor.run(lambda: prepared.append("started"))
        assert prepared == []
        assert running_processes(tmp_path) == {}

    def test_a_second_supervisor_of_a_folder_is_refused_and_disturbs_nothing(self, tmp_path):
        with supervised([ProcessSpec("one", python(SLEEPS))], tmp_path):
            with pytest.raises(ConfigurationError, match=r"`live` \(pid \d+\) runs already"):
                Supervisor([ProcessSpec("one", python(SLEEPS))], tmp_path, print).run()
            assert running_processes(tmp_path)["one"]["alive"]
        with supervised([ProcessSpec("one", python(SLEEPS))], tmp_path):
            assert running_processes(tmp_path)["one"]["alive"]


class TestRestart:
    def kill(self, folder: Path, name: str) -> int:
        """Kill a process; the pid of the one that follows it."""
        before = pid_of(folder, name)
        psutil.Process(before).kill()
        return int(until(lambda: (now := pid_of(folder, name)) != before and now))

    def test_a_killed_process_runs_again_after_a_growing_wait(self, tmp_path):
        with supervised([ProcessSpec("one", python(SLEEPS)), ProcessSpec("two", python(SLEEPS))], tmp_path) as (
            _,
            told,
        ):
            other = pid_of(tmp_path, "two")
            pids = [self.kill(tmp_path, "one") for _ in range(2)]
            until(lambda: len(told) == 4)
            assert told == [
                "one ended with status -9; it is started again in 0.5 s",
                f"one runs again (pid {pids[0]})",
                "one ended with status -9; it is started again in 1.0 s",
                f"one runs again (pid {pids[1]})",
            ]
            found = running_processes(tmp_path)
            assert (found["one"]["alive"], found["one"]["restarts"]) == (True, 2)
            assert (pid_of(tmp_path, "two"), found["two"]["restarts"]) == (other, 0)

    def test_one_that_had_run_for_long_waits_no_longer_than_at_first(self, tmp_path, monkeypatch):
        monkeypatch.setattr(module, "STEADY_SECONDS", 0.0)
        with supervised([ProcessSpec("one", python(SLEEPS))], tmp_path) as (_, told):
            for _ in range(2):
                self.kill(tmp_path, "one")
            assert [words for words in told if "again in 0.5 s" in words] == [told[0], told[2]]

    def test_the_wait_has_an_upper_end(self, tmp_path, monkeypatch):
        monkeypatch.setattr(module, "LONGEST_WAIT_SECONDS", 0.6)
        with supervised([ProcessSpec("one", python("pass"))], tmp_path) as (_, told):
            until(lambda: len(told) >= 5)
            assert "again in 0.6 s" in told[2]
            assert "again in 0.6 s" in told[4]

    def test_it_is_prepared_once(self, tmp_path):
        prepared: list[int] = []
        with supervised([ProcessSpec("one", python(SLEEPS), prepare=lambda: prepared.append(1))], tmp_path):
            self.kill(tmp_path, "one")
        assert prepared == [1]


class TestStop:
    def test_in_reverse_order(self, tmp_path):
        last = tmp_path / "order"
        code = f"""
import signal, sys, time
def end(*_):
    open({str(last)!r}, "a").write(sys.argv[1] + " ")
    sys.exit()
signal.signal(signal.SIGTERM, end)
open({str(tmp_path)!r} + "/" + sys.argv[1], "w").close()
time.sleep(3600)
"""
        specs = [ProcessSpec(name, python(code, name), ready=(tmp_path / name).exists) for name in ("a", "b", "c")]
        with supervised(specs, tmp_path):
            pass
        assert last.read_text() == "c b a "

    def test_whole_families_that_do_not_listen_are_ended(self, tmp_path, monkeypatch):
        """Three generations, of which none ends when it is asked to."""
        monkeypatch.setattr(module, "STOP_SECONDS", 0.5)
        code = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
generation = int(sys.argv[2])
open(f"{sys.argv[1]}/{generation}", "w").write(str(os.getpid()))
if generation < 3:
    subprocess.Popen([sys.executable, "-c", sys.argv[3], sys.argv[1], str(generation + 1), sys.argv[3]])
time.sleep(3600)
"""
        third = tmp_path / "3"
        spec = ProcessSpec(
            "one", python(code, str(tmp_path), "1", code), ready=lambda: third.exists() and third.read_text() != ""
        )
        with supervised([spec], tmp_path / "live"):
            family = [int((tmp_path / str(k)).read_text()) for k in (1, 2, 3)]
            assert all(psutil.pid_exists(pid) for pid in family)
        until(lambda: not [pid for pid in family if _lives(pid)])

    def test_one_that_is_waiting_for_its_restart_is_no_obstacle(self, tmp_path, monkeypatch):
        monkeypatch.setattr(module, "STEADY_SECONDS", 0.0)
        monkeypatch.setattr(module, "FIRST_WAIT_SECONDS", 2 * WAIT_SECONDS)
        with supervised([ProcessSpec("one", python(SLEEPS))], tmp_path) as (_, told):
            psutil.Process(pid_of(tmp_path, "one")).kill()
            until(lambda: told)
        assert running_processes(tmp_path) == {}


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_file_that_a_dead_supervisor_left_tells_that_its_processes_are_gone(tmp_path):
    gone = {"pid": 2**22 - 1, "process": f"{socket.gethostname()}/{2**22 - 1}/1", "restarts": 0, "command": []}
    (tmp_path / PROCESSES_FILE).write_text(json.dumps({"one": gone}))
    assert running_processes(tmp_path)["one"]["alive"] is False


def test_what_a_killed_supervisor_left_behind_is_ended_by_the_next_one(tmp_path):
    code = (
        "import sys; from pathlib import Path\n"
        "from pairs_platform.processes.runtime.supervisor import ProcessSpec, Supervisor\n"
        f"spec = ProcessSpec('one', [sys.executable, '-c', {SLEEPS!r}])\n"
        f"Supervisor([spec], Path({str(tmp_path)!r}), print).run()\n"
    )
    killed = psutil.Popen(python(code))
    until(lambda: bool(running_processes(tmp_path)))
    left = psutil.Process(pid_of(tmp_path, "one"))
    killed.kill()
    killed.wait(WAIT_SECONDS)
    assert left.is_running()
    with supervised([ProcessSpec("one", python(SLEEPS))], tmp_path) as (_, told):
        assert not left.is_running() or left.status() == psutil.STATUS_ZOMBIE
        assert pid_of(tmp_path, "one") != left.pid
        assert any("was left behind" in words for words in told)


def test_what_is_open_around_the_stop_knows_the_children_and_sees_their_end(tmp_path):
    told: list[tuple[list[str], list[bool]]] = []
    parent = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEPS!r}]); {SLEEPS}"

    @contextmanager
    def around(children: Sequence[psutil.Process]) -> Iterator[None]:
        for child in children:
            child.terminate()
        yield
        told.append(([child.name() for child in children if child.is_running()], []))
        told[-1][1].extend(psutil.pid_exists(pid) for pid in pids)

    supervisor, started = (
        Supervisor([ProcessSpec("one", python(parent))], tmp_path, print, "ui", around),
        threading.Event(),
    )
    thread = threading.Thread(target=supervisor.run, args=(started.set,))
    thread.start()
    assert started.wait(WAIT_SECONDS)
    one = psutil.Process(pid_of(tmp_path, "one"))
    pids = [until(lambda: [child.pid for child in one.children()])[0], one.pid]
    supervisor.stop()
    thread.join(WAIT_SECONDS)
    assert told == [([], [False, False])]
