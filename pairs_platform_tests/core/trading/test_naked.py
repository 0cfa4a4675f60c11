"""How much of a trade one leg holds without the other, since when, and for how long."""

from dataclasses import replace

import pytest

from pairs_platform.core.trading.naked import naked_episodes, naked_since, naked_tolerance
from pairs_platform_tests.support.pair_trades import at, fill_of, filled, order_of, trade_of

PRICES = {"price_y": 50.0, "price_x": 100.0}
HEDGE = order_of(-50, leg="x", purpose="hedge")


def episodes(trade, until: float = 100.0, tolerance: float = 200.0):
    return [
        (each.begin_utc, each.end_utc, each.dollar_seconds)
        for each in naked_episodes(trade, tolerance=tolerance, until=at(until), **PRICES)
    ]


def since(trade, tolerance: float = 200.0):
    return naked_since(trade, tolerance=tolerance, **PRICES)


def test_from_the_first_fill_to_its_hedge():
    naked = trade_of(filled(order_of(100), seconds=2))
    assert since(naked) == at(2)
    assert episodes(naked, until=5) == [(at(2), None, 15_000.0)]
    hedged = trade_of(filled(order_of(100), seconds=2), filled(HEDGE, seconds=4))
    assert since(hedged) is None
    assert episodes(hedged) == [(at(2), at(4), 10_000.0)]


def test_what_grows_and_shrinks_counts_with_its_value_at_each_moment():
    fills = (fill_of(40, "a", seconds=1), fill_of(60, "b", seconds=3))
    trade = trade_of(replace(order_of(100), fills=fills), filled(HEDGE, 30, seconds=6))
    # $2,000 for 2 s, $5,000 for 3 s, then $2,000 for 4 s.
    assert since(trade) == at(1)
    assert episodes(trade, until=10) == [(at(1), None, 4_000.0 + 15_000.0 + 8_000.0)]
    (episode,) = naked_episodes(trade, tolerance=200.0, until=at(10), **PRICES)
    assert episode.most_dollars == 5_000.0


def test_the_most_of_an_episode_is_its_own():
    trade = trade_of(
        filled(order_of(100), seconds=1), filled(HEDGE, seconds=2), filled(order_of(-20, purpose="close"), seconds=5)
    )
    found = naked_episodes(trade, tolerance=200.0, until=at(9), **PRICES)
    assert [each.most_dollars for each in found] == [5_000.0, 1_000.0]


def test_within_the_tolerance_nothing_is_naked():
    trade = trade_of(filled(order_of(100), seconds=2), filled(HEDGE, 48, seconds=2))
    assert since(trade, tolerance=200.0) is None
    assert since(trade, tolerance=199.0) == at(2)
    assert episodes(trade, tolerance=200.0) == []


def test_the_exit_of_one_leg_begins_a_second_time():
    trade = trade_of(
        filled(order_of(100), seconds=1),
        filled(HEDGE, seconds=2),
        filled(order_of(-100, purpose="close"), seconds=50),
        filled(order_of(50, leg="x", purpose="close"), seconds=51),
    )
    assert [(begin, end) for begin, end, _ in episodes(trade)] == [(at(1), at(2)), (at(50), at(51))]


def test_shares_without_their_execution_count_from_when_their_order_was_intended():
    trade = trade_of(replace(order_of(100, intended_utc=at(3)), reported_filled=100))
    assert since(trade) == at(3)


def test_both_legs_filled_at_one_moment_are_never_naked():
    assert episodes(trade_of(filled(order_of(100), seconds=2), filled(HEDGE, seconds=2)), tolerance=1.0) == []


@pytest.mark.parametrize(("beta", "target_x"), [(1.0, -50), (0.5, -25), (2.0, -100), (-1.0, 50)])
def test_the_tolerance_is_never_less_than_whole_shares_miss(beta, target_x):
    trade = trade_of(beta=beta, target_x=target_x)
    assert naked_tolerance(trade, 0.02, **PRICES) >= 0.02 * (5_000 + abs(target_x) * 100)
    one_share = naked_tolerance(trade, 1e-9, **PRICES)
    assert one_share >= max(50.0, 100.0)
    short_of_one = trade_of(filled(order_of(100)), filled(replace(HEDGE, quantity=target_x), abs(target_x) - 1))
    short_of_one = replace(short_of_one, beta=beta, target_x=target_x)
    assert since(short_of_one, one_share) is None
