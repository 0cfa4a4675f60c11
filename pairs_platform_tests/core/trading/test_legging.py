"""What is sent, canceled and asked for while a pair's trade is entered, hedged and left."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pairs_platform.core.trading.execution_settings import ExecutionSettings
from pairs_platform.core.trading.legging import (
    Action,
    Ask,
    Break,
    Cancel,
    GoFlat,
    Quote,
    Resize,
    Send,
    Wait,
    next_actions,
    recorded,
)
from pairs_platform.core.trading.naked import naked_episodes, naked_since, naked_tolerance
from pairs_platform.core.trading.orders import Order, OrderStatus, Report, sent_without_answer
from pairs_platform.core.trading.reconciliation import OurSide, Subject, corrected, reconciled
from pairs_platform.core.trading.spread_order import LEGS, Goal, SpreadOrder, SpreadState
from pairs_platform_tests.support.chance_broker import ChanceBroker, Faults
from pairs_platform_tests.support.pair_trades import at, ended, fill_of, trade_of, working

SETTINGS = ExecutionSettings()
SIMULTANEOUS = ExecutionSettings(legging="simultaneous")


def quotes_at(seconds: float, *, y: float = 50.0, x: float = 100.0, half_spread: float = 0.01) -> dict[str, Quote]:
    return {
        leg: Quote(bid=mid - half_spread, ask=mid + half_spread, quoted_utc=at(seconds))
        for leg, mid in (("y", y), ("x", x))
    }


def due(
    trade: SpreadOrder,
    seconds: float = 0.0,
    quotes: dict[str, Quote] | None = None,
    settings: ExecutionSettings = SETTINGS,
    **more,
) -> tuple[Action, ...]:
    quotes = quotes_at(seconds) if quotes is None else quotes
    return next_actions(trade, quotes, at(seconds), settings, profile="demo", account="paper", **more)


def sent(actions: tuple[Action, ...]) -> list[tuple[str, str, int]]:
    return [
        (action.order.symbol, action.order.purpose, action.order.quantity)
        for action in actions
        if isinstance(action, Send)
    ]


def only(kind: type, actions: tuple[Action, ...]) -> list:
    return [action for action in actions if isinstance(action, kind)]


class Story:
    """A trade, told step by step: what is due, what is written down, what the broker says."""

    def __init__(self, trade: SpreadOrder | None = None, settings: ExecutionSettings = SETTINGS) -> None:
        self.trade, self.settings = trade or trade_of(), settings

    def due(self, seconds: float, **more) -> tuple[Action, ...]:
        """What is due, written down as done; what changes the goal or the targets is followed at once."""
        done: tuple[Action, ...] = ()
        for _ in range(5):
            actions = due(self.trade, seconds, settings=self.settings, **more)
            self.trade = recorded(self.trade, actions, at(seconds))
            done += actions
            if not any(isinstance(action, GoFlat | Resize) for action in actions):
                return done
        raise AssertionError(f"no end of {done}")

    def order(self, leg: str, purpose: str, attempt: int = 1) -> Order:
        (order,) = [
            each for each in self.trade.orders if (each.leg, each.purpose, each.attempt) == (leg, purpose, attempt)
        ]
        return order

    def said(self, order: Order, report: Report) -> None:
        report = replace(report, broker_order_id=f"b-{order.client_order_id}")
        self.trade, applied = self.trade.after(order.client_order_id, report)
        assert applied.anomaly == ""

    def filled(self, order: Order, shares: int | None = None, *, seconds: float = 0.0, price: float = 50.0) -> None:
        """The broker fills an order, whole or so many of its shares."""
        count = len(order.fills)
        shares = abs(order.quantity) if shares is None else shares
        fill = fill_of(shares, f"{order.client_order_id}-{count}", seconds=seconds, price=price)
        self.said(order, working(fill=fill))

    def ended(self, order: Order, status: OrderStatus, filled_quantity: int = 0, reason: str = "") -> None:
        self.said(order, ended(status, filled_quantity, reason=reason))


def opened(seconds: float = 0.0) -> Story:
    """A trade that is open: 50 AVGO are short, 100 PDFS long."""
    story = Story()
    story.due(seconds)
    story.filled(story.order("x", "open"), seconds=seconds, price=100.0)
    story.due(seconds)
    story.filled(story.order("y", "hedge"), seconds=seconds)
    assert story.trade.state is SpreadState.OPEN
    return story


class TestEntry:
    def test_the_leg_that_is_sold_short_goes_first_with_a_limit_near_the_quote(self):
        (send, wait) = due(trade_of())
        order = send.order
        assert (order.symbol, order.quantity, order.purpose) == ("AVGO", -50, "open")
        assert order.limit_price == pytest.approx(99.80), "20 bp below the middle of 99.99 and 100.01"
        assert (order.arrival_price, order.intended_utc) == (pytest.approx(100.0), at(0))
        assert wait == Wait(at(15))

    def test_of_two_legs_in_one_direction_the_one_with_the_wider_spread_goes_first(self):
        quotes = quotes_at(0)
        quotes["y"] = Quote(bid=49.5, ask=50.5, quoted_utc=at(0))
        assert sent(due(trade_of(beta=-1.0), quotes=quotes)) == [("PDFS", "open", 100)]
        assert sent(due(trade_of(beta=-1.0, position=-1))) == [("PDFS", "open", -100)]

    def test_orders_have_no_limit_where_a_bar_fills_them_as_a_backtest_assumes(self):
        as_backtest = ExecutionSettings(legging="simultaneous", order_type="market", leg_timeout_seconds=3_600)
        sends = only(Send, due(trade_of(), settings=as_backtest))
        assert [(send.order.limit_price, send.order.quantity) for send in sends] == [(None, 100), (None, -50)]

    def test_each_fill_is_hedged_at_once_and_the_last_one_completes_the_pair(self):
        story = Story()
        story.due(0)
        for seconds, shares, hedge in [(1, 10, 20), (2, 15, 30), (3, 25, 50)]:
            story.filled(story.order("x", "open"), shares, seconds=seconds, price=100.0)
            assert sent(story.due(seconds)) == [("PDFS", "hedge", hedge)]
        for attempt in (1, 2, 3):
            assert story.order("y", "hedge", attempt).limit_price == 50.1, "no further away than that of the first"
            story.filled(story.order("y", "hedge", attempt), seconds=4)
        assert story.trade.state is SpreadState.OPEN
        assert story.due(5) == ()

    def test_three_fills_at_one_moment_are_hedged_with_all_their_shares(self):
        """Reported: of three simultaneous fills two were hedged."""
        story = Story()
        story.due(0)
        for shares in (10, 15, 25):
            story.filled(story.order("x", "open"), shares, seconds=1, price=100.0)
        assert sent(story.due(1)) == [("PDFS", "hedge", 100)]

    def test_nothing_is_sent_a_second_time_while_the_first_is_pending(self):
        story = Story()
        story.due(0)
        assert sent(story.due(0)) == sent(story.due(5)) == []

    @pytest.mark.parametrize(
        "wrong",
        [
            None,
            Quote(bid=float("nan"), ask=50.0, quoted_utc=at(0)),
            Quote(bid=51.0, ask=50.0, quoted_utc=at(0)),
            Quote(bid=0.0, ask=50.0, quoted_utc=at(0)),
            Quote(bid=49.9, ask=50.0, quoted_utc=at(-61)),
        ],
    )
    def test_a_pair_is_not_entered_on_the_prices_of_one_leg(self, wrong):
        """Reported: the spread is traded with the data of one leg."""
        quotes = {"x": quotes_at(0)["x"], **({"y": wrong} if wrong else {})}
        assert due(trade_of(), quotes=quotes) == (
            GoFlat("no usable quote of PDFS: a pair is not entered on the prices of one leg"),
        )

    def test_an_entry_that_was_held_up_is_dropped_when_it_is_late(self):
        assert due(trade_of(), 59.9)[-1] == Wait(at(60))
        assert due(trade_of(), 60) == (GoFlat("the entry was not sent within 60 s of its decision"),)

    def test_an_open_pair_whose_spread_has_moved_is_not_naked(self):
        story = opened()
        moved = quotes_at(10_000, y=70.0, x=90.0)
        assert story.due(10_000, quotes=moved) == ()
        story.trade = story.trade.to_leave(Goal.CLOSE, "exit")
        story.due(10_000, quotes=moved)
        assert story.order("y", "close").limit_price == 69.86, "its exit is no emergency"

    def test_a_refused_first_leg_ends_the_entry_with_the_brokers_reason(self):
        story = Story()
        story.due(0)
        story.ended(story.order("x", "open"), OrderStatus.REJECTED, reason="asset cannot be sold short")
        story.due(1)
        assert story.trade.state is SpreadState.FLAT
        assert story.trade.reason == "AVGO was refused: asset cannot be sold short"

    def test_a_refused_hedge_leaves_the_first_leg(self):
        story = Story()
        story.due(0)
        story.filled(story.order("x", "open"), seconds=1, price=100.0)
        story.due(1)
        story.ended(story.order("y", "hedge"), OrderStatus.REJECTED, reason="insufficient buying power")
        assert sent(story.due(2)) == [("AVGO", "flatten", 50)]
        story.filled(story.order("x", "flatten"), seconds=2, price=100.0)
        assert story.trade.state is SpreadState.FLAT
        assert story.trade.reason == "the hedge in PDFS was refused: insufficient buying power"

    def test_an_order_that_was_made_smaller_is_followed_by_the_rest_in_time(self):
        story = Story()
        story.due(0)
        small = replace(story.order("x", "open"), quantity=-20)
        story.trade = story.trade.with_state_of(small)
        story.filled(small, seconds=1, price=100.0)
        assert sent(story.due(1)) == [("AVGO", "open", -30), ("PDFS", "hedge", 40)]

    def test_both_legs_at_once_where_the_setting_says_so(self):
        assert sent(due(trade_of(), settings=SIMULTANEOUS)) == [("PDFS", "open", 100), ("AVGO", "open", -50)]


class TestTimeOut:
    def test_an_order_that_is_not_filled_in_time_is_canceled_and_awaited(self):
        story = Story()
        story.due(0)
        story.said(story.order("x", "open"), working())
        assert story.due(14.9) == (Wait(at(15)),)
        client_id = story.order("x", "open").client_order_id
        assert story.due(15) == (Cancel(client_id), Wait(at(20)))
        assert story.due(16) == (Wait(at(20)),), "nothing is sent while its end is not known"
        assert story.due(20) == (Cancel(client_id), Ask(client_id), Wait(at(22)))

    def test_an_entry_without_a_fill_in_time_is_flat(self):
        story = Story()
        story.due(0)
        story.said(story.order("x", "open"), working())
        story.due(15)
        story.ended(story.order("x", "open"), OrderStatus.CANCELED)
        story.due(16)
        assert story.trade.state is SpreadState.FLAT
        assert story.trade.reason == "0 of -50 shares of AVGO were filled in time: too few to hold"

    def test_what_was_filled_in_time_is_held_and_hedged(self):
        story = Story()
        story.due(0)
        story.filled(story.order("x", "open"), 21, seconds=1, price=100.0)
        story.due(1)
        story.filled(story.order("y", "hedge"), seconds=2)
        story.due(15)
        story.ended(story.order("x", "open"), OrderStatus.CANCELED, 21)
        assert only(Resize, story.due(16)) == [Resize(42, -21, "-21 of -50 shares of AVGO were filled in time")]
        assert story.trade.state is SpreadState.OPEN

    def test_one_share_and_then_silence_is_too_little_to_hold(self):
        """Reported: a remainder below the minimum is never hedged, and dust keeps the trade open."""
        story = Story()
        story.due(0)
        story.filled(story.order("x", "open"), 1, seconds=1, price=100.0)
        story.due(1)
        story.filled(story.order("y", "hedge"), seconds=2)
        story.due(15)
        story.ended(story.order("x", "open"), OrderStatus.CANCELED, 1)
        assert sent(story.due(16)) == [("PDFS", "flatten", -2), ("AVGO", "flatten", 1)]

    def test_a_fill_that_wins_the_race_against_the_cancel_is_hedged(self):
        """Reported: the fill came while the cancel was on its way, and had no hedge."""
        story = Story()
        story.due(0)
        story.said(story.order("x", "open"), working())
        story.due(15)
        story.filled(story.order("x", "open"), seconds=15.1, price=100.0)
        assert story.order("x", "open").status is OrderStatus.FILLED
        assert sent(story.due(15.2)) == [("PDFS", "hedge", 100)]

    def test_canceled_orders_that_had_all_filled_are_hedged_by_their_count_of_shares(self):
        """Reported: fifteen orders were said to be canceled, and all had filled."""
        story = Story()
        story.due(0)
        story.said(story.order("x", "open"), working())
        story.due(15)
        story.ended(story.order("x", "open"), OrderStatus.CANCELED, 50)
        assert sent(story.due(16)) == [("PDFS", "hedge", 100)]

    def test_a_hedge_that_failed_and_fills_later_is_not_held_twice(self):
        """Reported: an order that was taken for failed filled later, and the leg was hedged twice."""
        story = Story()
        story.due(0)
        story.filled(story.order("x", "open"), seconds=1, price=100.0)
        story.due(1)
        story.said(story.order("y", "hedge"), working())
        story.due(16)
        story.ended(story.order("y", "hedge"), OrderStatus.CANCELED)
        assert sent(story.due(17)) == [("PDFS", "hedge", 100)]
        story.filled(story.order("y", "hedge", 1), seconds=17.5)
        assert sent(story.due(18)) == [], "the second one is pending: first its end"
        story.filled(story.order("y", "hedge", 2), seconds=18.5)
        assert story.trade.held("y") == 200
        assert sent(story.due(19)) == [("PDFS", "flatten", -100)]
        story.filled(story.order("y", "flatten"), seconds=19)
        assert (story.trade.state, story.trade.held("y")) == (SpreadState.OPEN, 100)

    @pytest.mark.parametrize(("x_now", "y_now", "leaves"), [(100.0, 51.0, True), (100.5, 50.0, False)])
    def test_after_a_time_out_the_cheaper_of_hedging_and_leaving_is_taken(self, x_now, y_now, leaves):
        """Short AVGO at 100: leaving loses what it has risen, hedging what PDFS has risen since the decision."""
        story = Story()
        story.due(0)
        story.filled(story.order("x", "open"), seconds=1, price=100.0)
        story.due(1)
        story.said(story.order("y", "hedge"), working())
        story.due(16)
        story.ended(story.order("y", "hedge"), OrderStatus.CANCELED)
        actions = story.due(17, quotes=quotes_at(17, y=y_now, x=x_now))
        assert bool(only(GoFlat, actions)) is leaves
        assert sent(actions) == ([("AVGO", "flatten", 50)] if leaves else [("PDFS", "hedge", 100)])

    def test_a_leg_that_is_without_its_hedge_for_too_long_is_left(self):
        story = Story(settings=ExecutionSettings(leg_timeout_seconds=60))
        story.due(0)
        story.filled(story.order("x", "open"), seconds=1, price=100.0)
        story.due(1)
        story.said(story.order("y", "hedge"), working())
        assert story.due(30) == (Wait(at(31)),)
        actions = story.due(31)
        assert only(GoFlat, actions) == [GoFlat("one leg was without its hedge for 30 s")]
        assert [order.limit_price for order in story.trade.orders if order.purpose == "flatten"] == [None], "at market"
        assert only(Cancel, actions) == [Cancel(story.order("y", "hedge").client_order_id)]

    def test_a_hedge_without_a_quote_is_no_guess(self):
        story = Story()
        story.due(0)
        story.filled(story.order("x", "open"), seconds=1, price=100.0)
        actions = story.due(1, quotes={"x": quotes_at(1)["x"]})
        assert only(GoFlat, actions) == [GoFlat("no usable quote of PDFS to hedge with")]

    def test_of_two_legs_that_went_together_the_one_that_lags_is_completed(self):
        story = Story(settings=SIMULTANEOUS)
        story.due(0)
        story.filled(story.order("y", "open"), 80, seconds=1)
        story.filled(story.order("x", "open"), 20, seconds=1, price=100.0)
        assert sent(story.due(1)) == []
        story.due(15)
        story.ended(story.order("y", "open"), OrderStatus.CANCELED, 80)
        story.ended(story.order("x", "open"), OrderStatus.CANCELED, 20)
        actions = story.due(16)
        assert only(Resize, actions) == [Resize(80, -40, "80 of 100 shares of PDFS were filled in time")]
        assert sent(actions) == [("AVGO", "hedge", -20)]


class TestUnknown:
    def lost(self) -> Story:
        """The hedge was sent, and its answer was lost."""
        story = Story()
        story.due(0)
        story.filled(story.order("x", "open"), seconds=1, price=100.0)
        story.due(1)
        story.trade = story.trade.with_state_of(sent_without_answer(story.order("y", "hedge")))
        return story

    def test_it_is_asked_for_and_never_sent_again(self):
        story = self.lost()
        client_id = story.order("y", "hedge").client_order_id
        for seconds in (2, 4, 20, 30):
            actions = story.due(seconds)
            assert sent(actions) == []
            assert only(Ask, actions) == [Ask(client_id)]
        assert story.due(30.5)[-1] == Wait(at(31))

    def test_one_that_is_never_explained_blocks_the_pair_and_is_named(self):
        story = self.lost()
        story.due(31)
        assert story.trade.state is SpreadState.BROKEN
        order = story.order("y", "hedge")
        assert order.status is OrderStatus.UNKNOWN
        assert f"order {order.client_order_id} (+100 PDFS, hedge): nobody knows" in story.trade.broken
        assert story.due(3600) == ()

    def test_one_that_the_broker_has_goes_on_as_if_nothing_had_been(self):
        story = self.lost()
        story.filled(story.order("y", "hedge"), seconds=2)
        assert story.trade.state is SpreadState.OPEN

    def test_one_that_a_dead_process_left_as_intended_is_asked_for_too(self):
        story = Story()
        story.due(0)
        assert only(Ask, story.due(14.9)) == []
        assert only(Ask, story.due(15)) == [Ask(story.order("x", "open").client_order_id)]
        story.due(30)
        assert "nobody knows whether the broker has it" in story.trade.broken

    def test_a_cancelation_of_which_the_broker_never_says_anything_needs_a_person(self):
        story = Story()
        story.due(0)
        story.said(story.order("x", "open"), working())
        cancels = sum(len(only(Cancel, story.due(seconds))) for seconds in range(15, 600))
        assert cancels < 10, "it is not asked for without end"
        assert "the broker does not say whether it is canceled" in story.trade.broken

    def test_a_person_who_releases_the_trade_lets_it_go_on_from_its_fills(self):
        story = self.lost()
        story.due(31)
        story.trade = story.trade.released()
        story.filled(story.order("y", "hedge"), seconds=40)
        assert story.trade.state is SpreadState.OPEN

    def test_an_exit_closes_the_leg_that_is_known_and_waits_for_the_other(self):
        story = self.lost()
        story.trade = story.trade.to_leave(Goal.UNWIND, "kill switch")
        assert sent(story.due(2)) == [("AVGO", "flatten", 50)]
        story.filled(story.order("x", "flatten"), seconds=3, price=100.0)
        assert sent(story.due(4)) == []
        story.filled(story.order("y", "hedge"), seconds=5)
        assert sent(story.due(5)) == [("PDFS", "flatten", -100)]


class TestExit:
    def leaving(self, goal: Goal = Goal.CLOSE) -> Story:
        story = opened()
        story.trade = story.trade.to_leave(goal, "exit")
        return story

    def test_both_legs_are_closed_at_once_with_what_is_held(self):
        story = self.leaving()
        assert sent(story.due(60)) == [("PDFS", "close", -100), ("AVGO", "close", 50)]
        assert sent(story.due(61)) == []

    def test_the_second_legs_exit_is_not_dropped_when_the_first_is_closed(self):
        """Reported: after the first leg was closed the trade was taken for flat."""
        story = self.leaving()
        story.due(60)
        story.filled(story.order("y", "close"), seconds=61)
        story.ended(story.order("x", "close"), OrderStatus.REJECTED, reason="wash trade")
        assert story.trade.state is SpreadState.CLOSING
        assert sent(story.due(62)) == [("AVGO", "close", 50)]

    def test_a_stop_while_the_pair_is_entered_leaves_no_leg(self):
        """Reported: a stop in the middle of an entry left one leg."""
        story = Story()
        story.due(0)
        story.filled(story.order("x", "open"), 20, seconds=1, price=100.0)
        story.due(1)
        story.filled(story.order("y", "hedge"), seconds=1)
        story.trade = story.trade.to_leave(Goal.UNWIND, "kill switch")
        actions = story.due(2)
        assert only(Cancel, actions) == [Cancel(story.order("x", "open").client_order_id)]
        assert sent(actions) == [("PDFS", "flatten", -40)], "AVGO waits for the end of its entry"
        story.filled(story.order("x", "open"), 10, seconds=2.5, price=100.0)
        story.ended(story.order("x", "open"), OrderStatus.CANCELED, 30)
        assert sent(story.due(3)) == [("AVGO", "flatten", 30)]

    def test_an_exit_that_was_canceled_in_parts_is_sent_again_with_what_is_held(self):
        """Reported: after a partial exit the wrong remainder was sold."""
        story = self.leaving()
        story.due(60)
        story.filled(story.order("x", "close"), seconds=61, price=100.0)
        story.filled(story.order("y", "close"), 37, seconds=61)
        story.due(75)
        assert sent(story.due(76)) == [], "its end is not known"
        story.ended(story.order("y", "close"), OrderStatus.CANCELED, 41)
        assert sent(story.due(77)) == [("PDFS", "close", -59)]

    def test_a_close_that_filled_unseen_is_not_sent_again(self):
        """Reported: a close that had filled unseen was sent again and again."""
        story = self.leaving()
        story.due(60)
        story.trade = story.trade.with_state_of(sent_without_answer(story.order("y", "close")))
        assert not any(symbol == "PDFS" for seconds in range(61, 90) for symbol, *_ in sent(story.due(seconds)))
        story.said(story.order("y", "close"), ended(OrderStatus.FILLED, 100))
        assert story.trade.held("y") == 0

    def test_every_attempt_gives_way_further_and_the_last_goes_at_market(self):
        story = self.leaving()
        limits = []
        for attempt in range(1, 6):
            now = 60 + 40 * attempt
            story.due(now)
            limits.append(story.order("y", "close", attempt).limit_price)
            for leg in LEGS:
                story.said(story.order(leg, "close", attempt), working())
            story.due(now + 15)
            for leg in LEGS:
                story.ended(story.order(leg, "close", attempt), OrderStatus.CANCELED)
        assert limits == [49.9, 49.8, 49.7, 49.6, None]
        story.due(400)
        assert story.trade.state is SpreadState.BROKEN
        assert "5 orders to close 100 PDFS left it held; 5 orders to close -50 AVGO left it held" in story.trade.broken

    def test_a_refused_exit_is_sent_again_after_a_pause_and_names_its_reason_in_the_end(self):
        story = self.leaving()
        times = []
        for tenths in range(600, 900):
            actions = story.due(tenths / 10)
            times += [tenths / 10 for symbol, *_ in sent(actions) if symbol == "PDFS"]
            for order in story.trade.orders:
                if order.purpose == "close" and not order.status.ended:
                    story.ended(order, OrderStatus.REJECTED, reason="account restricted")
        assert times == [60, 62, 64, 66, 68]
        assert "left it held: account restricted" in story.trade.broken

    def test_parts_that_were_filled_whole_are_no_failed_attempts(self):
        """Other pairs' shares of the symbol let it go in parts only (`netting`)."""
        story = self.leaving()
        for attempt in range(1, 11):
            story.due(60 + attempt)
            part = replace(story.order("y", "close", attempt), quantity=-10)
            story.trade = story.trade.with_state_of(part)
            story.filled(part, seconds=60 + attempt)
        assert (story.trade.held("y"), story.trade.broken) == (0, "")

    def test_an_exit_needs_no_quote(self):
        story = self.leaving()
        story.due(60, quotes={})
        assert {order.limit_price for order in story.trade.orders if order.purpose == "close"} == {None}

    def test_a_late_fill_beyond_the_exit_is_bought_back(self):
        story = self.leaving()
        story.due(60)
        story.filled(story.order("x", "close"), seconds=61, price=100.0)
        story.said(story.order("y", "close"), working())
        story.due(75)
        story.ended(story.order("y", "close"), OrderStatus.CANCELED)
        story.due(76)
        story.filled(story.order("y", "close", 1), 60, seconds=76)
        story.filled(story.order("y", "close", 2), seconds=76)
        assert story.trade.held("y") == -60
        assert sent(story.due(77)) == [("PDFS", "close", 60)]


class TestClosedMarket:
    def test_nothing_is_sent_or_canceled_before_it_opens(self):
        """Reported: 20,000 cancels and resends while the market was closed; exits that did nothing after a half day."""
        story = opened()
        story.trade = story.trade.to_leave(Goal.CLOSE, "exit")
        opens = at(3600)
        assert {story.due(seconds, opens_utc=opens) for seconds in range(60, 3600, 60)} == {(Wait(opens),)}
        assert len(sent(story.due(3600))) == 2

    def test_an_entry_does_not_wait_for_it(self):
        (action,) = due(trade_of(), opens_utc=at(3600))
        assert isinstance(action, GoFlat)

    def test_a_trade_at_rest_stays_at_rest(self):
        assert opened().due(60, opens_utc=at(3600)) == ()


class TestOneSymbolOfTwoOrders:
    def test_a_manual_order_is_no_fill_of_the_trade(self):
        """Reported: a manual order in the same symbol was taken for the own leg."""
        story = Story()
        story.due(0)
        with pytest.raises(ValueError, match="has no order by-hand"):
            story.trade.after("by-hand", working(fill=fill_of(50)))
        assert story.trade.held("x") == 0


# Random event orders.

HONEST = Faults(
    lost_answer=0.1, rejected=0.05, rejected_later=0.05, never_fills=0.2, lost_message=0.1, repeated_message=0.2,
    cancel_lost=0.2, silent_question=0.3, no_quote=0.05,
)  # fmt: skip
LOSING = replace(HONEST, never_arrives=0.1)
LYING = replace(HONEST, fill_after_cancel=0.4)


@dataclass
class Run:
    """A trade from its entry to its end against a broker of chance."""

    seed: int
    faults: Faults
    settings: ExecutionSettings
    never_beyond_target: bool

    def __post_init__(self) -> None:
        self.broker = ChanceBroker(self.seed, self.faults)
        self.random = self.broker.random
        beta = self.random.choice([1.0, 0.5, 2.0, -1.0])
        self.begin = self.trade = trade_of(position=self.random.choice([1, -1]), beta=beta)
        if beta != 1.0:
            target_x = round(abs(beta) * 50) * (1 if self.trade.target_x > 0 else -1)
            self.begin = self.trade = replace(self.trade, target_x=target_x)
        self.now = at(0)
        self.price = {"y": 50.0, "x": 100.0}
        self.closes = at(self.random.choice([3, 20, 100]))
        self.steps = 0

    def play(self) -> SpreadOrder:
        while self.steps < 2_000:
            self.steps += 1
            if self.now >= self.closes and not self.trade.broken:
                self.trade = self.trade.to_leave(Goal.CLOSE, "exit")
            wait = self.settle()
            if self.over and not self.broker.has_messages and not any(h.late for h in self.broker.orders.values()):
                self.compare_with_the_broker()
                if self.over:
                    return self.trade
            self.now = min(wait or self.now + timedelta(seconds=5), self.now + timedelta(seconds=1))
            self.price = {leg: mid * (1 + self.random.gauss(0, 0.001)) for leg, mid in self.price.items()}
            self.broker.pass_time(self.now)
            for client_id, report in self.broker.messages(self.now):
                self.trade, applied = self.trade.after(client_id, report)
                assert applied.anomaly == ""
                self.holds_no_more_than_wanted()
        raise AssertionError(f"seed {self.seed}: no end in {self.steps} steps, {self.trade}")

    @property
    def over(self) -> bool:
        return self.trade.state.ended or self.trade.state is SpreadState.BROKEN

    def compare_with_the_broker(self) -> None:
        """What is done every minute: a fill whose message was lost is found in the broker's lists."""
        ours = OurSide(trades=[self.trade], cash=0.0)
        result = reconciled(ours, self.broker.side(), self.now, self.settings)
        (self.trade,) = corrected([self.trade], result.corrections)
        assert not [each for each in result.differences if each.subject is not Subject.ORDER]

    def settle(self) -> datetime | None:
        """Do what is due until nothing but time is awaited; returns until when."""
        for _ in range(20):
            actions = next_actions(self.trade, self.quotes(), self.now, self.settings, profile="demo", account="paper")
            self.check(actions)
            self.trade = recorded(self.trade, actions, self.now)
            for action in actions:
                self.take(action)
            if not any(isinstance(action, Send | GoFlat | Resize | Break | Cancel) for action in actions):
                break
        else:
            raise AssertionError(f"seed {self.seed}: always something more to do: {actions}")
        waits = [action.until for action in actions if isinstance(action, Wait)]
        at_rest = self.trade.state.ended or self.trade.state in (SpreadState.OPEN, SpreadState.BROKEN)
        assert at_rest or waits, f"seed {self.seed}: {self.trade.state} and nothing is awaited"
        self.naked_only_while_a_deadline_runs(waits)
        return waits[0] if waits else None

    def take(self, action: Action) -> None:
        if isinstance(action, Send):
            answer = self.broker.submit(action.order, self.now)
            order = self.trade.order(action.order.client_order_id)
            if answer is None:
                self.trade = self.trade.with_state_of(sent_without_answer(order))
            else:
                self.trade, _ = self.trade.after(order.client_order_id, answer)
        elif isinstance(action, Cancel):
            self.broker.cancel(action.client_order_id, self.now)
        elif isinstance(action, Ask) and (answer := self.broker.ask(action.client_order_id)):
            self.trade, _ = self.trade.after(action.client_order_id, answer)
        self.holds_no_more_than_wanted()

    def quotes(self) -> dict[str, Quote]:
        quotes = {
            leg: Quote(bid=mid * 0.9998, ask=mid * 1.0002, quoted_utc=self.now) for leg, mid in self.price.items()
        }
        if self.random.random() < self.faults.no_quote:
            quotes.pop(self.random.choice(["y", "x"]))
        return quotes

    def check(self, actions: tuple[Action, ...]) -> None:
        for action in actions:
            if isinstance(action, Send) and action.order.purpose in ("close", "flatten"):
                held = self.trade.held(action.order.leg)
                assert held * action.order.quantity < 0, "an exit makes a position smaller"
                assert abs(action.order.quantity) <= abs(held), "and is never larger than what is held"
            if isinstance(action, Send) and action.order.purpose in ("open", "hedge"):
                assert self.trade.goal is Goal.HOLD
            if isinstance(action, GoFlat | Break):
                assert action.reason

    def holds_no_more_than_wanted(self) -> None:
        if self.never_beyond_target:
            for leg in LEGS:
                assert 0 <= self.trade.held(leg) / self.begin.target(leg) <= 1, f"seed {self.seed}: {leg} beyond target"

    def naked_only_while_a_deadline_runs(self, waits: list[datetime]) -> None:
        prices = {"price_y": self.trade.price_y, "price_x": self.trade.price_x}
        tolerance = naked_tolerance(self.trade, self.settings.naked_tolerance, **prices)
        if self.trade.broken or naked_since(self.trade, tolerance=tolerance, **prices) is None:
            return
        longest = max(self.settings.leg_timeout_seconds, self.settings.answer_timeout_seconds)
        assert waits, f"seed {self.seed}: naked and nothing is awaited"
        assert waits[0] <= self.now + timedelta(seconds=longest)


def ends_as_the_broker_has_it(run: Run) -> None:
    trade = run.play()
    assert trade.state in (SpreadState.CLOSED, SpreadState.FLAT, SpreadState.BROKEN)
    if trade.state is SpreadState.BROKEN:
        named = [order.client_order_id for order in trade.orders if order.client_order_id in trade.broken]
        assert named or any(trade.symbol(leg) in trade.broken for leg in LEGS)
        return
    if run.never_beyond_target:
        assert run.broker.refused == []
        tolerance = naked_tolerance(run.begin, run.settings.naked_tolerance, price_y=50.0, price_x=100.0)
        settings = run.settings
        longest = settings.naked_seconds + settings.leg_timeout_seconds + settings.unresolved_seconds
        for episode in naked_episodes(trade, tolerance=tolerance, until=run.now, price_y=50.0, price_x=100.0):
            assert episode.end_utc is not None
            assert (episode.end_utc - episode.begin_utc).total_seconds() <= longest
    assert run.broker.working() == []
    for leg in LEGS:
        assert run.broker.position(trade.symbol(leg)) == trade.held(leg) == 0
    assert set(run.broker.orders) <= {order.client_order_id for order in trade.orders}


seeds = st.integers(0, 10**9)
legging = st.sampled_from([SETTINGS, SIMULTANEOUS])


class TestRandomEvents:
    @hypothesis_settings(max_examples=60)
    @given(seed=seeds, settings=legging)
    def test_no_order_twice_no_leg_forgotten_and_never_more_than_wanted(self, seed, settings):
        ends_as_the_broker_has_it(Run(seed, HONEST, settings, never_beyond_target=True))

    @hypothesis_settings(max_examples=40)
    @given(seed=seeds, settings=legging)
    def test_orders_that_never_arrive_block_the_pair_and_are_named(self, seed, settings):
        run = Run(seed, LOSING, settings, never_beyond_target=True)
        ends_as_the_broker_has_it(run)
        lost = set(run.broker.submitted) - set(run.broker.orders)
        if lost:
            assert run.trade.state is SpreadState.BROKEN
            assert all(run.trade.order(client_id).status is OrderStatus.UNKNOWN for client_id in lost)
            assert any(client_id in run.trade.broken for client_id in lost)

    @hypothesis_settings(max_examples=40)
    @given(seed=seeds, settings=legging)
    def test_fills_after_the_cancelation_was_confirmed_end_flat_too(self, seed, settings):
        ends_as_the_broker_has_it(Run(seed, LYING, settings, never_beyond_target=False))

    def test_a_broker_without_faults_opens_and_closes_every_pair(self):
        for seed in range(10):
            run = Run(seed, Faults(), SETTINGS, never_beyond_target=True)
            run.closes = at(100)
            assert run.play().state is SpreadState.CLOSED
            assert sum(order.purpose == "open" for order in run.trade.orders) == 1
