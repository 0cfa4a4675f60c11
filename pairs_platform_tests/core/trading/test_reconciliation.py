"""What the platform believes against what the broker says: taken over by ids, never inferred, never forgotten."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pairs_platform.core.trading.execution_settings import ExecutionSettings
from pairs_platform.core.trading.netting import INTERNAL_BROKER_ID
from pairs_platform.core.trading.orders import Fill, Order, OrderStatus, Report, client_order_id, sent_without_answer
from pairs_platform.core.trading.reconciliation import (
    BrokersSide,
    OurSide,
    Subject,
    corrected,
    reconciled,
)
from pairs_platform.ports.broker import BrokerFill, BrokerOrder, BrokerPosition
from pairs_platform_tests.support.pair_trades import at, fill_of, filled, order_of, trade_of

SETTINGS = ExecutionSettings()
BUY_Y = order_of(100)
SELL_X = order_of(-50, leg="x", purpose="hedge")


def order_seen(
    broker_id: str,
    client_id: str,
    symbol: str,
    quantity: float | None,
    filled_quantity: float = 0.0,
    status: OrderStatus = OrderStatus.WORKING,
) -> BrokerOrder:
    return BrokerOrder(
        broker_order_id=broker_id,
        client_order_id=client_id,
        symbol=symbol,
        quantity=quantity,
        filled_quantity=filled_quantity,
        average_price=None,
        limit_price=None,
        status=status,
        broker_status="",
    )


def fill_seen(broker_id: str, symbol: str, side: int, fill: Fill | None) -> BrokerFill:
    quantity = 0.5 if fill is None else float(fill.quantity)
    return BrokerFill(
        broker_order_id=broker_id,
        symbol=symbol,
        side=side,
        fill=fill,
        quantity=quantity,
        price=50.0,
        cumulative_quantity=quantity,
        filled_utc=at(1),
    )


def holds(symbol: str, quantity: float) -> BrokerPosition:
    return BrokerPosition(symbol=symbol, quantity=quantity, available=abs(quantity))


def seen(order: Order, filled_quantity: int = 0, status: OrderStatus = OrderStatus.WORKING) -> BrokerOrder:
    """Our order as the broker has it."""
    return order_seen(
        f"b-{order.client_order_id}",
        order.client_order_id,
        order.symbol,
        float(order.quantity),
        filled_quantity,
        status,
    )


def compared(trades=(), *, cash=0.0, foreign_shares=None, now=0.0, before=(), **broker):
    answer = {"orders": (), "fills": (), "positions": (), "cash": cash, "since_utc": at(-3600), **broker}
    ours = OurSide(trades=trades, cash=cash, foreign_shares=foreign_shares or {})
    return reconciled(ours, BrokersSide(**answer), at(now), SETTINGS, before=before)


def messages(result) -> list[str]:
    return [difference.message for difference in result.differences]


HELD = [holds("PDFS", 100.0), holds("AVGO", -50.0)]
OPEN = trade_of(filled(BUY_Y), filled(SELL_X))
OPEN_SEEN = [seen(BUY_Y, 100, OrderStatus.FILLED), seen(SELL_X, 50, OrderStatus.FILLED)]


class TestAgreement:
    def test_nothing_is_different_and_nothing_is_corrected(self):
        result = compared([OPEN], orders=OPEN_SEEN, positions=HELD)
        assert (result.corrections, result.foreign, result.differences, result.unanswered) == ((), (), (), ())

    def test_an_account_without_anything(self):
        assert compared().differences == ()


class TestTakenOver:
    def test_fills_that_were_missed_are_found_by_the_brokers_count_and_their_executions(self):
        """Reported: fills lost at a disconnect; one fill frame that was never sent on a healthy stream."""
        trade = trade_of(BUY_Y)
        fills = [fill_seen(f"b-{BUY_Y.client_order_id}", "PDFS", 1, fill_of(100, "e1"))]
        result = compared(
            [trade],
            orders=[seen(BUY_Y, 100, OrderStatus.FILLED)],
            fills=fills,
            positions=[holds("PDFS", 100.0)],
        )
        (after,) = corrected([trade], result.corrections)
        assert (after.held("y"), after.order(BUY_Y.client_order_id).executed) == (100, 100)
        assert result.differences == ()

    def test_fills_that_are_replayed_on_a_restart_are_not_counted_again(self):
        """Reported: fills replayed on restart under synthetic ids, and holdings doubled."""
        fills = [fill_seen(fills.broker_order_id, "PDFS", 1, BUY_FILLED.fills[0]) for fills in [seen(BUY_Y)]]
        result = compared([OPEN], orders=OPEN_SEEN, fills=fills, positions=HELD)
        assert (result.corrections, result.differences) == ((), ())

    def test_a_count_of_shares_and_the_execution_that_follows_are_one_fill(self):
        """Reported: an inferred fill, then the real one."""
        trade = trade_of(BUY_Y)
        first = compared([trade], orders=[seen(BUY_Y, 100, OrderStatus.FILLED)], positions=[holds("PDFS", 100.0)])
        (counted,) = corrected([trade], first.corrections)
        assert (counted.held("y"), counted.order(BUY_Y.client_order_id).executed) == (100, 0)
        assert messages(first) == [
            f"order {BUY_Y.client_order_id}: 100 shares of PDFS are filled, and executions of 0 are known"
        ]
        fills = [fill_seen(f"b-{BUY_Y.client_order_id}", "PDFS", 1, fill_of(100, "e1"))]
        second = compared(
            [counted],
            orders=[seen(BUY_Y, 100, OrderStatus.FILLED)],
            fills=fills,
            positions=[holds("PDFS", 100.0)],
        )
        (booked,) = corrected([counted], second.corrections)
        assert (booked.held("y"), booked.order(BUY_Y.client_order_id).executed) == (100, 100)
        assert second.differences == ()

    def test_fifteen_orders_that_were_taken_for_canceled_had_all_filled(self):
        """Reported: 15 orders were said to be canceled, and all had filled."""
        orders = [
            order_of(10, attempt=attempt, status=OrderStatus.CANCELED, broker_order_id="") for attempt in range(1, 16)
        ]
        trade = trade_of(*orders, target_y=150)
        result = compared(
            [trade],
            orders=[seen(order, 10, OrderStatus.FILLED) for order in orders],
            positions=[holds("PDFS", 150.0)],
        )
        (after,) = corrected([trade], result.corrections)
        assert (len(result.corrections), after.held("y")) == (15, 150)
        assert not [each for each in result.differences if each.subject is Subject.POSITION]

    def test_an_order_whose_answer_was_lost_is_found_by_its_id(self):
        trade = trade_of(sent_without_answer(BUY_Y))
        result = compared([trade], orders=[seen(BUY_Y)])
        (after,) = corrected([trade], result.corrections)
        assert after.order(BUY_Y.client_order_id).status is OrderStatus.WORKING

    def test_working_orders_are_kept(self):
        """Reported: reconciliation dropped working orders."""
        trade = trade_of(replace(BUY_Y, status=OrderStatus.WORKING))
        kept = compared([trade], orders=[seen(BUY_Y)])
        assert corrected([trade], kept.corrections)[0].pending("y")
        lost = compared([trade], orders=[])
        assert lost.corrections == (), "that the broker does not list it is evidence and no proof"
        assert messages(lost) == [
            f"order {BUY_Y.client_order_id} (+100 PDFS) is working here, and the broker does not list it"
        ]

    def test_a_warm_restart_invents_no_fill(self):
        """Reported: a warm restart invented the opposite fill and took the account for flat."""
        result = compared([OPEN], orders=OPEN_SEEN, positions=[], now=10)
        assert result.corrections == ()
        assert corrected([OPEN], result.corrections) == (OPEN,)
        assert messages(result) == [
            "the broker holds 0 AVGO, -50 are known: -50 of pairs",
            "the broker holds 0 PDFS, 100 are known: 100 of pairs",
        ]


BUY_FILLED = OPEN.order(BUY_Y.client_order_id)


class TestDifferences:
    @pytest.mark.parametrize("positions", [[], [holds("PDFS", 60.0)], [holds("PDFS", -100.0)]])
    def test_a_position_that_vanished_or_changed_at_the_broker_is_named(self, positions):
        """Reported: a position vanished at the broker; a liquidation by the broker was not seen."""
        trade = trade_of(filled(BUY_Y))
        (difference,) = compared([trade], orders=OPEN_SEEN[:1], positions=positions).differences
        assert difference.key == "position PDFS"

    def test_a_position_that_only_the_broker_has_is_named(self):
        assert messages(compared(positions=[holds("MSFT", 12.0)])) == [
            "the broker holds 12 MSFT, 0 are known: 0 of pairs"
        ]

    def test_a_split_of_the_brokers_is_a_difference_and_no_trade(self):
        """Reported: 699 of 700 shares after a split."""
        trade = trade_of(filled(order_of(1400)), target_y=1400)
        result = compared(
            [trade], orders=[seen(order_of(1400), 1400, OrderStatus.FILLED)], positions=[holds("PDFS", 699.0)]
        )
        assert messages(result) == ["the broker holds 699 PDFS, 1400 are known: 1400 of pairs"]
        assert result.corrections == ()

    def test_what_a_working_order_may_have_filled_is_explained_and_no_more(self):
        trade = trade_of(replace(BUY_Y, status=OrderStatus.WORKING))
        for shares, different in [(0, False), (60, False), (100, False), (101, True), (-1, True)]:
            result = compared([trade], orders=[seen(BUY_Y)], positions=[holds("PDFS", float(shares))])
            assert bool(result.differences) is different, shares

    def test_a_young_difference_may_pass_and_an_old_one_is_unexplained(self):
        first = compared(positions=[holds("MSFT", 12.0)], now=0)
        assert (len(first.differences), first.unexplained) == (1, ())
        second = compared(positions=[holds("MSFT", 12.0)], now=4.9, before=first.differences)
        assert second.unexplained == ()
        third = compared(positions=[holds("MSFT", 15.0)], now=5, before=second.differences)
        assert [each.since_utc for each in third.unexplained] == [at(0)]
        gone = compared(now=6, before=third.differences)
        assert gone.differences == ()
        again = compared(positions=[holds("MSFT", 12.0)], now=60, before=gone.differences)
        assert again.unexplained == ()

    def test_another_quantity_or_symbol_under_our_id_is_a_contradiction_and_taken_over_by_nobody(self):
        trade = trade_of(BUY_Y)
        for wrong in (replace(seen(BUY_Y, 100), quantity=90.0), replace(seen(BUY_Y, 100), symbol="MSFT")):
            result = compared([trade], orders=[wrong])
            assert result.corrections == ()
            assert "is +100 PDFS here" in messages(result)[0]

    def test_an_order_that_ended_here_and_works_there_is_named(self):
        trade = trade_of(replace(BUY_Y, status=OrderStatus.CANCELED))
        assert messages(compared([trade], orders=[seen(BUY_Y)])) == [
            f"order {BUY_Y.client_order_id} is canceled here and working at the broker"
        ]

    def test_an_execution_of_another_symbol_or_direction_is_not_booked(self):
        trade = trade_of(BUY_Y)
        for symbol, side, fill in [("MSFT", 1, fill_of(10)), ("PDFS", -1, fill_of(10)), ("PDFS", 1, None)]:
            fills = [fill_seen(f"b-{BUY_Y.client_order_id}", symbol, side, fill)]
            result = compared([trade], orders=[seen(BUY_Y)], fills=fills)
            assert all(each.report.fill is None for each in result.corrections)
            assert result.differences[0].subject is Subject.FILL

    def test_an_order_that_two_pairs_filled_for_each_other_is_not_missed_at_the_broker(self):
        trade = trade_of(replace(BUY_Y, broker_order_id=INTERNAL_BROKER_ID, status=OrderStatus.WORKING))
        assert not [each for each in compared([trade]).differences if each.subject is Subject.ORDER]


class TestCash:
    def test_more_than_the_tolerance_is_a_difference(self):
        assert compared([OPEN], orders=OPEN_SEEN, positions=HELD, cash=1.0).differences == ()
        ours = OurSide(trades=[OPEN], cash=1_000.0)
        for cash, different in [(1_001.0, False), (1_001.01, True), (998.99, True), (float("nan"), True)]:
            brokers = BrokersSide(orders=OPEN_SEEN, fills=(), positions=HELD, cash=cash, since_utc=at(-60))
            assert bool(reconciled(ours, brokers, at(0), SETTINGS).differences) is different, cash

    def test_money_that_is_on_its_way_is_not_compared(self):
        ours = OurSide(trades=[trade_of(replace(BUY_Y, status=OrderStatus.WORKING))], cash=1_000.0)
        brokers = BrokersSide(orders=[seen(BUY_Y)], fills=(), positions=(), cash=0.0, since_utc=at(-60))
        assert reconciled(ours, brokers, at(0), SETTINGS).differences == ()


class TestForeign:
    def test_a_manual_order_in_a_symbol_of_ours_is_listed_and_never_adopted(self):
        """Reported: a manual order in the same symbol was taken for the own leg."""
        by_hand = order_seen("b9", "by-hand", "PDFS", -30.0, 10.0)
        fills = [fill_seen("b9", "PDFS", -1, fill_of(10, "hand"))]
        result = compared([OPEN], orders=[*OPEN_SEEN, by_hand], fills=fills, positions=HELD)
        (foreign,) = result.foreign
        assert (foreign.symbol, foreign.pending, foreign.filled) == ("PDFS", -20.0, -10.0)
        assert result.corrections == ()

    def test_its_shares_are_a_difference_until_they_are_known_to_be_foreign(self):
        positions = [holds("PDFS", 90.0), holds("AVGO", -50.0)]
        by_hand = order_seen("b9", "by-hand", "PDFS", -10.0, 10.0, OrderStatus.FILLED)
        orders = [*OPEN_SEEN, by_hand]
        assert messages(compared([OPEN], orders=orders, positions=positions)) == [
            "the broker holds 90 PDFS, 100 are known: 100 of pairs"
        ]
        assert compared([OPEN], orders=orders, positions=positions, foreign_shares={"PDFS": -10}).differences == ()

    def test_an_id_of_the_platform_without_a_record_is_an_alarm(self):
        """Reported: holdings doubled at a deploy that began with an older database."""
        lost = client_order_id("demo", "paper", "forgotten", "y", "open", 1)
        result = compared(orders=[order_seen("b9", lost, "PDFS", 10.0)])
        assert "has an id of the platform and is not in its records" in messages(result)[0]
        assert result.corrections == ()

    def test_an_order_in_dollars_and_parts_of_a_share_are_listed(self):
        in_dollars = order_seen("b9", "app", "MSFT", None, 0.4, OrderStatus.FILLED)
        result = compared(orders=[in_dollars], positions=[holds("MSFT", 0.4)])
        assert [order.symbol for order in result.foreign] == ["MSFT"]
        assert messages(result) == ["the broker holds 0.4 MSFT, 0 are known: 0 of pairs"]


class TestNoAnswer:
    def test_a_question_that_failed_is_never_read_as_none(self):
        """Reported: a failed question about positions was read as flat."""
        result = compared([OPEN], orders=None, fills=None, positions=None, cash=None)
        assert result.unanswered == (Subject.ORDER, Subject.FILL, Subject.POSITION, Subject.CASH)
        assert (result.corrections, result.differences) == ((), ())

    def test_a_difference_stays_while_nobody_can_say_that_it_has_gone(self):
        first = compared(positions=[holds("MSFT", 12.0)], now=0)
        second = compared(positions=None, now=60, before=first.differences)
        assert second.unexplained == first.differences


@st.composite
def accounts(draw: st.DrawFn):
    """A trade of which some reports were missed, and the broker's lists in any order and repeated."""
    trade, orders, fills = trade_of(BUY_Y, SELL_X), [], []
    total = {"PDFS": 0, "AVGO": 0}
    for order in (BUY_Y, SELL_X):
        done = draw(st.integers(0, abs(order.quantity)))
        end = (
            OrderStatus.FILLED
            if done == abs(order.quantity)
            else draw(st.sampled_from([OrderStatus.WORKING, OrderStatus.CANCELED, OrderStatus.EXPIRED]))
        )
        orders.append(seen(order, done, end))
        cut = draw(st.integers(0, done))
        for number, part in enumerate(part for part in (cut, done - cut) if part):
            fill = fill_of(part, f"{order.client_order_id}-{number}")
            fills.append(fill_seen(f"b-{order.client_order_id}", order.symbol, order.sign, fill))
            if draw(st.booleans()):
                trade, _ = trade.after(
                    order.client_order_id,
                    Report(status=OrderStatus.WORKING, broker_order_id=f"b-{order.client_order_id}", fill=fill),
                )
        total[order.symbol] += order.sign * done
    repeated = draw(st.permutations([*fills, *draw(st.lists(st.sampled_from(fills), max_size=2))])) if fills else []
    positions = [holds(symbol, float(shares)) for symbol, shares in total.items()]
    return trade, draw(st.permutations(orders)), repeated, positions


class TestAnyAccount:
    @hypothesis_settings(max_examples=60)
    @given(account=accounts())
    def test_one_comparison_brings_both_sides_together_and_a_second_one_changes_nothing(self, account):
        trade, orders, fills, positions = account
        first = compared([trade], orders=orders, fills=fills, positions=positions)
        (after,) = corrected([trade], first.corrections)
        for position, leg in zip(positions, ("y", "x"), strict=True):
            assert after.held(leg) == position.quantity
            assert sum(order.executed for order in after.orders if order.leg == leg) == position.quantity
        assert first.differences == ()
        second = compared([after], orders=orders, fills=fills, positions=positions)
        assert (second.corrections, second.differences) == ((), ())
