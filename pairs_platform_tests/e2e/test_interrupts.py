"""Ctrl-C typed in a terminal: how a command ends, what it says, what it leaves."""

import os
import sqlite3
import time
from pathlib import Path

import pytest

from pairs_platform_tests.support.demo_profile import SESSION, write_config

pytestmark = pytest.mark.skipif(os.name == "nt", reason="there is no pseudo-terminal on Windows")

SECONDS = 10.0


def statuses(state: Path) -> set[str]:
    """Of the runs that are recorded under a state root."""
    found: set[str] = set()
    for path in state.glob("*/dagster/**/runs.db"):
        with sqlite3.connect(path) as database:
            found |= {status for (status,) in database.execute("SELECT status FROM runs")}
    return found


def interrupted(folder: Path, words: str, wait: float) -> str:
    """The demo, ended by Ctrl-C some seconds after the terminal shows a text; what it showed from then on."""
    from pairs_platform_tests.support.terminal import Terminal

    config = write_config(folder / "config")
    with Terminal("demo", "--session", str(SESSION), folder=folder, config=config) as terminal:
        terminal.read_until(words)
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
@pytest.mark.parametrize(("words", "wait"), [("", 0.5), ("session 2023-03-06", 1.0)])
def test_the_demo_ends_at_once_and_says_what_goes_on(tmp_path, words, wait):
    shown = interrupted(tmp_path, words, wait)
    assert shown.count("stopped") == 1
    if words:
        assert "pairs-platform demo" in shown
