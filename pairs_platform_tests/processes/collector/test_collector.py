import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime
from http import HTTPStatus
from pathlib import Path

import pandas as pd
import pytest
from pydantic import SecretStr

from pairs_platform.adapters.redis.streams import Streams
from pairs_platform.core.errors import ConfigurationError, Refused
from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.core.prices.bars import BAR_COLUMNS, Frequency
from pairs_platform.core.prices.calendar import session_of
from pairs_platform.core.prices.contracts import CORPORATE_ACTIONS
from pairs_platform.core.streaming.bars import BACKFILLED, UPDATED
from pairs_platform.core.streaming.clock import LiveClock
from pairs_platform.core.streaming.intervals import bar_intervals
from pairs_platform.platform import open_lake, open_live_source, open_streams
from pairs_platform.ports.live_bars import ConnectionRefused, LiveSource
from pairs_platform.processes.collector import recorder
from pairs_platform.processes.collector.collector import Collector, run_collector
from pairs_platform.processes.collector.symbols import streamed_symbols
from pairs_platform.processes.replay.server import ReplayServer
from pairs_platform.processes.runtime.redis_server import embedded_redis
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.model import Settings
from pairs_platform.settings.variables import variable
from pairs_platform_tests.support.fake_live_bars import FakeLiveSource
from pairs_platform_tests.support.price_samples import make_actions, make_bars
from pairs_platform_tests.support.replays import WrittenBars, listen_locally, make_playlist
from pairs_platform_tests.support.stream_servers import ReplayHistory, StreamServer, bar_message
from pairs_platform_tests.support.vendor_servers import AlpacaServer, alpaca_bar, running
from pairs_platform_tests.support.waiting import WAIT_SECONDS, until

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the embedded Redis needs Unix sockets")

SESSION = date(2024, 3, 28)
SYMBOLS = ("AAA", "BBB", "CCC")
INTERVALS = bar_intervals(SESSION, Frequency.FIVE_MINUTES)
MINUTE = 60 * 10**9


def make_settings(**stream: object) -> Settings:
    block = {"symbols": "testing", "testing": SYMBOLS, "max_backoff_seconds": 1.0, **stream}
    source = {"source": {"kind": "alpaca"}} if block.get("mode") == "alpaca" else {}
    return load_settings({"stream": block, **source})


@contextmanager
def collecting(settings: Settings, source: LiveSource, **arguments: object) -> Iterator[Collector]:
    """A collector in a thread while the block runs."""
    collector, failures = Collector(settings, source, **arguments), []

    def run() -> None:
        try:
            asyncio.run(collector.run())
        except BaseException as error:
            failures.append(error)
            raise

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield collector
    finally:
        collector.stop()
        thread.join(WAIT_SECONDS)
        assert not thread.is_alive()
        assert not failures


class Market:
    """Redis, a stream and its history, for one replayed session."""

    def __init__(self, settings: Settings, stream: StreamServer, history: ReplayHistory) -> None:
        self.settings, self.stream, self.history = settings, stream, history
        self.streams: Streams = open_streams(settings)

    def collecting(self):
        source = open_live_source(self.settings, stream_url=self.stream.url, history_url=self.history.url)
        return collecting(self.settings, source)

    def connected(self) -> None:
        until(lambda: self.stream.connections and self.streams.health.read().get("state") == "streaming")

    def clock(self, market_ns: int, rate: float = 0.0) -> None:
        self.streams.replay.publish_clock(market_ns, rate)

    def play(self, place: int, symbols: tuple[str, ...] = SYMBOLS) -> None:
        """The bars of an interval, as streamed and as history has them."""
        interval = INTERVALS[place]
        self.record(place, symbols)
        self.clock(interval.end_ns)
        self.stream.send([bar_message(symbol, interval.start_ns, 10.0 + place) for symbol in symbols])

    def record(self, place: int, symbols: tuple[str, ...] = SYMBOLS) -> None:
        stamp = datetime.fromtimestamp(INTERVALS[place].start_ns / 1e9, UTC)
        for symbol in symbols:
            self.history.bars.setdefault((symbol, "5Min"), []).append(alpaca_bar(stamp, 10.0 + place))

    def announced(self) -> list[int]:
        return [INTERVALS.index(entry.interval) for entry in self.streams.bar_closes.of_session(SESSION)]

    def places(self) -> set[tuple[str, int]]:
        return {(bar.symbol, bar.ts_ns) for bar in self.streams.bars.of_session(SESSION)}


def places_of(intervals: range, symbols: tuple[str, ...] = SYMBOLS) -> set[tuple[str, int]]:
    return {(symbol, INTERVALS[place].start_ns) for place in intervals for symbol in symbols}


@contextmanager
def market(*, with_redis: bool = True, **stream: object) -> Iterator[Market]:
    settings, history = make_settings(**stream), ReplayHistory()
    with ExitStack() as stack:
        if with_redis:
            stack.enter_context(embedded_redis(settings.profile_root / "redis"))
        server = stack.enter_context(StreamServer().running())
        stack.enter_context(running(history))
        yield Market(settings, server, history)


def test_bars_are_stored_in_order_and_complete_bars_announced_once():
    with market() as now, now.collecting():
        now.clock(INTERVALS[0].start_ns)
        now.connected()
        assert now.stream.subscribed == {"bars": set(SYMBOLS), "updatedBars": set(SYMBOLS)}
        for place in range(3):
            now.play(place)
            until(lambda place=place: now.announced() == list(range(place + 1)))
        now.stream.send([bar_message("AAA", INTERVALS[1].start_ns, 99.0, "u")])
        now.stream.send([bar_message("BBB", INTERVALS[2].start_ns, 12.0, x="proxy:AAPL")])
        until(lambda: len(now.streams.bars.of_session(SESSION)) == 11)
        corrected, proxied = now.streams.bars.of_session(SESSION)[-2:]
        assert (corrected.revision, corrected.close, corrected.source) == (UPDATED, 99.0, "feed")
        assert proxied.source == "proxy:AAPL"
        assert now.announced() == [0, 1, 2]
        assert [entry.reason for entry in now.streams.bar_closes.of_session(SESSION)] == ["all_in"] * 3
        health = until(lambda: now.streams.health.read() if now.streams.health.read()["bars"] == "11" else None)
        assert (health["state"], health["symbols"], health["bar"], health["buckets"]) == ("streaming", "3", "5min", "3")
        assert int(health["newest_bar_ns"]) == INTERVALS[2].start_ns
        assert now.streams.bars.newest() == dict.fromkeys(SYMBOLS, INTERVALS[2].start_ns)


def test_refused_rows_are_quarantined_with_their_reason():
    with market() as now, now.collecting():
        now.clock(INTERVALS[0].end_ns)
        now.connected()
        good, start = bar_message("AAA", INTERVALS[0].start_ns), INTERVALS[0].start_ns
        now.stream.send(
            [
                bar_message("BBB", start, v=-1),
                bar_message("ZZZ", start),
                bar_message("CCC", start + MINUTE),
                {"T": "b", "S": "AAA", "t": "soon"},
                good,
            ]
        )
        rows = until(lambda: now.streams.quarantine.of_session(SESSION))
        until(lambda: now.places() == {("AAA", start)})
        reasons = "\n".join(row["reason"] for row in rows)
        for expected in (
            "volume is negative",
            "not asked for",
            "not at the start of a 5min bar",
            "ts_utc is not a time",
        ):
            assert expected in reasons
        assert len(rows) == 4


def test_a_bar_with_a_missing_symbol_waits_for_the_grace_time():
    with market() as now, now.collecting():
        now.clock(INTERVALS[0].start_ns)
        now.connected()
        now.play(0, ("AAA", "BBB"))
        until(lambda: len(now.places()) == 2)
        assert now.announced() == []
        now.clock(INTERVALS[0].end_ns + 6 * 10**9)
        until(lambda: now.announced() == [0])
        (entry,) = now.streams.bar_closes.of_session(SESSION)
        assert (entry.reason, entry.symbols_in, entry.symbols_expected) == ("grace", 2, 3)


def test_a_broken_connection_is_made_again_and_the_gap_filled():
    with market() as now, now.collecting():
        now.clock(INTERVALS[0].start_ns)
        now.connected()
        now.play(0)
        until(lambda: now.announced() == [0])
        for place in (1, 2, 3):  # 3 has not ended when the gap is filled
            now.record(place)
        now.clock(INTERVALS[2].end_ns)
        now.stream.drop()
        until(lambda: now.announced() == [0, 1, 2])
        assert now.places() == places_of(range(3))
        filled = [bar for bar in now.streams.bars.of_session(SESSION) if bar.ts_ns > INTERVALS[0].start_ns]
        assert {(bar.revision, bar.source) for bar in filled} == {(BACKFILLED, "backfill")}
        assert len(filled) == 6  # what is held already is not fetched again
        health = until(lambda: now.streams.health.read() if now.streams.health.read()["gaps_filled"] == "6" else None)
        assert int(health["reconnects"]) >= 1


def test_a_bar_that_was_corrected_while_nobody_listened_is_fetched_again():
    with market() as now, now.collecting():
        now.clock(INTERVALS[0].start_ns)
        now.connected()
        now.play(0)
        until(lambda: now.announced() == [0])
        now.stream.send([bar_message("BBB", INTERVALS[0].start_ns, 77.0, "u")])
        until(lambda: len(now.streams.bars.of_session(SESSION)) == 4)
        stamp = datetime.fromtimestamp(INTERVALS[0].start_ns / 1e9, UTC)
        for symbol in ("AAA", "BBB"):
            now.history.bars[symbol, "5Min"][0] = alpaca_bar(stamp, 55.0)
        now.stream.drop()
        until(lambda: len(now.streams.bars.of_session(SESSION)) == 5)
        closes = {bar.symbol: bar for bar in now.streams.bars.of_session(SESSION)}
        assert (closes["AAA"].close, closes["AAA"].revision) == (55.0, BACKFILLED)
        assert closes["BBB"].close == 77.0, "what was corrected by the stream stays"


def test_a_proxys_bars_keep_their_mark_when_they_are_fetched():
    with market() as now:
        now.record(0)
        now.history.bars["AAA", "5Min"][0]["x"] = "proxy:AAPL"
        with now.collecting():
            now.clock(INTERVALS[0].end_ns)
            until(lambda: len(now.places()) == 3)
            assert {bar.symbol: bar.source for bar in now.streams.bars.of_session(SESSION)} == {
                "AAA": "proxy:AAPL",
                "BBB": "backfill",
                "CCC": "backfill",
            }


def test_a_silent_socket_is_replaced_while_the_market_trades_and_left_alone_afterwards():
    with market(data_timeout_seconds=1.0) as now, now.collecting():
        now.clock(INTERVALS[-1].end_ns + 3600 * 10**9, rate=600.0)
        now.connected()
        held = now.stream.attempts
        time.sleep(2.5)
        assert now.stream.attempts == held
        now.clock(INTERVALS[3].start_ns, rate=600.0)
        until(lambda: now.stream.attempts > held)


def test_wrong_keys_cause_no_storm_and_new_keys_need_no_restart():
    settings, server = make_settings(mode="alpaca"), StreamServer()
    server.keys = ("new", "secret")
    keys = [(SecretStr("old"), SecretStr("wrong-key-never-shown"))]
    with embedded_redis(settings.profile_root / "redis"), server.running(), running(ReplayHistory()) as history:
        source = open_live_source(settings, keys=lambda: keys[0], stream_url=server.url, history_url=history.url)
        streams = open_streams(settings)
        with collecting(settings, source):
            until(lambda: streams.health.read().get("state") == "auth_failed")
            assert "auth failed" in streams.health.read()["detail"]
            assert "never-shown" not in str(streams.health.read())
            time.sleep(3)
            assert server.attempts == 1
        with collecting(settings, source, refused_seconds=0.5):
            until(lambda: server.attempts >= 2)
            keys[0] = (SecretStr("new"), SecretStr("secret"))
            until(lambda: streams.health.read().get("state") == "streaming")


def test_keys_in_files_are_read_again_at_each_attempt(monkeypatch, tmp_path):
    """Rotation: the vendor changes the key, then the file is replaced; an empty file in between is no crash."""
    files = {"APCA_API_KEY_ID": tmp_path / "id", "APCA_API_SECRET_KEY": tmp_path / "secret"}
    for name, path in files.items():
        path.write_text("old")
        path.chmod(0o600)
        monkeypatch.setenv(f"{name}_FILE", str(path))
    for name, value in {"stream.mode": "alpaca", "source.kind": "alpaca"}.items():
        monkeypatch.setenv(variable(name), value)
    settings, server = make_settings(mode="alpaca"), StreamServer()
    server.keys = ("old", "old")
    with embedded_redis(settings.profile_root / "redis"), server.running(), running(ReplayHistory()) as history:
        streams = open_streams(settings)
        source = open_live_source(settings, stream_url=server.url, history_url=history.url)
        with collecting(settings, source, refused_seconds=0.3):
            until(lambda: streams.health.read().get("state") == "streaming")
            server.keys = ("new", "newer")
            server.drop()
            until(lambda: streams.health.read().get("state") == "auth_failed")
            files["APCA_API_KEY_ID"].write_text("")
            until(lambda: "is empty: write the secret into it" in streams.health.read().get("detail", ""))
            files["APCA_API_KEY_ID"].write_text("new\n")
            files["APCA_API_SECRET_KEY"].write_text("newer\n")
            until(lambda: streams.health.read().get("state") == "streaming")


@pytest.mark.parametrize("refusal", [(406, "connection limit exceeded"), HTTPStatus.TOO_MANY_REQUESTS])
def test_a_limit_causes_no_storm(refusal):
    with market() as now:
        now.stream.refusal = refusal if isinstance(refusal, tuple) else None
        now.stream.status = refusal if isinstance(refusal, HTTPStatus) else None
        with now.collecting():
            until(lambda: now.streams.health.read().get("state") == "rate_limited")
            time.sleep(3)
            assert now.stream.attempts == 1


def test_a_wrong_address_ends_it_at_once_and_is_named():
    with market() as now:
        now.stream.status = HTTPStatus.NOT_FOUND
        source = open_live_source(now.settings, stream_url=now.stream.url, history_url=now.history.url)
        with pytest.raises(Refused, match=r"no stream at ws://.*404.*source\.alpaca\.feed"):
            asyncio.run(Collector(now.settings, source).run())
        assert now.stream.attempts == 1
        health = now.streams.health.read()
        assert (health["state"], "404" in health["detail"]) == ("wrong_address", True)


def test_a_redis_that_drops_bars_is_in_the_health():
    with market() as now:
        now.streams.connection.redis.config_set("maxmemory", "100mb")
        now.streams.connection.redis.config_set("maxmemory-policy", "allkeys-lru")
        with now.collecting():
            until(lambda: "drops bars" in now.streams.health.read().get("detail", ""))
            assert "maxmemory-policy to noeviction" in now.streams.health.read()["detail"]


def test_missing_keys_are_named_before_anything_starts():
    with pytest.raises(ConfigurationError, match="APCA_API_KEY_ID"):
        run_collector(make_settings(mode="alpaca"))


def test_alpaca_streams_minutes_alone():
    with pytest.raises(ConfigurationError, match=r"unset stream\.bar"):
        run_collector(make_settings(mode="alpaca", bar="5min"))


def test_an_absent_server_is_tried_again_ever_more_slowly():
    with market() as now:
        stream_url = now.stream.url.replace(now.stream.url.split(":")[2].split("/")[0], "1")
        source = open_live_source(now.settings, stream_url=stream_url, history_url=now.history.url)
        with collecting(now.settings, source):
            until(lambda: now.streams.health.read().get("state") == "disconnected")
            assert now.streams.health.read()["detail"]


def test_bars_that_come_while_redis_is_away_are_kept_and_lost_ones_fetched(monkeypatch):
    monkeypatch.setattr(recorder, "BUFFER_BARS", 5)
    with market(with_redis=False) as now:
        folder = now.settings.profile_root / "redis"
        with ExitStack() as first:
            first.enter_context(embedded_redis(folder))
            collector = now.collecting()
            with collector:
                now.clock(INTERVALS[0].start_ns)
                now.connected()
                now.play(0)
                until(lambda: now.announced() == [0])
                first.close()
                time.sleep(0.5)
                for place in (1, 2, 3):
                    now.record(place)
                    now.stream.send([bar_message(symbol, INTERVALS[place].start_ns) for symbol in SYMBOLS])
                time.sleep(0.5)
                with embedded_redis(folder):
                    now.clock(INTERVALS[3].end_ns)
                    until(lambda: now.announced() == [0, 1, 2, 3])
                    assert now.places() == places_of(range(4))
                    health = until(
                        lambda: now.streams.health.read() if int(now.streams.health.read()["redis_outages"]) else None
                    )
                    assert (health["redis_outages"], health["dropped"]) == ("1", "4")


def test_the_symbols_can_be_switched_on_the_fly():
    with market(testing=("AAA", "BBB")) as now, now.collecting():
        now.clock(INTERVALS[0].start_ns)
        now.connected()
        assert now.stream.subscribed["bars"] == {"AAA", "BBB"}
        now.streams.symbols.switch("universe")
        technology = {listing.symbol for listing in now.settings.listings("technology")}
        until(lambda: now.stream.subscribed == {"bars": technology, "updatedBars": technology})
        assert now.stream.attempts == 1


def test_a_replay_that_is_reset_begins_anew():
    with market() as now, now.collecting():
        now.clock(INTERVALS[0].start_ns)
        now.connected()
        for place in range(2):
            now.play(place)
        until(lambda: now.announced() == [0, 1])
        now.history.bars.clear()
        now.streams.replay.reset()
        assert now.announced() == []
        now.clock(INTERVALS[0].start_ns)
        time.sleep(0.5)
        now.play(0)
        until(lambda: now.announced() == [0])
        assert now.places() == places_of(range(1))


def test_a_replay_at_full_speed_arrives_whole_and_completes_every_bar_with_all_symbols():
    sessions = (date(2024, 7, 2), date(2024, 7, 3))
    bars = make_bars(sessions, symbols=SYMBOLS)
    settings = make_settings(testing=(*SYMBOLS, "PPP"), replay={"proxied": ("PPP",), "proxy": "AAA"})
    playlist = make_playlist(
        WrittenBars(bars), mode="date_range", first=sessions[0], last=sessions[1], proxied=("PPP",), proxy="AAA"
    )
    with embedded_redis(settings.profile_root / "redis"), listen_locally(0) as listener:
        streams = open_streams(settings)
        server = ReplayServer(playlist, streams.replay)
        thread = threading.Thread(target=server.serve, args=(listener,))
        thread.start()
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        try:
            source = open_live_source(settings, stream_url=f"ws://{address}/v2/iex", history_url=f"http://{address}")
            with collecting(settings, source):
                until(lambda: len(streams.bar_closes.of_session(sessions[1])) == 42)
                assert len(streams.bar_closes.of_session(sessions[0])) == 78
                for session in sessions:
                    assert {entry.reason for entry in streams.bar_closes.of_session(session)} == {"all_in"}
                    frame = streams.bars.merged(session).frame()
                    played = bars[session_of(bars["ts_utc"]) == pd.Timestamp(session)]
                    proxied = frame[frame["symbol"] == "PPP"]
                    assert set(proxied["source"]) == {"proxy:AAA"}
                    assert len(proxied) == len(played) // 3
                    real = frame[frame["symbol"] != "PPP"][list(BAR_COLUMNS)].reset_index(drop=True)
                    pd.testing.assert_frame_equal(real, played.reset_index(drop=True), check_dtype=False)
        finally:
            server.stop()
            thread.join(WAIT_SECONDS)


def test_corporate_actions_of_a_replay_come_from_the_lake():
    with market() as now:
        actions = make_actions(
            ("AAA", "2024-03-28", "split", 2.0, "2024-03-28T13:30"),
            ("ZZZ", "2024-03-28", "dividend", 0.5, "2024-03-28"),
        )
        open_lake(now.settings).write(CORPORATE_ACTIONS, PartitionKey(SESSION, "technology"), actions, {})
        with now.collecting():
            now.clock(INTERVALS[0].end_ns)
            until(lambda: now.streams.actions.of_session(SESSION) == [{"symbol": "AAA", "kind": "split", "value": 2.0}])


def test_a_live_feed_follows_its_own_clock_and_fetches_what_it_missed():
    """Minutes from Alpaca: the first five are fetched, the actions of the day too, and a jump of the wall clock is
    reported and moves nothing.
    """
    settings, server, history = make_settings(mode="alpaca"), StreamServer(), AlpacaServer()
    jump_ns = [0]
    monotonic = time.monotonic_ns
    start_ns = INTERVALS[0].end_ns + MINUTE // 2 - monotonic()
    clock = LiveClock(lambda: start_ns + monotonic() + jump_ns[0], monotonic)
    for minute in range(7):  # one of them has not ended, one lies in the future
        stamp = datetime.fromtimestamp((INTERVALS[0].start_ns + minute * MINUTE) / 1e9, UTC)
        for symbol in SYMBOLS:
            history.bars.setdefault((symbol, "1Min"), []).append(alpaca_bar(stamp, 10.0 + minute))
    split = {"id": "1", "symbol": "BBB", "new_rate": 3, "old_rate": 1}
    history.actions["forward_splits"] = [{**split, "ex_date": "2024-03-28", "process_date": "2024-03-28"}]
    keys = (SecretStr(AlpacaServer.KEY_ID), SecretStr(AlpacaServer.SECRET_KEY))
    with embedded_redis(settings.profile_root / "redis"), server.running(), running(history):
        streams = open_streams(settings)
        source = open_live_source(settings, keys=lambda: keys, stream_url=server.url, history_url=history.url)
        with collecting(settings, source, clock=clock):
            until(lambda: [entry.interval for entry in streams.bar_closes.of_session(SESSION)] == [INTERVALS[0]])
            assert len(streams.bars.of_session(SESSION)) == 15
            assert streams.run_mode == "live"
            assert streams.actions.of_session(SESSION) == [{"symbol": "BBB", "kind": "split", "value": 3.0}]
            jump_ns[0] = 3600 * 10**9
            until(lambda: float(streams.health.read()["clock_offset_seconds"]) == 3600.0)
            server.send([bar_message(symbol, INTERVALS[1].start_ns) for symbol in SYMBOLS])
            until(lambda: len(streams.bars.of_session(SESSION)) == 18)
            assert len(streams.bar_closes.of_session(SESSION)) == 1


def test_a_source_of_another_vendor_is_collected_resubscribed_and_left_alone_when_it_refuses():
    settings, source = make_settings(symbols="pairs"), FakeLiveSource(Frequency.FIVE_MINUTES)
    with embedded_redis(settings.profile_root / "redis"):
        streams = open_streams(settings)
        streams.replay.publish_clock(INTERVALS[0].end_ns, 0.0)
        streams.symbols.switch("testing")
        with collecting(settings, source):
            until(lambda: source.subscribed == [set(SYMBOLS)])
            source.send([bar_message(symbol, INTERVALS[0].start_ns) for symbol in SYMBOLS])
            until(lambda: len(streams.bar_closes.of_session(SESSION)) == 1)
            assert {bar.symbol for bar in streams.bars.of_session(SESSION)} == set(SYMBOLS)
            streams.symbols.switch("universe")
            until(lambda: len(source.subscribed) == 2)
            assert source.subscribed[1] == set(streamed_symbols(settings, "universe", SESSION))
            source.refusal = ConnectionRefused("rate_limited", "too many")
            source.drop()
            until(lambda: streams.health.read().get("state") == "rate_limited")
            assert streams.health.read()["detail"] == "too many"
            assert source.attempts == 2
        assert source.is_shut


@contextmanager
def collector_process(now: Market, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    script = (
        "import asyncio, sys\n"
        "from pairs_platform.settings.loading import load_settings\n"
        "from pairs_platform.platform import open_live_source\n"
        "from pairs_platform.processes.collector.collector import Collector\n"
        "settings = load_settings()\n"
        "source = open_live_source(settings, stream_url=sys.argv[1], history_url=sys.argv[2])\n"
        "asyncio.run(Collector(settings, source).run())\n"
    )
    environment = {
        **os.environ,
        "PAIRS_PLATFORM__STREAM__SYMBOLS": "testing",
        "PAIRS_PLATFORM__STREAM__TESTING": '["AAA","BBB","CCC"]',
        "PAIRS_PLATFORM__STREAM__MAX_BACKOFF_SECONDS": "1",
    }
    with log.open("ab") as output:
        command = [sys.executable, "-c", script, now.stream.url, now.history.url]
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
        try:
            yield process
        finally:
            process.kill()
            process.wait(WAIT_SECONDS)


def test_a_killed_collector_continues_without_loss_and_announces_nothing_twice(tmp_path):
    with market() as now:
        with collector_process(now, tmp_path / "log") as first:
            now.clock(INTERVALS[0].start_ns)
            until(lambda: now.stream.connections)
            for place in range(2):
                now.play(place)
                until(lambda place=place: now.announced() == list(range(place + 1)))
            now.play(2, ("AAA",))
            until(lambda: len(now.places()) == 7)
            first.send_signal(signal.SIGKILL)
            first.wait(WAIT_SECONDS)
        until(lambda: not now.stream.connections)
        now.record(2, ("BBB", "CCC"))
        now.record(3)
        now.clock(INTERVALS[3].end_ns)
        with collector_process(now, tmp_path / "log") as second:
            until(lambda: now.announced() == [0, 1, 2, 3])
            assert now.places() == places_of(range(4))
            now.play(4)
            until(lambda: now.announced() == [0, 1, 2, 3, 4])
            second.send_signal(signal.SIGTERM)
            assert second.wait(WAIT_SECONDS) == 0
        assert (now.streams.health.read()["state"], now.streams.health.read()["detail"]) == ("disconnected", "stopped")
