from datetime import timedelta

import pytest

from pairs_platform.core.trading.bar_prices import BarPrices
from pairs_platform.core.trading.spread_order import Goal
from pairs_platform.core.trading.trade_records import (
    OTHER,
    HeldLeg,
    MarketOfSession,
    RulePath,
    RulePosition,
    SessionTrade,
    reason_code,
    rule_path,
    trade_record,
)
from pairs_platform_tests.support.pair_trades import at, filled, order_of, trade_of

BAR = timedelta(seconds=300)


def positions(*held: int) -> list[RulePosition]:
    return [RulePosition(start_utc=at(300 * k), position=position) for k, position in enumerate(held)]


class TestRulePath:
    @pytest.mark.parametrize(
        ("held", "path"),
        [
            ((0, 1, 1, 0), RulePath(entry_utc=at(300), exit_utc=at(900))),
            ((0, 1, 1), RulePath(entry_utc=at(300), exit_utc=None)),
            ((0, 0, 1, -1), RulePath(entry_utc=at(600), exit_utc=at(900))),
            ((0, 0, 0), None),
            ((0,), None),
        ],
    )
    def test_of_an_entry_that_the_first_bar_asked_for(self, held, path):
        assert rule_path(positions(*held), at(0)) == path

    def test_of_a_pair_that_was_held_over_night(self):
        assert rule_path(positions(1, 1), None) == RulePath(entry_utc=None, exit_utc=None)
        assert rule_path(positions(1, 0), None) == RulePath(entry_utc=None, exit_utc=at(300))
        assert rule_path(positions(0, 0), None) == RulePath(entry_utc=None, exit_utc=at(0))
        assert rule_path([], None) is None


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("", ""),
        ("exit", "exit"),
        ("stop: 3 bands", "stop"),
        ("drift: β moved", "drift"),
        ("the rule holds nothing", OTHER),
    ],
)
def test_a_reason_is_told_apart_by_what_stands_before_its_colon(reason, code):
    assert reason_code(reason) == code


def record(trade, **more):
    nothing = {"y": HeldLeg(shares=0), "x": HeldLeg(shares=0)}
    own = SessionTrade(trade=trade, **{"path": None, "start": nothing, "end": nothing, **more})
    return trade_record(own, MarketOfSession(prices=BarPrices(1, {}, {}, {}), bar=BAR, end_utc=at(3_600)))


def test_an_entry_that_was_filled_in_part_still_was_to_be_whole():
    part = filled(order_of(100), 40)
    found = record(trade_of(part, filled(order_of(-20, leg="x", purpose="hedge")), target_y=40, target_x=-20))
    assert (found.y.target, found.x.target) == (100, -50)


def test_shares_that_are_given_back_for_want_of_a_hedge_are_no_exit():
    back = filled(order_of(-100, purpose="flatten"), seconds=20)
    found = record(trade_of(filled(order_of(100)), back, goal=Goal.UNWIND, reason="no hedge"))
    assert [each.step for each in found.y.orders] == ["entry", "unwound"]
    whole = filled(order_of(-50, leg="x"))
    found = record(trade_of(filled(order_of(100)), whole, back, goal=Goal.UNWIND, reason="a limit"))
    assert [each.step for each in found.y.orders] == ["entry", "exit"]


def test_a_position_of_the_night_has_the_shares_that_its_own_price_bought():
    held = {"y": HeldLeg(shares=100, value=5_200.0, average_price=51.0), "x": HeldLeg(shares=-50, value=-5_100.0)}
    found = record(trade_of(), path=RulePath(entry_utc=None, exit_utc=None), start=held, end=held)
    assert found.y.model is not None
    assert (found.y.model.shares, found.y.model.start_price) == (pytest.approx(5_000 / 51), 52.0)
    assert found.x.model is None, "what it cost is not known"
    assert (found.y.held_start, found.x.mark_start) == (100, 102.0)
