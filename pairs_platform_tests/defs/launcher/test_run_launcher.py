"""Which run goes to the warm worker, and what becomes of it when that worker does not do as it should."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.launcher import DefaultRunLauncher, LaunchRunContext
from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin
from dagster._core.test_utils import create_run_for_test

from pairs_platform.core.operations.run_tags import PROCESS_TAG, SIGNALS_TAG, is_alive_here, tag_of
from pairs_platform.defs.launcher import run_launcher as module
from pairs_platform.defs.launcher.run_launcher import WarmRunLauncher
from pairs_platform_tests.support.waiting import WAIT_SECONDS, until

SIGNALS = {SIGNALS_TAG: "technology"}
POINTER = ModuleCodePointer("pairs_platform.definitions", "defs", working_directory=None)
ORIGIN = JobPythonOrigin("job", RepositoryPythonOrigin(sys.executable, POINTER, entry_point=["dagster"]))
DUMB_WORKER = "import sys; line = sys.stdin.readline(); open({path!r}, 'a').write(line); {then}"


@pytest.fixture
def usual(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Runs that were launched as Dagster does it."""
    launched: list[str] = []
    monkeypatch.setattr(
        DefaultRunLauncher, "launch_run", lambda self, context: launched.append(context.dagster_run.run_id)
    )
    return launched


@pytest.fixture
def taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """File of what the warm workers were given; they end at once, with status 3 when they were given a run."""
    path = tmp_path / "taken"
    waits_for(monkeypatch, path, "sys.exit(3 if line else 0)")
    return path


def waits_for(monkeypatch: pytest.MonkeyPatch, path: Path, then: str) -> None:
    command = (sys.executable, "-c", DUMB_WORKER.format(path=str(path), then=then))
    monkeypatch.setattr(module, "COMMAND", command)


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    block = {"run_launcher": {"module": module.__name__, "class": WarmRunLauncher.__name__}}
    (tmp_path / "home").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "home"), block) as opened:
        yield opened


def launched(instance: dg.DagsterInstance, tags: dict[str, str]) -> str:
    run = create_run_for_test(instance, tags=tags, job_code_origin=ORIGIN, status=dg.DagsterRunStatus.STARTING)
    instance.run_launcher.launch_run(LaunchRunContext(run, workspace=None))
    return run.run_id


def warm(instance: dg.DagsterInstance) -> "subprocess.Popen[str] | None":
    return instance.run_launcher._warm


def status(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRunStatus:
    return instance.get_run_by_id(run_id).status


def test_other_runs_are_launched_as_usual_and_nothing_waits(instance, usual, taken):
    assert [launched(instance, {}), launched(instance, {})] == usual
    assert warm(instance) is None


def test_the_second_run_of_signals_goes_to_the_process_that_the_first_one_started(instance, usual, taken):
    first = launched(instance, SIGNALS)
    worker = warm(instance)
    tag = tag_of(worker.pid)
    second = launched(instance, SIGNALS)
    assert usual == [first]
    assert instance.get_run_by_id(second).tags[PROCESS_TAG] == tag
    (line,) = until(lambda: taken.exists() and taken.read_text().splitlines())
    assert json.loads(json.loads(line))["pipeline_run_id"] == second
    assert warm(instance).pid != worker.pid


def test_a_run_whose_process_ends_first_has_failed_with_its_status(instance, usual, taken):
    launched(instance, SIGNALS)
    run_id = launched(instance, SIGNALS)
    until(lambda: status(instance, run_id) is dg.DagsterRunStatus.FAILURE)
    messages = [entry.message for entry in instance.all_logs(run_id)]
    assert "the process of this run ended with status 3" in "\n".join(messages)


def test_a_run_that_has_ended_stays_as_it_ended(instance, usual, tmp_path, monkeypatch):
    """The process says so before it ends."""
    go = tmp_path / "go"
    waits_for(
        monkeypatch, tmp_path / "taken", f"import os, time\nwhile not os.path.exists({str(go)!r}): time.sleep(0.01)"
    )
    launched(instance, SIGNALS)
    worker = warm(instance)
    run_id = launched(instance, SIGNALS)
    instance.report_run_canceled(instance.get_run_by_id(run_id))
    go.touch()
    until(lambda: worker.poll() is not None and worker.stdin.closed)
    assert status(instance, run_id) is dg.DagsterRunStatus.CANCELED


def test_a_warm_worker_that_has_died_is_given_no_run(instance, usual, taken):
    first = launched(instance, SIGNALS)
    dead = warm(instance)
    dead.kill()
    dead.wait(WAIT_SECONDS)
    assert usual == [first, launched(instance, SIGNALS)]
    assert warm(instance).pid != dead.pid


def test_a_process_that_has_waited_too_long_is_given_no_run_and_ends(instance, usual, taken, monkeypatch):
    first = launched(instance, SIGNALS)
    old = warm(instance)
    monkeypatch.setattr(module, "LONGEST_WAIT_SECONDS", -1.0)
    assert usual == [first, launched(instance, SIGNALS)]
    assert old.wait(WAIT_SECONDS) == 0


def test_a_run_again_does_not_name_the_process_of_the_first_one(instance, usual, taken):
    run_id = launched(instance, {**SIGNALS, PROCESS_TAG: "elsewhere/1/1"})
    assert instance.get_run_by_id(run_id).tags[PROCESS_TAG] == ""


def test_a_run_of_a_waiting_process_is_interrupted_there(instance, usual, tmp_path, monkeypatch):
    waits_for(monkeypatch, tmp_path / "taken", "import time; time.sleep(3600 if line else 0)")
    launched(instance, SIGNALS)
    worker = warm(instance)
    run_id = launched(instance, SIGNALS)
    assert is_alive_here(instance.get_run_by_id(run_id).tags[PROCESS_TAG])
    assert instance.run_launcher.terminate(run_id)
    until(lambda: status(instance, run_id) is dg.DagsterRunStatus.FAILURE)
    assert worker.wait(WAIT_SECONDS) < 0


def test_disposing_ends_the_process_that_waits(instance, usual, taken):
    launched(instance, SIGNALS)
    worker = warm(instance)
    instance.run_launcher.dispose()
    assert worker.wait(WAIT_SECONDS) == 0
    assert warm(instance) is None


def test_the_process_in_waiting_ends_when_nobody_can_give_it_a_run():
    done = subprocess.run(module.COMMAND, input="", capture_output=True, text=True, timeout=WAIT_SECONDS, check=False)
    assert done.returncode == 0, done.stderr
