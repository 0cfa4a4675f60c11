"""What a vendor spoils costs that row or symbol, in words; the others arrive exactly. The long form is a soak test."""

import pytest

from pairs_platform_tests.support.vendor_replies import read_spoilt_alpaca, read_spoilt_stream, read_spoilt_yahoo


@pytest.mark.parametrize("read", [read_spoilt_alpaca, read_spoilt_yahoo, read_spoilt_stream])
def test_a_spoilt_reply_is_no_raw_error_and_costs_its_symbol_alone(read):
    for seed in range(12):
        read(seed)
