"""`pairs-platform stream` over the profile's own Redis."""

import json
import socket
from collections.abc import Iterator

import pytest

from pairs_platform.adapters.redis.streams import Streams
from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.streaming.bars import StreamBar
from pairs_platform.core.streaming.contracts import STREAMED_BARS
from pairs_platform.core.streaming.intervals import BarClose, bar_intervals
from pairs_platform.database.audit import entries
from pairs_platform.database.signals import sessions_with_signals, store_signals
from pairs_platform.platform import Platform, open_database, open_streams
from pairs_platform.processes.runtime.redis_server import embedded_redis
from pairs_platform.processes.runtime.supervisor import PROCESSES_FILE
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.production import live_folder
from pairs_platform_tests.database.test_signals import GIVEN, LIVE, REPLAY, signal
from pairs_platform_tests.support.demo_profile import SECTOR, SESSION, key

GRID = bar_intervals(SESSION, Frequency.FIVE_MINUTES)


@pytest.fixture
def streams(monkeypatch) -> Iterator[Streams]:
    """The streams of the profile that the environment names, in its own Redis."""
    monkeypatch.setenv("COLUMNS", "200")
    settings = load_settings()
    with embedded_redis(settings.profile_root / "redis"):
        found = open_streams(settings)
        yield found
        found.close()


def bar(symbol: str = "AAPL", position: int = 0) -> StreamBar:
    return StreamBar(symbol, GRID[position].start_ns, 10.0, 11.0, 9.0, 10.5, 100)


@pytest.mark.parametrize("words", [["status"], ["symbols"], ["reset"], ["save"]])
def test_a_redis_that_is_not_there_is_told_with_the_remedy(console, words):
    shown = console("stream", *words)
    assert shown.exit_code == 1
    assert "does not answer" in shown.output
    assert "`pairs-platform live`" in shown.output
    assert "Traceback" not in shown.output


class TestStatus:
    def test_before_a_collector_ran(self, streams, console):
        shown = console("stream", "status")
        assert shown.exit_code == 0
        assert "no collector has run in the run mode replay" in shown.output

    def test_a_redis_that_drops_bars(self, streams, console):
        streams.connection.redis.config_set("maxmemory", "100mb")
        streams.connection.redis.config_set("maxmemory-policy", "allkeys-lru")
        for words in (["stream", "status"], ["doctor"]):
            shown = console(*words).output
            assert "drops bars when its 105 MB are full" in shown
            assert "set maxmemory-policy to noeviction" in shown

    def test_health_closes_and_processes(self, streams, console):
        streams.health.report({"state": "streaming", "heartbeat_wall_ns": str(GRID[1].end_ns), "reconnects": "3"})
        streams.trader.report({"state": "reducing", "broker": "internal paper broker"})
        streams.bars.add([bar(), bar("ADI", 1)])
        streams.bar_closes.publish(BarClose(GRID[0], "grace", 1, 2, GRID[0].end_ns, GRID[0].end_ns))
        folder = live_folder(load_settings())
        folder.mkdir(parents=True)
        gone = {"pid": 2**22 - 1, "process": f"{socket.gethostname()}/{2**22 - 1}/1", "restarts": 5, "command": []}
        (folder / PROCESSES_FILE).write_text(json.dumps({"collector": gone}))
        shown = console("stream", "status")
        assert shown.exit_code == 0, shown.output
        words = " ".join(shown.output.split())
        for told in (
            "streaming",
            "Trader",
            "reducing",
            "internal paper broker",
            "2023-03-08 14:40:00",
            "ADI",
            "2023-03-08 14:35:00",
            "grace",
            "4194303 no 5",
        ):
            assert told in words


class TestSymbols:
    def test_shown_and_switched(self, streams, console):
        assert "streamed symbols: universe" in console("stream", "symbols").output
        for _ in range(2):
            assert "streamed symbols: testing" in console("stream", "symbols", "testing").output
        assert streams.symbols.current() == "testing"
        (entry,) = entries(open_database(load_settings()))
        assert (entry.action, entry.detail) == ("symbols_switched", {"changed": ["universe", "testing"]})

    def test_another_name_is_refused(self, streams, console):
        shown = console("stream", "symbols", "everything")
        assert shown.exit_code == 2
        assert streams.symbols.current() == "universe"


def test_to_reset_forgets_replays_and_leaves_live_ones(streams, console):
    settings = load_settings()
    database, live = Platform(settings).database, open_streams(settings, "live")
    for where in (REPLAY, LIVE):
        store_signals(database, where, [signal()], GIVEN)
    for one in (streams, live):
        one.bars.add([bar()])
    shown = console("stream", "reset")
    assert shown.exit_code == 0, shown.output
    assert (streams.bars.of_session(SESSION), streams.replay.generation()) == ([], 1)
    assert len(live.bars.of_session(SESSION)) == 1
    live.close()
    assert sessions_with_signals(database, "replay", "technology") == []
    assert sessions_with_signals(database, "live", "technology") == [SESSION]


class TestSave:
    def test_the_session_of_the_market_clock_of_every_active_sector(self, copied, streams, console):
        streams.replay.reset()  # what the demo has replayed
        streams.bars.add([bar()])
        streams.replay.publish_clock(GRID[5].start_ns, 0.0)
        shown = console("stream", "save")
        assert shown.exit_code == 0, shown.output
        assert f"streamed_bars {key()}: 1 bars" in shown.output
        assert len(copied.lake.read(STREAMED_BARS, key())) == 1

    def test_a_session_that_was_not_streamed(self, copied, streams, console):
        shown = console("stream", "save", "--session", "2023-03-07", "--sector", SECTOR)
        assert shown.exit_code == 1
        assert "2023-03-07|technology was not stored" in shown.output
        assert "has been streamed in run mode replay" in shown.output

    def test_without_a_clock_it_asks_for_the_session(self, streams, console):
        shown = console("stream", "save")
        assert shown.exit_code == 1
        assert "no replay has published its clock" in shown.output
        assert "--session" in shown.output
        assert "Traceback" not in shown.output
