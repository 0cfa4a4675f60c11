import pytest

from pairs_platform.core.trading.slippage import slippages
from pairs_platform_tests.support.pair_trades import filled, order_of, trade_of


def test_what_was_paid_beyond_the_arrival_price_is_a_share_of_what_was_traded():
    bought = filled(order_of(100, arrival_price=50.0), price=50.05)
    sold = filled(order_of(-50, leg="x", arrival_price=100.0), price=99.9)
    assert slippages([trade_of(bought, sold)]) == [pytest.approx(10_000 * (5 + 5) / 10_000)]


def test_trades_without_a_fill_or_a_quote_say_nothing():
    assert slippages([trade_of(), trade_of(order_of(100, arrival_price=50.0)), trade_of(filled(order_of(100)))]) == []
