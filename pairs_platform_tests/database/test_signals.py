"""Signals on a real SQLite file and a real PostgreSQL server."""

import dataclasses
import math
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

from pairs_platform.core.signals.engine import Signal
from pairs_platform.core.time import moment_utc
from pairs_platform.database.replays import forget_replay
from pairs_platform.database.signals import (
    Provenance,
    SignalKey,
    bars_with_signals,
    last_signals,
    sessions_with_signals,
    signal_frame,
    signals_at,
    store_signals,
)
from pairs_platform.database.store import Database
from pairs_platform.database.tables import SIGNALS
from pairs_platform_tests.support.waiting import WAIT_SECONDS

SESSION = date(2023, 3, 8)
OPEN_NS = 1_678_285_800 * 10**9
LENGTH_NS = 300 * 10**9
LIVE = SignalKey(run_mode="live", sector="technology", session=SESSION)
REPLAY = dataclasses.replace(LIVE, run_mode="replay")
DECIDED = datetime(2023, 3, 8, 14, 35, 1, 123456, tzinfo=UTC)
GIVEN = Provenance(
    config_session=date(2023, 3, 7),
    config_hash="f" * 64,
    decided_market_utc=DECIDED,
    decided_utc=DECIDED + timedelta(days=900),
    run_id="run",
)


def signal(pair: str = "A_B", bucket: int = 0, **changes) -> Signal:
    full = Signal(
        pair=pair,
        role="selected",
        start_ns=OPEN_NS + bucket * LENGTH_NS,
        action="enter_short",
        reason="",
        y="B",
        x="A",
        beta=0.1 + 0.2,
        spread=1 / 3,
        z=2.0000000000000004,
        band=5e-324,
        volatility=1.7976931348623157e308,
        probability_champion=0.7,
        probability_challenger=1e-17,
        champion_version=3,
        challenger_version=4,
        confidence=0.4,
        size=0.25,
        position=0,
        bars_held=0,
        blocked=False,
        late=False,
        data_ns=OPEN_NS + bucket * LENGTH_NS,
    )
    return dataclasses.replace(full, **changes)


NOTHING = dict.fromkeys(
    ("spread", "z", "band", "volatility", "probability_champion", "probability_challenger", "confidence"), math.nan
)
SKIPPED = signal(
    "A_C",
    action="skip",
    reason="stale: 3 buckets since both legs had a bar",
    champion_version=None,
    challenger_version=None,
    size=0.0,
    position=-1,
    bars_held=7,
    blocked=True,
    late=True,
    data_ns=0,
    **NOTHING,
)


def rows(database: Database) -> list[dict]:
    with database.begin() as connection:
        found = connection.execute(sa.select(SIGNALS).order_by(*SIGNALS.primary_key.columns)).mappings()
        return [dict(row) for row in found]


class TestStored:
    def test_what_is_read_back_is_equal_to_the_last_bit(self, database):
        given = [signal(), SKIPPED]
        assert store_signals(database, LIVE, given, GIVEN) is True
        found = signals_at(database, LIVE, moment_utc(OPEN_NS))
        assert repr([found["A_B"], found["A_C"]]) == repr(given)
        (full, skipped) = rows(database)
        assert full["bar_utc"] == datetime(2023, 3, 8, 14, 30, tzinfo=UTC)
        assert {name: full[name] for name in vars(GIVEN)} == vars(GIVEN)
        assert skipped["z"] is None
        assert skipped["champion_version"] is None
        assert skipped["data_utc"] is None

    def test_a_bucket_that_is_stored_again_changes_nothing_and_says_so(self, database):
        store_signals(database, LIVE, [signal(), SKIPPED], GIVEN)
        before = rows(database)
        again = [signal(action="hold"), SKIPPED, signal("B_C")]
        assert store_signals(database, LIVE, again, dataclasses.replace(GIVEN, run_id="another")) is False
        assert rows(database) == before

    @pytest.mark.parametrize("broken", [{"position": 2}, {"action": "wait"}, {"y": None}])
    def test_half_a_bucket_is_never_stored(self, database, broken):
        store_signals(database, LIVE, [signal()], GIVEN)
        with pytest.raises(sa.exc.IntegrityError):
            store_signals(database, LIVE, [signal(bucket=1), signal("A_C", 1, **broken)], GIVEN)
        assert bars_with_signals(database, LIVE) == {moment_utc(OPEN_NS)}
        assert len(rows(database)) == 1


class TestKeys:
    def test_two_feeds_two_sectors_and_two_sessions_stand_side_by_side(self, database):
        energy = dataclasses.replace(LIVE, sector="energy")
        next_day = dataclasses.replace(LIVE, session=date(2023, 3, 9))
        for k, key in enumerate((LIVE, REPLAY, energy, next_day)):
            assert store_signals(database, key, [signal(beta=float(k))], GIVEN)
        for k, key in enumerate((LIVE, REPLAY, energy, next_day)):
            assert signals_at(database, key, moment_utc(OPEN_NS))["A_B"].beta == k
            assert signal_frame(database, key)["beta"].tolist() == [k]
        assert sessions_with_signals(database, "live", "technology") == [SESSION, date(2023, 3, 9)]
        assert sessions_with_signals(database, "replay", "energy") == []

    def test_to_forget_replays_leaves_live_ones(self, database):
        for key in (LIVE, REPLAY):
            store_signals(database, key, [signal(), SKIPPED], GIVEN)
        assert forget_replay(database) == 2
        assert bars_with_signals(database, REPLAY) == set()
        assert len(signals_at(database, LIVE, moment_utc(OPEN_NS))) == 2
        assert store_signals(database, REPLAY, [signal()], GIVEN), "it can be played again"


class TestRead:
    def test_the_newest_bar_and_the_bars_after_another(self, database):
        assert last_signals(database, LIVE) == {}
        for bucket in (1, 0, 2):
            store_signals(database, LIVE, [signal(bucket=bucket), signal("A_C", bucket)], GIVEN)
        assert {one.start_ns for one in last_signals(database, LIVE).values()} == {OPEN_NS + 2 * LENGTH_NS}
        frame = signal_frame(database, LIVE)
        assert frame["pair"].tolist() == ["A_B", "A_C"] * 3
        assert frame["bar_utc"].is_monotonic_increasing
        assert len(signal_frame(database, LIVE, after=moment_utc(OPEN_NS + LENGTH_NS))) == 2

    def test_nothing_is_a_frame_with_columns(self, database):
        assert signal_frame(database, LIVE).columns.tolist() == [column.name for column in SIGNALS.columns]


class TestSchema:
    def test_down_to_the_models_and_up_again(self, database):
        store_signals(database, LIVE, [signal()], GIVEN)
        database.downgrade("0001")
        assert database.revision() == "0001"
        database.upgrade()
        assert rows(database) == []
        assert store_signals(database, LIVE, [signal()], GIVEN)

    def test_a_database_from_before_signals_is_brought_up_by_its_first_use(self, database, url):
        database.upgrade()
        database.downgrade("0001")
        assert store_signals(Database(url, "simulated-5min-raw"), LIVE, [signal()], GIVEN)

    def test_one_that_is_the_newest_is_opened_without_the_tool_that_migrates(self, database, url):
        store_signals(database, LIVE, [signal()], GIVEN)
        code = f"""
import sys
from datetime import date
from pairs_platform.database.signals import SignalKey, last_signals
from pairs_platform.database.store import Database
key = SignalKey(run_mode="live", sector="technology", session=date(2023, 3, 8))
found = last_signals(Database({url!r}, "simulated-5min-raw"), key)
print(len(found), sorted({{"alembic", "pandas"}} & set(sys.modules)))
"""
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=WAIT_SECONDS, check=False
        )
        assert (done.stdout.strip(), done.stderr) == ("1 []", "")
