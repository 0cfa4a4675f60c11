from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from pairs_platform.database.equity import AccountKey, newest_equity
from pairs_platform.database.positions import (
    PositionRow,
    newest_position_rows,
    positions_at,
    store_snapshot,
)
from pairs_platform_tests.database.conftest import ON_SQLITE
from pairs_platform_tests.database.test_equity import ROW
from pairs_platform_tests.support.trades import OPENED, SESSION

LIVE, REPLAY = AccountKey("PA1", "live"), AccountKey("PA1", "replay")
LEG = PositionRow(
    symbol="B", quantity=-150, spread_order_id="t1", pair="A_B", sector="technology", average_price=50.0, price=49.5,
    market_value=-7425.0, realized=0.0, commission=1.5, borrow=0.25, dividends=-3.0,
)  # fmt: skip
FOREIGN = PositionRow(symbol="AAPL240119C00190000", quantity=0.5)
LATER = replace(ROW, at_utc=OPENED + timedelta(minutes=5))


def test_a_snapshot_comes_back_and_takes_the_place_of_the_one_of_its_moment(database):
    store_snapshot(database, LIVE, ROW, [LEG])
    store_snapshot(database, LIVE, ROW, [FOREIGN, LEG])
    assert positions_at(database, LIVE, OPENED) == [FOREIGN, LEG]
    store_snapshot(database, LIVE, LATER, [LEG])
    store_snapshot(database, REPLAY, ROW, [LEG])
    assert positions_at(database, LIVE, OPENED) == [FOREIGN, LEG]
    assert positions_at(database, LIVE, LATER.at_utc) == [LEG]
    (newest,) = newest_position_rows(database, ["live"])
    assert (newest["at_utc"], newest["session"]) == (LATER.at_utc, SESSION)
    assert positions_at(database, REPLAY, OPENED) == [LEG]


@ON_SQLITE
def test_an_account_that_holds_nothing_any_more_has_no_newest_positions(database):
    store_snapshot(database, LIVE, ROW, [FOREIGN, LEG])
    assert len(newest_position_rows(database, ["live", "replay"])) == 2
    store_snapshot(database, LIVE, LATER, [])
    assert newest_position_rows(database, ["live", "replay"]) == []


@ON_SQLITE
def test_worth_and_positions_are_stored_together_or_not_at_all(database):
    store_snapshot(database, LIVE, ROW, [LEG])
    with pytest.raises(sa.exc.IntegrityError):
        store_snapshot(database, LIVE, replace(LATER, equity=1.0), [LEG, LEG])
    assert newest_equity(database, LIVE) == ROW
    assert positions_at(database, LIVE, OPENED) == [LEG]
