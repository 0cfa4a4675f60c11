from dataclasses import replace
from datetime import timedelta

import pytest

from pairs_platform.core.trading.orders import OrderStatus
from pairs_platform.core.trading.spread_order import Goal
from pairs_platform.database.equity import AccountKey
from pairs_platform.database.risk_events import RiskEvent, store_events
from pairs_platform.database.spread_orders import apply_report, change_trade, newest_change, store_intent
from pairs_platform.platform import open_database
from pairs_platform.settings.loading import load_settings
from pairs_platform.views.trade_lines import TradeWatch, session_line
from pairs_platform_tests.support.trades import ORIGIN, SESSION, at, filled, order_of, trade_of

LATER = at(60).utc


@pytest.fixture
def database():
    return open_database(load_settings())


@pytest.fixture
def watch(database):
    return TradeWatch(database, "live", at(0).utc)


def enter(database, *legs):
    store_intent(database, trade_of(), ORIGIN, at())
    for order in trade_of().orders:
        if order.leg in legs:
            price = 101.0 if order.leg == "y" else 50.0
            apply_report(database, order.client_order_id, filled(order, f"in {order.leg}", price=price), at())


def leave(database, reason="exit"):
    def change(trade):
        canceled = [order for order in trade.orders if not order.fills]
        for order in canceled:
            trade = trade.with_state_of(replace(order, status=OrderStatus.CANCELED))
        trade = trade.to_leave(Goal.CLOSE, reason)
        for order in (order_of("t1", "y", -100, purpose="close"), order_of("t1", "x", 150, purpose="close")):
            if trade.held(order.leg):
                price = 103.0 if order.leg == "y" else 50.5
                sent = trade.with_order(order)
                trade, _ = sent.after(order.client_order_id, filled(order, f"out {order.leg}", price=price))
        return trade

    change_trade(database, "t1", change, at(30))


def test_an_entry_and_an_exit_are_a_line_each_and_said_once(database, watch):
    enter(database, "y", "x")
    assert watch.lines(LATER) == ["09:35  bought 100 A at 101.00, sold 150 B at 50.00: A_B is entered"]
    assert watch.lines(LATER) == []
    leave(database)
    watch = TradeWatch(database, "live", at(0).utc)
    (_, line) = watch.lines(LATER)
    assert line == "09:35  sold 100 A at 103.00, bought 150 B at 50.50: A_B is left after 0 min (exit), +$125.00"


def test_what_was_never_filled_and_what_has_one_leg_alone_is_no_entry(database, watch):
    enter(database, "y")
    assert watch.lines(at(6).utc) == []
    leave(database, "not hedged in time")
    (line,) = watch.lines(LATER)
    assert line == "09:35  sold 100 A at 103.00: A_B is left after 0 min (not hedged in time), +$200.00"


def test_a_trade_of_which_nothing_was_filled_says_why(database, watch):
    enter(database)
    leave(database, "no quote")
    assert watch.lines(LATER) == ["09:35  A_B: nothing was filled (no quote)"]


def test_a_broken_trade_and_a_changed_state_are_said(database, watch):
    enter(database, "y", "x")
    change_trade(database, "t1", lambda trade: trade.to_break("the broker says nothing"), at(20))

    def state(code, message):
        event = RiskEvent(kind="state", code=code, severity="error", message=message)
        store_events(database, AccountKey("PA1", "live"), [event], at(20))

    state("active", "trading is active: nothing is in its way")
    state("reducing", "trading is reducing: the account differs")
    lines = watch.lines(LATER)
    assert "09:35  A_B needs a person: the broker says nothing" in lines
    assert lines[-1] == "09:50  trading is reducing: the account differs"
    state("active", "trading is active: nothing is in its way")
    assert watch.lines(LATER)[-1] == "09:50  trading is active: nothing is in its way"


def test_what_happened_before_is_not_told_again(database):
    enter(database, "y", "x")
    watch = TradeWatch(database, "live", at(10).utc)
    assert watch.lines(at(5).utc) == []
    leave(database)
    assert [line[7:11] for line in watch.lines(LATER)] == ["sold"]


def test_a_session_is_summed_in_a_line(database):
    assert session_line(database, "live", SESSION) == f"session {SESSION}: 0 trades, 0 ended and 0 open, result +$0.00"
    enter(database, "y", "x")
    line = session_line(database, "live", SESSION)
    assert line == f"session {SESSION}: 1 trade, 0 ended and 1 open, result +$0.00, without what has no price yet"
    leave(database)
    assert session_line(database, "live", SESSION).endswith("1 trade, 1 ended and 0 open, result +$125.00")
    assert session_line(database, "live", SESSION + timedelta(days=1)).startswith(
        f"session {SESSION + timedelta(days=1)}: 0 trades"
    )
    assert newest_change(database, "live") == at(30).utc
    assert newest_change(database, "replay") is None
