"""`pairs-platform signals` over a real database."""

import os
import signal as os_signal
import subprocess
import sys
from dataclasses import replace
from datetime import date

import pytest

from pairs_platform.database.signals import store_signals
from pairs_platform.platform import Platform
from pairs_platform.settings.loading import load_settings
from pairs_platform_tests.database.test_signals import GIVEN, LIVE, REPLAY, SKIPPED, signal
from pairs_platform_tests.support.waiting import WAIT_SECONDS, until

WATCHED = signal("A_A", role="watchlist", action="hold", size=0.0)


@pytest.fixture
def database(monkeypatch):
    """A database with two bars of a replay: 09:30 and 09:35."""
    monkeypatch.setenv("COLUMNS", "240")
    found = Platform(load_settings()).database
    for bucket in (0, 1):
        rows = [
            replace(one, start_ns=signal(bucket=bucket).start_ns) for one in (WATCHED, signal(bucket=bucket), SKIPPED)
        ]
        store_signals(found, REPLAY, rows, GIVEN)
    return found


def test_without_signals_it_says_how_to_get_some(console):
    shown = console("signals")
    assert shown.exit_code == 1
    assert "technology has no signals in the run mode replay yet: start `pairs-platform live`" in shown.output


def test_the_newest_bar_with_selected_pairs_first(database, console):
    shown = console("signals")
    assert shown.exit_code == 0, shown.output
    assert "technology · bar 2023-03-08 09:35 New York · replay" in shown.output
    assert shown.output.index("A_B") < shown.output.index("A_C") < shown.output.index("A_A")
    assert "enter_short" in shown.output
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
        until(lambda: "09:40" in path.read_text())
        assert path.read_text().count("New York") == 2, "a bar is shown once"
        process.send_signal(os_signal.SIGINT)
        assert process.wait(WAIT_SECONDS) in (0, 1, 130)
        assert "Traceback" not in path.read_text()
    finally:
        process.kill()
        process.wait(WAIT_SECONDS)
