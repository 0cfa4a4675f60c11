"""What users of other platforms report, row by row (docs/testing.md): the desk against the simulated broker.

Orders, stream and questions go over Alpaca's protocol; faults are those of the broker's script. What does not belong
here: services that are away and content that is none (`test_trading_outages.py`), and the rules alone (`core/trading`).
"""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from functools import partial

import pytest

from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.prices.calendar import session_close, session_offset, session_open
from pairs_platform.core.risk.trading_state import KillLevel, TradingState
from pairs_platform.core.streaming.intervals import bar_intervals
from pairs_platform.core.time import moment_utc
from pairs_platform.core.trading.orders import OrderStatus
from pairs_platform.core.trading.spread_order import Goal, SpreadState
from pairs_platform.database.kill_switch import kill_switch, set_kill_switch
from pairs_platform.database.signals import SignalKey
from pairs_platform.views.open_trades import what_is_open
from pairs_platform_tests.support import trading_desk
from pairs_platform_tests.support.broker_desk import DeskAtServer
from pairs_platform_tests.support.trading_desk import GRID, SESSION

LEAD, HEDGE = "ROG", "PDFS"
"""The leg that is sold short goes first; the other one hedges it."""


def end_well(desk: DeskAtServer) -> None:
    """Without further faults the trade is left, and both sides hold nothing of it."""
    desk.running.script()
    (trade,) = desk.trades
    if not trade.state.ended:
        desk.leave()
        desk.step_until(lambda: desk.trades[0].state.ended)
    desk.require_equal()
    assert not any(desk.running.held(symbol) for symbol in (LEAD, HEDGE))


def fill_whole(desk: DeskAtServer, broker_order_id: str) -> None:
    """Fill an order whatever its state is, as a fill does that was under way."""
    server = desk.running.server
    server.do(lambda: server._fill_whole(server.account.by_id(broker_order_id)))


def working(desk: DeskAtServer) -> str:
    """The one order that works at the broker."""
    (placed,) = desk.running.server.account.open_orders()
    return placed.order_id


def begun(desk: DeskAtServer, *, also: str = "hold") -> None:
    """An entry of which the first orders are sent."""
    desk.listen()
    desk.step()
    desk.signal(5, "enter_long", also=also)
    desk.step(2)


def halt(desk: DeskAtServer, level: KillLevel = KillLevel.FLATTEN) -> None:
    set_kill_switch(desk.database, ["live"], level, reason="a test", actor="ann", now=desk.time)


def is_flat(desk: DeskAtServer) -> bool:
    return kill_switch(desk.database, "live").flat_utc is not None


def test_01_a_fill_that_wins_the_race_against_the_cancelation_is_hedged(desk):
    desk.script({"do": "never_filled", "symbol": LEAD}, {"do": "fill_during_cancel", "symbol": LEAD})
    desk.enter()
    (trade,) = desk.trades
    assert trade.state is SpreadState.OPEN
    assert desk.posted() == {LEAD: 1, HEDGE: 1}
    desk.require_equal()
    assert (trade.held("y"), trade.held("x")) == (trade.target_y, trade.target_x)


def test_02_a_canceled_order_that_fills_later_is_not_hedged_twice(desk):
    desk.script({"do": "never_filled", "symbol": HEDGE})
    desk.enter()
    first, second = (order for order in desk.trades[0].orders if order.symbol == HEDGE)
    assert (first.status, second.status) == (OrderStatus.CANCELED, OrderStatus.FILLED)
    fill_whole(desk, first.broker_order_id)
    assert desk.held(HEDGE) == 2 * desk.trades[0].target_y
    desk.step(3)
    desk.step_until(desk.is_at_rest)
    assert desk.held(HEDGE) == desk.trades[0].held("y") == desk.trades[0].target_y
    end_well(desk)


def test_03_a_remainder_of_one_share_is_hedged_and_too_little_to_hedge_is_left_again(desk):
    desk.enter()
    shares = abs(desk.trades[0].target_y)
    end_well(desk)
    desk.script({"do": "one_share_then_silence", "symbol": HEDGE, "shares": shares - 1})
    desk.at_end_of(7)
    desk.signal(7, "enter_long")
    desk.step(2)
    desk.step_until(desk.is_at_rest)
    trade = desk.trades[-1]
    assert (trade.state, desk.held(HEDGE)) == (SpreadState.OPEN, trade.target_y)
    desk.script({"do": "one_share_then_silence", "symbol": "TXN"})
    desk.at_end_of(8)
    desk.signal(8, "enter_long", pair="AMD_TXN", also="hold")
    desk.step(2)
    desk.step_until(lambda: desk.trades[-1].state.ended)
    assert desk.trades[-1].state is SpreadState.FLAT
    assert desk.held("TXN") == desk.held("AMD") == 0


@pytest.mark.parametrize("restarted", [False, True])
def test_04_a_close_that_filled_unseen_is_sent_once(desk, restarted):
    desk.enter()
    desk.script({"do": "drop_event", "times": 0})
    desk.leave()
    if restarted:
        desk.begin()
    desk.step_until(lambda: desk.trades[0].state.ended)
    assert desk.posted() == {LEAD: 2, HEDGE: 2}
    end_well(desk)


def test_05_three_fills_at_once_are_hedged_whole(desk):
    desk.script({"do": "never_filled", "symbol": LEAD})
    begun(desk)
    server = desk.running.server
    placed = server.account.by_id(working(desk))

    def fill_three_times() -> None:
        for shares in (1, 2, placed.remaining - 3):
            server.account.execute(placed, Decimal(shares), server.prices(LEAD), server.market.now())

    server.do(fill_three_times)
    desk.step_until(desk.is_at_rest)
    (trade,) = desk.trades
    assert (trade.held("y"), trade.held("x")) == (trade.target_y, trade.target_x)
    assert [len(order.fills) for order in trade.orders if order.symbol == LEAD] == [3]
    end_well(desk)


def test_06_flat_is_not_said_while_an_order_rests_that_fills_afterwards(desk):
    desk.script({"do": "never_filled", "symbol": LEAD}, {"do": "cancel_ignored", "times": 0})
    begun(desk)
    halt(desk)
    desk.step(6, seconds=2)
    assert not is_flat(desk)
    fill_whole(desk, working(desk))
    desk.running.script()
    desk.step_until(lambda: is_flat(desk), seconds=2)
    assert not desk.running.state()["positions"]
    assert what_is_open(desk.database, ["live"]) == ""
    desk.require_equal()


def test_07_a_stop_between_the_legs_leaves_no_leg_alone(desk):
    desk.script({"do": "never_filled", "symbol": LEAD})
    begun(desk)
    desk.end()
    fill_whole(desk, working(desk))
    assert (desk.held(LEAD), desk.held(HEDGE)) == (desk.trades[0].target_x, 0)
    desk.begin()
    desk.step_until(desk.is_at_rest)
    assert desk.held(HEDGE) == desk.trades[0].target_y != 0
    end_well(desk)


def test_08_while_the_market_is_closed_nothing_is_sent_and_nothing_canceled(desk):
    desk.enter()
    desk.script({"do": "never_filled", "times": 0})
    desk.at_end_of(len(GRID) - 2, seconds=290)
    desk.signal(len(GRID) - 2, "stop", position=1)
    desk.step(3)
    desk.time = session_close(SESSION) + timedelta(seconds=30)
    desk.step(3)
    before = desk.asked("submit"), desk.asked("cancel")
    desk.step(10, seconds=3600)
    assert (desk.asked("submit"), desk.asked("cancel")) == before
    assert desk.trades[0].state is not SpreadState.CLOSED
    desk.running.script()
    desk.time = session_open(session_offset(SESSION, 1)) + timedelta(seconds=1)
    desk.step_until(lambda: desk.trades[0].state.ended, seconds=2)
    end_well(desk)


def test_09_an_exit_is_over_when_both_legs_are(desk):
    desk.enter()
    desk.script({"do": "reject_later", "symbol": LEAD, "times": 2})
    desk.leave()
    assert desk.held(HEDGE) == 0
    assert desk.held(LEAD) != 0
    assert desk.trades[0].state is SpreadState.CLOSING
    desk.step_until(lambda: desk.trades[0].state.ended)
    assert desk.held(LEAD) == 0
    end_well(desk)


def test_10_an_order_of_a_person_in_the_same_symbol_is_not_the_own_leg(desk):
    desk.script({"do": "foreign_order", "symbol": HEDGE, "shares": 5})
    desk.enter()
    (trade,) = desk.trades
    assert trade.held("y") == trade.target_y == desk.held(HEDGE) - 5
    desk.step(4, seconds=20)
    desk.require_equal({HEDGE: 5})
    desk.leave()
    desk.step_until(lambda: desk.trades[0].state.ended)
    assert desk.held(HEDGE) == 5
    assert desk.desk.standing.state is TradingState.ACTIVE


def test_11_no_pair_is_entered_on_the_prices_of_one_leg(desk):
    desk.market.quoted = lambda symbol: symbol != HEDGE
    begun(desk)
    desk.step()
    assert desk.asked("submit") == 0
    assert desk.outcomes() == [("enter_long", "expired", "")]
    assert "prices of one leg" in desk.trades[0].reason


def test_12_a_restart_counts_no_fill_again(desk):
    desk.running.server.options = replace(desk.running.server.options, partial_share=0.9)
    desk.enter()
    fills = [fill for order in desk.trades[0].orders for fill in order.fills]
    for _ in range(2):
        desk.begin()
        desk.listen()
        desk.step(3)
        assert [fill for order in desk.trades[0].orders for fill in order.fills] == fills
    desk.require_equal()
    end_well(desk)


def test_13_a_restart_into_positions_that_are_not_shown_invents_no_fill(desk):
    desk.script({"do": "positions_lag", "seconds": 3600})
    desk.enter()
    (trade,) = desk.trades
    desk.begin()
    desk.step(4, seconds=10)
    assert desk.trades == [trade]
    assert desk.desk.standing.state is TradingState.REDUCING
    assert any(LEAD in message for message in desk.events("reconciliation"))
    halt(desk)
    desk.step(4, seconds=2)
    assert not is_flat(desk)
    assert desk.posted() == {LEAD: 1, HEDGE: 1}
    desk.running.script()
    desk.step_until(lambda: is_flat(desk), seconds=2)
    desk.require_equal()


def test_14_a_working_order_that_is_not_listed_stays_and_is_not_sent_again(desk):
    desk.script({"do": "orders_lag", "seconds": 3600}, {"do": "never_filled", "symbol": LEAD})
    begun(desk)
    desk.begin()
    desk.step(6)
    assert [order.status for order in desk.trades[0].orders] == [OrderStatus.WORKING]
    assert desk.posted() == {LEAD: 1}
    desk.running.script()
    desk.step_until(lambda: desk.trades[0].state.ended)
    end_well(desk)


def test_15_an_execution_that_is_shown_late_counts_once_and_no_answer_is_not_flat(desk):
    desk.script(
        {"do": "drop_event", "event": "fill", "times": 0},
        {"do": "bad_gateway", "request": "activities", "times": 0},
    )  # fmt: skip
    begun(desk)
    desk.step_until(lambda: any(order.lacks_executions for order in desk.trades[0].orders))
    desk.running.script()
    desk.step_until(desk.is_at_rest)
    desk.step(3, seconds=10)
    desk.require_equal()
    desk.script({"do": "bad_gateway", "request": "positions", "times": 0})
    halt(desk)
    desk.step(5, seconds=3)
    assert not is_flat(desk)
    desk.running.script()
    desk.step_until(lambda: is_flat(desk), seconds=2)
    end_well(desk)


def test_16_a_position_that_vanished_at_the_broker_ends_entries(desk):
    desk.enter()
    (trade,) = desk.trades
    account = desk.running.server.account
    desk.running.server.do(lambda: account._book(HEDGE, -account.held(HEDGE), Decimal(50)))
    desk.step(7, seconds=20)
    assert desk.desk.standing.state is not TradingState.ACTIVE
    assert any(HEDGE in message for message in desk.events("reconciliation"))
    assert desk.trades == [trade]
    desk.leave()
    desk.step(4, seconds=3)
    assert desk.held(HEDGE) == 0, "what is not there is not sold"
    assert desk.held(LEAD) == 0


def test_17_a_fill_that_a_healthy_stream_never_tells_liquidates_once(desk):
    desk.enter()
    desk.script({"do": "drop_event", "event": "fill", "times": 0})
    halt(desk)
    desk.step_until(lambda: is_flat(desk), seconds=2)
    assert desk.posted() == {LEAD: 2, HEDGE: 2}
    end_well(desk)


def test_18_executions_that_come_twice_count_once_and_a_stream_that_is_down_ends_entries(desk):
    desk.script({"do": "duplicate_event", "times": 0})
    desk.enter()
    desk.require_equal()
    desk.script({"do": "refuse_stream", "times": 0})
    desk.running.server.do(desk.running.server._break_stream)
    desk.step(7, seconds=12)
    assert desk.desk.standing.state is TradingState.REDUCING
    desk.at_end_of(7)
    desk.signal(7, "hold", also="enter_long", position=1)
    desk.step(3)
    assert desk.outcomes()[-1] == ("enter_long", "denied", "trading_state")
    assert desk.posted() == {LEAD: 1, HEDGE: 1}
    end_well(desk)


def test_19_fills_of_a_broken_connection_are_known_and_a_restart_doubles_nothing(desk):
    desk.script({"do": "break_stream", "event": "fill", "times": 2})
    desk.enter()
    desk.require_equal()
    desk.begin()
    desk.step(4, seconds=20)
    desk.require_equal()
    assert desk.desk.standing.state is TradingState.ACTIVE
    end_well(desk)


def test_19_a_liquidation_by_the_broker_is_seen_and_ends_entries(desk):
    desk.enter()
    desk.running.server.do(lambda: desk.running.server.liquidate(LEAD))
    desk.step(4, seconds=10)
    assert desk.held(LEAD) == 0
    assert desk.desk.standing.state is TradingState.REDUCING
    assert any(LEAD in message for message in desk.events("reconciliation"))
    assert desk.posted() == {LEAD: 1, HEDGE: 1}


def test_20_orders_that_were_canceled_and_have_all_filled_are_held_or_left(desk):
    desk.script({"do": "never_filled", "times": 2}, {"do": "fill_after_cancel", "times": 0})
    begun(desk, also="enter_long")
    desk.step()
    halt(desk)
    desk.step_until(lambda: is_flat(desk), seconds=2)
    assert len(desk.trades) == 2
    assert not desk.running.state()["positions"]
    desk.require_equal()


def test_21_the_rest_of_a_partial_exit_is_what_is_still_held(desk):
    desk.enter()
    desk.script({"do": "partial_then_cancel", "symbol": LEAD, "times": 2})
    desk.leave()
    desk.step_until(lambda: desk.trades[0].state.ended)
    assert desk.posted()[LEAD] == 4
    end_well(desk)


@pytest.mark.parametrize("ratio", [2.0, 0.5], ids=["forward", "reverse, of an odd number of shares"])
def test_22_a_split_is_followed_whole_share_by_whole_share(desk, ratio):
    desk.enter()
    desk.script({"do": "split", "symbol": LEAD, "ratio": ratio})
    held = abs(desk.trades[0].held("x"))
    night(desk, split=ratio)
    desk.step(6, seconds=6)
    assert abs(desk.trades[0].held("x")) == int(held * ratio) == abs(desk.held(LEAD))
    assert desk.desk.standing.state is TradingState.ACTIVE
    leave_in_the_morning(desk)


def test_22_a_split_that_was_published_the_wrong_way_round_changes_nothing(desk):
    desk.enter()
    desk.script({"do": "split", "symbol": LEAD, "ratio": 2.0})
    held = desk.trades[0].held("x")
    night(desk, split=0.5)
    desk.step(8, seconds=6)
    assert desk.trades[0].held("x") == held
    assert desk.desk.standing.state is TradingState.REDUCING
    assert any(LEAD in message for message in desk.events("reconciliation"))


def night(desk: DeskAtServer, *, split: float) -> None:
    """Go to the next morning, before which a split of the first leg was published."""
    following, price = session_offset(SESSION, 1), desk.market.now[LEAD]
    desk.market.facts_ = replace(desk.market.facts_, session=following, actions=((LEAD, "split", split),))
    desk.time = session_close(SESSION) + timedelta(hours=1)
    desk.step()
    desk.time = session_open(following) + timedelta(minutes=6)
    desk.running.server.do(partial(desk.running.server.set_time, desk.time))
    acted = float(desk.running.server.prices(LEAD))
    assert acted != price
    desk.market.now[LEAD] = acted


def leave_in_the_morning(desk: DeskAtServer) -> None:
    halt(desk)
    desk.step_until(lambda: is_flat(desk), seconds=2)
    assert not desk.running.state()["positions"]


def test_23_a_half_day_ends_at_its_close_and_nothing_flattens_after_it(desk, monkeypatch):
    day = date(2026, 11, 27)
    grid = bar_intervals(day, Frequency.FIVE_MINUTES)
    assert len(grid) == 42
    for name, value in (
        ("SESSION", day), ("GRID", grid), ("KEY", SignalKey(run_mode="live", sector="technology", session=day)),
    ):  # fmt: skip
        monkeypatch.setattr(trading_desk, name, value)
    desk.market.facts_ = replace(desk.market.facts_, session=day)
    desk.market.state = trading_desk.session_state()
    desk.time = moment_utc(grid[5].end_ns) + timedelta(seconds=1)
    desk.enter()
    desk.at_end_of(40)
    desk.signal(40, "hold", also="enter_long", position=1)
    desk.step(2)
    assert desk.outcomes()[-1] == ("enter_long", "denied", "close_near")
    desk.time = session_close(day) + timedelta(minutes=1)
    halt(desk)
    desk.step(6, seconds=20)
    assert desk.posted() == {LEAD: 1, HEDGE: 1}
    assert not is_flat(desk)
    desk.time = session_open(session_offset(day, 1)) + timedelta(seconds=1)
    desk.step_until(lambda: is_flat(desk), seconds=2)
    end_well(desk)


def test_24_a_refused_borrow_leaves_no_leg(desk):
    desk.script({"do": "borrow_refused", "times": 0})
    desk.enter()
    desk.step()
    assert desk.trades[0].state is SpreadState.FLAT
    assert not desk.running.state()["positions"]
    assert desk.outcomes() == [("enter_long", "expired", "")]
    assert any("borrow" in message or "short" in message for message in desk.events("reject"))


def test_24_what_is_hard_to_borrow_is_not_entered(desk):
    desk.running.server.do(lambda: desk.running.server._change_assets({LEAD: {"borrow_status": "hard_to_borrow"}}))
    begun(desk)
    assert desk.outcomes() == [("enter_long", "denied", "not_easy_to_borrow")]
    assert desk.asked("submit") == 0


@pytest.mark.parametrize("answered", [True, False], ids=["", "and positions are not answered any more"])
def test_24_a_recall_is_seen_and_the_other_leg_can_be_left(desk, answered):
    desk.enter()
    desk.running.server.do(lambda: desk.running.server.liquidate(LEAD))
    desk.step(4, seconds=10)
    assert desk.trades[0].goal is Goal.HOLD
    if not answered:
        desk.script({"do": "bad_gateway", "request": "positions", "times": 0})
    desk.leave()
    desk.step(4, seconds=3)
    assert (desk.held(LEAD), desk.held(HEDGE)) == (0, 0)
