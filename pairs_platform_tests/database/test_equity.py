from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from pairs_platform.database.equity import AccountKey, EquityRow, equity_rows, newest_equity
from pairs_platform.database.positions import store_snapshot
from pairs_platform_tests.database.conftest import ON_SQLITE
from pairs_platform_tests.support.trades import OPENED, SESSION

LIVE = AccountKey("PA1", "live")
ROW = EquityRow(
    at_utc=OPENED, equity=100_000.5, cash=95_000.0, long_value=20_000.0, short_value=-14_999.5, high_water=101_000.0
)


def test_the_newest_row_of_an_account_is_found_and_a_moment_has_one(database):
    assert newest_equity(database, LIVE) is None
    later = replace(ROW, at_utc=OPENED + timedelta(minutes=5), equity=99_000.0, buying_power=180_000.0)
    for row in (replace(ROW, equity=1.0), ROW, later):
        store_snapshot(database, LIVE, row, [])
    store_snapshot(database, AccountKey("PA2", "live"), replace(later, at_utc=OPENED + timedelta(1)), [])
    assert newest_equity(database, LIVE) == later
    assert newest_equity(database, LIVE, before=later.at_utc) == ROW
    rows = equity_rows(database, "live")
    assert [(row["account"], row["equity"], row["session"]) for row in rows[:2]] == [
        ("PA1", 100_000.5, SESSION), ("PA1", 99_000.0, SESSION),
    ]  # fmt: skip
    assert equity_rows(database, "replay") == []


@ON_SQLITE
def test_a_value_of_shorts_above_zero_is_refused(database):
    with pytest.raises(sa.exc.IntegrityError):
        store_snapshot(database, LIVE, replace(ROW, short_value=1.0), [])
