"""What the broker books over a night is in the trader's books once, with the trades that held the shares."""

from dataclasses import replace

import pytest

from pairs_platform.core.errors import Unavailable
from pairs_platform.core.prices.calendar import session_offset, session_open
from pairs_platform.core.trading.positions import BookingKind
from pairs_platform.database.bookings import account_bookings
from pairs_platform.ports.broker import BrokerBooking
from pairs_platform_tests.processes.trader.test_desk import desk, entered
from pairs_platform_tests.support.trading_desk import SESSION, DeskInTest

__all__ = ["desk"]

MORNING = session_open(session_offset(SESSION, 1))


def booking(name: str, kind: BookingKind, symbol: str, cash: float) -> BrokerBooking:
    return BrokerBooking(id=name, kind=kind, symbol=symbol, cash=cash, booked_utc=MORNING)


def next_morning(desk: DeskInTest) -> None:
    desk.market.facts_ = replace(desk.market.facts_, session=session_offset(SESSION, 1))
    desk.time = MORNING
    desk.step(2, seconds=301)


def own(desk: DeskInTest) -> list[tuple[str, str, float]]:
    """Kind, trade and dollars of everything but fills."""
    stored = account_bookings(desk.database, desk.key)
    return [(each.kind, each.spread_order_id, each.cash) for each in stored if each.kind is not BookingKind.FILL]


def test_money_is_booked_once_with_who_held_the_shares(desk):
    desk.broker.foreign = {"PDFS": 50.0}
    entered(desk)
    (trade,) = desk.trades
    per_share = 0.1
    desk.broker.booked = [
        booking("DIV 1", BookingKind.DIVIDEND, "PDFS", per_share * (trade.held("y") + 50)),
        booking("borrow 1", BookingKind.BORROW, "ROG", -0.5),
        booking("INT 1", BookingKind.CASH, "", 2.0),
    ]
    next_morning(desk)
    expected = [
        ("dividend", "", pytest.approx(5.0)),
        ("dividend", trade.id, pytest.approx(per_share * trade.held("y"))),
        ("cash", "", 2.0),
        ("borrow", trade.id, -0.5),
    ]
    assert own(desk) == expected
    desk.begin()
    next_morning(desk)
    assert own(desk) == expected


def test_a_broker_that_does_not_say_it_is_asked_at_the_next_bar(desk):
    entered(desk)
    desk.broker.booked = [booking("INT 1", BookingKind.CASH, "", 2.0)]
    away = ["away"]

    def on_call(name: str, when: str) -> None:
        if name == "bookings" and away:
            away.pop()
            raise Unavailable("no answer")

    desk.broker.on_call = on_call
    next_morning(desk)
    assert own(desk) == []
    desk.step()
    assert own(desk) == [("cash", "", 2.0)]
