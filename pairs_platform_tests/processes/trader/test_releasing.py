"""A person lets a broken trade go on: what the broker says comes first, and nothing changes where it disagrees."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from pairs_platform.core.errors import NotFound, Refused
from pairs_platform.core.trading.orders import OrderStatus, sent_without_answer
from pairs_platform.core.trading.spread_order import Goal, SpreadState
from pairs_platform.database.audit import entries
from pairs_platform.database.equity import AccountKey
from pairs_platform.database.spread_orders import apply_report, change_trade, store_intent, stored_trade
from pairs_platform.processes.trader.releasing import Truth, release_trade
from pairs_platform_tests.support.memory_broker import MemoryBroker
from pairs_platform_tests.support.trades import ORIGIN, at, filled, trade_of
from pairs_platform_tests.support.trading_desk import copied_database

KEY = AccountKey(ORIGIN.account, ORIGIN.run_mode)
NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
TOLD = Truth(reason="asked the broker by telephone", actor="ann@desk")


@pytest.fixture
def database(template, tmp_path):
    """With a trade whose y leg has filled; nobody knows whether the broker has the order of x."""
    database = copied_database(template, tmp_path)
    store_intent(database, trade_of(), ORIGIN, at())
    y, x = trade_of().orders
    apply_report(database, y.client_order_id, filled(y, "e1"), at())
    change_trade(database, "t1", lambda trade: trade.with_state_of(sent_without_answer(x)).to_break("no answer"), at(6))
    return database


@pytest.fixture
def broker():
    """Holds the 100 shares of A."""
    broker = MemoryBroker(lambda: NOW, {"A": 100.0, "B": 50.0})
    broker.foreign = {"A": 100.0}
    return broker


def released(database, broker, truth=TOLD, trade="t1"):
    return release_trade(database, broker, KEY, trade, truth, NOW)


def test_an_order_that_the_broker_does_not_list_needs_a_persons_word(database, broker):
    before = stored_trade(database, "t1")
    with pytest.raises(Refused, match=r"does not list pp-.* say --never-sent"):
        released(database, broker)
    assert stored_trade(database, "t1") == before
    assert entries(database, actions=["trade_released"]) == []
    trade = released(database, broker, replace(TOLD, never_sent=True))
    assert (trade.broken, trade.state) == ("", SpreadState.OPENING)
    assert (trade.orders[1].status, trade.orders[1].reason) == (OrderStatus.DENIED, TOLD.reason)
    (entry,) = entries(database, actions=["trade_released"])
    assert (entry.actor, entry.object, entry.reason) == ("ann@desk", "t1", TOLD.reason)
    assert entry.detail["broken"] == "no answer"
    assert entry.detail["never_sent"] == [trade.orders[1].client_order_id]


def test_what_the_broker_says_of_an_order_is_taken_over_and_needs_no_word(database, broker):
    broker.submit(stored_trade(database, "t1").trade.orders[1])
    trade = released(database, broker)
    assert trade.state is SpreadState.OPEN
    assert (trade.held("y"), trade.held("x")) == (100, -150)


@pytest.mark.parametrize("shares", [0.0, 90.0, 250.0])
def test_other_shares_at_the_broker_stop_it_unless_a_person_says_so(database, broker, shares):
    broker.foreign = {"A": shares}
    never = replace(TOLD, never_sent=True)
    with pytest.raises(Refused, match=f"holds {shares:g} A, the trades say 100.*--despite-broker"):
        released(database, broker, never)
    assert stored_trade(database, "t1").trade.broken
    assert not released(database, broker, replace(never, despite_broker=True)).broken
    (entry,) = entries(database, actions=["trade_released"])
    assert f"holds {shares:g} A" in entry.detail["broker_differs"]


@pytest.mark.parametrize(
    ("goal", "leave", "after"),
    [
        (Goal.HOLD, False, Goal.HOLD),
        (Goal.HOLD, True, Goal.UNWIND),
        (Goal.CLOSE, False, Goal.UNWIND),
    ],
)
def test_a_trade_that_was_being_closed_is_left_with_new_orders(database, broker, goal, leave, after):
    if goal is not Goal.HOLD:
        change_trade(database, "t1", lambda trade: trade.to_leave(goal, "exit"), at(7))
    assert released(database, broker, replace(TOLD, never_sent=True, leave=leave)).goal is after


def test_only_a_broken_trade_of_this_account_is_released(database, broker):
    with pytest.raises(NotFound, match="there is no trade t2; those that need a person: t1"):
        released(database, broker, trade="t2")
    with pytest.raises(Refused, match="account PA1 in the run mode live"):
        release_trade(database, broker, AccountKey("PA2", "live"), "t1", TOLD, NOW)
    released(database, broker, replace(TOLD, never_sent=True))
    with pytest.raises(Refused, match="t1 is opening: only a broken trade is released"):
        released(database, broker)
