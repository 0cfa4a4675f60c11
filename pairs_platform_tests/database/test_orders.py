"""Rows of orders and fills as commands and exports read them."""

from pairs_platform.core.trading.orders import OrderStatus, Report
from pairs_platform.database.fills import fill_rows
from pairs_platform.database.orders import order_rows
from pairs_platform.database.spread_orders import apply_report, store_intent
from pairs_platform_tests.support.trades import ORIGIN, REPLAYED, SESSION, at, fill_of, filled, trade_of


def test_orders_have_their_pair_and_what_was_executed(database):
    store_intent(database, trade_of(), ORIGIN, at())
    store_intent(database, trade_of("t2"), REPLAYED, at(6))
    y, x = trade_of().orders
    for execution, price in (("e1", 100.0), ("e2", 101.0)):
        report = Report(status=OrderStatus.WORKING, broker_order_id="b", fill=fill_of(execution, 50, price))
        apply_report(database, y.client_order_id, report, at())
    live = {row["symbol"]: row for row in order_rows(database, ["live"])}
    assert (live["A"]["pair"], live["A"]["executed"], live["A"]["mean_price"]) == ("A_B", 100, 100.5)
    assert (live["B"]["executed"], live["B"]["mean_price"], live["B"]["limit_price"]) == (0, None, 49.5)
    (still,) = order_rows(database, ["live"], open_only=True)
    assert still["client_order_id"] == x.client_order_id
    both = order_rows(database, ["live", "replay"])
    assert [row["spread_order_id"] for row in both] == ["t2", "t2", "t1", "t1"], "newest first"
    assert len(order_rows(database, ["live", "replay"], limit=3)) == 3


def test_fills_have_their_direction_and_trade(database):
    store_intent(database, trade_of(), ORIGIN, at())
    for order, execution, price in zip(trade_of().orders, ("e1", "e2"), (100.0, 50.0), strict=True):
        apply_report(database, order.client_order_id, filled(order, execution, price=price), at())
    rows = {row["execution_id"]: row for row in fill_rows(database, "live", spread_order_id="t1")}
    assert [(rows[name]["shares"], rows[name]["price"]) for name in ("e1", "e2")] == [(100, 100.0), (-150, 50.0)]
    assert {(row["pair"], row["session"], row["sector"]) for row in rows.values()} == {("A_B", SESSION, "technology")}
    assert fill_rows(database, "live", spread_order_id="t2") == []
    assert fill_rows(database, "replay") == []
