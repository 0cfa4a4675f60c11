"""A state folder that may only be read: commands that read work there, the others say so in one line."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pairs_platform.cli.commands import PURPOSES
from pairs_platform.settings.variables import CONFIG_VARIABLE, variable
from pairs_platform_tests.support.console import CALLS
from pairs_platform_tests.support.postgres import free_port

COMMANDS = [name for commands in PURPOSES.values() for name in commands]

READING = {
    "data": "data check {prices}",
    "profiles": "profiles list",
    "symbols": "symbols status",
    "config": "config show",
    "pairs": "pairs",
    "signals": "signals --run-mode replay",
    "report": "report -o {target}.html",
    "export": "export rankings {target}.csv",
    "sql": "sql 'select 1 as n'",
    "models": "models list",
    "alerts": "alerts",
    "audit": "audit",
    "storage": "storage",
    "backup": "backup {target}.tar.gz",
    "down": "down",
    "orders": "orders",
    "positions": "positions",
    "portfolio": "portfolio",
    "risk": "risk",
}
WRITING = {
    "doctor": "doctor",
    "demo": "demo",
    "ui": "ui --port {port}",
    "live": "live --port {port}",
    "trade": "trade",
    "up": "up",
    "serve": "serve ui",
    "adopt": "adopt",
    "migrate": "migrate",
    "restore": "restore {target}",
    "stream": "stream save --session 2023-03-08",
    "kill": "kill --reason why",
}
OTHERS = {"broker": "broker simulate --port {port} --faults none", "release": "release --reason why"}
"""What does not end by itself, and what has nothing to write on this state."""


def words_of(line: str, folder: Path, state: Path | None = None) -> list[str]:
    prices = folder / "prices.csv"
    prices.write_text("Date,Close\n2023-03-07,1.0\n2023-03-08,2.0\n")
    given = {"target": folder / "written", "prices": prices, "port": free_port(), "state": state}
    return [word.format(**given) for word in shlex.split(line)]


@pytest.fixture
def refused(stored, monkeypatch):
    """The demo's state, in which the system says that nothing may be written."""
    access, root = os.access, str(stored.settings.state_root)
    monkeypatch.setattr(os, "access", lambda path, mode: not str(path).startswith(root) and access(path, mode))
    return stored.settings.profile_root


def test_every_command_is_looked_at():
    assert sorted([*READING, *WRITING, *OTHERS]) == sorted(COMMANDS)


@pytest.mark.parametrize("line", READING.values())
def test_what_only_reads_works(refused, console, tmp_path, line):
    shown = console(*words_of(line, tmp_path))
    assert "may only be read" not in shown.output or line == "storage"
    assert shown.exit_code == (1 if line.startswith("data") else 0), shown.output


@pytest.mark.parametrize("line", [*WRITING.values(), "models promote 1"])
def test_what_writes_says_where_it_cannot_and_what_helps(refused, console, tmp_path, line):
    shown = console(*words_of(line, tmp_path))
    assert shown.exit_code == 1
    assert f"{refused} may only be read" in shown.output
    assert variable("state_root") in shown.output
    assert line == "doctor" or shown.output.count("\n") == 1


@pytest.mark.parametrize("command", COMMANDS)
def test_a_file_in_the_place_of_the_state_is_one_line(console, tmp_path, monkeypatch, command):
    lines = {**READING, **WRITING, **OTHERS}
    (tmp_path / "state").write_text("")
    monkeypatch.setenv(variable("state_root"), str(tmp_path / "state"))
    shown = console(*words_of(lines[command], tmp_path))
    assert shown.exit_code == 1
    assert "state_root" in shown.output
    assert shown.output.count("\n") == 1


def test_a_folder_that_is_mounted_read_only(demo, tmp_path):
    mounted = tmp_path / "mounted elsewhere"
    mounted.mkdir()
    reading = ["signals --run-mode replay", "alerts", "storage", "backup {target}.tar.gz"]
    writing = ["demo", "stream save --session 2023-03-08", "profiles use --none", "export rankings {state}/a.csv"]
    lines = [*reading, *writing]
    words = [words_of(line, tmp_path, mounted) for line in lines]
    script = 'mount --bind "$1" "$2" && mount -o remount,bind,ro "$2" && exec "$3" -c "$4" "$5"'
    command = ["unshare", "--mount", "sh", "-c", script, "sh", str(demo.state), str(mounted), sys.executable, CALLS]
    if shutil.which("unshare") is None or subprocess.run(["unshare", "--mount", "true"], check=False).returncode:
        pytest.skip("this user may mount nothing")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PAIRS_PLATFORM_")},
        **{variable("state_root"): str(mounted), CONFIG_VARIABLE: str(demo.config)},
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    done = subprocess.run([*command, json.dumps(words)], env=environment, capture_output=True, text=True, check=False)
    if "mount:" in done.stderr:
        pytest.skip(f"this user may mount nothing: {done.stderr}")
    ended = dict(zip(lines, [json.loads(line) for line in done.stdout.splitlines()], strict=True))
    for line in reading:
        assert ended[line][0] == 0, ended[line]
    for line in writing:
        code, shown = ended[line]
        assert code == 1, line
        assert str(mounted) in shown
        assert shown.count("\n") == 1, shown
