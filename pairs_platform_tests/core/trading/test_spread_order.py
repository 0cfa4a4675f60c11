"""A pair's trade: its state follows from the fills of both legs, whatever happens to its orders."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pairs_platform.core.trading.orders import OrderStatus, Report, client_order_id, sent_without_answer
from pairs_platform.core.trading.spread_order import LEGS, Goal, SpreadOrder, SpreadState
from pairs_platform_tests.support.pair_trades import ended, fill_of, filled, order_of, trade_of, working

BUY_Y = order_of(100)
SELL_X = order_of(-50, leg="x", purpose="hedge")
SELL_Y = order_of(-100, purpose="close")
BUY_X = order_of(50, leg="x", purpose="close")
OPEN = trade_of(filled(BUY_Y), filled(SELL_X))


class TestState:
    def test_opening(self):
        assert trade_of().state is SpreadState.INTENDED
        assert trade_of(BUY_Y).state is SpreadState.OPENING
        assert trade_of(filled(BUY_Y)).state is SpreadState.OPENING, "x is not hedged yet"
        assert trade_of(filled(BUY_Y), filled(SELL_X, 49)).state is SpreadState.OPENING
        assert OPEN.state is SpreadState.OPEN

    def test_closing_needs_the_exit_of_both_legs(self):
        left = OPEN.to_leave(Goal.CLOSE, "exit")
        assert left.state is SpreadState.CLOSING
        assert replace(left, orders=(*left.orders, filled(SELL_Y))).state is SpreadState.CLOSING, "x is still held"
        closed = replace(left, orders=(*left.orders, filled(SELL_Y), filled(BUY_X)))
        assert closed.state is SpreadState.CLOSED
        assert closed.state.ended

    def test_a_trade_that_was_never_filled_is_closed_or_flat_at_once(self):
        assert trade_of().to_leave(Goal.CLOSE, "exit").state is SpreadState.CLOSED
        assert trade_of().to_leave(Goal.UNWIND, "no fill").state is SpreadState.FLAT

    def test_an_order_of_which_something_may_still_be_filled_keeps_it_from_its_end(self):
        resting = trade_of(BUY_Y).to_leave(Goal.UNWIND, "no fill")
        assert resting.state is SpreadState.UNWINDING
        unknown = trade_of(sent_without_answer(BUY_Y)).to_leave(Goal.UNWIND, "no fill")
        assert unknown.state is SpreadState.UNWINDING

    @pytest.mark.parametrize(("goal", "state"), [(Goal.CLOSE, "closing"), (Goal.UNWIND, "unwinding")])
    def test_a_fill_after_the_end_opens_the_exit_again(self, goal, state):
        trade = trade_of(order_of(100)).to_leave(goal, "exit")
        trade, _ = trade.after(BUY_Y.client_order_id, ended(OrderStatus.CANCELED))
        assert trade.state.ended
        trade, result = trade.after(BUY_Y.client_order_id, ended(OrderStatus.FILLED, 100, fill=fill_of(100)))
        assert result.new_fill is not None
        assert (trade.state, trade.held("y")) == (state, 100)

    def test_shares_beyond_the_target_are_not_the_target(self):
        assert trade_of(filled(order_of(130)), filled(SELL_X)).state is SpreadState.OPENING

    def test_only_a_person_goes_on_with_a_broken_trade(self):
        broken = OPEN.to_break("order pp-1 is unknown at the broker")
        assert broken.state is SpreadState.BROKEN
        assert not broken.state.ended
        assert broken.to_break("another").broken == "order pp-1 is unknown at the broker"
        assert broken.released().state is SpreadState.OPEN
        with pytest.raises(ValueError, match="for a reason"):
            OPEN.to_break("")


class TestGoal:
    def test_a_trade_that_is_left_is_never_held_again_nor_left_slower(self):
        closing = OPEN.to_leave(Goal.CLOSE, "exit")
        unwinding = closing.to_leave(Goal.UNWIND, "kill switch")
        assert (unwinding.goal, unwinding.reason) == (Goal.UNWIND, "kill switch")
        assert unwinding.to_leave(Goal.CLOSE, "exit") == unwinding
        assert closing.to_leave(Goal.CLOSE, "stop").reason == "exit"

    @pytest.mark.parametrize(("goal", "reason"), [(Goal.HOLD, "exit"), (Goal.CLOSE, "")])
    def test_what_is_no_exit_is_refused(self, goal, reason):
        with pytest.raises(ValueError, match="for a reason"):
            OPEN.to_leave(goal, reason)


class TestNaked:
    def naked(self, trade: SpreadOrder) -> float:
        return trade.naked(price_y=50.0, price_x=100.0)

    def test_one_leg_alone_is_naked_until_the_other_hedges_it(self):
        assert self.naked(trade_of()) == 0.0
        assert self.naked(trade_of(filled(BUY_Y, 40))) == 2_000.0
        assert self.naked(trade_of(filled(BUY_Y, 40), filled(SELL_X, 15))) == 500.0
        assert self.naked(OPEN) == 0.0

    def test_shares_that_are_reported_without_their_execution_count(self):
        trade, _ = trade_of(BUY_Y).after(BUY_Y.client_order_id, working(40))
        assert self.naked(trade) == 2_000.0

    def test_the_exit_of_one_leg_leaves_the_other_naked(self):
        trade = replace(OPEN.to_leave(Goal.CLOSE, "exit"), orders=(*OPEN.orders, filled(SELL_Y)))
        assert self.naked(trade) == 5_000.0


@st.composite
def deliveries(draw: st.DrawFn) -> list[tuple[str, Report]]:
    """What a broker says of all four orders of a trade, each report as it comes from one of them."""
    said = []
    for order in (BUY_Y, SELL_X, SELL_Y, BUY_X):
        done = draw(st.integers(0, abs(order.quantity)))
        cut = draw(st.integers(0, done))
        parts = [part for part in (cut, done - cut) if part]
        fills = [fill_of(part, f"{order.client_order_id}-{n}") for n, part in enumerate(parts)]
        said += [(order.client_order_id, working(fill=fill)) for fill in fills]
        end = OrderStatus.FILLED if done == abs(order.quantity) else OrderStatus.CANCELED
        said.append((order.client_order_id, ended(end, done)))
    return said


class TestAnyOrderOfEvents:
    @hypothesis_settings(max_examples=60)
    @given(said=deliveries(), data=st.data())
    def test_the_same_reports_in_any_order_and_repeated_end_in_the_same_trade_and_state(self, said, data):
        begin = trade_of(BUY_Y, SELL_X, SELL_Y, BUY_X).to_leave(Goal.CLOSE, "exit")

        def told(reports):
            trade = begin
            for client_id, report in reports:
                trade, _ = trade.after(client_id, report)
            return trade

        expected = told(said)
        repeated = [*said, *data.draw(st.lists(st.sampled_from(said), max_size=4))]
        assert told(data.draw(st.permutations(repeated))) == expected
        flat = all(expected.held(leg) == 0 for leg in LEGS)
        assert (expected.state is SpreadState.CLOSED) == flat
        if flat:
            assert expected.naked(price_y=50.0, price_x=100.0) == 0.0


class TestOrders:
    def test_attempts_are_counted_by_leg_and_purpose(self):
        trade = trade_of(BUY_Y, SELL_X)
        assert trade.attempt("y", "open") == 2
        assert trade.attempt("x", "hedge") == 2
        assert trade.attempt("x", "open") == trade.attempt("y", "close") == 1

    def test_an_order_of_another_trade_or_symbol_or_one_that_is_there_is_refused(self):
        with pytest.raises(ValueError, match="is no order of trade on AVGO_PDFS"):
            trade_of().with_order(replace(BUY_Y, spread_order_id="other"))
        with pytest.raises(ValueError, match="is no order of trade on AVGO_PDFS"):
            trade_of().with_order(replace(BUY_Y, symbol="AVGO"))
        with pytest.raises(ValueError, match="already"):
            trade_of(BUY_Y).with_order(BUY_Y)
        assert trade_of().with_order(BUY_Y).orders == (BUY_Y,)

    def test_reports_on_orders_that_it_has_not_are_refused(self):
        with pytest.raises(ValueError, match="has no order"):
            trade_of(BUY_Y).after(client_order_id("demo", "paper", "other", "y", "open", 1), working())
        with pytest.raises(ValueError, match="has no order"):
            trade_of().with_state_of(BUY_Y)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"target_y": 0},
            {"target_y": -100},
            {"target_x": 50},
            {"position": 0},
            {"beta": 0.0},
            {"x": "PDFS"},
        ],
    )
    def test_what_is_no_trade_of_a_pair_is_refused(self, wrong):
        with pytest.raises(ValueError, match=r"trade: .*(is no pair's|are not the position|is none)"):
            replace(trade_of(), **wrong)

    def test_with_a_negative_beta_both_legs_have_one_direction(self):
        assert trade_of(beta=-1.0, position=-1).target_x == -50


class TestSplit:
    def test_shares_and_target_are_those_after_it_and_the_trade_stays_open(self):
        split = OPEN.after_split("AVGO", Fraction(2))
        assert (split.held("y"), split.held("x"), split.target_x, split.price_x) == (100, -100, -100, 50.0)
        assert split.state is SpreadState.OPEN

    def test_parts_of_a_share_are_not_held_so_that_699_of_700_is_no_difference(self):
        odd = replace(trade_of(target_y=1399), orders=(filled(order_of(1399)), filled(SELL_X)))
        split = odd.after_split("PDFS", Fraction(1, 2))
        assert (split.held("y"), split.target_y) == (699, 699)
        assert split.state is SpreadState.OPEN

    def test_the_exit_after_a_split_sells_what_is_held_then(self):
        split = OPEN.after_split("PDFS", Fraction(3, 2)).to_leave(Goal.CLOSE, "exit")
        sold = replace(split, orders=(*split.orders, filled(order_of(-150, purpose="close")), filled(BUY_X)))
        assert sold.state is SpreadState.CLOSED

    def test_it_is_refused_while_an_order_is_pending_and_for_another_symbol(self):
        for trade, symbol, ratio in [
            (trade_of(BUY_Y), "PDFS", Fraction(2)),
            (OPEN, "MSFT", Fraction(2)),
            (OPEN, "PDFS", Fraction(0)),
        ]:
            with pytest.raises(ValueError, match="cannot be applied"):
                trade.after_split(symbol, ratio)
