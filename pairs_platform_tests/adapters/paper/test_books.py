"""What fills, nights and corporate actions do to a paper account, by hand."""

from datetime import date

import pytest

from pairs_platform.adapters.paper.books import PaperAction, after_bars, after_fill, after_night, fill_price
from pairs_platform.core.streaming.bars import StreamBar
from pairs_platform.core.trading.settings import CostSettings
from pairs_platform.database.paper import PaperAccount, PaperPosition

COSTS = CostSettings(borrow_bps_per_year=365)
FRIDAY, MONDAY = date(2023, 3, 3), date(2023, 3, 6)


def account(**positions: tuple[int, float, float]) -> PaperAccount:
    held = {symbol: PaperPosition(*values) for symbol, values in positions.items()}
    return PaperAccount(cash=1000.0, last_equity=1000.0, positions=held, booked_session=FRIDAY)


@pytest.mark.parametrize(
    ("quantity", "limit", "price"),
    [
        (1, None, 100.0), (-1, None, 100.0),
        (1, 100.0, 100.0), (1, 99.0, 99.0), (1, 98.0, 98.0), (1, 97.9, None),
        (-1, 100.0, 100.0), (-1, 102.0, 102.0), (-1, 103.0, 103.0), (-1, 103.1, None),
    ],
)  # fmt: skip
def test_an_order_fills_at_the_open_or_at_its_limit_once_that_is_reached(quantity, limit, price):
    assert fill_price(quantity, limit, StreamBar("A", 0, 100.0, 103.0, 98.0, 101.0, 1)) == price


@pytest.mark.parametrize(
    ("quantity", "price", "shares", "average"),
    [(10, 60.0, 20, 55.0), (-4, 60.0, 6, 50.0), (-10, 60.0, 0, None), (-15, 60.0, -5, 60.0)],
)
def test_a_fill_moves_cash_shares_and_their_mean_price(quantity, price, shares, average):
    after = after_fill(account(A=(10, 50.0, 55.0)), "A", quantity, price, 2.0)
    assert after.cash == 1000.0 - quantity * price - 2.0
    held = after.positions.get("A")
    assert (held.shares if held else 0, held.average_price if held else None) == (shares, average)
    if held:
        assert after_bars(after, [StreamBar("A", 0, 1, 1, 1, 61.0, 1)]).positions["A"].price == 61.0


def test_a_weekend_costs_three_nights_of_what_is_short():
    after, bookings = after_night(account(A=(-10, 50.0, 40.0), B=(10, 50.0, 40.0)), MONDAY, COSTS, [])
    ((booking),) = bookings
    assert (booking.kind, booking.symbol, booking.quantity) == ("borrow", "A", -10.0)
    assert booking.amount == pytest.approx(-10 * 40.0 * 3 * 0.0365 / 365)
    assert after.cash == pytest.approx(1000.0 + booking.amount)
    assert after.booked_session == MONDAY


def test_dividends_are_received_and_paid_and_two_of_a_day_add_up():
    actions = [PaperAction("A", "dividend", 0.5), PaperAction("A", "dividend", 0.25), PaperAction("B", "dividend", 1.0)]
    free = CostSettings(borrow_bps_per_year=0)
    after, bookings = after_night(account(A=(100, 50.0, 40.0), B=(-10, 5.0, 4.0)), MONDAY, free, actions)
    assert {booking.symbol: booking.amount for booking in bookings} == {"A": 75.0, "B": -10.0}
    assert after.cash == 1065.0


@pytest.mark.parametrize(
    ("shares", "ratio", "after", "paid"),
    [(700, 1.5, 1050, 0.0), (7, 1.5, 10, 20.0), (-7, 1.5, -10, -20.0), (25, 0.1, 2, 300.0)],
)
def test_a_split_leaves_the_value_of_a_position_and_pays_parts_of_a_share(shares, ratio, after, paid):
    before = account(A=(shares, 60.0, 60.0))
    held, bookings = after_night(
        before, MONDAY, CostSettings(borrow_bps_per_year=0), [PaperAction("A", "split", ratio)]
    )
    assert held.positions["A"].shares == after
    assert held.cash == pytest.approx(1000.0 + paid)
    assert held.equity == pytest.approx(before.equity)
    assert held.positions["A"].average_price == pytest.approx(60.0 / ratio)
    assert {booking.kind for booking in bookings} == ({"split", "cash_in_lieu"} if paid else {"split"})


def test_an_account_that_has_seen_no_session_pays_for_no_night():
    new = PaperAccount(cash=1.0, last_equity=1.0, positions={"A": PaperPosition(-10, 50.0, 40.0)})
    assert after_night(new, MONDAY, COSTS, [])[1] == ()
