import itertools
from dataclasses import replace
from datetime import timedelta

import pytest

from pairs_platform.core.errors import ConfigurationError
from pairs_platform.core.risk.denials import DenialCode
from pairs_platform.core.risk.limits import Breach, Limit, LimitAction
from pairs_platform.core.risk.settings import LimitSettings
from pairs_platform.core.risk.trading_state import (
    AccountView,
    Actor,
    AskBroker,
    AwaitOpen,
    AwaitOrders,
    CancelOrders,
    ClosePair,
    CrossInternally,
    Flat,
    KillLevel,
    KillSwitch,
    NeedsPerson,
    OpenOrder,
    Standing,
    TradingState,
    denied_by_state,
    engaged,
    engaged_by_limits,
    next_demand,
    standing,
)
from pairs_platform_tests.support.risk_entries import NOW, holding

LIMITS = LimitSettings()
PERSON, LIMIT = Actor("Kim", person=True), Actor("limit drawdown", person=False)


def breach(action, message="something is beyond its limit"):
    return Breach(limit=Limit.DRAWDOWN, action=action, value=0.09, bound=0.08, message=message)


def pulled(level, actor=PERSON):
    return engaged(KillSwitch(), level, reason="test", actor=actor, at_utc=NOW)


PASSES = {
    TradingState.ACTIVE: {"open", "hedge", "close", "flatten", "cancel"},
    TradingState.REDUCING: {"hedge", "close", "flatten", "cancel"},
    TradingState.HALTED: {"cancel"},
}


class TestWhatPasses:
    @pytest.mark.parametrize("state", TradingState)
    def test_each_state_lets_pass_what_it_says(self, state):
        purposes = ("open", "hedge", "close", "flatten", "cancel")
        passed = {each for each in purposes if denied_by_state(Standing(state=state), each) is None}
        assert passed == PASSES[state]

    def test_flattening_lets_what_flattens_pass_and_no_exit_of_the_rule(self):
        now = Standing(state=TradingState.HALTED, flattening=True)
        assert denied_by_state(now, "flatten") is None
        assert denied_by_state(now, "close").code is DenialCode.TRADING_STATE

    def test_a_denial_says_why(self):
        now = standing(pulled(KillLevel.HALT))
        assert (
            denied_by_state(now, "hedge").message == "trading is halted: no order to hedge (kill switch (halt): test)"
        )


class TestStanding:
    @pytest.mark.parametrize(
        ("level", "state", "flattening"),
        [
            (None, TradingState.ACTIVE, False),
            (KillLevel.REDUCING, TradingState.REDUCING, False),
            (KillLevel.HALT, TradingState.HALTED, False),
            (KillLevel.FLATTEN, TradingState.HALTED, True),
        ],
    )
    def test_the_switch_says_how_far_it_goes(self, level, state, flattening):
        now = standing(pulled(level) if level else KillSwitch())
        assert (now.state, now.flattening) == (state, flattening)

    @pytest.mark.parametrize("action", LimitAction)
    def test_a_broken_limit_says_how_far_it_goes(self, action):
        now = standing(KillSwitch(), [breach(action)])
        expected = {LimitAction.REDUCE: TradingState.REDUCING, LimitAction.FLATTEN_ALL: TradingState.HALTED}
        assert now.state is expected.get(action, TradingState.ACTIVE)
        assert now.flattening is (action is LimitAction.FLATTEN_ALL)

    @pytest.mark.parametrize("level", [None, *KillLevel])
    def test_a_broken_limit_never_lets_more_pass(self, level):
        order = list(TradingState)
        switch = pulled(level) if level else KillSwitch()
        for action in LimitAction:
            assert order.index(standing(switch, [breach(action)]).state) >= order.index(standing(switch).state)

    def test_every_reason_is_kept_once(self):
        now = standing(pulled(KillLevel.HALT), [breach(LimitAction.REDUCE)] * 2)
        assert now.reasons == ("kill switch (halt): test", "something is beyond its limit")


class TestKillSwitch:
    @pytest.mark.parametrize(("first", "second"), list(itertools.product(KillLevel, KillLevel)))
    def test_engaging_it_goes_further_or_nowhere(self, first, second):
        before = pulled(first)
        after = engaged(before, second, reason="again", actor=LIMIT, at_utc=NOW + timedelta(seconds=5))
        further = list(KillLevel).index(second) > list(KillLevel).index(first)
        assert after.level is (second if further else first)
        assert (after == before) is not further

    def test_a_limit_that_flattens_engages_it_and_the_reason_is_kept(self):
        switch = engaged_by_limits(
            KillSwitch(), [breach(LimitAction.DENY), breach(LimitAction.FLATTEN_ALL, "9 %")], NOW
        )
        assert (switch.level, switch.reason, switch.changed_utc) == (KillLevel.FLATTEN, "9 %", NOW)
        assert switch.actor == Actor("limit drawdown", person=False)
        assert engaged_by_limits(KillSwitch(), [breach(LimitAction.REDUCE)], NOW) == KillSwitch()

    def test_a_reason_is_needed_to_engage_it(self):
        with pytest.raises(ConfigurationError, match="needs a reason"):
            engaged(KillSwitch(), KillLevel.HALT, reason="", actor=PERSON, at_utc=NOW)


def view(**changes):
    return replace(AccountView(taken_utc=NOW, session_open=True, orders=(), positions={}), **changes)


def demand(**changes):
    return next_demand(view(**changes), LIMITS)


HELD = (holding("AMD_TXN", (30, -40)), holding("PDFS_ROG", (72, -108)))
AT_BROKER = {"AMD": 30.0, "TXN": -40.0, "PDFS": 72.0, "ROG": -108.0}


class TestFlatten:
    def test_a_question_that_failed_is_never_none(self):
        assert demand(orders=None) == AskBroker("orders of the account are not known", NOW)
        assert demand(positions=None) == AskBroker("positions of the account are not known", NOW)

    def test_every_order_is_canceled_before_anything_is_closed_a_persons_too(self):
        orders = (OpenOrder(id="a", symbol="AMD"), OpenOrder(id="b", symbol="XOM", canceling=True))
        assert demand(orders=orders, positions=AT_BROKER, holdings=HELD) == CancelOrders(("a",))

    def test_what_may_still_fill_is_waited_for(self):
        orders = (OpenOrder(id="b", symbol="AMD", canceling=True),)
        assert demand(orders=orders, unsettled=("c",), holdings=HELD) == AwaitOrders(("b", "c"))
        closing = (OpenOrder(id="d", symbol="AMD", flattening=True),)
        assert demand(orders=closing, holdings=HELD, positions=AT_BROKER) == AwaitOrders(("d",))

    def test_pairs_are_closed_one_after_the_other_both_legs_at_once(self):
        assert demand(holdings=HELD, positions=AT_BROKER) == ClosePair("AMD_TXN", {"AMD": -30, "TXN": 40})
        closed = (replace(HELD[0], shares_y=0, shares_x=0), HELD[1])
        assert demand(holdings=closed, positions=AT_BROKER) == ClosePair("PDFS_ROG", {"PDFS": -72, "ROG": 108})

    def test_the_rest_of_a_half_closed_pair_is_closed(self):
        naked = (replace(HELD[0], shares_y=0, shares_x=-3),)
        assert demand(holdings=naked, positions=AT_BROKER) == ClosePair("AMD_TXN", {"TXN": 3})

    def test_nothing_is_sent_while_the_market_is_closed(self):
        assert demand(session_open=False, holdings=HELD, positions=AT_BROKER) == AwaitOpen(("AMD_TXN", "PDFS_ROG"))
        assert demand(session_open=False) == Flat(NOW)

    def test_no_close_is_larger_than_what_the_broker_holds_in_its_direction(self):
        for at_broker, expected in ((12.0, -12), (12.7, -12), (30.0, -30), (99.0, -30)):
            found = demand(holdings=HELD[:1], positions={"AMD": at_broker, "TXN": -40.0})
            assert found == ClosePair("AMD_TXN", {"AMD": expected, "TXN": 40})
        assert demand(holdings=HELD[:1], positions={"AMD": -5.0, "TXN": -40.0}) == ClosePair("AMD_TXN", {"TXN": 40})

    def test_it_is_flat_only_when_seen_after_all_has_settled(self):
        ended = NOW - timedelta(seconds=9.9)
        assert demand(last_order_end_utc=ended) == AskBroker(
            "the last order has just ended, and positions follow orders late", ended + timedelta(seconds=10)
        )
        assert demand(last_order_end_utc=NOW - timedelta(seconds=10)) == Flat(NOW)

    def test_positions_that_no_pair_explains_are_left_to_a_person(self):
        found = demand(positions={"XOM": 7.0, "AMD": 0.0})
        assert found == NeedsPerson("no pair explains positions in XOM", {"XOM": 7.0})

    def test_shares_that_the_broker_does_not_have_are_left_to_a_person(self):
        assert demand(holdings=HELD[:1]) == NeedsPerson(
            "the broker does not hold what pairs hold in AMD, TXN", {"AMD": 30.0, "TXN": -40.0}
        )
        just_ended = NOW - timedelta(seconds=1)
        assert isinstance(demand(holdings=HELD[:1], last_order_end_utc=just_ended), AskBroker)


def test_flattening_pairs_that_share_symbols_ends_flat_and_never_crosses_zero():
    """A broker that nets, driven by the demands alone: shared legs are closed, then booked against each other."""
    shares = {
        "AMD_TXN": {"AMD": 10, "TXN": -12},
        "AMD_ROG": {"AMD": -4, "ROG": 5},
        "TXN_ROG": {"TXN": 12, "ROG": -5},
    }
    positions = {symbol: sum(held.get(symbol, 0) for held in shares.values()) for symbol in ("AMD", "TXN", "ROG")}
    orders = [OpenOrder(id="1", symbol="AMD"), OpenOrder(id="2", symbol="ROG")]
    seen = []
    for step in range(20):
        holdings = tuple(
            holding(pair, tuple(held[symbol] for symbol in pair.split("_"))) for pair, held in shares.items()
        )
        found = next_demand(
            view(holdings=holdings, positions=positions, orders=tuple(orders), taken_utc=NOW + timedelta(minutes=step)),
            LIMITS,
        )
        seen.append(type(found).__name__)
        match found:
            case CancelOrders(ids):
                orders = [replace(order, canceling=True) for order in orders if order.id in ids]
            case AwaitOrders(_):
                orders = []
            case ClosePair(pair, quantities):
                for symbol, quantity in quantities.items():
                    before = positions[symbol]
                    positions[symbol] += quantity
                    assert before * quantity < 0
                    assert before * positions[symbol] >= 0, "one order crossed zero"
                    shares[pair][symbol] += quantity
            case CrossInternally(symbol, crossed):
                assert sum(crossed.values()) == 0
                for pair, held in crossed.items():
                    shares[pair][symbol] -= held
            case Flat():
                break
    assert seen[:2] == ["CancelOrders", "AwaitOrders"]
    assert seen[-1] == "Flat"
    assert not any(positions.values())
    assert not any(held for legs in shares.values() for held in legs.values())
