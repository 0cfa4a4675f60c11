"""A simulated broker that the streamed bars of a profile move."""

import os
import time
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest

from pairs_platform.adapters.redis.connection import connect
from pairs_platform.adapters.redis.streams import Streams
from pairs_platform.core.time import moment_utc
from pairs_platform.processes.broker.server import BrokerServer
from pairs_platform.processes.broker.streamed import StreamedMarket
from pairs_platform.processes.runtime.redis_server import embedded_redis
from pairs_platform_tests.support.redis_streams import INTERVALS, bar, bar_close, make_streams
from pairs_platform_tests.support.simulated_broker import OPEN, simulated_broker
from pairs_platform_tests.support.waiting import until

LEEWAY = timedelta(seconds=6)
"""Of the market, which goes 600 times faster than the test."""

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the embedded Redis needs Unix sockets")


@pytest.fixture
def streams(tmp_path) -> Iterator[Streams]:
    with embedded_redis(tmp_path / "redis"):
        client = connect(None, tmp_path / "redis")
        yield make_streams(client)
        client.close()


def price(server: BrokerServer, symbol: str) -> Decimal:
    return server.do(lambda: server.prices(symbol))


def test_prices_are_the_closes_of_the_newest_bar_and_time_is_the_market_s(streams):
    with simulated_broker(beside=lambda server: StreamedMarket(streams, server).run) as broker:
        server = broker.server
        for place, close in ((0, 11.0), (1, 12.25)):
            streams.bars.add([bar("AAA", place, close=close), bar("OTHER", place, close=5.0)])
            streams.bar_closes.publish(bar_close(place))
        streams.bars.add([bar("AAA", 2, close=99.0)])  # has not closed yet
        streams.replay.publish_clock(INTERVALS[1].end_ns, 0.0)
        until(lambda: price(server, "AAA") == Decimal("12.25"))
        assert price(server, "BBB") == 20
        now = server.do(server.market.now)
        assert now >= moment_utc(INTERVALS[1].end_ns)
        assert server.do(server.market.is_open)
        streams.bars.add([bar("AAA", 2, close=13.0)])
        streams.bar_closes.publish(bar_close(2))
        until(lambda: price(server, "AAA") == 13)


def test_its_time_is_that_of_the_replay_at_any_moment(streams):
    """Orders are asked for from the moment on at which they were written down: the broker's time must not lag."""
    streams.replay.publish_clock(INTERVALS[1].end_ns, 600.0)
    with simulated_broker(beside=lambda server: StreamedMarket(streams, server).run) as broker:
        until(lambda: broker.server.do(broker.server.market.now) < OPEN)
        for _ in range(20):
            before = streams.clock.now_ns()
            now = broker.server.do(broker.server.market.now)
            assert moment_utc(before) - LEEWAY <= now <= moment_utc(streams.clock.now_ns()) + LEEWAY
            time.sleep(0.01)


def test_while_redis_is_away_prices_stand_and_orders_are_answered(tmp_path, caplog):
    streams = make_streams(connect(None, tmp_path / "nowhere"))
    with simulated_broker(beside=lambda server: StreamedMarket(streams, server).run) as broker:
        until(lambda: "prices stand" in caplog.text)
        assert price(broker.server, "AAA") == 10


def test_a_replay_that_begins_again_is_another_account(streams):
    streams.replay.publish_clock(INTERVALS[1].end_ns, 0.0)
    begun: list[int] = []

    def beside(server: BrokerServer):
        return StreamedMarket(streams, server, begun.append, generation=streams.replay.generation()).run

    with simulated_broker(beside=beside) as broker:
        until(lambda: broker.server.do(broker.server.market.now) < OPEN)
        assert begun == []
        generation = streams.replay.reset()
        until(lambda: begun == [generation])
