"""The forecast of growth: a line, its interval, and when there is none."""

import math
from datetime import date

import pytest

from pairs_platform.core.operations.retention import growth
from pairs_platform.core.prices.calendar import sessions_ending

DAYS = sessions_ending(date(2026, 3, 6), 30)


class TestGrowth:
    def test_a_straight_line_is_found_and_lasts_as_long_as_it_says(self):
        found = growth([(day, 1000 + 50 * n) for n, day in enumerate(DAYS)], 5000, 20)
        assert found.bytes_per_session == pytest.approx(50)
        assert (found.low, found.high) == (pytest.approx(50), pytest.approx(50))
        assert found.sessions_left == pytest.approx(100)

    def test_only_the_newest_count(self):
        sizes = [(day, 10**9 if n < 20 else 100 * n) for n, day in enumerate(DAYS)]
        assert growth(sizes, 5000, 10).bytes_per_session == pytest.approx(100)

    def test_noise_widens_the_interval_which_decides(self):
        sizes = [(day, 1000 + 50 * n + (40 if n % 2 else -40)) for n, day in enumerate(DAYS[:8])]
        found = growth(sizes, 5000, 20)
        assert found.low < found.bytes_per_session < found.high
        assert found.sessions_left == pytest.approx(5000 / found.high)

    def test_too_few_sessions_are_no_forecast(self):
        found = growth([(day, 100) for day in DAYS[:4]], 5000, 20)
        assert all(math.isnan(value) for value in vars(found).values())

    def test_what_does_not_grow_lasts_for_ever(self):
        assert growth([(day, 100) for day in DAYS[:6]], 5000, 20).sessions_left == math.inf
