"""The processes of deploy/Procfile under a real process manager, from nothing, on an address that is not loopback."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from pairs_platform.platform import open_streams
from pairs_platform.processes.runtime.topology import command_of
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.production import ENVIRONMENT_FILE, production_folder
from pairs_platform.settings.variables import variable
from pairs_platform_tests.support.postgres import free_port
from pairs_platform_tests.support.waiting import WAIT_SECONDS, until
from pairs_platform_tests.support.web_servers import answers

PROCFILE = Path(__file__).parents[2] / "deploy" / "Procfile"


def own_address() -> str:
    """An address of this machine; loopback where it has no other."""
    try:
        return socket.gethostbyname(socket.gethostname())
    except OSError:
        return "127.0.0.1"


@pytest.fixture
def manager(tmp_path, monkeypatch) -> Iterator[subprocess.Popen]:
    folder = tmp_path / "an installation"
    folder.mkdir()
    (folder / ".venv").symlink_to(sys.prefix)
    monkeypatch.setenv(variable("services.host"), own_address())
    for name in ("ui_port", "mlflow_port", "code_port", "postgres_port"):
        monkeypatch.setenv(variable(f"services.{name}"), str(free_port()))
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [str(Path(sys.executable).with_name("honcho")), "-f", str(PROCFILE), "-d", str(folder), "start"],
            cwd=folder,
            env=os.environ.copy(),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    yield process
    children = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    for one in children:  # alone and first: honcho kills within five seconds what it stops itself
        with suppress(psutil.NoSuchProcess):  # a child of another one may have ended by now
            if one.cmdline()[-2:] == ["serve", "postgres"]:
                one.terminate()
    until(lambda: not (production_folder(load_settings()) / "postgres" / "data" / "postmaster.pid").exists())
    process.send_signal(signal.SIGINT)
    process.wait(WAIT_SECONDS)
    _, alive = psutil.wait_procs(children, timeout=WAIT_SECONDS)
    for one in alive:
        one.kill()
    assert alive == []


def test_all_of_them_start_at_once_and_become_healthy(manager, tmp_path):
    settings = load_settings()
    services = settings.services

    def healthy() -> bool:
        assert manager.poll() is None, (tmp_path / "log").read_text()
        return answers(f"http://{services.host}:{services.ui_port}/server_info")

    until(healthy, 2 * WAIT_SECONDS)
    assert answers(f"http://{services.host}:{services.mlflow_port}/health")
    until(lambda: open_streams(settings).health.read())
    assert manager.poll() is None
    assert variable("database_url") in (production_folder(settings) / ENVIRONMENT_FILE).read_text()
    shown = subprocess.run(command_of("alerts"), capture_output=True, text=True, timeout=WAIT_SECONDS, check=True)
    assert "`serve` runs, its databases are used" in shown.stderr
    second = subprocess.run(command_of("up"), capture_output=True, text=True, timeout=WAIT_SECONDS, check=False)
    assert "`serve` runs already with this profile (code, collector, daemon, mlflow, postgres, " in second.stderr
    assert [path.name for path in (production_folder(settings) / "postgres").iterdir() if "new" in path.name] == []
