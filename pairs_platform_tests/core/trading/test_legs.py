import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pairs_platform.core.trading.backtest import backtest
from pairs_platform.core.trading.legs import Legs, leg_values, order_words
from pairs_platform.core.trading.rule import TradeAction
from pairs_platform.core.trading.settings import CostSettings, TradingSettings
from pairs_platform_tests.support.markets import parameters_of, window_of

FREE = CostSettings(commission_bps=0, half_spread_bps=0, slippage_bps=0, borrow_bps_per_year=0)
ORDER = re.compile(r"(buy|sell) Y, (buy|sell) ([\d.]+) X")
sides = st.sampled_from([1, -1])
betas = st.floats(0.1, 10).flatmap(lambda size: st.sampled_from([size, -size]))


def traded(beta: float, side: int, move_y: float, move_x: float):
    """The one trade of a backtest that enters at |z| = 2.5; its legs then move, in ln, until the window ends."""
    sigma = 0.01
    x = np.full(4, np.log(100.0))
    y = beta * x + sigma * np.array([0.0, -2.5 * side, -2.5 * side, -2.5 * side])
    close = np.column_stack([x, y])
    close[3] += (move_x, move_y)
    window = window_of(close, symbols=("X", "Y"))
    report = backtest(
        window,
        parameters_of(beta=beta, sigma=sigma),
        variance=np.ones(window.n_bars + 1),
        reference_variance=1.0,
        half_life_bars=1000.0,
        trading=TradingSettings(),
        costs=FREE,
    )
    (trade,) = report.trades
    return trade


@hypothesis_settings(max_examples=60, deadline=None)
@given(beta=betas, side=sides, leg=st.sampled_from(["Y", "X"]), move=st.floats(0.001, 0.2))
def test_the_trade_gains_when_the_leg_that_the_words_buy_rises_alone_and_loses_when_it_falls(beta, side, leg, move):
    words = ORDER.fullmatch(order_words("Y", "X", beta, side))
    assert words, "an entry names both legs and the amount of the second"
    verb = words[1] if leg == "Y" else words[2]
    gains = 1 if verb == "buy" else -1
    for sign in (1, -1):
        trade = traded(beta, side, sign * move if leg == "Y" else 0.0, sign * move if leg == "X" else 0.0)
        assert trade.side == side
        assert np.sign(trade.gross_return) == gains * sign


@hypothesis_settings(max_examples=30, deadline=None)
@given(beta=betas, side=sides)
def test_the_amount_is_dollars_of_x_for_each_dollar_of_y(beta, side):
    """One percent on y earns as much as one percent on `1/amount` times the value of x."""
    amount = float(ORDER.fullmatch(order_words("Y", "X", beta, side))[3])
    of_y = abs(traded(beta, side, np.log(1.01), 0.0).gross_return)
    of_x = abs(traded(beta, side, 0.0, np.log(1.01)).gross_return)
    assert of_x / of_y == pytest.approx(amount, abs=0.00501)


def test_words_of_entries_exits_and_positions():
    legs = Legs("PDFS", "AVGO", 1.054)
    assert legs.entry(1) == "buy PDFS, sell 1.05 AVGO"
    assert legs.entry(-1) == "sell PDFS, buy 1.05 AVGO"
    assert legs.exit(1) == "close: sell PDFS, buy AVGO"
    assert legs.exit(-1) == "close: buy PDFS, sell AVGO"
    assert [legs.held(side) for side in (1, -1, 0)] == [
        "long PDFS, short 1.05 AVGO",
        "short PDFS, long 1.05 AVGO",
        "flat",
    ]


def test_with_a_negative_beta_both_legs_are_bought_or_both_sold():
    legs = Legs("GLD", "UUP", -0.5)
    assert legs.entry(1) == "buy GLD, buy 0.50 UUP"
    assert legs.entry(-1) == "sell GLD, sell 0.50 UUP"
    assert legs.held(1) == "long GLD, long 0.50 UUP"


def test_what_the_rule_asks_for_has_words_for_every_action():
    legs = Legs("PDFS", "AVGO", 0.0304)
    words = {
        (action, position): legs.asked(action, position)
        for action, position in [
            (TradeAction.ENTER_LONG, 0),
            (TradeAction.ENTER_SHORT, 0),
            (TradeAction.EXIT, 1),
            (TradeAction.STOP, -1),
            (TradeAction.TIME_STOP, 1),
            (TradeAction.HOLD, -1),
            (TradeAction.HOLD, 0),
        ]
    }
    assert list(words.values()) == [
        "buy PDFS, sell 0.03 AVGO",
        "sell PDFS, buy 0.03 AVGO",
        "close: sell PDFS, buy AVGO",
        "close: buy PDFS, sell AVGO",
        "close: sell PDFS, buy AVGO",
        "hold: short PDFS, long 0.03 AVGO",
        "wait",
    ]


@pytest.mark.parametrize(("change", "position"), [(0, 0), (2, 0), (1, 1), (-1, -1), (1, 2)])
def test_what_neither_opens_nor_closes_is_no_order(change, position):
    with pytest.raises(ValueError, match="is no order"):
        order_words("Y", "X", 1.0, change, position=position)


def test_a_pair_without_a_hedge_ratio_has_no_order():
    with pytest.raises(ValueError, match="not traded"):
        Legs("Y", "X", float("nan")).entry(1)


def test_values_of_the_legs_add_up_to_a_gross_value_of_one():
    assert leg_values(1.5, 1) == pytest.approx((0.4, -0.6))
    assert leg_values(-0.25, -1) == pytest.approx((-0.8, -0.2))
