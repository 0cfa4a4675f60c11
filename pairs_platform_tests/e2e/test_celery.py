"""A run on a real Celery worker, launched by a daemon whose launcher is that of deploy/dagster.celery.yaml."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest
import yaml

from pairs_platform.adapters.redis.socket_file import socket_path
from pairs_platform.defs.instance import open_instance
from pairs_platform.processes.runtime.dagster_home import prepare_home
from pairs_platform.processes.runtime.redis_server import embedded_redis
from pairs_platform.settings.loading import load_settings
from pairs_platform_tests.support.waiting import WAIT_SECONDS, until

DEPLOY = Path(__file__).parents[2] / "deploy"
SCRIPTS = Path(sys.executable).parent
FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


@pytest.fixture
def home(tmp_path, monkeypatch) -> Iterator[Path]:
    """A prepared home whose runs go to Celery, with a broker that runs."""
    found = prepare_home(load_settings())
    with embedded_redis(tmp_path / "broker"):
        for name in ("BROKER", "BACKEND"):
            where = f"redis+socket://{socket_path(tmp_path / 'broker')}"
            monkeypatch.setenv(f"PAIRS_PLATFORM_CELERY_{name}", where)
        monkeypatch.setenv("DAGSTER_HOME", str(found))
        monkeypatch.setenv("PATH", f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}")
        file = found / "dagster.yaml"
        launcher = yaml.safe_load((DEPLOY / "dagster.celery.yaml").read_text())
        file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), **launcher}))
        open_instance(found).dispose()
        yield found


@pytest.fixture
def start(tmp_path) -> Iterator[Callable[..., None]]:
    """Starts processes in the background, and ends them with all that they have started."""
    started = []

    def call(name: str, *words: str) -> None:
        with (tmp_path / f"{name}.log").open("wb") as log:
            started.append(
                subprocess.Popen([SCRIPTS / name, *words], stdout=log, stderr=log, cwd=tmp_path, start_new_session=True)
            )

    yield call
    for process in started:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(WAIT_SECONDS)


def test_a_run_is_made_by_a_worker(home, start, tmp_path):
    start(
        "dagster-celery",
        "worker",
        "start",
        "-A",
        "dagster_celery.app",
        "-y",
        str(DEPLOY / "celery.yaml"),
        "-q",
        "pairs_platform",
    )
    start("dagster-daemon", "run", "-m", "pairs_platform.definitions")
    words = ["job", "launch", "-m", "pairs_platform.definitions", "-j", "housekeeping"]
    done = subprocess.run([SCRIPTS / "dagster", *words], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with dg.DagsterInstance.from_config(str(home)) as instance:
        (run,) = until(lambda: instance.get_runs(dg.RunsFilter(statuses=FINISHED)), 2 * WAIT_SECONDS)
        assert run.status is dg.DagsterRunStatus.SUCCESS
        assert run.tags["dagster-celery/task_id"]
        assert instance.get_latest_materialization_event(dg.AssetKey("storage_report")) is not None
    succeeded = f"Task execute_job[{run.tags['dagster-celery/task_id']}] succeeded"
    until(lambda: succeeded in (tmp_path / "dagster-celery.log").read_text())  # the worker says so after the run's end
