"""How the state is measured and its growth forecast."""

import math
from datetime import UTC, date, datetime

import pytest

from pairs_platform.core.prices.calendar import sessions_ending
from pairs_platform.database.sizes import sizes_by_session, store_sizes
from pairs_platform.platform import Platform
from pairs_platform.workflows.storage import measure_storage

DAYS = sessions_ending(date(2026, 3, 6), 30)


class TestStorageReport:
    def test_every_part_is_measured_and_growth_appears_after_five_sessions(self, copied):
        days = iter(sessions_ending(date(2023, 3, 20), 6))
        moments = [datetime(day.year, day.month, day.day, 23, tzinfo=UTC) for day in days]
        for n, moment in enumerate(moments):
            platform = Platform(copied.settings, clock=lambda moment=moment: moment)
            (platform.lake.root / "price_history" / "filler").write_bytes(b"x" * 1_000_000 * (n + 1))
            usage = measure_storage(platform)
            assert math.isnan(usage.growth.bytes_per_session) == (n < 4)
            if n < 4:
                told = "from 5 measured sessions on" if n else "no earlier measurement"
                assert usage.growth_of("lake/price_history") == told
        assert usage.growth_of("lake/price_history").startswith("+")
        assert usage.sizes["lake/price_history"] > 6_000_000
        assert {"lake/composite_rankings", "mlflow", "database.db"} <= set(usage.sizes)
        assert usage.by_part["lake/price_history"] == pytest.approx(1_000_000, rel=0.01)
        assert usage.growth.bytes_per_session == pytest.approx(1_000_000, rel=0.1)
        assert usage.growth.sessions_left < usage.free_bytes / 1_000_000 * 1.1
        assert len(sizes_by_session(copied.database)) == 6

    def test_a_session_measured_again_replaces_its_sizes(self, copied):
        for size in (1, 2):
            store_sizes(copied.database, DAYS[0], {"lake": size}, datetime.now(UTC))
        assert sizes_by_session(copied.database)[DAYS[0]] == {"lake": 2}
