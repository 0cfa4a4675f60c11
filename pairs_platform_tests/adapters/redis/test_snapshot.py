import os

import pytest
import redis

from pairs_platform.core.errors import ConfigurationError
from pairs_platform_tests.support.redis_streams import make_streams

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the embedded Redis needs Unix sockets")


def test_what_is_there_already_is_refused_and_stays(client):
    streams = make_streams(client)
    streams.health.report({"state": "streaming"})
    rows = streams.snapshot.dump()
    with pytest.raises(ConfigurationError, match="has keys of this profile already"):
        streams.snapshot.load([(key, left, value) for key, left, value in rows])
    with pytest.raises(redis.ResponseError, match="BUSYKEY"), streams.connection.answering():
        client.restore(rows[0][0], 0, rows[0][2])
    assert streams.health.read() == {"state": "streaming"}
