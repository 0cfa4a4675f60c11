from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from pairs_platform.core.trading.bar_prices import BarPrices, bar_prices

OPEN = datetime(2024, 3, 8, 14, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def prices() -> BarPrices:
    """Bars of five minutes; the second one is missing."""
    starts = [OPEN + 10 * MINUTE, OPEN]
    frame = pd.DataFrame({"symbol": "AMD", "ts_utc": starts, "open": [20.0, 10.0], "close": [21.0, 11.0]})
    return bar_prices(frame, 5 * 60 * 10**9)


@pytest.mark.parametrize(
    ("minutes", "within", "price"),
    [
        (0, 0, 10.0),
        (4, 0, 10.0),
        (5, 0, None),
        (5, 5, None),
        (5, 6, 20.0),
        (10, 0, 20.0),
        (15, 60, None),
        (-1, 1, None),
    ],
)
def test_an_open_is_that_of_the_bar_under_way_or_of_one_that_begins_in_time(prices, minutes, within, price):
    assert prices.open_at("AMD", OPEN + minutes * MINUTE, within=within * MINUTE) == price


@pytest.mark.parametrize(("minutes", "price"), [(4, None), (5, 11.0), (14, 11.0), (15, 21.0), (600, 21.0)])
def test_a_close_is_that_of_the_newest_bar_that_has_ended(prices, minutes, price):
    assert prices.close_at("AMD", OPEN + minutes * MINUTE) == price


def test_a_symbol_without_bars_has_no_price(prices):
    assert prices.open_at("TXN", OPEN, within=MINUTE) is None
    assert prices.close_at("TXN", OPEN + 60 * MINUTE) is None
