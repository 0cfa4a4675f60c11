from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from pairs_platform.core.errors import ConfigurationError
from pairs_platform.processes.broker.market import MarketTime, Prices


def at(text: str) -> MarketTime:
    moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
    return MarketTime(wall=lambda: moment)


@pytest.mark.parametrize(
    ("now", "is_open", "next_open", "next_close"),
    [
        ("2026-11-25T14:29:59", False, "2026-11-25T14:30", "2026-11-25T21:00"),
        ("2026-11-25T14:30:00", True, "2026-11-27T14:30", "2026-11-25T21:00"),
        ("2026-11-25T21:00:00", False, "2026-11-27T14:30", "2026-11-27T18:00"),
        ("2026-11-26T16:00:00", False, "2026-11-27T14:30", "2026-11-27T18:00"),
        ("2026-11-27T18:00:00", False, "2026-11-30T14:30", "2026-11-30T21:00"),
    ],
    ids=["before", "at the open", "at the close", "Thanksgiving", "after a half day"],
)
def test_hours_around_a_holiday_and_a_half_day(now, is_open, next_open, next_close):
    market = at(now)
    assert market.is_open() is is_open
    assert f"{market.next_open():%Y-%m-%dT%H:%M}" == next_open
    assert f"{market.next_close():%Y-%m-%dT%H:%M}" == next_close


def test_a_session_that_is_made_a_half_day_ends_at_one_in_new_york():
    market = at("2026-11-24T17:59:00")
    market.close_early(date(2026, 11, 24))
    assert market.is_open()
    market.set(datetime(2026, 11, 24, 18, 0, tzinfo=UTC))
    assert not market.is_open()


def test_prices_wander_the_same_way_for_the_same_seed():
    def way(seed: int, noise_bp: float) -> list[Decimal]:
        prices = Prices({"AAA": Decimal(50)}, noise_bp=noise_bp, seed=seed)
        return [prices.step() or prices("AAA") for _ in range(20)]

    assert way(1, 10) == way(1, 10) != way(2, 10)
    assert set(way(1, 0)) == {Decimal(50)}
    assert all(price == price.quantize(Decimal("0.01")) for price in way(1, 10))


@pytest.mark.parametrize("price", [0, -1, "NaN", "Infinity"])
def test_what_is_no_price_is_refused(price):
    with pytest.raises(ConfigurationError, match="is no price"):
        Prices({"AAA": Decimal(50)}).set({"AAA": price})


def test_time_goes_on_as_fast_as_the_market_it_is_set_by():
    wall = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
    market = MarketTime(wall=lambda: wall)
    market.set(datetime(2026, 11, 24, 18, 0, tzinfo=UTC), 60.0)
    wall += timedelta(seconds=2)
    assert market.now() == datetime(2026, 11, 24, 18, 2, tzinfo=UTC)
