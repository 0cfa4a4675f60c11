from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pairs_platform.core.time import market_midnight
from pairs_platform.core.trading.attribution import COMPONENTS, Attribution, Cut
from pairs_platform.core.trading.positions import Booking, BookingKind
from pairs_platform.core.trading.spread_order import Goal
from pairs_platform.database.bookings import store_bookings
from pairs_platform.database.equity import AccountKey, equity_between
from pairs_platform.database.positions import PositionRow, store_snapshot
from pairs_platform.database.spread_orders import change_trade
from pairs_platform.settings.model import Settings
from pairs_platform.workflows.attribution import session_attribution
from pairs_platform_tests.support.attributed_desk import BAR, Replayed, entered, left
from pairs_platform_tests.support.risk_entries import PRICES
from pairs_platform_tests.support.trading_desk import SESSION, DeskInTest, copied_database


@pytest.fixture
def desk(tmp_path: Path, alpaca_settings: Settings, template: Path) -> Replayed:
    return Replayed(alpaca_settings, copied_database(template, tmp_path))


def parts(found: Attribution) -> dict[str, float]:
    return {name: round(getattr(found.total, name), 6) for name in COMPONENTS if abs(getattr(found.total, name)) > 1e-6}


class TestASession:
    def test_a_trade_that_is_filled_at_the_rules_own_opens_earned_its_spread_and_what_whole_shares_took(self, desk):
        found = left(desk).attributed()
        (trade,) = desk.trades
        earned = trade.target_y * PRICES["PDFS"] * 0.01 - trade.target_x * PRICES["ROG"] * 0.002
        assert parts(found).keys() <= {"gross_spread", "rounding"}
        np.testing.assert_allclose(found.total.total, earned)
        assert found.period.change == pytest.approx(earned)
        assert found.closes

    def test_what_is_held_still_is_worth_what_the_snapshot_says(self, desk):
        found = entered(desk).attributed()
        assert found.closes
        assert found.total.gross_spread == pytest.approx(desk.trades[0].target_y * PRICES["PDFS"] * 0.01)
        assert [(row.leg, row.side, row.exit_reason) for row in found.legs] == [
            ("y", "long", "none"),
            ("x", "short", "none"),
        ]

    def test_nothing_after_a_moment_is_known(self, desk):
        before = entered(desk).time
        earlier = desk.attributed()
        desk.bar(7, ROG=-0.002)
        desk.signal(7, "exit", position=1)
        desk.step(3)
        desk.bar(8)
        assert desk.attributed(until=before) == earlier
        assert desk.attributed() != earlier

    def test_cuts_name_the_signal_and_why_the_trade_was_left(self, desk):
        (y, _) = left(desk).attributed().legs
        assert (y.pair, y.sector, y.entry_reason, y.exit_reason) == ("PDFS_ROG", "technology", "enter_long", "exit")
        assert (y.confidence, y.model_version, y.hour) == ("0.50–0.75", "none", "10:00")
        assert set(desk.attributed().by(Cut.SYMBOL)) == {"PDFS", "ROG", "account"}

    def test_an_exit_that_the_rule_did_not_ask_for_is_what_the_account_missed(self, desk):
        entered(desk)
        (trade,) = desk.trades
        change_trade(desk.database, trade.id, lambda it: it.to_leave(Goal.CLOSE, "drift: β moved"), desk.stored_at())
        desk.step(3)
        desk.bar(7, PDFS=0.02)
        desk.signal(7, "hold", position=1)
        desk.bar(8)
        found = desk.attributed()
        assert found.closes
        assert found.legs[0].exit_reason == "drift"
        assert found.total.missed < 0 < found.total.gross_spread
        np.testing.assert_allclose(found.total.total, trade.target_y * PRICES["PDFS"] * 0.01)


class TestTheAccount:
    """Rows by hand, after a session of the desk."""

    def test_an_account_that_was_not_written_down_has_nothing(self, desk):
        assert session_attribution(desk.database, desk.key, SESSION, desk.prices, bar=BAR) is None
        assert session_attribution(desk.database, AccountKey("other", "live"), SESSION, desk.prices, bar=BAR) is None

    def test_borrow_and_dividends_belong_to_their_leg_and_interest_to_nobody(self, desk):
        entered(desk)
        (trade,) = desk.trades
        at, of = desk.time, {"spread_order_id": trade.id, "symbol": "ROG"}
        store_bookings(
            desk.database,
            desk.key,
            [
                Booking(id="borrow ROG", kind=BookingKind.BORROW, booked_utc=at, cash=-1.25, **of),
                Booking(id="dividend ROG", kind=BookingKind.DIVIDEND, booked_utc=at, cash=-7.0, **of),
                Booking(id="INT 1", kind=BookingKind.CASH, booked_utc=at, cash=4.5),
                Booking(id="CSD 2", kind=BookingKind.CASH, booked_utc=at, cash=100.0),
                Booking(id="FEE 3", kind=BookingKind.CASH, booked_utc=at, cash=-0.02),
            ],
            desk.stored_at(),
        )
        desk.broker.cash += -1.25 - 7.0 + 4.5 + 100.0 - 0.02
        desk.bar(7)
        found = desk.attributed()
        assert found.closes
        x = next(row.components for row in found.legs if row.leg == "x")
        assert (x.borrow, x.dividends) == (-1.25, -7.0)
        assert (found.account.interest, found.account.transfers, found.account.commission) == (4.5, 100.0, -0.02)

    def test_cash_that_nothing_explains_does_not_close(self, desk):
        entered(desk)
        desk.broker.cash -= 0.03
        desk.bar(7)
        found = desk.attributed()
        assert not found.closes
        assert found.account.unexplained == pytest.approx(-0.03)

    def test_what_a_fill_did_counts_once_the_brokers_cash_shows_it(self, desk):
        """A broker that fills by bars says at the end of a bar what was filled at its open."""
        entered(desk)
        (row,) = [each for each in equity_of(desk) if each.at_utc < desk.trades[0].decided_utc]
        store_snapshot(desk.database, desk.key, shifted(row, desk.time), [])
        found = desk.attributed()
        assert parts(found).keys() <= {"gross_spread", "rounding", "missed"}
        assert found.closes
        assert found.total.total == pytest.approx(0.0)

    def test_fills_of_long_ago_count_whatever_cash_says(self, desk):
        """An account that was begun anew shows the cash of before by chance; that explains nothing."""
        entered(desk)
        first = equity_of(desk)[0]
        for bar in (7, 8, 9):
            desk.bar(bar, PDFS=0.01)
        store_snapshot(desk.database, desk.key, shifted(first, desk.time), [])
        found = desk.attributed()
        assert found.total.gross_spread != 0
        assert not found.closes

    def test_shares_of_nobody_are_foreign_with_the_cash_that_paid_for_them(self, desk):
        desk.bar(5)
        (row,) = equity_of(desk)
        bought = PositionRow(symbol="MSFT", quantity=10.0, price=100.0, market_value=1_000.0)
        store_snapshot(desk.database, desk.key, shifted(row, desk.time, cash=-990.0, equity=10.0), [bought])
        found = desk.attributed()
        assert parts(found) == {"foreign": 10.0}
        assert found.closes


def equity_of(desk: DeskInTest):
    return equity_between(desk.database, desk.key, market_midnight(SESSION), desk.time)


def shifted(row, at, *, cash: float = 0.0, equity: float = 0.0):
    return replace(row, at_utc=at, cash=row.cash + cash, equity=row.equity + equity)
