import os
import threading
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
import redis

from pairs_platform.adapters.redis.bus import StreamBus, address, connect, socket_path
from pairs_platform.core.errors import ClockUnknown, ConfigurationError, StreamUnavailable
from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.streaming.bars import BACKFILLED, UPDATED, StreamBar
from pairs_platform.core.streaming.intervals import BarClose, bar_intervals
from pairs_platform.core.streaming.settings import RunMode, StreamSettings
from pairs_platform.platform import open_bus
from pairs_platform.processes.runtime.redis_server import embedded_redis
from pairs_platform.settings.loading import load_settings
from pairs_platform_tests.support.waiting import WAIT_SECONDS

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the embedded Redis needs Unix sockets")

SESSION, NEXT = date(2024, 7, 2), date(2024, 7, 3)
INTERVALS = bar_intervals(SESSION, Frequency.FIVE_MINUTES)


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("redis")
    with embedded_redis(folder):
        yield folder


@pytest.fixture
def client(server) -> Iterator[redis.Redis]:
    found = connect(None, server)
    found.flushall()
    yield found
    found.close()


def make_bus(
    client: redis.Redis, run_mode: RunMode = "replay", profile: str = "p", wall=time.time_ns, **settings
) -> StreamBus:
    return StreamBus(client, profile=profile, run_mode=run_mode, settings=StreamSettings(**settings), wall=wall)


def bar(symbol: str = "AAA", place: int = 0, session: date = SESSION, **values) -> StreamBar:
    start = bar_intervals(session, Frequency.FIVE_MINUTES)[place].start_ns
    prices = {"open": 0.1 + 0.2, "high": 1e17 / 3, "low": 5e-324, "close": 1.0, "volume": 2**53, **values}
    return StreamBar(symbol, start, **prices)


def announcement(place: int = 0, **changes) -> BarClose:
    fields = {"reason": "all_in", "symbols_in": 3, "symbols_expected": 4, "market_ns": 5, "wall_ns": 6, **changes}
    return BarClose(INTERVALS[place], **fields)


def test_bars_come_back_exactly_in_the_order_of_arrival_by_session(client):
    bus = make_bus(client)
    first = [bar("BBB", 1), bar("AAA", 0, revision=BACKFILLED, source="backfill"), bar("AAA", 0, session=NEXT)]
    bus.add_bars(first)
    bus.add_bars([bar("AAA", 0, revision=UPDATED, source="proxy:AAPL")])
    bus.add_bars([])
    assert bus.bars(SESSION) == [first[0], first[1], bar("AAA", 0, revision=UPDATED, source="proxy:AAPL")]
    assert bus.bars(NEXT) == [first[2]]
    assert list(bus.places(SESSION)) == [(found.symbol, found.ts_ns) for found in bus.bars(SESSION)]
    assert bus.folded(SESSION).symbol.tolist() == ["AAA", "BBB"]
    assert bus.bars(date(2024, 7, 5)) == []


def test_a_stream_longer_than_a_page_is_read_whole(client, monkeypatch):
    monkeypatch.setattr("pairs_platform.adapters.redis.bus._PAGE", 7)
    bus = make_bus(client)
    bars = [bar("AAA", place) for place in range(21)]
    bus.add_bars(bars)
    assert bus.bars(SESSION) == bars


def test_the_newest_bar_of_a_symbol_never_goes_back(client):
    bus = make_bus(client)
    bus.add_bars([bar("AAA", 3), bar("AAA", 2), bar("BBB", 1)])
    bus.add_bars([bar("AAA", 1, revision=UPDATED), bar("BBB", 2)])
    assert bus.last_bars() == {"AAA": INTERVALS[3].start_ns, "BBB": INTERVALS[2].start_ns}


def test_streams_are_trimmed_and_expire(client):
    bus = make_bus(client, max_bars=1000, keep_days=3)
    for _ in range(4):
        bus.add_bars([bar()] * 500)
    (key,) = client.scan_iter("*:bars:*")
    assert 1000 <= client.xlen(key) < 1500
    bus.announce(announcement())
    bus.add_quarantined([{"symbol": "AAA", "reason": "no"}], SESSION)
    bus.set_actions(SESSION, [{"symbol": "AAA", "kind": "split", "value": 2.0}])
    for kept in ("bars", "announced", "quarantine", "actions"):
        (key,) = client.scan_iter(f"*:{kept}:*")
        assert 2 * 86_400 < client.ttl(key) <= 3 * 86_400


def test_profiles_and_run_modes_see_nothing_of_each_other(client):
    make_bus(client).add_bars([bar()])
    assert make_bus(client, run_mode="live").bars(SESSION) == []
    assert make_bus(client, profile="q").bars(SESSION) == []


def test_bar_closes_are_read_after_an_id_and_by_session(client):
    bus = make_bus(client)
    ids = [bus.announce(announcement(place)) for place in range(3)]
    found = bus.announcements()
    assert [entry.id for entry in found] == ids
    assert found[0] == announcement(0, id=ids[0])
    assert [entry.interval for entry in bus.announcements(after=ids[1])] == [INTERVALS[2]]
    assert bus.announcements(after=ids[2]) == []
    assert [entry.id for entry in bus.announced(SESSION)] == ids
    assert bus.announced(NEXT) == []


def test_a_bar_is_announced_once_whoever_says_it_again(client):
    first, second = make_bus(client), make_bus(client)
    name = first.announce(announcement())
    assert second.announce(announcement(reason="grace")) == name
    assert len(first.announcements()) == 1


def test_a_blocked_reader_wakes_with_the_announcement(client, server):
    bus, found = make_bus(client), []
    reader = threading.Thread(target=lambda: found.extend(make_bus(connect(None, server)).announcements("0-0", 4500)))
    reader.start()
    time.sleep(0.2)
    bus.announce(announcement())
    reader.join(WAIT_SECONDS)
    assert [entry.interval for entry in found] == [INTERVALS[0]]
    with pytest.raises(ValueError, match="between 0 and 4500"):
        bus.announcements(block_ms=5000)


def test_a_read_that_blocks_in_vain_is_no_error(client):
    assert make_bus(client).announcements(block_ms=50) == []


def test_market_time_is_the_wall_clock_or_the_replays_own(client):
    wall = [10**18]
    live = make_bus(client, run_mode="live", wall=lambda: wall[0])
    assert live.market_ns() == wall[0]
    replay = make_bus(client, wall=lambda: wall[0])
    with pytest.raises(ClockUnknown, match="no replay has published its clock"):
        replay.market_ns()
    replay.publish_clock(INTERVALS[0].start_ns, 60.0)
    wall[0] += 2 * 10**9
    assert replay.market_ns() == INTERVALS[0].start_ns + 120 * 10**9
    with pytest.raises(ValueError, match="only a replay publishes a clock"):
        live.publish_clock(0, 1.0)


def test_actions_are_replaced(client):
    bus = make_bus(client)
    split, dividend = {"symbol": "A", "kind": "split", "value": 2.0}, {"symbol": "B", "kind": "dividend", "value": 0.1}
    bus.set_actions(SESSION, [split])
    bus.set_actions(SESSION, [dividend, split])
    assert bus.actions(SESSION) == [dividend, split]
    bus.set_actions(SESSION, [])
    assert bus.actions(SESSION) == []


def test_the_set_of_symbols_is_the_settings_until_it_is_switched_for_both_run_modes(client):
    bus = make_bus(client, symbols="testing")
    assert bus.symbol_set() == "testing"
    bus.set_symbol_set("pairs")
    assert make_bus(client, run_mode="live").symbol_set() == "pairs"
    with pytest.raises(ValueError, match="valid: universe, pairs, testing"):
        bus.set_symbol_set("everything")


def test_a_reset_forgets_the_replay_and_nothing_else(client):
    bus, live = make_bus(client), make_bus(client, run_mode="live")
    live.add_bars([bar()])
    bus.add_bars([bar()])
    bus.announce(announcement())
    bus.publish_clock(5, 0.0)
    bus.set_health({"state": "streaming", "pid": "7"})
    bus.set_health({"state": "silent"})
    bus.set_symbol_set("pairs")
    assert bus.generation() == 0
    assert bus.reset() == 1
    assert bus.generation() == 1
    assert bus.bars(SESSION) == bus.announcements() == []
    assert bus.last_bars() == {}
    with pytest.raises(ClockUnknown):
        bus.market_ns()
    assert bus.health() == {"state": "silent", "pid": "7"}
    assert bus.symbol_set() == "pairs"
    assert live.bars(SESSION) == [bar()]
    assert bus.announce(announcement())
    with pytest.raises(ValueError, match="only a replay is reset"):
        live.reset()


def test_an_absent_server_is_never_no_data(tmp_path):
    bus = make_bus(connect(None, tmp_path))
    for read in (lambda: bus.bars(SESSION), bus.announcements, bus.health, bus.last_bars, bus.generation, bus.reset):
        with pytest.raises(StreamUnavailable, match="does not answer"):
            read()
    with pytest.raises(StreamUnavailable):
        bus.add_bars([bar()])


def test_a_message_names_the_server_without_its_password():
    client = connect("redis://somebody:secret-word@127.0.0.1:1/3", Path())
    assert address(client) == "127.0.0.1:1/3"
    with pytest.raises(StreamUnavailable) as raised:
        make_bus(client).health()
    assert "127.0.0.1:1/3" in str(raised.value)
    assert "secret-word" not in str(raised.value)
    with pytest.raises(ConfigurationError, match="PAIRS_PLATFORM__REDIS_URL is no address"):
        connect("http://example.com", Path())


def test_wrong_use_stays_an_error_of_the_program(client):
    with pytest.raises(redis.ResponseError):
        make_bus(client).announcements(after="no id")


def test_the_settings_name_the_server_and_the_run_mode(server, monkeypatch):
    monkeypatch.setenv("PAIRS_PLATFORM__REDIS_URL", f"unix://{server / 'redis.sock'}")
    bus = open_bus(load_settings())
    bus.set_health({"state": "streaming"})
    assert bus.run_mode == "replay"
    assert bus.health()["state"] == "streaming"
    assert open_bus(load_settings(), "live").run_mode == "live"


def test_what_is_there_already_is_refused_and_stays(client):
    bus = make_bus(client)
    bus.set_health({"state": "streaming"})
    rows = bus.dump()
    with pytest.raises(ConfigurationError, match="has keys of this profile already"):
        bus.load([(key, left, value) for key, left, value in rows])
    with pytest.raises(redis.ResponseError, match="BUSYKEY"), bus._speaking():
        client.restore(rows[0][0], 0, rows[0][2])
    assert bus.health() == {"state": "streaming"}


def test_a_long_path_gets_a_short_socket():
    long = Path("/") / ("x" * 120)
    assert len(str(socket_path(long))) <= 100
    assert socket_path(long) == socket_path(long) != socket_path(long / "y")
