import os
import threading
import time

import pytest
import redis

from pairs_platform.adapters.redis.connection import connect
from pairs_platform_tests.support.redis_streams import INTERVALS, NEXT, SESSION, bar_close, make_streams
from pairs_platform_tests.support.waiting import WAIT_SECONDS

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the embedded Redis needs Unix sockets")


def test_bar_closes_are_read_after_an_id_and_by_session(client):
    streams = make_streams(client)
    ids = [streams.bar_closes.publish(bar_close(place)) for place in range(3)]
    found = streams.bar_closes.after()
    assert [entry.id for entry in found] == ids
    assert found[0] == bar_close(0, id=ids[0])
    assert [entry.interval for entry in streams.bar_closes.after(ids[1])] == [INTERVALS[2]]
    assert streams.bar_closes.after(ids[2]) == []
    assert [entry.id for entry in streams.bar_closes.of_session(SESSION)] == ids
    assert streams.bar_closes.of_session(NEXT) == []


def test_a_bar_is_announced_once_whoever_says_it_again(client):
    first, second = make_streams(client), make_streams(client)
    name = first.bar_closes.publish(bar_close())
    assert second.bar_closes.publish(bar_close(reason="grace")) == name
    assert len(first.bar_closes.after()) == 1


def test_a_blocked_reader_wakes_with_the_announcement(client, server):
    streams, found = make_streams(client), []
    reader = threading.Thread(
        target=lambda: found.extend(make_streams(connect(None, server)).bar_closes.after("0-0", 4500))
    )
    reader.start()
    time.sleep(0.2)
    streams.bar_closes.publish(bar_close())
    reader.join(WAIT_SECONDS)
    assert [entry.interval for entry in found] == [INTERVALS[0]]
    with pytest.raises(ValueError, match="between 0 and 4500"):
        streams.bar_closes.after(block_ms=5000)


def test_a_read_that_blocks_in_vain_is_no_error(client):
    assert make_streams(client).bar_closes.after(block_ms=50) == []


def test_wrong_use_stays_an_error_of_the_program(client):
    with pytest.raises(redis.ResponseError):
        make_streams(client).bar_closes.after("no id")
