"""What commands show in a terminal of 80 columns, in a pipe, and to a reader that has enough."""

import json
import os
import shutil
import subprocess
import sys

import click
import pytest

from pairs_platform.cli import cli
from pairs_platform.processes.runtime.topology import command_of
from pairs_platform.settings.variables import CONFIG_VARIABLE, variable
from pairs_platform_tests.support.console import CALLS
from pairs_platform_tests.support.waiting import WAIT_SECONDS

pytestmark = pytest.mark.skipif(os.name == "nt", reason="there is no pseudo-terminal on Windows")

COLUMNS = 80
SHOWN = (
    *("pairs", "signals --run-mode replay", "doctor", "models list", "models compare 1 2", "profiles list", "alerts"),
    *("storage", "audit", "symbols status"),
)


def helps() -> list[list[str]]:
    """The words that show the help of each command and of those below it."""
    context = click.Context(cli)
    found: list[list[str]] = [["--help"]]
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        found.append([name, "--help"])
        found += [[name, below, "--help"] for below in getattr(command, "commands", ())]
    return found


def shown_in_a_terminal(demo, folder, lines, **more):
    """The raw text of each command by its words, in one process in a terminal of 80 columns."""
    from pairs_platform_tests.support.terminal import Terminal

    shutil.copytree(demo.state, folder / "state", symlinks=True, ignore=shutil.ignore_patterns("dagster"))
    command = [sys.executable, "-c", CALLS, json.dumps(lines)]
    with Terminal(folder=folder, config=demo.config, command=command, more=more) as terminal:
        terminal.read_to_end()
        parts = [""]
        for line in terminal.raw.replace("\r\n", "\n").splitlines():
            if line.endswith(', ""]') and line.startswith("["):
                parts.append("")
            else:
                parts[-1] += f"{line}\n"
    assert len(parts) == len(lines) + 1, terminal.text
    return dict(zip(map(" ".join, lines), parts[:-1], strict=True))


def test_no_line_is_wider_than_a_terminal_of_80_columns(demo, tmp_path):
    from pairs_platform_tests.support.terminal import STYLE

    shown = shown_in_a_terminal(demo, tmp_path, [*map(str.split, SHOWN), *helps()])
    wide = {
        words: [line for line in STYLE.sub("", text).splitlines() if len(line) > COLUMNS and " " in line.strip()]
        for words, text in shown.items()
    }
    assert {words: lines for words, lines in wide.items() if lines} == {}
    assert all(text.strip() for text in shown.values())


@pytest.mark.parametrize(("variables", "colored"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colors_are_for_terminals_that_want_them(demo, tmp_path, variables, colored):
    shown = shown_in_a_terminal(demo, tmp_path, [["doctor"], ["demo", "--session", "1999-01-01"]], **variables)
    assert ["\x1b[31m" in text for text in shown.values()] == [colored, colored], shown


def test_a_pipe_gets_no_styles_and_a_reader_may_go_early(demo):
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PAIRS_PLATFORM_")},
        **{variable("state_root"): str(demo.state), CONFIG_VARIABLE: str(demo.config), "TERM": "xterm"},
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    process = subprocess.Popen(
        command_of("pairs"), env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert "\x1b" not in process.stdout.readline()
    process.stdout.close()
    process.stdout = None
    _, errors = process.communicate(timeout=WAIT_SECONDS)
    assert errors == ""
    assert process.returncode in (0, 1)  # 1 where it still had something to say
