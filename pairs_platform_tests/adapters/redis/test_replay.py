import os

import pytest

from pairs_platform.core.errors import ClockUnknown
from pairs_platform_tests.support.redis_streams import SESSION, bar, bar_close, make_streams

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the embedded Redis needs Unix sockets")


def test_a_reset_forgets_the_replay_and_nothing_else(client):
    streams, live = make_streams(client), make_streams(client, run_mode="live")
    live.bars.add([bar()])
    streams.bars.add([bar()])
    streams.bar_closes.publish(bar_close())
    streams.replay.publish_clock(5, 0.0)
    streams.health.report({"state": "streaming", "pid": "7"})
    streams.health.report({"state": "silent"})
    streams.symbols.switch("pairs")
    assert streams.replay.generation() == 0
    assert streams.replay.reset() == 1
    assert streams.replay.generation() == 1
    assert streams.bars.of_session(SESSION) == streams.bar_closes.after() == []
    assert streams.bars.newest() == {}
    with pytest.raises(ClockUnknown):
        streams.clock.now_ns()
    assert streams.health.read() == {"state": "silent", "pid": "7"}
    assert streams.symbols.current() == "pairs"
    assert live.bars.of_session(SESSION) == [bar()]
    assert streams.bar_closes.publish(bar_close())
    with pytest.raises(ValueError, match="only a replay is reset"):
        live.replay.reset()
