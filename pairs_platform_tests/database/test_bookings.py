"""Bookings of an account on both databases: each event once, and with the fills the whole account."""

from dataclasses import replace
from fractions import Fraction

import pytest

from pairs_platform.core.trading.positions import (
    BookingKind,
    booked,
    borrow_booking,
    cash_booking,
    dividend_booking,
    fill_booking,
    split_booking,
)
from pairs_platform.database.bookings import account_bookings, store_bookings
from pairs_platform.database.equity import AccountKey
from pairs_platform.database.spread_orders import apply_report, store_intent
from pairs_platform_tests.database.conftest import ON_SQLITE
from pairs_platform_tests.support.trades import ORIGIN, REPLAYED, SESSION, at, filled, trade_of

LIVE, REPLAY = AccountKey("PA1", "live"), AccountKey("PA1", "replay")
MORNING = at(60 * 24).market_utc
EVENTS = [
    borrow_booking("t1", "B", shares=-150, price=50.0, nights=1, bps_per_year=50, session=SESSION, booked_utc=MORNING),
    dividend_booking("t1", "A", shares=100, dollars_per_share=0.25, ex_date=SESSION, booked_utc=MORNING),
    split_booking("t1", "A", shares=100, ratio=Fraction(3, 2), price=66.0, ex_date=SESSION, booked_utc=MORNING),
    cash_booking("interest of March", 12.5, MORNING),
]


def test_they_come_back_with_the_fills_and_add_up_to_the_account(database):
    store_intent(database, trade_of(), ORIGIN, at())
    reports = [filled(order, f"e{k}", price=100.0 / (k + 1)) for k, order in enumerate(trade_of().orders)]
    for order, report in zip(trade_of().orders, reports, strict=True):
        apply_report(database, order.client_order_id, report, at())
    store_intent(database, trade_of("t2"), REPLAYED, at())
    assert store_bookings(database, LIVE, EVENTS, at()) == 4
    found = account_bookings(database, LIVE)
    fills = [fill_booking(order, report.fill) for order, report in zip(trade_of().orders, reports, strict=True)]
    assert found == sorted([*EVENTS, *fills], key=lambda booking: (booking.booked_utc, booking.id))
    book = booked(found, cash=1000.0)
    assert book.shares() == {"A": 150, "B": -150}
    assert book.cash == pytest.approx(1000.0 - 10_000 + 7_500 + 25 + 12.5 - 150 * 50 * 50e-4 / 365)
    assert account_bookings(database, REPLAY) == []


def test_an_event_is_booked_once_and_first_numbers_stay(database):
    dividend = EVENTS[1]
    assert store_bookings(database, LIVE, [dividend, dividend], at()) == 1
    assert store_bookings(database, LIVE, [replace(dividend, cash=99.0), EVENTS[3]], at()) == 1
    assert [each.cash for each in account_bookings(database, LIVE)] == [12.5, 25.0]
    assert store_bookings(database, AccountKey("PA2", "live"), [dividend], at()) == 1
    assert store_bookings(database, LIVE, [], at()) == 0


@ON_SQLITE
def test_a_fill_is_stored_with_its_order_alone(database):
    fill = replace(EVENTS[1], kind=BookingKind.FILL, shares=1)
    with pytest.raises(ValueError, match="is a fill: it is stored with its order"):
        store_bookings(database, LIVE, [EVENTS[3], fill], at())
    assert account_bookings(database, LIVE) == []
