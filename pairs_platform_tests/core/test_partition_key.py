from datetime import date, datetime

import pytest

from pairs_platform.core.errors import NotFound
from pairs_platform.core.partition_key import PartitionKey
from pairs_platform_tests.support.price_samples import EARLY_CLOSE, FULL, GOOD_FRIDAY, HOLIDAY

KEY = PartitionKey(FULL, "technology")


def test_prints_as_a_dagster_partition():
    assert str(KEY) == "2024-07-02|technology"


@pytest.mark.parametrize("day", [HOLIDAY, GOOD_FRIDAY, date(2024, 7, 6)])
def test_a_holiday_has_no_partition(day):
    with pytest.raises(NotFound, match="not an XNYS session"):
        PartitionKey(day, "technology")


@pytest.mark.parametrize("sector", ["", "Technology", "../technology", "real estate", "a/b"])
def test_a_sector_is_a_slug(sector):
    with pytest.raises(ValueError, match="not a sector slug"):
        PartitionKey(FULL, sector)


def test_a_moment_is_no_session():
    with pytest.raises(ValueError, match="not the moment"):
        PartitionKey(datetime(2024, 7, 2), "technology")  # noqa: DTZ001


def test_sorts_by_session():
    assert sorted([PartitionKey(EARLY_CLOSE, "energy"), KEY])[0] == KEY
