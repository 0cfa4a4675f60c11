import os

import pytest

from pairs_platform.platform import open_streams
from pairs_platform.settings.loading import load_settings
from pairs_platform_tests.support.redis_streams import SESSION, bar, bar_close, make_streams

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the embedded Redis needs Unix sockets")


def test_streams_are_trimmed_and_expire(client):
    streams = make_streams(client, max_bars=1000, keep_days=3)
    for _ in range(4):
        streams.bars.add([bar()] * 500)
    (key,) = client.scan_iter("*:bars:*")
    assert 1000 <= client.xlen(key) < 1500
    streams.bar_closes.publish(bar_close())
    streams.quarantine.add([{"symbol": "AAA", "reason": "no"}], SESSION)
    streams.actions.replace(SESSION, [{"symbol": "AAA", "kind": "split", "value": 2.0}])
    for kept in ("bars", "announced", "quarantine", "actions"):
        (key,) = client.scan_iter(f"*:{kept}:*")
        assert 2 * 86_400 < client.ttl(key) <= 3 * 86_400


def test_the_settings_name_the_server_and_the_run_mode(server, monkeypatch):
    monkeypatch.setenv("PAIRS_PLATFORM__REDIS_URL", f"unix://{server / 'redis.sock'}")
    streams = open_streams(load_settings())
    streams.health.report({"state": "streaming"})
    assert streams.run_mode == "replay"
    assert streams.health.read()["state"] == "streaming"
    assert open_streams(load_settings(), "live").run_mode == "live"
