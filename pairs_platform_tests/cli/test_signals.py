"""`pairs-platform signals` over a real database."""

import os
import signal as os_signal
import subprocess
import sys
from dataclasses import replace
from datetime import date

import pytest
from rich.console import Console

from pairs_platform.cli import show
from pairs_platform.database.signals import store_signals
from pairs_platform.platform import Platform
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.variables import variable
from pairs_platform_tests.database.test_signals import GIVEN, LIVE, REPLAY, SKIPPED, signal
from pairs_platform_tests.support.waiting import WAIT_SECONDS, until

WATCHED = signal("A_A", role="watchlist", action="hold", size=0.0)


@pytest.fixture
def database(monkeypatch, tmp_path):
    """A database with two bars of a replay: 09:30 and 09:35."""
    monkeypatch.setenv("COLUMNS", "240")
    monkeypatch.setenv(variable("state_root"), str(tmp_path / "state"))
    found = Platform(load_settings()).database
    for bucket in (0, 1):
        rows = [
            replace(one, start_ns=signal(bucket=bucket).start_ns) for one in (WATCHED, signal(bucket=bucket), SKIPPED)
        ]
        store_signals(found, REPLAY, rows, GIVEN)
    return found


def test_without_signals_it_says_how_to_get_some(begun, console):
    shown = console("signals")
    assert shown.exit_code == 1
    assert "technology has no signals in the run mode replay yet: start `pairs-platform live`" in shown.output


def test_the_newest_bar_with_selected_pairs_first(database, console):
    shown = console("signals")
    assert shown.exit_code == 0, shown.output
    assert "technology · bar 2023-03-08 09:35 New York · replay" in shown.output
    assert shown.output.index("A_B") < shown.output.index("A_C") < shown.output.index("A_A")
    assert "sell B, buy 0.30 A" in shown.output
    assert "+2.00" in shown.output
    assert "enter_short" not in shown.output
    assert "\x1b" not in shown.output, "no colours in a pipe"
    assert "stale: 3 buckets" in shown.output
    assert "09:30" not in shown.output


def test_one_pair_at_every_bar(database, console):
    shown = console("signals", "--pair", "A_B")
    assert shown.exit_code == 0
    assert "09:30" in shown.output
    assert "09:35" in shown.output
    assert "A_C" not in shown.output
    unknown = console("signals", "--pair", "X_Y")
    assert unknown.exit_code == 1
    assert "X_Y is not among the 3 pairs, which are A_A, A_B, A_C" in unknown.output


def test_a_pair_without_a_position_waits_and_one_with_a_position_holds(database, console):
    held = replace(WATCHED, pair="A_D", y="D", position=-1, z=1.25, beta=0.5)
    later = [replace(one, start_ns=signal(bucket=2).start_ns) for one in (WATCHED, held)]
    store_signals(database, REPLAY, later, GIVEN)
    lines = {line.split()[0]: " ".join(line.split()) for line in console("signals").output.splitlines() if "A_" in line}
    assert lines["A_A"].startswith("A_A wait +2.00 0.00")
    assert lines["A_D"].startswith("A_D watch: short D, long 0.50 A +1.25 0.75")


def test_a_narrow_board_keeps_sizes_and_says_which_order_is_none(database, console, monkeypatch):
    watched = replace(WATCHED, pair="A_D", action="enter_long")
    late = replace(signal(), late=True)
    store_signals(
        database, REPLAY, [replace(one, start_ns=signal(bucket=2).start_ns) for one in (watched, late)], GIVEN
    )
    monkeypatch.setattr(show, "terminal", lambda: Console(width=60))
    board = console("signals").output
    assert "role" not in board
    lines = {line.split()[0]: " ".join(line.split()) for line in board.splitlines() if "A_" in line}
    assert lines["A_B"] == "A_B too late: sell B, buy 0.30 A +2.00 0.00 0.25"
    assert lines["A_D"] == "A_D watch: buy B, sell 0.30 A +2.00 0.00 –"


def test_rows_bound_the_board(database, console):
    shown = console("signals", "--rows", "1")
    assert "A_B" in shown.output
    assert "A_C" not in shown.output
    assert "2 more rows; --rows 3 shows all" in shown.output


def test_run_modes_sessions_and_sectors_are_kept_apart(database, console):
    assert "no signals in the run mode live yet" in console("signals", "--run-mode", "live").output
    assert "energy has no signals" in console("signals", "--sector", "energy").output
    missing = console("signals", "--session", "2023-03-09")
    assert missing.exit_code == 1
    assert "has no signals in the run mode replay in 2023-03-09" in missing.output
    next_day = replace(LIVE, session=date(2023, 3, 9))
    store_signals(database, LIVE, [signal()], GIVEN)
    store_signals(database, next_day, [signal(bucket=288)], GIVEN)
    assert "2023-03-09 09:30 New York · live" in console("signals", "--run-mode", "live").output
    assert "2023-03-08 09:30" in console("signals", "--run-mode", "live", "--session", "2023-03-08").output


def test_to_follow_shows_every_bar_as_it_is_stored_until_it_is_interrupted(database, tmp_path):
    command = [sys.executable, "-c", "from pairs_platform.cli import main; main()", "signals", "--follow"]
    path = tmp_path / "shown"
    with path.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env={**os.environ, "PYTHONUNBUFFERED": "1"})
    try:
        until(lambda: "09:35" in path.read_text())
        assert path.read_text().count("New York") == 1
        store_signals(database, REPLAY, [signal(bucket=2)], GIVEN)
        store_signals(database, REPLAY, [signal(bucket=3)], GIVEN)
        until(lambda: "09:45" in path.read_text())
        assert "09:40" in path.read_text(), "each bar is shown in a pipe, and once"
        assert path.read_text().count("New York") == 3
        assert "\x1b" not in path.read_text()
        process.send_signal(os_signal.SIGINT)
        assert process.wait(WAIT_SECONDS) in (0, 1, 130)
        assert "Traceback" not in path.read_text()
    finally:
        process.kill()
        process.wait(WAIT_SECONDS)


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
def test_to_follow_on_a_terminal_shows_the_board_in_its_place_with_colours(database, tmp_path):
    from pairs_platform_tests.support.terminal import Terminal

    with Terminal("signals", "--follow", folder=tmp_path) as terminal:
        terminal.read_until("09:35")
        before = len(terminal.raw)
        store_signals(database, REPLAY, [signal(bucket=2)], GIVEN)
        terminal.read_until("09:40")
        assert "\x1b[1A" in terminal.raw[before:], "the cursor goes back up: the board is drawn over the one before"
        assert "\x1b[1;35m" in terminal.raw, "an entry has a colour"
        terminal.interrupt()
        assert terminal.process.returncode in (0, 1, 130)
        assert "Traceback" not in terminal.raw


def test_what_the_rule_did_is_told_with_a_total(stored, console):
    shown = console("signals", "--pnl")
    assert shown.exit_code == 0, shown.output
    assert "not fills of a broker" in " ".join(shown.output.split())
    assert "net bp" in shown.output
    both = console("signals", "--pnl", "--follow")
    assert both.exit_code == 2
