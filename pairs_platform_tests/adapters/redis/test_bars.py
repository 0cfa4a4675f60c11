import os
from datetime import date

import pytest

from pairs_platform.core.streaming.bars import BACKFILLED, UPDATED
from pairs_platform_tests.support.redis_streams import INTERVALS, NEXT, SESSION, bar, make_streams

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the embedded Redis needs Unix sockets")


def test_bars_come_back_exactly_in_the_order_of_arrival_by_session(client):
    streams = make_streams(client)
    first = [bar("BBB", 1), bar("AAA", 0, revision=BACKFILLED, source="backfill"), bar("AAA", 0, session=NEXT)]
    streams.bars.add(first)
    streams.bars.add([bar("AAA", 0, revision=UPDATED, source="proxy:AAPL")])
    streams.bars.add([])
    assert streams.bars.of_session(SESSION) == [
        first[0],
        first[1],
        bar("AAA", 0, revision=UPDATED, source="proxy:AAPL"),
    ]
    assert streams.bars.of_session(NEXT) == [first[2]]
    assert list(streams.bars.starts(SESSION)) == [
        (found.symbol, found.ts_ns) for found in streams.bars.of_session(SESSION)
    ]
    assert streams.bars.merged(SESSION).symbol.tolist() == ["AAA", "BBB"]
    assert streams.bars.of_session(date(2024, 7, 5)) == []


def test_a_stream_longer_than_a_page_is_read_whole(client, monkeypatch):
    monkeypatch.setattr("pairs_platform.adapters.redis.connection.PAGE", 7)
    streams = make_streams(client)
    bars = [bar("AAA", place) for place in range(21)]
    streams.bars.add(bars)
    assert streams.bars.of_session(SESSION) == bars


def test_the_newest_bar_of_a_symbol_never_goes_back(client):
    streams = make_streams(client)
    streams.bars.add([bar("AAA", 3), bar("AAA", 2), bar("BBB", 1)])
    streams.bars.add([bar("AAA", 1, revision=UPDATED), bar("BBB", 2)])
    assert streams.bars.newest() == {"AAA": INTERVALS[3].start_ns, "BBB": INTERVALS[2].start_ns}


def test_profiles_and_run_modes_see_nothing_of_each_other(client):
    make_streams(client).bars.add([bar()])
    assert make_streams(client, run_mode="live").bars.of_session(SESSION) == []
    assert make_streams(client, profile="q").bars.of_session(SESSION) == []
