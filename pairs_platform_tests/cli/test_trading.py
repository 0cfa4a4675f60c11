"""Commands of trading over a real database, without a trader: `orders`, `positions`, `risk`, `kill`, `release`."""

from dataclasses import replace
from datetime import UTC, datetime

import pandas as pd
import pytest

from pairs_platform.cli.portfolio import _worth
from pairs_platform.core.trading.orders import OrderStatus
from pairs_platform.core.trading.spread_order import Goal
from pairs_platform.database.audit import entries
from pairs_platform.database.equity import AccountKey
from pairs_platform.database.kill_switch import kill_switch
from pairs_platform.database.positions import PositionRow, store_snapshot
from pairs_platform.database.risk_events import store_events
from pairs_platform.database.spread_orders import apply_report, change_trade, store_intent
from pairs_platform.platform import open_database
from pairs_platform.settings.loading import load_settings
from pairs_platform.views.portfolio import PortfolioSummary, Reading
from pairs_platform_tests.database.test_equity import ROW
from pairs_platform_tests.database.test_risk_events import DENIED
from pairs_platform_tests.support.trades import ORIGIN, at, filled, order_of, trade_of

LIVE = AccountKey("PA1", "live")


@pytest.fixture
def database(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    return open_database(load_settings())


@pytest.fixture
def traded(database):
    """A long trade whose y leg has filled, with a snapshot in which A has gained two dollars a share."""
    store_intent(database, trade_of(), ORIGIN, at())
    order = trade_of().orders[0]
    apply_report(database, order.client_order_id, filled(order, "e1"), at())
    held = PositionRow(symbol="A", quantity=100, spread_order_id="t1", pair="A_B", price=102.0)
    foreign = PositionRow(symbol="TSLA", quantity=-3, average_price=200.0, price=201.5)
    store_snapshot(database, LIVE, ROW, [held, foreign])
    return database


def close(database):
    """Close the trade: what has not filled is canceled, what is held is sold."""

    def change(trade):
        sale = order_of("t1", "y", -100, purpose="close")
        sold, _ = trade.with_order(sale).after(sale.client_order_id, filled(sale, "e2", price=101.0))
        canceled = replace(trade.orders[1], status=OrderStatus.CANCELED)
        return sold.with_state_of(canceled).to_leave(Goal.CLOSE, "exit")

    change_trade(database, "t1", change, at(30))


def words(text: str) -> str:
    return " ".join(text.split())


class TestOrders:
    def test_each_has_its_shares_state_and_mean_price(self, traded, console):
        shown = console("orders", "--run-mode", "live")
        assert shown.exit_code == 0, shown.output
        assert "Orders · live · New York · simulated-5min-raw" in shown.output
        lines = {line.split("  ")[2].strip(): words(line) for line in shown.output.splitlines() if "A_B" in line}
        assert "buy 100 A" in words(shown.output)
        assert any("buy 100 A – filled 100 of 100 100.00 open 1" in line for line in lines.values()), lines
        assert any("sell 150 B 49.50 intended 0 of 150 – open 1" in line for line in lines.values()), lines

    def test_only_those_that_may_still_fill(self, traded, console):
        shown = console("orders", "--open").output
        assert "sell 150 B" in shown
        assert "buy 100 A" not in shown
        close(traded)
        assert words(console("orders", "--open").stdout).endswith(
            "no order may still fill in the run mode live and replay"
        )
        assert "1 more row" not in console("orders", "--rows", "3").output
        assert "2 more rows; --rows 3 shows all" in console("orders", "--rows", "1").output

    def test_without_one_it_says_so(self, database, console):
        assert "no order is stored in the run mode replay" in console("orders", "--run-mode", "replay").output


class TestPositions:
    def test_legs_come_from_fills_and_what_is_held_beside_them_from_the_snapshot(self, traded, console):
        shown = console("positions", "--run-mode", "live")
        assert shown.exit_code == 0, shown.output
        lines = {words(line).split()[2]: words(line) for line in shown.output.splitlines() if "PA1" in line}
        assert lines["A"] == "PA1 A_B A +100 +100 100.00 102.00 +200.00 opening 03-08 09:35"
        assert lines["B"].startswith("PA1 A_B B 0 -150 –")
        assert "PA1 no trade's TSLA -3 – 200.00 201.50" in words(shown.output)
        assert "1 trade is open; shares are held of A_B; 1 order may still fill" in shown.output

    def test_flat_is_said_when_it_is(self, traded, console):
        close(traded)
        store_snapshot(traded, LIVE, replace(ROW, at_utc=at(35).market_utc), [])
        assert "flat in the run mode live and replay: no trade and no order is open" in console("positions").output


class TestKill:
    def test_it_is_set_for_both_run_modes_and_says_what_is_still_open(self, traded, console):
        shown = console("kill", "--reason", "prices look wrong")
        assert shown.exit_code == 0, shown.output
        assert (
            "kill switch set · live and replay: flatten, so orders are canceled and every trade is closed"
            in shown.output
        )
        assert "not flat: 1 trade is open; shares are held of A_B; 1 order may still fill" in shown.output
        assert kill_switch(traded, "live").level == kill_switch(traded, "replay").level == "flatten"
        assert [entry.reason for entry in entries(traded, actions=["kill_switch_set"])] == ["prices look wrong"] * 2

    def test_flat_is_said_only_when_nothing_is_open(self, traded, console):
        close(traded)
        assert "flat: no trade and no order is open in the database" in console("kill", "--reason", "why").output
        change_trade(traded, "t1", lambda trade: trade.to_break("a fill nobody knows"), at(40))
        shown = console("kill", "--reason", "why", "--level", "halt", "--run-mode", "live").output
        assert "not flat: 1 trade is open; a person is needed for A_B" in shown
        assert "live: halt, so nothing but cancelations is sent" in shown

    @pytest.mark.parametrize("command", ["kill", "release"])
    @pytest.mark.parametrize("reason", [[], ["--reason", "  "]])
    def test_nobody_acts_without_a_reason(self, database, console, command, reason):
        assert console(command, *reason).exit_code == 2
        assert entries(database) == []

    def test_a_person_releases_it(self, traded, console):
        refused = console("release", "--reason", "checked")
        assert refused.exit_code == 1
        assert "no kill switch is set in the run mode live and replay" in refused.output
        console("kill", "--reason", "prices look wrong")
        shown = console("release", "--reason", "checked", "--run-mode", "live")
        assert "released · live: flatten, set by" in shown.output
        assert "prices look wrong" in shown.output
        assert "still open: 1 trade is open" in shown.output
        assert (kill_switch(traded, "live").level, kill_switch(traded, "replay").level) == (None, "flatten")
        assert "kill switch released" in console("audit").output


class TestReleaseOfATrade:
    def test_a_broken_trade_goes_on_once_the_broker_was_asked(self, database, console):
        mode = load_settings().stream.run_mode
        origin = replace(ORIGIN, account=f"paper-{mode}", run_mode=mode)
        store_intent(database, trade_of(orders=False), origin, at())
        words_of = ("release", "--trade", "t1", "--reason", "checked")
        refused = console(*words_of)
        assert refused.exit_code == 1
        assert "only a broken trade is released" in refused.output
        change_trade(database, "t1", lambda trade: trade.to_break("no answer"), at(6))
        shown = console(*words_of, "--leave")
        assert shown.exit_code == 0, shown.output
        assert "released · A_B is flat: a person: checked" in words(shown.output)
        assert [entry.reason for entry in entries(database, actions=["trade_released"])] == ["checked"]

    def test_what_is_said_of_a_trade_needs_one(self, database, console):
        assert console("release", "--reason", "checked", "--never-sent").exit_code == 2


def test_risk_shows_switch_worth_and_events(traded, console):
    store_events(traded, LIVE, [DENIED, replace(DENIED, pair=None, symbol="B")], at())
    console("kill", "--reason", "prices look wrong", "--run-mode", "live", "--level", "reducing")
    shown = console("risk")
    assert shown.exit_code == 0, shown.output
    assert "kill switch · live: reducing since" in shown.output
    assert "kill switch · replay: not set" in shown.output
    assert (
        "account PA1 · live: $100,000.50 at 2023-03-08 14:30 UTC, 0.99% below its high, $34,999.50 held" in shown.output
    )
    assert "warning denial order notional A_B 12,000 10,000 A_B: $12,000 is above $10,000" in words(shown.output)
    assert "there are older rows; --rows 2 shows more" in console("risk", "--rows", "1").output
    assert "risk has said nothing in the run mode replay" in console("risk", "--run-mode", "replay").output


def test_they_fit_into_80_columns(traded, console, monkeypatch):
    store_events(traded, LIVE, [DENIED], at())
    monkeypatch.setenv("COLUMNS", "80")
    for command in ("orders", "positions", "risk"):
        shown = console(command)
        assert shown.exit_code == 0, shown.output


def test_every_table_is_exported_with_what_concerns_no_sector(traded, console, tmp_path):
    store_events(traded, LIVE, [replace(DENIED, sector=None)], at())
    console("kill", "--reason", "why")
    of_all = {"equity": 1, "risk_events": 1, "kill_switch": 2, "positions": 2}
    of_technology = {**of_all, "spread_orders": 1, "orders": 2, "fills": 1, "bookings": 0, "signal_outcomes": 0}
    for sector, tables in (("technology", of_technology), ("energy", {**of_all, "orders": 0, "fills": 0})):
        for table, rows in tables.items():
            path = tmp_path / f"{table}.parquet"
            done = console("export", table, str(path), "--sector", sector)
            assert f"{rows} rows: {path}\n" in done.output, (sector, table)
            assert len(pd.read_parquet(path)) == rows


def test_the_portfolio_is_what_the_broker_says_without_a_trader(database, console):
    shown = words(console("portfolio").output)
    assert "internal paper broker" in shown
    assert "$100,000.00" in shown
    assert "no order is open" in shown
    assert "no position is held" in shown
    assert "UTC, 0 s ago" in shown
    assert "not current" not in shown


def test_a_portfolio_that_the_broker_does_not_say_any_more_is_marked():
    summary = PortfolioSummary(
        equity=1000.0, cash=400.0, buying_power=800.0, result_of_day=-2.5, long_value=900.0, short_value=-300.0,
        positions=2, open_orders=1,
    )  # fmt: skip
    reading = Reading(summary, datetime(2026, 3, 10, 15, 0, tzinfo=UTC), 75.0, "it is away")
    told = " ".join(_worth("a broker", reading))
    assert "a broker: $1,000.00, -2.50 since the session before" in told
    assert "asked at 15:00:00 UTC, 75 s ago" in told
    assert told.endswith("not current, the broker does not answer: it is away")
