from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from pairs_platform.core.time import (
    DAY_NS,
    DAY_SECONDS,
    HOUR_NS,
    MARKET_TIMEZONE,
    MINUTE_NS,
    SECOND_NS,
    market_day,
    market_midnight,
    market_moment,
    moment_ns,
    moment_utc,
    stamps_ns,
    utc_day,
    utc_now,
)

NEW_YORK = ZoneInfo(MARKET_TIMEZONE)
OPEN_NS = 1_711_632_600 * SECOND_NS  # 2024-03-28 09:30 in New York


def test_units_of_time():
    assert (SECOND_NS, MINUTE_NS, HOUR_NS, DAY_NS) == (1e9, 60e9, 3600e9, 86_400e9)
    assert DAY_SECONDS == 86_400


@pytest.mark.parametrize("zone", [UTC, NEW_YORK])
def test_a_moment_and_its_nanoseconds_to_the_microsecond(zone):
    moment = datetime(2024, 3, 28, 13, 30, 0, 250_001, tzinfo=UTC).astimezone(zone)
    assert moment_ns(moment) == OPEN_NS + 250_001_000 == pd.Timestamp(moment).as_unit("ns").value
    assert moment_utc(OPEN_NS + 250_001_999) == moment
    assert moment_utc(OPEN_NS).tzinfo is UTC
    assert moment_ns(datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)) == -SECOND_NS


def test_a_moment_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="2024-03-28 09:30:00 has no time zone"):
        moment_ns(datetime(2024, 3, 28, 9, 30))  # noqa: DTZ001


def test_moments_and_days_of_new_york():
    assert market_moment(OPEN_NS).isoformat() == "2024-03-28T09:30:00-04:00"
    evening = moment_ns(datetime(2024, 3, 29, 3, 59, 59, tzinfo=UTC))
    assert market_day(evening) == date(2024, 3, 28)
    assert market_day(evening + SECOND_NS) == date(2024, 3, 29)
    assert moment_ns(market_midnight(date(2024, 3, 29))) == evening + SECOND_NS
    # the days on which the clocks change begin with the old offset
    assert market_midnight(date(2024, 3, 10)).isoformat() == "2024-03-10T00:00:00-05:00"


def test_days_since_1970():
    assert utc_day(0) == date(1970, 1, 1)
    assert utc_day(OPEN_NS // DAY_NS) == date(2024, 3, 28)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_stamps_of_any_unit_and_zone_are_nanoseconds(unit):
    stamps = pd.Series(pd.DatetimeIndex(["2024-03-28 13:30", "2024-03-28 13:35"], tz="UTC").as_unit(unit))
    expected = [OPEN_NS, OPEN_NS + 5 * MINUTE_NS]
    for given in (stamps, stamps.dt.tz_convert(MARKET_TIMEZONE), stamps.dt.tz_localize(None)):
        found = stamps_ns(given)
        assert found.dtype == np.int64
        assert found.tolist() == expected


def test_now_is_aware():
    assert utc_now().tzinfo is UTC
