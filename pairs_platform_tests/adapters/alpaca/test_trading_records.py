"""Alpaca's answers as records: what is read, what is named as unknown, and what is refused."""

import math
from datetime import UTC, date, datetime
from functools import partial

import pytest

from pairs_platform.adapters.alpaca.trading_records import (
    News,
    read_account,
    read_asset,
    read_booking,
    read_clock,
    read_fill,
    read_hours,
    read_order,
    read_position,
    read_update,
)
from pairs_platform.core.errors import DataError
from pairs_platform.core.trading.orders import OrderStatus

ORDER = {
    "id": "b1", "client_order_id": "pp-abc", "symbol": "AAA", "qty": "10", "filled_qty": "4", "side": "sell",
    "filled_avg_price": "9.5", "type": "limit", "limit_price": "9.4", "status": "partially_filled",
    "time_in_force": "day", "submitted_at": "2026-11-24T15:00:00.123456789Z",
}  # fmt: skip
UPDATE = {
    "event": "partial_fill", "execution_id": "e1", "price": "9.5", "qty": "4", "position_qty": "-4",
    "timestamp": "2026-11-24T15:00:01Z", "order": ORDER,
}  # fmt: skip
FILL = {
    "id": "20261124150001000::e1", "activity_type": "FILL", "transaction_time": "2026-11-24T15:00:01.001Z",
    "type": "partial_fill", "price": "9.5", "qty": "4", "side": "sell_short", "symbol": "AAA", "leaves_qty": "6",
    "order_id": "b1", "cum_qty": "4", "order_status": "partially_filled",
}  # fmt: skip
DIVIDEND = {
    "activity_type": "DIV", "id": "20190801011955195::5f596936", "date": "2019-08-01", "net_amount": "1.02",
    "symbol": "T", "qty": "2", "per_share_amount": "0.51",
}  # fmt: skip
ACCOUNT = {
    "id": "a1", "status": "ACTIVE", "equity": "100000", "cash": "90000", "buying_power": "180000",
    "trading_blocked": False, "account_blocked": False, "shorting_enabled": True, "multiplier": "2",
}  # fmt: skip
POSITION = {"symbol": "AAA", "qty": "-4", "side": "short", "qty_available": "-3", "avg_entry_price": "9.5"}
ASSET = {"symbol": "AAA", "tradable": True, "shortable": True, "borrow_status": "easy_to_borrow"}


def without(record: dict, *names: str) -> dict:
    return {name: value for name, value in record.items() if name not in names}


def order(**changes):
    return read_order({**ORDER, **changes}, News())


def update(order=None, **changes):
    return read_update({**UPDATE, **changes, "order": {**ORDER, **(order or {})}}, News())


class TestOrder:
    def test_what_is_read(self):
        read = order()
        assert (read.quantity, read.filled_quantity, read.average_price, read.limit_price) == (-10, 4, 9.5, 9.4)
        assert (read.status, read.anomalies) == (OrderStatus.WORKING, ())
        assert read.submitted_utc == datetime(2026, 11, 24, 15, 0, 0, 123456, tzinfo=UTC)
        report = read.report()
        assert (report.status, report.broker_order_id, report.filled_quantity) == (OrderStatus.WORKING, "b1", 4)

    @pytest.mark.parametrize(
        ("word", "status"),
        [
            *((word, "working") for word in ("new", "accepted", "pending_new", "held", "suspended", "stopped")),
            *((word, "working") for word in ("accepted_for_bidding", "calculated", "pending_replace")),
            ("pending_cancel", "canceling"),
            *((word, word) for word in ("filled", "canceled", "expired", "rejected")),
            ("done_for_day", "expired"),
        ],
    )
    def test_every_documented_status(self, word, status):
        read = order(status=word)
        assert (read.status, read.anomalies) == (OrderStatus(status), ())

    def test_done_for_the_day_is_no_end_of_an_order_that_is_good_until_canceled(self):
        assert order(status="done_for_day", time_in_force="gtc").status is OrderStatus.WORKING

    def test_a_status_that_nobody_knows_is_named_and_not_guessed(self):
        read = order(status="examined")
        assert read.status is OrderStatus.UNKNOWN
        assert "'examined' is not known" in read.anomalies[0]

    def test_a_field_that_nobody_knows_is_named_once(self):
        news = News()
        first, second = (read_order({**ORDER, "venue_hint": "X"}, news) for _ in range(2))
        assert "order field venue_hint" in first.anomalies[0]
        assert second.anomalies == ()

    def test_an_order_that_somebody_replaced_has_ended_and_is_named(self):
        read = order(status="replaced", replaced_by="b2")
        assert read.status is OrderStatus.CANCELED
        assert "'b2'" in read.anomalies[0]

    def test_numbers_instead_of_texts_and_an_order_in_dollars(self):
        assert order(qty=10, filled_qty=4.0, limit_price=9.4).quantity == -10
        assert order(qty=None, notional="500", client_order_id="manual").quantity is None

    def test_fractions_of_an_own_order_are_named_and_those_of_others_are_not(self):
        assert "not whole" in order(filled_qty="0.5").anomalies[0]
        assert order(filled_qty="0.5", client_order_id="manual").anomalies == ()

    @pytest.mark.parametrize("name", ["id", "client_order_id", "symbol", "side", "status", "filled_qty"])
    def test_what_it_cannot_do_without(self, name):
        with pytest.raises(DataError, match=f"{name}|side"):
            read_order(without(ORDER, name), News())

    @pytest.mark.parametrize(
        "changes",
        [{"side": "short"}, {"filled_qty": "NaN"}, {"filled_qty": "-1"}, {"qty": "many"}, {"id": 7}, {"status": ""}],
    )
    def test_what_contradicts_itself(self, changes):
        with pytest.raises(DataError):
            order(**changes)

    def test_a_person_s_order_for_several_options_is_read_and_blocks_no_list(self):
        read = order(client_order_id="manual", symbol="", side="", order_class="mleg", qty="2", filled_qty="0")
        assert (read.symbol, read.quantity, read.filled_quantity, read.anomalies) == ("", None, 0, ())
        with pytest.raises(DataError):
            order(symbol="")

    @pytest.mark.parametrize("content", [None, [], "order", 7])
    def test_what_is_none(self, content):
        with pytest.raises(DataError, match="order that is none"):
            read_order(content, News())


class TestUpdate:
    def test_an_execution_has_the_id_that_its_activity_has(self):
        read = update()
        assert read.fill is not None
        assert (read.fill.execution_id, read.fill.quantity, read.fill.price) == ("b1/4", 4, 9.5)
        listed = read_fill(FILL)
        assert listed.fill is not None
        assert listed.fill.execution_id == read.fill.execution_id
        assert (listed.side, listed.quantity, listed.cumulative_quantity) == (-1, 4, 4)
        assert (read.position_quantity, read.report.fill) == (-4, read.fill)

    def test_an_event_without_an_execution(self):
        read = update({"status": "canceled"}, event="canceled", price=None, qty=None, position_qty=None)
        assert (read.fill, read.report.status, read.anomalies) == (None, OrderStatus.CANCELED, ())

    def test_an_event_that_nobody_knows_is_named_and_its_order_read(self):
        read = update(event="examined")
        assert "'examined' is not known" in read.anomalies[0]
        assert (read.fill, read.order.filled_quantity) == (None, 4)

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"qty": "0"}, "has '0' shares"),
            ({"qty": "5"}, "has '5' shares, with 4 filled in all"),
            ({"qty": "1.5"}, "has '1.5' shares"),
            ({"qty": None}, "has None shares"),
            ({"price": "NaN"}, "has the price 'NaN'"),
            ({"price": "0"}, "has the price '0'"),
            ({"price": None}, "has the price None"),
            ({"timestamp": "yesterday"}, "has no time"),
        ],
    )
    def test_an_execution_that_is_none_is_named_and_its_shares_count_as_reported(self, changes, said):
        read = update(**changes)
        assert read.fill is None
        assert said in read.anomalies[0]
        assert read.report.filled_quantity == 4

    @pytest.mark.parametrize("content", [None, {}, {"event": "fill"}, {"event": 7, "order": ORDER}, {"order": ORDER}])
    def test_what_says_of_no_order_what_happened(self, content):
        with pytest.raises(DataError):
            read_update(content, News())


class TestFill:
    def test_a_person_s_fraction_has_no_fill_of_the_platform(self):
        read = read_fill({**FILL, "qty": "0.5", "cum_qty": "0.5"})
        assert (read.fill, read.quantity) == (None, 0.5)

    @pytest.mark.parametrize("name", ["order_id", "symbol", "side", "qty", "price", "cum_qty", "transaction_time"])
    def test_what_it_cannot_do_without(self, name):
        with pytest.raises(DataError):
            read_fill(without(FILL, name))


class TestBooking:
    """Account activities that are no trades, in the form of Alpaca's reference."""

    @pytest.mark.parametrize(
        ("kind", "read"),
        [("DIV", "dividend"), ("DIVNRA", "dividend"), ("SPLIT", "split"), ("INT", "cash"), ("NEW", "cash")],
    )
    def test_money_is_read_with_its_kind_and_a_kind_that_nobody_knows_is_cash(self, kind, read):
        booking = read_booking({**DIVIDEND, "activity_type": kind})
        assert (booking.kind, booking.cash, booking.symbol) == (read, 1.02, "T")
        assert booking.id == f"{kind} 20190801011955195::5f596936"
        assert booking.booked_utc == datetime(2019, 8, 1, 4, tzinfo=UTC)

    @pytest.mark.parametrize("changed", [{"net_amount": "0"}, {"status": "canceled"}])
    def test_what_moves_no_money_is_none(self, changed):
        assert read_booking({**DIVIDEND, **changed}) is None

    @pytest.mark.parametrize("changed", [{"net_amount": "much"}, {"date": "August"}, {"id": ""}, {"activity_type": 7}])
    def test_what_cannot_be_read_is_said(self, changed):
        with pytest.raises(DataError):
            read_booking({**DIVIDEND, **changed})


class TestPosition:
    def test_a_short_one_is_negative_however_it_is_written(self):
        for quantity in ("-4", "4"):
            read = read_position({**POSITION, "qty": quantity})
            assert (read.quantity, read.available, read.average_price) == (-4, 3, 9.5)

    def test_what_is_free_may_be_unknown(self):
        assert read_position(without(POSITION, "qty_available")).available is None

    @pytest.mark.parametrize(
        "changes", [{"qty": "NaN"}, {"qty": None}, {"side": "flat"}, {"side": "long"}, {"symbol": ""}]
    )
    def test_one_that_contradicts_itself_is_refused(self, changes):
        with pytest.raises(DataError):
            read_position({**POSITION, **changes})


class TestAccount:
    def test_what_is_read_without_the_fields_that_alpaca_left_out(self):
        read = read_account(ACCOUNT)
        assert (read.equity, read.cash, read.buying_power, read.multiplier) == (100_000, 90_000, 180_000, 2)
        assert (read.shorting_enabled, read.blocked, read.last_equity, read.anomalies) == (True, False, None, ())

    @pytest.mark.parametrize("name", ["equity", "cash", "buying_power"])
    @pytest.mark.parametrize("value", [None, "NaN", "", math.inf])
    def test_money_that_is_not_said_is_refused(self, name, value):
        with pytest.raises(DataError, match=name):
            read_account({**ACCOUNT, name: value})

    @pytest.mark.parametrize(
        ("changes", "anomalies"),
        [
            ({"trading_blocked": True}, 0),
            ({"account_blocked": True}, 0),
            ({"trade_suspended_by_user": True}, 0),
            ({"status": "ACCOUNT_CLOSED"}, 1),
            ({"trading_blocked": None}, 1),
        ],
    )
    def test_an_account_of_which_nobody_says_that_it_may_trade_is_blocked(self, changes, anomalies):
        read = read_account({**ACCOUNT, **changes})
        assert read.blocked
        assert len(read.anomalies) == anomalies

    def test_one_that_does_not_say_whether_it_may_sell_short_may_not(self):
        read = read_account(without(ACCOUNT, "shorting_enabled"))
        assert (read.shorting_enabled, read.blocked) == (False, False)
        assert "shorting_enabled" in read.anomalies[0]


@pytest.mark.parametrize(
    ("fields", "borrow", "anomalies"),
    [
        ({"borrow_status": "easy_to_borrow"}, "easy_to_borrow", 0),
        ({"borrow_status": "hard_to_borrow", "easy_to_borrow": True}, "hard_to_borrow", 0),
        ({"easy_to_borrow": True}, "easy_to_borrow", 0),
        ({"easy_to_borrow": False}, "hard_to_borrow", 0),
        ({"borrow_status": "by_appointment", "easy_to_borrow": True}, "unknown", 1),
        ({}, "unknown", 1),
    ],
)
def test_whether_shares_can_be_borrowed_in_the_field_of_today_or_of_yesterday(fields, borrow, anomalies):
    read = read_asset({**without(ASSET, "borrow_status"), **fields})
    assert (read.borrow, len(read.anomalies)) == (borrow, anomalies)


def test_an_asset_that_says_nothing_may_not_be_traded():
    read = read_asset({"symbol": "AAA"})
    assert (read.tradable, read.shortable) == (False, False)


def test_hours_are_new_york_s_in_summer_and_in_winter():
    for day, opens in ((date(2026, 7, 1), 13), (date(2026, 11, 27), 14)):
        read = read_hours({"date": day.isoformat(), "open": "09:30", "close": "13:00"})
        assert read.open_utc == datetime(day.year, day.month, day.day, opens, 30, tzinfo=UTC)
        assert read.close_utc == datetime(day.year, day.month, day.day, opens + 4, tzinfo=UTC)
        assert read.open_utc.tzinfo is UTC


@pytest.mark.parametrize(
    "read",
    [
        partial(read_hours, {"date": "2026-07-01", "open": "half past nine", "close": "16:00"}),
        partial(read_hours, {"date": "2026-07-01"}),
        partial(read_clock, {"timestamp": "2026-11-24T10:00:00", "is_open": True}),
        partial(
            read_clock,
            {
                "timestamp": "2026-11-24T10:00:00",
                "is_open": True,
                "next_open": "2026-11-25T09:30:00-05:00",
                "next_close": "2026-11-24T16:00:00-05:00",
            },
        ),
    ],
)
def test_times_that_cannot_be_placed_are_refused(read):
    with pytest.raises(DataError):
        read()
