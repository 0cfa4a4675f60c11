"""Signals and streamed bars of the demo's last session, streamed into a real Redis, as assets, checks and sensors."""

import json
import signal as os_signal
import time
from pathlib import Path

import dagster as dg
import pandas as pd
import psutil
import pytest
import sqlalchemy as sa

from pairs_platform.core.errors import ClockUnknown, NothingStreamed, PartitionMissing, StreamUnavailable
from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.prices.contracts import PRICE_HISTORY
from pairs_platform.core.streaming.bars import UPDATED
from pairs_platform.core.streaming.contracts import STREAMED_BARS
from pairs_platform.core.streaming.intervals import BarClose, bar_intervals
from pairs_platform.core.time import moment_utc
from pairs_platform.database.tables import SIGNALS
from pairs_platform.defs.outcomes import without_useless_retries
from pairs_platform.defs.signals import sensors
from pairs_platform.platform import Platform
from pairs_platform.processes.runtime.redis_server import embedded_redis
from pairs_platform.settings.hints import stored_hint
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.variables import variable
from pairs_platform.workflows.streamed_bars import save_stream
from pairs_platform_tests.support.decisions import promote
from pairs_platform_tests.support.demo_profile import SECTOR, SESSION, SESSIONS, SYMBOLS, key
from pairs_platform_tests.support.runs import check, failure
from pairs_platform_tests.support.streamed_profile import (
    CONFIGURED,
    FIRST_PAIR,
    GRID,
    N_PAIRS,
    Live,
    challenge,
    live,
    never_streamed,
    server,
    without_pairs,
)
from pairs_platform_tests.support.waiting import WAIT_SECONDS

__all__ = ["live", "server"]


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
        assert page.metadata["bars_stored"].value == [f"{moment_utc(GRID[1].start_ns):%Y-%m-%d %H:%M:%S} UTC"]
        assert FIRST_PAIR in [record.data["pair"] for record in page.metadata["newest_signals"].records]
        assert "data:image" in page.metadata["plot_session_so_far"].value


class TestConfiguration:
    def test_without_a_pair_nothing_is_stored(self, live):
        without_pairs(live.platform)
        live.stream(0, 1)
        assert live.compute().note == f"the configuration of {CONFIGURED} has no pair"
        assert live.run("five_minute_signals").success
        assert live.rows.empty

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


class TestRedisAway:
    @pytest.fixture
    def gone(self, copied, tmp_path, monkeypatch) -> Live:
        """A Redis that was started, had a bar, and was killed."""
        folder = tmp_path / "r"
        monkeypatch.setenv(variable("redis_url"), f"unix://{folder / 'redis.sock'}")
        found = never_streamed(Live(Platform(load_settings())))
        with embedded_redis(folder):
            found.stream(0)
            (child,) = [one for one in psutil.Process().children() if Path(one.cwd()) == folder]
            child.send_signal(os_signal.SIGKILL)
            child.wait(WAIT_SECONDS)
        return found

    def test_a_run_fails_to_be_tried_again_and_stores_nothing(self, gone):
        with pytest.raises(StreamUnavailable) as failed, without_useless_retries(dg.build_asset_context(), None):
            gone.compute()
        assert f"start it with `{stored_hint('live')}`" in "\n".join(failed.value.__notes__)
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
        assert set(frame["run_mode"]) == {"replay"}
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

    def test_nothing_streamed_is_told(self, live):
        with pytest.raises(NothingStreamed):
            save_stream(live.platform, key())
        told = failure(live.run("stream_save"), "streamed_bars")
        assert f"has been streamed in run mode replay; start `{stored_hint('live')}`, or look at" in told


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
        assert "1 of 56 bars differ between history and stream" in found.description
        stamp = pd.Timestamp(odd.ts_ns).strftime("%Y-%m-%d %H:%M")
        assert f"close_differs 1; first: {odd.symbol} {stamp}" in found.description

    def test_an_hour_of_replay_is_compared_with_that_hour_alone(self, live):
        live.stream(0)
        save_stream(live.platform, key())
        found = check(live.platform, "streamed_bars:matches_price_history", session=SESSION)
        assert found.passed
        assert "0 of 8 bars differ" in found.description
        coverage = check(live.platform, "streamed_bars:session_streamed", session=SESSION)
        assert coverage.passed
        assert "replayed from 09:30 to 10:30 New York, 14% of the session's bars" in coverage.description

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
        assert "know bars after their own" in found.description


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
        assert found.skip_reason.skip_message == f"bars of {SESSION}, while the market clock is in {CONFIGURED}"
        assert json.loads(found.cursor)["replay"] != "0-0"

    def test_bar_closes_without_a_clock_are_an_error(self, live):
        live.platform.streams.bar_closes.publish(BarClose(GRID[0], "grace", 1, 8, 0, 0))
        with pytest.raises(ClockUnknown):
            self.tick(live.platform)

    def test_where_nothing_was_ever_started_they_skip_and_start_nothing(self, copied):
        processes = psutil.Process().children()
        for sensor in (sensors.signal_sensor, sensors.health_sensor):
            found = sensor(dg.build_sensor_context(resources={"platform": copied}))
            assert f"`{stored_hint('live')}` starts one" in found.skip_message
        assert "streams" not in vars(copied), "nothing was opened"
        assert psutil.Process().children() == processes

    def test_a_stream_that_is_stopped_while_they_wait_is_no_failure(self, copied, monkeypatch):
        said = iter(["", "it has ended"] * 2)
        monkeypatch.setattr(sensors, "_no_stream", lambda _: next(said))
        for sensor in (sensors.signal_sensor, sensors.health_sensor):
            found = sensor(dg.build_sensor_context(resources={"platform": copied}))
            assert found.skip_message == "it has ended"

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
