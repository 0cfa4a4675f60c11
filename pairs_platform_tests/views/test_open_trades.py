"""What is held and open, from fills and the newest snapshot."""

from dataclasses import replace

import pytest

from pairs_platform.core.trading.orders import OrderStatus, Report
from pairs_platform.database.equity import AccountKey
from pairs_platform.database.positions import PositionRow, store_snapshot
from pairs_platform.database.spread_orders import apply_report, change_trade, store_intent
from pairs_platform.database.store import Database
from pairs_platform.views.open_trades import HeldLeg, held_legs, what_is_open
from pairs_platform_tests.database.test_equity import ROW
from pairs_platform_tests.support.trades import ORIGIN, REPLAYED, at, fill_of, filled, order_of, trade_of

LIVE = AccountKey("PA1", "live")


@pytest.fixture
def database(tmp_path) -> Database:
    return Database(f"sqlite:///{tmp_path / 'database.db'}", "simulated-5min-raw")


def test_nothing_is_open_in_an_empty_database(database):
    assert held_legs(database, ["live", "replay"]) == ()
    assert what_is_open(database, ["live", "replay"]) == ""


def test_a_leg_has_its_shares_mean_price_and_gain(database):
    store_intent(database, trade_of(), ORIGIN, at())
    y, x = trade_of().orders
    for execution, price in (("e1", 100.0), ("e2", 102.0)):
        fill = replace(fill_of(execution, 50, price), commission=0.5)
        apply_report(
            database, y.client_order_id, Report(status=OrderStatus.WORKING, broker_order_id="b", fill=fill), at()
        )
    apply_report(database, x.client_order_id, Report(status=OrderStatus.WORKING, filled_quantity=30), at())
    sale = order_of("t1", "y", -20, purpose="flatten")
    change_trade(database, "t1", lambda trade: trade.with_order(sale), at(6))
    apply_report(database, sale.client_order_id, filled(sale, "e3", price=103.0), at(7))
    store_snapshot(database, LIVE, ROW, [PositionRow(symbol="A", quantity=80, spread_order_id="t1", price=104.0)])
    of_y, of_x = held_legs(database, ["live"])
    assert (of_y.symbol, of_y.quantity, of_y.wanted, of_y.average_price) == ("A", 80, 100, 101.0)
    assert of_y.gain == pytest.approx(80 * 104 + 20 * 103 - 100 * 101 - 1.0)
    assert (of_x.quantity, of_x.average_price, of_x.gain) == (-30, None, None), "a fill whose execution is not known"
    assert what_is_open(database, ["live"]) == "1 trade is open; shares are held of A_B; 1 order may still fill"


def test_what_is_held_beside_trades_is_listed_and_is_no_trade(database):
    store_snapshot(
        database, LIVE, ROW, [PositionRow(symbol="TSLA", quantity=-3.5), PositionRow(symbol="F", quantity=0)]
    )
    assert held_legs(database, ["live"]) == (HeldLeg(run_mode="live", account="PA1", symbol="TSLA", quantity=-3.5),)
    assert what_is_open(database, ["live"]) == ""
    assert held_legs(database, ["replay"]) == ()


def test_a_trade_that_needs_a_person_is_open_even_without_shares(database):
    store_intent(database, trade_of(orders=False), REPLAYED, at())
    change_trade(database, "t1", lambda trade: trade.to_break("nobody knows"), at())
    assert what_is_open(database, ["replay"]) == "1 trade is open; a person is needed for A_B (trade t1)"
    assert what_is_open(database, ["live"]) == ""
