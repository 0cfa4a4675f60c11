import os

import pytest

from pairs_platform_tests.support.redis_streams import SESSION, make_streams

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the embedded Redis needs Unix sockets")


def test_actions_are_replaced(client):
    streams = make_streams(client)
    split, dividend = {"symbol": "A", "kind": "split", "value": 2.0}, {"symbol": "B", "kind": "dividend", "value": 0.1}
    streams.actions.replace(SESSION, [split])
    streams.actions.replace(SESSION, [dividend, split])
    assert streams.actions.of_session(SESSION) == [dividend, split]
    streams.actions.replace(SESSION, [])
    assert streams.actions.of_session(SESSION) == []
