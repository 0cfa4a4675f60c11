"""Signals of the demo's last session, streamed into a real Redis: what is stored, and what the run loads."""

import os
import subprocess
import sys
from dataclasses import replace

import pandas as pd
import pytest
import sqlalchemy as sa

from pairs_platform.core.streaming.bars import UPDATED
from pairs_platform.core.time import moment_utc
from pairs_platform.database.signals import signals_at
from pairs_platform.database.tables import SIGNALS
from pairs_platform.settings.variables import variable
from pairs_platform_tests.support.decisions import promote
from pairs_platform_tests.support.demo_profile import SECTOR, SESSION, SESSIONS
from pairs_platform_tests.support.streamed_profile import (
    FIRST_PAIR,
    GRID,
    N_PAIRS,
    live,
    server,
    store_yesterday,
    where,
    without_pairs,
)
from pairs_platform_tests.support.waiting import WAIT_SECONDS

__all__ = ["live", "server"]


class TestSignals:
    def test_a_second_run_and_a_later_revision_change_nothing(self, live):
        live.stream(0)
        live.compute()
        before = live.rows
        assert live.compute().note == "every complete bar has its signals"
        revised = [bar._replace(close=bar.close * 1.2, high=bar.high * 2, revision=UPDATED) for bar in live.bars([0])]
        live.stream(1, bars=[*revised, *live.bars([1])])
        outcome = live.compute()
        assert outcome.stored == (GRID[1].start_ns,)
        pd.testing.assert_frame_equal(live.rows.head(N_PAIRS), before)

    def test_without_a_complete_bar_nothing_is_stored(self, live):
        live.platform.streams.bars.add(live.bars([0]))
        assert live.compute().note == f"no bar of {SESSION} is complete"
        assert live.rows.empty

    def test_missing_bars_are_filled_and_marked_late(self, live):
        live.stream(1)
        live.stream(3, bars=live.bars([0, 2, 3]))
        live.platform.streams.replay.publish_clock(GRID[3].end_ns - 10**9, 0.0)
        outcome = live.compute()
        assert outcome.stored == tuple(interval.start_ns for interval in GRID[:4])
        late = live.rows.groupby("bar_utc")["late"].agg(["any", "all"])
        assert late["any"].tolist() == late["all"].tolist() == [True, True, True, False]

    @pytest.mark.parametrize(("after_ns", "late"), [(-1, False), (0, True)])
    def test_the_newest_one_is_late_when_the_next_ones_time_has_passed(self, live, after_ns, late):
        live.stream(0)
        live.platform.streams.replay.publish_clock(GRID[1].end_ns + after_ns, 0.0)
        live.compute()
        assert set(live.rows["late"]) == {late}

    def test_it_goes_on_from_what_is_stored_in_another_process(self, live):
        whole = {}
        for k in range(len(GRID)):
            live.stream(k)
            live.again().compute()
            whole[k] = live.rows.tail(N_PAIRS)
        with live.platform.database.begin() as connection:
            connection.execute(sa.delete(SIGNALS).where(SIGNALS.c.bar_utc >= moment_utc(GRID[6].start_ns)))
        live.again().compute()
        names = ["pair", "action", "position", "bars_held", "blocked", "spread", "z", "probability_champion"]
        pd.testing.assert_frame_equal(live.rows.tail(N_PAIRS)[names], whole[6][names])

    def test_a_position_of_the_session_before_goes_on(self, live):
        live.stream(0)
        live.compute()
        before = signals_at(live.platform.database, where(), moment_utc(GRID[0].start_ns))
        held = [replace(one, position=1, bars_held=3, action="hold", late=False) for one in before.values()]
        gone = replace(held[0], pair="AMAT_TER", y="AMAT", x="TER")
        with live.platform.database.begin() as connection:
            connection.execute(sa.delete(SIGNALS))
        store_yesterday(live.platform, [*held, gone])
        live.compute()
        rows = live.rows.set_index("pair")
        assert (rows.loc[FIRST_PAIR, "position"], rows.loc[FIRST_PAIR, "bars_held"]) == (1, 4)
        assert rows.loc["AMAT_TER", ["role", "action", "reason"]].tolist() == ["closing", "exit", "left_configuration"]
        live.stream(1)
        live.compute()
        assert (live.rows["pair"] == "AMAT_TER").sum() == 1

    @pytest.mark.parametrize(("days_off", "position"), [(5, 1), (6, 0)])
    def test_a_position_outlasts_some_sessions_without_signals(self, live, days_off, position):
        live.stream(0)
        live.compute()
        before = signals_at(live.platform.database, where(), moment_utc(GRID[0].start_ns))
        held = [replace(one, position=1, action="hold", late=False) for one in before.values()]
        with live.platform.database.begin() as connection:
            connection.execute(sa.delete(SIGNALS))
        store_yesterday(live.platform, held, sessions_ago=days_off)
        live.compute()
        assert live.rows.set_index("pair").loc[FIRST_PAIR, "position"] == position

    def test_a_corporate_action_of_the_session(self, live):
        live.platform.streams.actions.replace(SESSION, [{"symbol": "ADI", "kind": "dividend", "value": 0.2}])
        live.stream(0)
        live.compute()
        reasons = live.rows.set_index("pair")["reason"]
        assert reasons[FIRST_PAIR] == "corporate_action: ADI falls ex"
        assert reasons["AMD_ROG"] == ""

    def test_bars_of_a_proxy_need_the_setting(self, live, monkeypatch):
        live.stream(0, bars=[bar._replace(source="proxy:AAPL") for bar in live.bars([0])])
        live.compute()
        assert set(live.rows["action"]) == {"skip"}
        monkeypatch.setenv(variable("signals.allow_proxy"), "true")
        allowed = live.again()
        allowed.stream(1, bars=[bar._replace(source="proxy:AAPL") for bar in live.bars([1])])
        allowed.compute()
        assert "hold" in set(live.rows["action"].tail(N_PAIRS))


class TestConfiguration:
    def test_without_a_pair_what_is_open_is_exited(self, live):
        live.stream(0)
        live.compute()
        held = replace(
            signals_at(live.platform.database, where(), moment_utc(GRID[0].start_ns))[FIRST_PAIR], position=-1
        )
        with live.platform.database.begin() as connection:
            connection.execute(sa.delete(SIGNALS))
        store_yesterday(live.platform, [held])
        without_pairs(live.platform)
        for k in (0, 1, 2):
            live.stream(k)
            live.compute()
        assert live.rows[["bar_utc", "action", "position"]].values.tolist() == [
            [moment_utc(GRID[0].start_ns), "exit", -1]
        ]


def test_a_run_behind_a_bar_loads_nothing_that_trains_or_analyses(live):
    promote(live.platform, 1, SESSIONS[0])
    live.stream(0)
    live.compute()
    live.stream(1)
    code = f"""
import sys
from datetime import date
from pairs_platform.platform import Platform
from pairs_platform.workflows.signals import signal_partition
from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.settings.loading import load_settings
key = PartitionKey(date({SESSION:%Y, %-m, %-d}), "{SECTOR}")
outcome = signal_partition(Platform(load_settings()), key, run_id="own")
heavy = ("torch", "mlflow", "sklearn", "statsmodels", "arch", "numba", "scipy", "pandas", "pyarrow", "alembic")
print(len(outcome.stored), outcome.newest[0].champion_version, sorted(set(heavy) & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
        check=False,
        env=dict(os.environ),
    )
    assert done.stdout.strip() == "1 1 []", done.stderr
