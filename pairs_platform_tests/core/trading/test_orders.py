"""The life of one order under reports that are late, repeated, out of order or contradict each other."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pairs_platform.core.trading.orders import (
    CLIENT_ORDER_ID_PREFIX,
    Order,
    OrderStatus,
    Report,
    applied,
    cancel_requested,
    client_order_id,
    denied,
    sent_without_answer,
    written_off,
)
from pairs_platform_tests.support.pair_trades import at, ended, fill_of, order_of, working

ENDS = (OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.REJECTED)
BROKERS_WORDS = (OrderStatus.WORKING, OrderStatus.CANCELING, *ENDS)


def after(order: Order, *reports: Report) -> Order:
    for report in reports:
        order = applied(order, report).order
    return order


@st.composite
def histories(draw: st.DrawFn) -> tuple[Order, list[Report]]:
    """An order, and what a broker truly says of it: growing fills, then perhaps its end."""
    quantity = draw(st.integers(1, 60))
    order = order_of(draw(st.sampled_from([quantity, -quantity])))
    parts = draw(st.lists(st.integers(1, 20), max_size=5))
    reports, total = [working()], 0
    for number, part in enumerate(parts):
        shares = min(part, quantity - total)
        if not shares:
            break
        total += shares
        fill = fill_of(shares, f"e{number}", price=draw(st.floats(1, 100)), seconds=draw(st.integers(0, 3)))
        seen = draw(st.sampled_from(["stream", "reply"]))
        reports.append(working(total, fill=fill if seen == "stream" else None))
        if seen == "reply":
            # The reply counts the shares, the execution comes by itself.
            reports.append(working(fill=fill))
    if draw(st.booleans()):
        reports.append(ended(OrderStatus.CANCELING, total))
    if total == quantity:
        reports.append(ended(OrderStatus.FILLED, total))
    elif draw(st.booleans()):
        reports.append(ended(draw(st.sampled_from(ENDS[1:])), total))
    return order, reports


class TestAnyOrderOfReports:
    @hypothesis_settings(max_examples=60)
    @given(history=histories(), data=st.data())
    def test_every_permutation_with_repetitions_ends_in_the_same_order(self, history, data):
        order, reports = history
        told = after(order, *reports)
        shuffled = data.draw(st.permutations([*reports, *data.draw(st.lists(st.sampled_from(reports), max_size=4))]))
        assert after(order, *shuffled) == told

    @hypothesis_settings(max_examples=60)
    @given(history=histories(), data=st.data())
    def test_what_is_filled_only_grows_and_an_execution_is_handed_on_once(self, history, data):
        order, reports = history
        handed_on = []
        for report in data.draw(st.permutations(reports * 2)):
            result = applied(order, report)
            assert abs(result.order.filled) >= abs(order.filled)
            assert result.anomaly == ""
            assert not order.status.ended or result.order.status in (order.status, OrderStatus.FILLED)
            handed_on += [result.new_fill] if result.new_fill else []
            order = result.order
        assert sorted(handed_on, key=lambda fill: (fill.filled_utc, fill.execution_id)) == list(order.fills)
        assert abs(order.executed) == sum(fill.quantity for fill in handed_on)

    @hypothesis_settings(max_examples=60)
    @given(
        reports=st.lists(
            st.builds(
                Report,
                status=st.sampled_from(list(OrderStatus)),
                broker_order_id=st.sampled_from(["", "b1", "b2"]),
                filled_quantity=st.integers(-5, 150),
                fill=st.none() | st.builds(fill_of, st.integers(1, 80), st.sampled_from(["e1", "e2", "e3"])),
            ),
            max_size=12,
        )
    )
    def test_no_report_whatever_it_says_takes_a_fill_away_or_counts_an_execution_twice(self, reports):
        order = order_of(100)
        for report in reports:
            result = applied(order, report)
            assert set(order.fills) <= set(result.order.fills)
            assert result.order.filled >= order.filled
            assert len({fill.execution_id for fill in result.order.fills}) == len(result.order.fills)
            if result.order.filled > 100:
                assert result.anomaly, "more shares than ordered are said"
            order = result.order


class TestEnds:
    @pytest.mark.parametrize("end", ENDS[1:])
    def test_a_fill_after_the_end_counts_and_a_whole_one_is_filled(self, end):
        gone = after(order_of(100), ended(end))
        part = after(gone, working(40, fill=fill_of(40)))
        assert (part.status, part.filled, part.remaining) == (end, 40, 0)
        whole = after(part, working(100, fill=fill_of(60, "e2")))
        assert (whole.status, whole.filled) == (OrderStatus.FILLED, 100)

    @pytest.mark.parametrize("end", ENDS)
    def test_old_news_of_an_order_that_has_ended_changes_nothing(self, end):
        gone = after(order_of(100), ended(end, 100 if end is OrderStatus.FILLED else 0))
        for status in BROKERS_WORDS:
            if status is not OrderStatus.FILLED:
                assert after(gone, ended(status)).status is end

    def test_two_ends_that_contradict_each_other_leave_the_first_and_all_fills(self):
        for first, second in itertools.permutations(ENDS[1:], 2):
            order = after(order_of(100), ended(first, 10), ended(second, 25))
            assert (order.status, order.filled) == (first, 25)

    def test_filled_with_fewer_shares_than_ordered_is_said_and_is_no_end(self):
        for before in (order_of(100), sent_without_answer(order_of(100)), after(order_of(100), working())):
            result = applied(before, ended(OrderStatus.FILLED, 60))
            assert (result.order.status, result.order.filled) == (OrderStatus.WORKING, 60)
            assert "reported as filled with 60 of 100 shares" in result.anomaly

    def test_a_rejection_after_the_broker_took_it_ends_it_with_its_reason(self):
        order = after(order_of(100), working(), ended(OrderStatus.REJECTED, reason="no shares to borrow"))
        assert (order.status, order.reason) == (OrderStatus.REJECTED, "no shares to borrow")

    def test_more_shares_than_ordered_are_held_and_said(self):
        result = applied(order_of(-100), working(130))
        assert (result.order.status, result.order.filled, result.order.remaining) == (OrderStatus.FILLED, -130, 0)
        assert "130 shares of PDFS are filled, 100 were ordered" in result.anomaly


class TestContradictions:
    def test_another_order_of_the_broker_under_our_id_changes_nothing_and_is_said(self):
        order = after(order_of(100), working())
        result = applied(order, working(100, fill=fill_of(100), broker_order_id="b2"))
        assert (result.order, result.new_fill) == (order, None)
        assert "reports order b2" in result.anomaly

    def test_an_execution_with_other_numbers_stays_as_it_came_first_and_is_said(self):
        order = after(order_of(100), working(40, fill=fill_of(40)))
        for other in (fill_of(30), fill_of(40, price=51.0)):
            result = applied(order, working(fill=other))
            assert (result.order.fills, result.new_fill) == (order.fills, None)
            assert "execution e1 is reported with" in result.anomaly

    def test_the_same_execution_with_a_rounded_time_is_no_contradiction(self):
        order = after(order_of(100), working(40, fill=fill_of(40, seconds=1.234567)))
        result = applied(order, working(40, fill=fill_of(40, seconds=1.234, commission=0.01)))
        assert (result.order, result.new_fill, result.anomaly) == (order, None, "")

    def test_an_order_that_was_never_sent_and_that_the_broker_has_is_open_again_and_said(self):
        result = applied(denied(order_of(100), "too small"), working(10))
        assert (result.order.status, result.order.filled) == (OrderStatus.WORKING, 10)
        assert "never sent" in result.anomaly

    def test_a_status_that_nobody_knows_ends_nothing(self):
        for before in (order_of(100), after(order_of(100), working())):
            assert not after(before, Report(status=OrderStatus.UNKNOWN, broker_order_id="b1")).status.ended


class TestLostAnswers:
    def test_an_order_whose_answer_was_lost_is_unknown_until_the_broker_names_it(self):
        order = sent_without_answer(order_of(100))
        assert order.status is OrderStatus.UNKNOWN
        assert order.remaining == 100, "all of it may be filled"
        assert after(order, working()).status is OrderStatus.WORKING

    def test_what_is_known_already_is_not_made_unknown_by_a_lost_answer(self):
        for order in (after(order_of(100), working()), after(order_of(100), ended(OrderStatus.CANCELED))):
            assert sent_without_answer(order) == order

    def test_only_a_person_writes_an_unknown_order_off_and_a_later_report_opens_it_again(self):
        order = written_off(sent_without_answer(order_of(100)), "Alpaca's page shows no such order")
        assert (order.status, order.remaining) == (OrderStatus.DENIED, 0)
        result = applied(order, ended(OrderStatus.FILLED, 100, fill=fill_of(100)))
        assert (result.order.status, result.order.filled) == (OrderStatus.FILLED, 100)
        assert result.anomaly

    def test_what_the_broker_has_named_is_not_written_off(self):
        with pytest.raises(ValueError, match="only an order that no report has named"):
            written_off(after(order_of(100), working()), "gone")
        with pytest.raises(ValueError, match="with a reason"):
            written_off(sent_without_answer(order_of(100)), "")

    def test_only_what_was_never_sent_is_denied(self):
        assert denied(order_of(100), "limit").reason == "limit"
        with pytest.raises(ValueError, match="only what was never sent"):
            denied(sent_without_answer(order_of(100)), "limit")


class TestCanceling:
    def test_it_stays_asked_for_whatever_older_reports_say_until_its_end_is_known(self):
        order = cancel_requested(after(order_of(100), working()), at(15))
        assert order.cancel_requested_utc == at(15)
        for report in (working(), working(20, fill=fill_of(20)), ended(OrderStatus.CANCELING)):
            order = after(order, report)
            assert order.status is OrderStatus.CANCELING
        assert after(order, ended(OrderStatus.CANCELED, 20)).status is OrderStatus.CANCELED

    def test_a_fill_that_wins_the_race_against_the_cancel_is_filled(self):
        order = cancel_requested(after(order_of(100), working()), at(15))
        assert after(order, ended(OrderStatus.FILLED, 100)).status is OrderStatus.FILLED

    def test_an_ended_order_is_not_asked_for(self):
        order = after(order_of(100), ended(OrderStatus.EXPIRED))
        assert cancel_requested(order, at(15)) == order


class TestNumbers:
    def test_shares_without_their_execution_count_as_exposure_and_not_as_money(self):
        order = after(order_of(-100), working(60, fill=fill_of(25, price=48.0)))
        assert (order.filled, order.executed, order.remaining) == (-60, -25, -40)
        assert order.lacks_executions
        assert order.average_price == 48.0
        assert not after(order, working(fill=fill_of(35, "e2"))).lacks_executions

    def test_the_average_price_is_that_of_the_shares(self):
        order = after(order_of(100), working(fill=fill_of(30, price=10)), working(fill=fill_of(70, "e2", price=20)))
        assert order.average_price == pytest.approx(17.0)
        assert order_of(100).average_price is None

    @pytest.mark.parametrize(
        "wrong",
        [
            {"quantity": 0},
            {"limit_price": float("nan")},
            {"limit_price": 0.0},
            {"intended_utc": at(0).replace(tzinfo=None)},
        ],
    )
    def test_what_is_no_order_is_refused(self, wrong):
        with pytest.raises(ValueError, match=r"is none|no time zone"):
            replace(order_of(100), **wrong)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"execution_id": ""},
            {"quantity": 0},
            {"quantity": -5},
            {"price": float("nan")},
            {"price": -1.0},
            {"commission": float("inf")},
            {"filled_utc": at(0).replace(tzinfo=None)},
        ],
    )
    def test_what_is_no_execution_is_refused(self, wrong):
        with pytest.raises(ValueError, match="fill"):
            replace(fill_of(10), **wrong)


class TestClientOrderId:
    def test_the_same_intent_has_the_same_id_in_every_process(self):
        first = client_order_id("demo", "paper", "trade", "y", "open", 1)
        assert first == "pp-hlmeqo7vc4dgvuwda553xyd7si" == client_order_id("demo", "paper", "trade", "y", "open", 1)
        assert first.startswith(CLIENT_ORDER_ID_PREFIX)
        assert len(first) == 29

    def test_every_other_intent_has_another_one(self):
        parts = [("demo", "live"), ("a", "b"), ("t", "u"), ("y", "x"), ("open", "close"), (1, 2)]
        ids = {client_order_id(*intent) for intent in itertools.product(*parts)}
        assert len(ids) == 2**6
        assert client_order_id("a", "bc", "t", "y", "open", 1) != client_order_id("ab", "c", "t", "y", "open", 1)
