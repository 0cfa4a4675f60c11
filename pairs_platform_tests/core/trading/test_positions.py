"""Positions and cash from bookings: by hand, and in any order."""

import math
from dataclasses import replace
from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pairs_platform.core.errors import DataError
from pairs_platform.core.trading.positions import (
    Book,
    Booking,
    BookingKind,
    booked,
    borrow_booking,
    cash_booking,
    dividend_booking,
    fill_booking,
    shared_out,
    split_booking,
    split_contradiction,
)
from pairs_platform_tests.support.pair_trades import at, fill_of, order_of

DAY = date(2023, 3, 10)


def trade(shares: int, price: float, name: str, *, seconds: float = 1.0, commission: float = 0.0) -> Booking:
    return fill_booking(
        order_of(shares), fill_of(abs(shares), name, price=price, seconds=seconds, commission=commission)
    )


def position(book: Book):
    return book.positions["trade", "PDFS"]


class TestByHand:
    def test_buying_in_parts_and_selling_in_parts(self):
        book = booked(
            [
                trade(60, 50.0, "a", seconds=1),
                trade(40, 55.0, "b", seconds=2, commission=1.5),
                trade(-30, 60.0, "c", seconds=3),
            ],
            cash=10_000.0,
        )
        held = position(book)
        assert (held.shares, held.average_price) == (70, pytest.approx(52.0))
        assert held.realized == pytest.approx(30 * 8.0)
        assert held.unrealized(53.0) == pytest.approx(70.0)
        assert book.cash == pytest.approx(10_000 - 3_000 - 2_200 + 1_800 - 1.5)
        assert book.equity({"PDFS": 53.0}) == pytest.approx(10_000 + 240 + 70 - 1.5)

    def test_a_short_position_earns_when_it_is_bought_back_lower(self):
        book = booked([trade(-50, 100.0, "a", seconds=1), trade(50, 98.0, "b", seconds=2)], cash=0.0)
        assert (position(book).shares, position(book).realized, book.cash) == (0, pytest.approx(100.0), 100.0)
        assert book.shares() == {}

    def test_through_zero_the_first_part_is_realized_and_the_rest_has_the_new_price(self):
        held = position(booked([trade(10, 50.0, "a", seconds=1), trade(-30, 60.0, "b", seconds=2)], cash=0.0))
        assert (held.shares, held.average_price, held.realized) == (-20, pytest.approx(60.0), pytest.approx(100.0))

    def test_borrow_as_the_backtest_charges_it(self):
        paid = borrow_booking(
            "trade", "PDFS", shares=-100, price=50.0, nights=3, bps_per_year=50.0, session=DAY, booked_utc=at(0)
        )
        assert paid.cash == pytest.approx(-5_000 * 3 * 0.0050 / 365)
        long = borrow_booking(
            "trade", "PDFS", shares=100, price=50.0, nights=3, bps_per_year=50.0, session=DAY, booked_utc=at(0)
        )
        assert long.cash == 0.0

    @pytest.mark.parametrize("shares", [100, -100])
    def test_a_dividend_is_received_by_who_is_long_and_paid_by_who_is_short(self, shares):
        booking = dividend_booking(
            "trade", "PDFS", shares=shares, dollars_per_share=0.25, ex_date=DAY, booked_utc=at(0)
        )
        book = booked([booking], cash=0.0)
        assert book.totals[BookingKind.DIVIDEND] == book.cash == shares * 0.25

    @pytest.mark.parametrize(
        ("kind", "shares", "parts"),
        [
            (BookingKind.DIVIDEND, {"a": 100.0, "b": -50.0, "": 50.0}, {"a": 10.0, "b": -5.0, "": 5.0}),
            (BookingKind.BORROW, {"a": 100.0, "b": -30.0, "c": -10.0}, {"b": 7.5, "c": 2.5}),
            (BookingKind.SPLIT, {"a": 3.0}, {"a": 10.0}),
            (BookingKind.DIVIDEND, {"a": 5.0, "b": -5.0}, {}),
            (BookingKind.BORROW, {"a": 5.0}, {}),
        ],
    )
    def test_money_for_a_symbol_goes_to_those_who_held_it(self, kind, shares, parts):
        assert shared_out(kind, 10.0, shares) == pytest.approx(parts)

    def test_interest_and_fees_are_cash_of_the_account(self):
        assert booked([cash_booking("int-1", 12.5, at(0)), cash_booking("int-1", 12.5, at(0))], cash=1.0).cash == 13.5


class TestSplit:
    @pytest.mark.parametrize(
        ("shares", "ratio", "after", "paid_out"),
        [
            (100, Fraction(2), 200, 0.0),
            (1399, Fraction(1, 2), 699, 12.5),
            (-7, Fraction(3, 2), -10, -12.5),
            (3, Fraction(1, 10), 0, 7.5),
        ],
    )
    def test_whole_shares_stay_and_the_rest_is_paid_out(self, shares, ratio, after, paid_out):
        """Reported: after a split 699 shares stood against 700."""
        before = 25.0 * float(ratio)
        split = split_booking("trade", "PDFS", shares=shares, ratio=ratio, price=25.0, ex_date=DAY, booked_utc=at(10))
        book = booked([trade(shares, before, "a"), split], cash=0.0)
        held = position(book)
        assert (held.shares, split.cash) == (after, pytest.approx(paid_out))
        assert book.equity({"PDFS": 25.0}) == pytest.approx(0.0), "a split earns nothing"
        assert held.realized + held.unrealized(25.0) == pytest.approx(0.0)

    def test_a_split_that_is_no_ratio_is_refused(self):
        with pytest.raises(ValueError, match="is none"):
            split_booking("t", "PDFS", shares=1, ratio=Fraction(0), price=1.0, ex_date=DAY, booked_utc=at(0))

    def test_a_forward_split_that_was_published_as_a_reverse_one_is_contradicted_by_prices(self):
        """Reported: a forward split was published as a reverse one."""
        assert split_contradiction("PDFS", Fraction(10), close_before=500.0, price_after=51.0) == ""
        wrong = split_contradiction("PDFS", Fraction(1, 10), close_before=500.0, price_after=51.0)
        assert wrong.startswith("a split of PDFS by 1/10 was published, and its price went from 500.00 to 51.00")
        assert split_contradiction("PDFS", Fraction(2), close_before=500.0, price_after=495.0), "there was none"
        assert split_contradiction("PDFS", Fraction(2), close_before=500.0, price_after=math.nan)


class TestEquity:
    @pytest.mark.parametrize("price", [math.nan, 0.0, -1.0, None])
    def test_it_cannot_be_said_without_a_price(self, price):
        prices = {} if price is None else {"PDFS": price}
        with pytest.raises(DataError, match="100 PDFS are held, and their price is"):
            booked([trade(100, 50.0, "a")], cash=0.0).equity(prices)

    def test_what_is_not_held_needs_no_price(self):
        assert booked([trade(1, 5.0, "a"), trade(-1, 6.0, "b", seconds=2)], cash=0.0).equity({}) == 1.0


@st.composite
def histories(draw: st.DrawFn) -> list[Booking]:
    bookings: list[Booking] = []
    for number in range(draw(st.integers(1, 8))):
        kind = draw(st.sampled_from(["fill", "fill", "fill", "cash", "dividend"]))
        shares = draw(st.integers(-50, 50).filter(bool))
        if kind == "fill":
            price = draw(st.floats(1, 500))
            commission = draw(st.sampled_from([0.0, 0.35]))
            bookings.append(trade(shares, price, f"e{number}", seconds=number, commission=commission))
        elif kind == "cash":
            bookings.append(cash_booking(f"c{number}", float(shares), at(number)))
        else:
            paid = {"shares": shares, "dollars_per_share": 0.1, "ex_date": date(2023, 3, number + 1)}
            bookings.append(dividend_booking("trade", "PDFS", booked_utc=at(number), **paid))
    return bookings


class TestAnyOrder:
    @hypothesis_settings(max_examples=60)
    @given(bookings=histories(), data=st.data())
    def test_bookings_in_any_order_and_repeated_make_the_same_book(self, bookings, data):
        repeated = [*bookings, *data.draw(st.lists(st.sampled_from(bookings), max_size=4))]
        assert booked(data.draw(st.permutations(repeated)), cash=1_000.0) == booked(bookings, cash=1_000.0)

    @hypothesis_settings(max_examples=60)
    @given(bookings=histories(), price=st.floats(1, 500))
    def test_equity_is_what_was_there_and_what_was_earned(self, bookings, price):
        book = booked(bookings, cash=1_000.0)
        earned = sum(held.realized + held.unrealized(price) for held in book.positions.values())
        other = math.fsum(cash for kind, cash in book.totals.items() if kind is not BookingKind.FILL)
        assert book.equity({"PDFS": price}) == pytest.approx(1_000.0 + earned + other - book.commissions, abs=0.005)

    def test_the_same_execution_with_other_numbers_counts_as_it_came_first_and_is_said(self):
        book = booked([trade(10, 50.0, "a"), trade(12, 50.0, "a"), trade(10, 50.0, "a", seconds=1.5)], cash=0.0)
        assert position(book).shares == 10
        assert book.contradictions == (
            "fill a was booked with 10 shares and -500.00 dollars and comes again with 12 and -600.00",
        )


@pytest.mark.parametrize(
    "wrong", [{"cash": math.nan}, {"commission": -1.0}, {"booked_utc": at(0).replace(tzinfo=None)}]
)
def test_what_is_no_booking_is_refused(wrong):
    with pytest.raises(ValueError, match=r"are none|no time zone"):
        replace(cash_booking("c", 1.0, at(0)), **wrong)
