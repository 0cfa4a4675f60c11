import os

import pytest

from pairs_platform_tests.support.redis_streams import make_streams

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the embedded Redis needs Unix sockets")


def test_the_set_of_symbols_is_the_settings_until_it_is_switched_for_both_run_modes(client):
    streams = make_streams(client, symbols="testing")
    assert streams.symbols.current() == "testing"
    streams.symbols.switch("pairs")
    assert make_streams(client, run_mode="live").symbols.current() == "pairs"
    with pytest.raises(ValueError, match="valid: universe, pairs, testing"):
        streams.symbols.switch("everything")
