"""Replies and messages of the vendors, spoilt at random places by the thousand; the short form is with the adapters."""

import pytest

from pairs_platform_tests.support.vendor_replies import read_spoilt_alpaca, read_spoilt_stream, read_spoilt_yahoo

REPLIES = 5_000


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("read", [read_spoilt_alpaca, read_spoilt_yahoo, read_spoilt_stream])
def test_spoilt_replies_are_no_raw_errors_and_cost_their_symbol_alone(read):
    for seed in range(1_000_000, 1_000_000 + REPLIES):
        read(seed)
