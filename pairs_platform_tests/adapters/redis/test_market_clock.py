import os

import pytest

from pairs_platform.core.errors import ClockUnknown
from pairs_platform_tests.support.redis_streams import INTERVALS, make_streams

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the embedded Redis needs Unix sockets")


def test_market_time_is_the_wall_clock_or_the_replays_own(client):
    wall = [10**18]
    live = make_streams(client, run_mode="live", wall=lambda: wall[0])
    assert live.clock.now_ns() == wall[0]
    replay = make_streams(client, wall=lambda: wall[0])
    with pytest.raises(ClockUnknown, match="no replay has published its clock"):
        replay.clock.now_ns()
    replay.replay.publish_clock(INTERVALS[0].start_ns, 60.0)
    wall[0] += 2 * 10**9
    assert replay.clock.now_ns() == INTERVALS[0].start_ns + 120 * 10**9
    with pytest.raises(ValueError, match="only a replay publishes a clock"):
        live.replay.publish_clock(0, 1.0)
