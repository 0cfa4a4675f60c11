"""Rows of orders as commands read them."""

from pairs_platform.core.trading.orders import OrderStatus, Report
from pairs_platform.database.orders import order_rows
from pairs_platform.database.spread_orders import apply_report, store_intent
from pairs_platform_tests.support.trades import ORIGIN, REPLAYED, at, fill_of, trade_of


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
