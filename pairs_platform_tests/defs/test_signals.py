"""Signals and streamed bars of the demo's last session, streamed into a real Redis, as assets, checks and sensors."""

import json
import os
import shutil
import signal as os_signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import dagster as dg
import pandas as pd
import psutil
import pytest
import redis
import sqlalchemy as sa

from pairs_platform.build import build_definitions
from pairs_platform.cli import models
from pairs_platform.core.errors import ClockUnknown, NotFound, PartitionMissing, StreamUnavailable
from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.prices.calendar import session_offset
from pairs_platform.core.prices.contracts import PRICE_HISTORY
from pairs_platform.core.selection.trading_config import TradingConfig
from pairs_platform.core.streaming.bars import UPDATED, StreamBar
from pairs_platform.core.streaming.contracts import STREAMED_BARS
from pairs_platform.core.streaming.intervals import BarClose, bar_intervals
from pairs_platform.core.time import moment_utc, utc_now
from pairs_platform.database.models import Decision
from pairs_platform.database.signals import Provenance, SignalKey, forget_replay, signals_at, store_signals
from pairs_platform.database.tables import SIGNALS
from pairs_platform.defs.outcomes import without_useless_retries
from pairs_platform.defs.signals import assets, checks, sensors
from pairs_platform.platform import Platform
from pairs_platform.processes.runtime.redis_server import embedded_redis
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.variables import variable
from pairs_platform.workflows.signal_parity import stored_signals
from pairs_platform.workflows.signals import SignalOutcome, signal_partition
from pairs_platform.workflows.streamed_bars import save_stream
from pairs_platform_tests.support.away_registry import AwayRegistry
from pairs_platform_tests.support.decisions import promote, store_decisions
from pairs_platform_tests.support.demo_profile import SECTOR, SESSION, SESSIONS, SYMBOLS, key
from pairs_platform_tests.support.runs import QUIET, check, failure
from pairs_platform_tests.support.waiting import WAIT_SECONDS

CONFIGURED = SESSIONS[1]
GRID = bar_intervals(SESSION, Frequency.ONE_HOUR)
N_PAIRS = 4
FIRST_PAIR = "AAPL_ADI"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Folder of a Redis that runs for the tests of this file."""
    folder = tmp_path_factory.mktemp("r")
    with embedded_redis(folder):
        yield folder


@dataclass(frozen=True)
class Live:
    """A profile whose stream is fed by hand."""

    platform: Platform

    def bars(self, positions: Iterable[int] = range(len(GRID))) -> list[StreamBar]:
        """Bars of the price history at some positions of the session."""
        history = self.platform.lake.read(PRICE_HISTORY, key())
        starts = {GRID[k].start_ns for k in positions}
        return [
            StreamBar(one.symbol, one.ts_utc.value, one.open, one.high, one.low, one.close, int(one.volume))
            for one in history.itertuples()
            if one.ts_utc.value in starts
        ]

    def stream(self, *positions: int, bars: Iterable[StreamBar] | None = None) -> None:
        """Send bars and their bar-close events; the market clock stands at the end of the last one."""
        streams = self.platform.streams
        streams.bars.add(self.bars(positions) if bars is None else list(bars))
        for k in positions:
            streams.bar_closes.publish(BarClose(GRID[k], "all_in", 8, 8, GRID[k].end_ns, GRID[k].end_ns))
            streams.replay.publish_clock(GRID[k].end_ns, 0.0)

    def compute(self) -> SignalOutcome:
        return signal_partition(self.platform, key(), run_id="a test")

    def hour_by_hour(self, n: int = len(GRID)) -> None:
        for k in range(n):
            self.stream(k)
            self.compute()

    def again(self, **more) -> "Live":
        """The same profile as a new process sees it."""
        return Live(Platform(load_settings(), **more))

    def run(self, job: str, instance: dg.DagsterInstance | None = None) -> dg.ExecuteInProcessResult:
        definitions = build_definitions(self.platform.settings, {"platform": self.platform})
        return definitions.resolve_job_def(job).execute_in_process(
            partition_key=str(key()), run_config=QUIET, raise_on_error=False, instance=instance
        )

    def check(self, name: str) -> dg.AssetCheckEvaluation:
        """A check of `signals`, run with its asset as a person does it in the UI."""
        definitions = dg.Definitions(
            assets=[assets.signals],
            asset_checks=dg.load_asset_checks_from_modules([checks]),
            jobs=[dg.define_asset_job("by_hand", selection=dg.AssetSelection.assets(assets.signals))],
            resources={"platform": self.platform},
            executor=dg.in_process_executor,
        )
        job = definitions.resolve_job_def("by_hand")
        result = job.execute_in_process(partition_key=str(key()), run_config=QUIET, raise_on_error=False)
        return next(found for found in result.get_asset_check_evaluations() if found.check_name == name)

    @property
    def rows(self) -> pd.DataFrame:
        return stored_signals(self.platform, key())

    def versions(self) -> list[int | None]:
        """The champion's version at every stored bar, for a pair that every version holds."""
        chosen = self.rows[self.rows["pair"] == FIRST_PAIR]
        return [None if pd.isna(version) else int(version) for version in chosen["champion_version"]]


@pytest.fixture
def live(server: Path, copied: Platform, monkeypatch: pytest.MonkeyPatch) -> Live:
    """A copy of the demo's profile over an empty Redis."""
    monkeypatch.setenv(variable("redis_url"), f"unix://{server / 'redis.sock'}")
    redis.Redis(unix_socket_path=str(server / "redis.sock")).flushall()
    return never_streamed(Live(Platform(load_settings())))


def never_streamed(found: Live) -> Live:
    """The profile without what the demo has replayed."""
    forget_replay(found.platform.database)
    found.platform.lake.path(STREAMED_BARS.table, key()).unlink(missing_ok=True)
    shutil.rmtree(found.platform.settings.profile_root / "signals", ignore_errors=True)
    return found


def without_pairs(platform: Platform) -> None:
    """Store the configuration of the session before without a pair."""
    document = platform.lake.read_document("trading_config", key(CONFIGURED))
    empty = TradingConfig.model_validate({**document, "pairs": [], "content_hash": ""})
    platform.lake.document_path("trading_config", key(CONFIGURED)).write_text(json.dumps(empty.document()))


class TestSignals:
    def test_a_run_stores_the_bar_and_shows_the_session_so_far(self, live):
        with dg.DagsterInstance.ephemeral() as instance:
            for k in (0, 1):
                live.stream(k)
                result = live.run("five_minute_signals", instance)
                assert result.success
        rows = live.rows
        assert len(rows) == 2 * N_PAIRS
        assert rows["bar_utc"].unique().tolist() == [moment_utc(GRID[k].start_ns) for k in (0, 1)]
        assert set(rows["run_id"].tail(N_PAIRS)) == {result.run_id}
        assert not rows["late"].any()
        assert set(rows["config_session"]) == {CONFIGURED}
        assert rows["decided_market_utc"].iloc[-1] == moment_utc(GRID[1].end_ns)
        by_pair = rows.tail(N_PAIRS).set_index("pair")
        assert by_pair.loc["PDFS_ROG", ["action", "reason"]].tolist() == ["skip", "not_fitted"]
        assert by_pair.loc[FIRST_PAIR, "action"] in ("hold", "enter_long", "enter_short")
        assert by_pair.loc[FIRST_PAIR, "data_utc"] == moment_utc(GRID[1].start_ns)
        (page,) = result.asset_materializations_for_node("signals")
        assert page.partition == str(key())
        assert page.metadata["dagster/row_count"].value == 2 * N_PAIRS
        assert page.metadata["bars_stored"].value == [str(moment_utc(GRID[1].start_ns))]
        assert FIRST_PAIR in page.metadata["newest_signals"].value
        assert "data:image" in page.metadata["session_so_far"].value

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


def where(session=SESSION) -> SignalKey:
    return SignalKey(run_mode="replay", sector=SECTOR, session=session)


def store_yesterday(platform: Platform, signals, *, sessions_ago: int = 1) -> None:
    day = session_offset(SESSION, -sessions_ago)
    start = bar_intervals(day, Frequency.ONE_HOUR)[-1].start_ns
    now = platform.clock()
    given = Provenance(
        config_session=SESSIONS[0], config_hash="h", decided_market_utc=now, decided_utc=now, run_id="yesterday"
    )
    store_signals(platform.database, where(day), [replace(one, start_ns=start) for one in signals], given)


class TestConfiguration:
    def test_without_a_pair_nothing_is_stored(self, live):
        without_pairs(live.platform)
        live.stream(0, 1)
        assert live.compute().note == f"the configuration of {CONFIGURED} has no pair"
        assert live.run("five_minute_signals").success
        assert live.rows.empty

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

    def test_a_missing_one_is_a_clear_error_without_retries(self, live):
        live.platform.lake.document_path("trading_config", key(CONFIGURED)).unlink()
        live.stream(0)
        with pytest.raises(PartitionMissing, match=f"trading_config has no partition {CONFIGURED}"):
            live.compute()
        result = live.run("five_minute_signals")
        assert not result.success
        assert "trading_config has no partition" in failure(result, "signals")
        assert not [event for event in result.all_events if event.is_step_up_for_retry]
        assert live.rows.empty

    def test_a_changed_one_is_used_from_the_next_bar_on(self, live):
        live.stream(0)
        live.compute()
        document = live.platform.lake.read_document("trading_config", key(CONFIGURED))
        fewer = TradingConfig.model_validate({**document, "pairs": document["pairs"][:2], "content_hash": ""})
        live.platform.lake.document_path("trading_config", key(CONFIGURED)).write_text(json.dumps(fewer.document()))
        live.stream(1)
        live.compute()
        assert live.rows["config_hash"].nunique() == 2
        assert live.rows["pair"].value_counts().to_dict() == {
            FIRST_PAIR: 2, "PDFS_ROG": 2, "AMAT_PDFS": 1, "AMD_ROG": 1,
        }  # fmt: skip

    def test_a_damaged_session_state_is_made_again(self, live):
        live.stream(0)
        live.compute()
        (path,) = (live.platform.settings.profile_root / "signals" / SECTOR).glob("*.safetensors")
        content = path.read_bytes()
        path.write_bytes(content[:100])
        live.stream(1)
        live.compute()
        assert path.read_bytes() == content


class TestModels:
    def test_promotion_and_rollback_by_hand_count_from_the_next_bar_on(self, live):
        promote(live.platform, 1, SESSIONS[0])
        live.stream(0)
        live.compute()
        for k, words in enumerate((["promote", "2"], ["rollback"], ["promote", "3"]), start=1):
            models.command.main(args=words, standalone_mode=False)
            live.stream(k)
            live.compute()
        assert live.versions() == [1, 2, 1, None], "version 3 was trained on the session itself"
        probability = live.rows.set_index(["pair", "bar_utc"])["probability_champion"].notna()
        assert probability[FIRST_PAIR].tolist() == [True, True, True, False]

    def test_a_challenger_is_asked_beside_it(self, live):
        promote(live.platform, 1, SESSIONS[0])
        challenge(live.platform, 2)
        live.stream(0)
        live.compute()
        row = live.rows.set_index("pair").loc[FIRST_PAIR]
        assert (row["champion_version"], row["challenger_version"]) == (1, 2)
        assert 0.0 < row["probability_challenger"] < 1.0
        assert row["probability_challenger"] != row["probability_champion"]

    def test_one_that_is_too_old_is_not_asked(self, live):
        promotion = live.platform.settings.gru.promotion.model_copy(update={"max_age_sessions": 0})
        gru = live.platform.settings.gru.model_copy(update={"promotion": promotion})
        promote(live.platform, 1, SESSIONS[0])
        live.stream(0)
        strict = Live(Platform(live.platform.settings.model_copy(update={"gru": gru})))
        strict.compute()
        assert strict.versions() == [None]

    def test_a_registry_that_is_away_costs_the_model_and_not_the_signals(self, live):
        promote(live.platform, 1, SESSIONS[0])
        live.stream(0)
        live.again(models=AwayRegistry()).compute()
        live.stream(1)
        live.again().compute()
        assert live.versions() == [None, 1]


def challenge(platform: Platform, version: int) -> None:
    decision = Decision(
        sector=SECTOR, session=CONFIGURED, action="challenge", alias="challenger", version_after=version,
        reason="a test", figures={}, actor="a test", decided_utc=utc_now(),
    )  # fmt: skip
    store_decisions(platform.database, [decision])


class TestRedisAway:
    @pytest.fixture
    def gone(self, copied, tmp_path, monkeypatch) -> Live:
        """A Redis that was started, had a bar, and was killed."""
        folder = tmp_path / "r"
        monkeypatch.setenv(variable("redis_url"), f"unix://{folder / 'redis.sock'}")
        found = never_streamed(Live(Platform(load_settings())))
        with embedded_redis(folder):
            found.stream(0)
            (child,) = [one for one in psutil.Process().children() if str(folder) in " ".join(one.cmdline())]
            child.send_signal(os_signal.SIGKILL)
            child.wait(WAIT_SECONDS)
        return found

    def test_a_run_fails_to_be_tried_again_and_stores_nothing(self, gone):
        with pytest.raises(StreamUnavailable, match="start it with `pairs-platform live`"), without_useless_retries():
            gone.compute()
        assert gone.rows.empty

    def test_the_sensors_fail_and_do_not_skip(self, gone):
        for sensor in (sensors.signal_sensor, sensors.health_sensor):
            with pytest.raises(StreamUnavailable):
                sensor(dg.build_sensor_context(resources={"platform": gone.platform}))


class TestStreamedBars:
    def test_saved_by_its_job_under_its_contract(self, live):
        live.stream(*range(len(GRID)))
        result = live.run("stream_save")
        assert result.success
        frame = live.platform.lake.read(STREAMED_BARS, key())
        assert len(frame) == len(SYMBOLS) * len(GRID)
        assert set(frame["feed"]) == {"replay"}
        history = live.platform.lake.read(PRICE_HISTORY, key())
        both = frame.merge(history, on=["symbol", "ts_utc"], suffixes=("", "_history"))
        assert len(both) == len(history)
        assert (both["close"] == both["close_history"]).all()
        (page,) = result.asset_materializations_for_node("streamed_bars")
        assert page.metadata["dagster/row_count"].value == len(frame)
        assert page.metadata["bar"].value == "1h"
        passed = {found.check_name: found.passed for found in result.get_asset_check_evaluations()}
        assert passed == {"schema_and_uniqueness": True, "decided_after_data": True, "in_time": True}

    def test_during_the_session_there_is_no_price_history_yet(self, live):
        live.stream(0)
        live.platform.lake.path(PRICE_HISTORY.table, key()).unlink()
        assert live.run("stream_save").success

    def test_what_redis_forgot_stays_and_newer_revisions_win(self, live):
        live.stream(0, 1)
        save_stream(live.platform, key())
        live.platform.streams.replay.reset()
        first = live.bars([0])[0]
        live.stream(2, bars=[first._replace(close=1.25, low=1.0, revision=UPDATED), *live.bars([2])])
        save_stream(live.platform, key())
        frame = live.platform.lake.read(STREAMED_BARS, key())
        assert len(frame) == 3 * len(SYMBOLS)
        revised = frame[frame["revision"] == UPDATED]
        assert revised[["symbol", "close"]].values.tolist() == [[first.symbol, 1.25]]
        live.platform.streams.bars.add([first])
        save_stream(live.platform, key())
        again = live.platform.lake.read(STREAMED_BARS, key())
        pd.testing.assert_frame_equal(again, frame)

    def test_rows_of_the_other_feed_stay(self, live):
        live.stream(0)
        save_stream(live.platform, key())
        frame, facts = live.platform.lake.read(STREAMED_BARS, key()), live.platform.lake.metadata(STREAMED_BARS, key())
        live.platform.lake.write(STREAMED_BARS, key(), frame.assign(feed="live", close=frame["low"]), facts)
        save_stream(live.platform, key())
        both = live.platform.lake.read(STREAMED_BARS, key())
        assert both["feed"].value_counts().to_dict() == {"live": 8, "replay": 8}
        assert (both.loc[both["feed"] == "live", "close"] == both.loc[both["feed"] == "live", "low"]).all()

    def test_a_proxy_is_stored_as_one_until_the_symbols_own_bar_comes(self, live):
        own = next(bar for bar in live.bars([0]) if bar.symbol == "ADI")
        live.stream(0, bars=[own._replace(source="proxy:AAPL", close=own.high, revision=UPDATED)])
        frame = save_stream(live.platform, key()).bars
        assert frame["source"].tolist() == ["proxy:AAPL"]
        live.platform.streams.bars.add([own])
        frame = save_stream(live.platform, key()).bars
        assert frame[["source", "close"]].values.tolist() == [["feed", own.close]]

    def test_symbols_of_another_sector_are_not_its(self, live):
        live.stream(0, bars=[*live.bars([0]), live.bars([0])[0]._replace(symbol="XOM")])
        frame = save_stream(live.platform, key()).bars
        assert set(frame["symbol"]) == set(SYMBOLS)

    def test_nothing_streamed_is_told(self, live):
        with pytest.raises(NotFound, match=r"has been streamed in run mode replay: start `pairs-platform live`"):
            save_stream(live.platform, key())
        result = live.run("stream_save")
        assert "has been streamed in run mode replay" in failure(result, "streamed_bars")


class TestChecks:
    def test_streamed_bars_are_those_of_the_price_history(self, live):
        name = "streamed_bars:matches_price_history"
        assert "was not streamed" in check(live.platform, name, session=SESSION).description
        live.stream(*range(len(GRID)))
        save_stream(live.platform, key())
        assert check(live.platform, name, session=SESSION).passed
        odd = live.bars([2])[3]
        live.platform.streams.bars.add([odd._replace(close=odd.close * 1.0001, high=odd.high * 2, revision=UPDATED)])
        save_stream(live.platform, key())
        found = check(live.platform, name, session=SESSION)
        assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.WARN)
        stamp = pd.Timestamp(odd.ts_ns).strftime("%Y-%m-%d %H:%M")
        assert (
            f"1 of 56 bars of history differ from the stream: close_differs 1; first: {odd.symbol} {stamp}"
            in found.description
        )

    def test_a_proxys_bars_are_not_compared_and_their_places_are_missing(self, live):
        others = [bar for bar in live.bars() if bar.symbol != "ADI"]
        proxied = [bar._replace(source="proxy:AAPL") for bar in live.bars() if bar.symbol == "ADI"]
        live.stream(*range(len(GRID)), bars=[*others, *proxied])
        save_stream(live.platform, key())
        found = check(live.platform, "streamed_bars:matches_price_history", session=SESSION)
        assert "not_streamed 7" in found.description

    def test_signals_are_those_of_the_batch_path(self, live):
        name = "signals:matches_batch"
        assert "has no signals that can be compared" in check(live.platform, name, session=SESSION).description
        promote(live.platform, 1, SESSIONS[0])
        challenge(live.platform, 2)
        live.hour_by_hour()
        found = check(live.platform, name, session=SESSION)
        assert found.passed, found.description
        assert found.metadata["signals"].value >= 3 * len(GRID)
        with live.platform.database.begin() as connection:
            chosen = (SIGNALS.c.pair == FIRST_PAIR) & (SIGNALS.c.bar_utc == moment_utc(GRID[3].start_ns))
            connection.execute(sa.update(SIGNALS).where(chosen).values(z=SIGNALS.c.z + 1e-6))
        found = check(live.platform, name, session=SESSION)
        assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.WARN)
        assert "1 of" in found.description
        assert f"first: {FIRST_PAIR} {moment_utc(GRID[3].start_ns):%Y-%m-%d %H:%M} UTC" in found.description

    def test_without_a_comparable_pair_there_is_nothing_to_compare(self, live):
        live.stream(0)
        live.compute()
        with live.platform.database.begin() as connection:
            connection.execute(sa.update(SIGNALS).values(position=1))
        assert check(live.platform, "signals:matches_batch", session=SESSION).passed

    def test_decided_after_its_data_and_in_time(self, live):
        live.hour_by_hour(2)
        live.stream(4, bars=live.bars([2, 3, 4]))
        live.compute()
        assert live.check("decided_after_data").passed
        found = live.check("in_time")
        assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.WARN)
        assert "40% of 5 bars late" in found.description
        with live.platform.database.begin() as connection:
            chosen = SIGNALS.c.bar_utc == moment_utc(GRID[1].start_ns)
            connection.execute(sa.update(SIGNALS).where(chosen).values(data_utc=moment_utc(GRID[1].end_ns)))
        found = live.check("decided_after_data")
        assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.ERROR)
        assert "know bars after their bucket" in found.description


class TestSensors:
    @pytest.fixture(autouse=True)
    def _do_not_wait(self, monkeypatch):
        monkeypatch.setattr(sensors, "BLOCK_MS", 1)

    def tick(self, platform: Platform, cursor: str | None = None):
        return sensors.signal_sensor(dg.build_sensor_context(resources={"platform": platform}, cursor=cursor))

    def test_a_complete_bar_is_requested_once(self, live):
        live.stream(0, 1)
        found = self.tick(live.platform)
        (request,) = found.run_requests
        assert request.job_name == "five_minute_signals"
        assert request.partition_key == str(key())
        newest = live.platform.streams.bar_closes.after()[-1].id
        assert request.run_key == f"signals|replay {newest}|{SECTOR}|2023-03-08T16:30:00Z"
        assert request.tags[sensors.SIGNALS_TAG] == SECTOR
        assert request.tags["dagster/priority"] == "20"
        assert request.tags["pairs_platform/bucket_ns"] == str(GRID[1].start_ns)
        again = self.tick(live.platform, found.cursor)
        assert "no bar has become complete" in again.skip_message

    def test_the_close_asks_for_the_bars_too(self, live):
        live.stream(6)
        jobs = {request.job_name: request for request in self.tick(live.platform).run_requests}
        assert set(jobs) == {"five_minute_signals", "stream_save"}
        assert sensors.SIGNALS_TAG not in jobs["stream_save"].tags

    def test_every_feed_has_a_place_of_its_own_in_the_cursor(self, live):
        live.stream(0)
        found = self.tick(live.platform, json.dumps({"live": "7-0"}))
        assert json.loads(found.cursor)["live"] == "7-0"
        assert json.loads(found.cursor)["replay"] == live.platform.streams.bar_closes.after()[-1].id

    def test_a_replay_that_begins_again_asks_again(self, live):
        live.stream(0)
        first = self.tick(live.platform)
        live.platform.streams.replay.reset()
        live.stream(0)
        second = self.tick(live.platform, first.cursor)
        keys = [found.run_requests[0].run_key for found in (first, second)]
        assert len(set(keys)) == 2
        assert len({key.split("|")[-1] for key in keys}) == 1

    def test_bars_of_a_session_that_has_not_opened_are_passed_over(self, live):
        opened = bar_intervals(CONFIGURED, Frequency.ONE_HOUR)[0].start_ns
        live.platform.streams.bar_closes.publish(BarClose(GRID[0], "grace", 1, 8, 0, 0))
        live.platform.streams.replay.publish_clock(opened, 0.0)
        found = self.tick(live.platform)
        assert found.run_requests == []
        assert found.skip_reason.skip_message == f"buckets of {SESSION}, while the market clock is in {CONFIGURED}"
        assert json.loads(found.cursor)["replay"] != "0-0"

    def test_bar_closes_without_a_clock_are_an_error(self, live):
        live.platform.streams.bar_closes.publish(BarClose(GRID[0], "grace", 1, 8, 0, 0))
        with pytest.raises(ClockUnknown):
            self.tick(live.platform)

    def test_where_nothing_was_ever_started_they_skip(self, copied):
        for sensor in (sensors.signal_sensor, sensors.health_sensor):
            found = sensor(dg.build_sensor_context(resources={"platform": copied}))
            assert "`pairs-platform live` starts one" in found.skip_message

    def test_the_collectors_health_is_an_observation(self, live):
        context = dg.build_sensor_context(resources={"platform": live.platform})
        assert sensors.health_sensor(context).skip_message == "no collector has run"
        live.stream(0)
        beat = str(time.time_ns())
        live.platform.streams.health.report({"state": "streaming", "reconnects": "2", "heartbeat_wall_ns": beat})
        found = sensors.health_sensor(context)
        (observation,) = found.asset_events
        assert observation.asset_key == dg.AssetKey("streamed_bars")
        shown = {name: value.value for name, value in observation.metadata.items()}
        assert shown == {
            "state": "streaming", "reconnects": "2", "heartbeat_wall_ns": beat, "symbols_with_bars": len(SYMBOLS),
        }  # fmt: skip
        live.platform.streams.health.report({"heartbeat_wall_ns": str(time.time_ns() - 60 * 10**9)})
        assert "the collector is gone" in str(sensors.health_sensor(context).skip_reason)
        live.platform.streams.replay.publish_clock(GRID[-1].end_ns + 1, 0.0)
        assert sensors.health_sensor(context).skip_message == "no session is open"


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
