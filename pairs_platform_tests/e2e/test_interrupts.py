"""How a command starts and ends in a terminal: what is refused before anything happens, Ctrl-C at any moment."""

import os
import socket
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pairs_platform.cli import live, ui
from pairs_platform.processes.runtime.supervisor import require_idle, the_only_one
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.production import live_folder
from pairs_platform.settings.variables import variable
from pairs_platform_tests.support.demo_profile import PLATFORM, SESSION, write_config
from pairs_platform_tests.support.postgres import free_port
from pairs_platform_tests.support.waiting import WAIT_SECONDS

pytestmark = pytest.mark.skipif(os.name == "nt", reason="there is no pseudo-terminal on Windows")

SECONDS = 10.0


def statuses(state: Path) -> set[str]:
    """Of the runs that are recorded under a state root."""
    found: set[str] = set()
    for path in state.glob("*/dagster/**/runs.db"):
        with sqlite3.connect(path) as database:
            found |= {status for (status,) in database.execute("SELECT status FROM runs")}
    return found


def interrupted(
    folder: Path, seen: str | Callable[[Path], object], wait: float = 0.0, *, platform: str = PLATFORM
) -> str:
    """The demo, ended by Ctrl-C some seconds after a moment; what it showed from then on.

    Parameters
    ----------
    folder : Path
        Where it runs.
    seen : str or callable
        What the terminal shows at that moment, or whether it has come, asked with the state root.
    wait : float
        Seconds after it.
    platform : str
        Text of `platform.yaml`.
    """
    from pairs_platform_tests.support.terminal import Terminal

    config = write_config(folder / "config", platform)
    with Terminal("demo", "--session", str(SESSION), folder=folder, config=config) as terminal:
        terminal.read_until(seen if isinstance(seen, str) else lambda: seen(terminal.state), 3 * WAIT_SECONDS)
        time.sleep(wait)
        before = len(terminal.text)
        seconds = terminal.interrupt()
        shown = terminal.text[before:]
        assert terminal.process.returncode == 130, shown
        assert seconds < SECONDS
        assert terminal.left() == []
        assert "Traceback" not in terminal.text
        assert statuses(terminal.state) <= {"SUCCESS", "CANCELED"}
        return shown


@pytest.mark.timeout(240)
@pytest.mark.parametrize(("words", "wait"), [("", 0.5), ("correlation_matrix", 0.0)])
def test_the_demo_ends_at_once_and_says_what_goes_on(tmp_path, words, wait):
    shown = interrupted(tmp_path, words, wait)
    assert shown.count("stopped") == 1
    if words:
        assert "pairs-platform demo" in shown


@pytest.mark.parametrize("words", [("--session", "2023-03-08", "--start", "23:00"), ("--session", "2022-01-03")])
def test_live_refuses_a_replay_before_it_forgets_or_starts_anything(stored, console, words, monkeypatch):
    monkeypatch.setattr(live, "migrate_stores", lambda *_: pytest.fail("something was started"))
    shown = console("live", "--port", str(free_port()), *words)
    assert shown.exit_code == 1
    assert "2023-03-08" in shown.output


@pytest.mark.parametrize("command", ["ui", "live", "models ui"])
def test_a_port_that_is_taken_is_named_before_anything_is_made(console, command, monkeypatch):
    for module in (ui, live):
        monkeypatch.setattr(module, "prepare_home", lambda *_: pytest.fail("something was made"))
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        port = held.getsockname()[1]
        shown = console(*command.split(), "--port", str(port))
    assert shown.exit_code == 1
    assert f"cannot listen on 127.0.0.1 port {port}" in shown.output
    assert "--port" in shown.output


@pytest.mark.parametrize("command", ["ui", "live", "up"])
def test_a_second_command_of_the_profile_is_refused_by_name(console, command, monkeypatch):
    """And not by the port that the first one has taken."""
    with the_only_one(live_folder(load_settings()), "ui"), socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        port = str(held.getsockname()[1])
        monkeypatch.setenv(variable("services.ui_port"), port)
        shown = console(command, *([] if command == "up" else ["--port", port]))
    assert shown.exit_code == 1
    assert f"`ui` (pid {os.getpid()}) runs already" in shown.output
    assert "port" not in shown.output


def test_a_second_command_may_start_when_the_first_is_gone(tmp_path):
    with the_only_one(tmp_path, "ui"):
        pass
    require_idle(tmp_path)
