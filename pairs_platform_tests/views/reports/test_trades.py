"""The report's section of trading, over a small database."""

from dataclasses import replace

import pytest

from pairs_platform.core.trading.orders import OrderStatus
from pairs_platform.core.trading.spread_order import Goal
from pairs_platform.database.signal_outcomes import store_outcomes
from pairs_platform.database.signals import store_signals
from pairs_platform.database.spread_orders import apply_report, change_trade, store_intent
from pairs_platform.database.store import Database
from pairs_platform.views.reports.document import Paragraph, Table
from pairs_platform.views.reports.trades import trading_blocks
from pairs_platform_tests.database.test_signal_outcomes import outcome
from pairs_platform_tests.database.test_signals import GIVEN, LIVE, SESSION, signal
from pairs_platform_tests.support.trades import ORIGIN, at, filled, order_of, trade_of


@pytest.fixture
def database(tmp_path) -> Database:
    return Database(f"sqlite:///{tmp_path / 'database.db'}", "simulated-5min-raw")


def blocks(database: Database) -> list:
    return list(trading_blocks(database, "technology", SESSION))


def test_a_session_without_trades_says_so(database):
    store_signals(database, LIVE, [signal()], GIVEN)
    assert blocks(database) == [Paragraph("Nothing was traded.")]


def test_outcomes_denials_and_trades_are_told_with_what_ended_ones_earned(database):
    store_signals(database, LIVE, [signal(), signal("A_C"), signal("A_D")], GIVEN)
    outcomes = [outcome(spread_order_id="t1"), outcome("A_C", outcome="denied", code="buying_power")]
    store_outcomes(database, LIVE, outcomes, at())
    store_intent(database, trade_of(), ORIGIN, at())
    y, _ = trade_of().orders
    sale = order_of("t1", "y", -100, purpose="close")
    report = filled(y, "e1")
    paid = replace(report, fill=replace(report.fill, commission=1.5))
    apply_report(database, y.client_order_id, paid, at())
    change_trade(database, "t1", lambda trade: trade.with_order(sale).to_leave(Goal.CLOSE, "stop"), at(9))
    said, denied, trades = blocks(database)
    assert isinstance(denied, Table)
    assert said.text == (
        "Run mode live: Of the signals that ask for a trade 1 denied, 1 filled, 1 without an outcome. "
        "1 trade, of which 1 still open."
    )
    assert denied.rows == (("buying power", "1"),)
    assert trades.rows[0][1:] == ("A_B", "+100 A, -150 B", "100 A, 0 B", "closing", "stop", "1.50", "–")
    apply_report(database, sale.client_order_id, filled(sale, "e2", price=101.0), at(10))
    change_trade(
        database, "t1", lambda trade: trade.with_state_of(replace(trade.orders[1], status=OrderStatus.CANCELED)), at(11)
    )
    assert blocks(database)[2].rows[0][4:] == ("closed", "stop", "1.50", "+98.50")
