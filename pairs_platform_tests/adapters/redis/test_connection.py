import os
from pathlib import Path

import pytest

from pairs_platform.adapters.redis.connection import address, connect, socket_path
from pairs_platform.core.errors import ConfigurationError, StreamUnavailable
from pairs_platform_tests.support.redis_streams import SESSION, bar, make_streams

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the embedded Redis needs Unix sockets")


def test_an_absent_server_is_never_no_data(tmp_path):
    streams = make_streams(connect(None, tmp_path))
    for read in (
        lambda: streams.bars.of_session(SESSION),
        streams.bar_closes.after,
        streams.health.read,
        streams.bars.newest,
        streams.replay.generation,
        streams.replay.reset,
    ):
        with pytest.raises(StreamUnavailable, match="does not answer"):
            read()
    with pytest.raises(StreamUnavailable):
        streams.bars.add([bar()])


def test_a_message_names_the_server_without_its_password():
    client = connect("redis://somebody:secret-word@127.0.0.1:1/3", Path())
    assert address(client) == "127.0.0.1:1/3"
    with pytest.raises(StreamUnavailable) as raised:
        make_streams(client).health.read()
    assert "127.0.0.1:1/3" in str(raised.value)
    assert "secret-word" not in str(raised.value)
    with pytest.raises(ConfigurationError, match="PAIRS_PLATFORM__REDIS_URL is no address"):
        connect("http://example.com", Path())


def test_a_long_path_gets_a_short_socket():
    long = Path("/") / ("x" * 120)
    assert len(str(socket_path(long))) <= 100
    assert socket_path(long) == socket_path(long) != socket_path(long / "y")
