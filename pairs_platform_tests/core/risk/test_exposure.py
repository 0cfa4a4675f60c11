import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairs_platform.core.risk.denials import UnusableInput
from pairs_platform.core.risk.exposure import (
    exposure,
    historical_loss,
    holding_of,
    largest_share_by_volatility,
    largest_shares_by_value,
    market_risk,
    peak_exposure,
)
from pairs_platform.core.trading.orders import Order
from pairs_platform.core.trading.spread_order import Goal, SpreadOrder
from pairs_platform_tests.support.risk_entries import MARKET, NOW, PRICES, book, holding

SYMBOLS = tuple(PRICES)


class TestExposure:
    def test_a_shared_symbol_counts_once_after_netting(self):
        found = exposure(book(holding("PDFS_ROG", (20, -25)), holding("PDFS_TXN", (-8, 5))), MARKET)
        assert found.names == pytest.approx({"PDFS": 0.006, "ROG": 0.01, "TXN": 0.004})
        assert found.gross == pytest.approx(0.02)
        assert found.net == pytest.approx(0.0)
        assert found.pairs == pytest.approx({"PDFS_ROG": 0.02, "PDFS_TXN": 0.008})
        assert found.sectors == pytest.approx({"technology": 0.02})
        assert found.sharing == {"PDFS": 2, "ROG": 1, "TXN": 1}
        assert found.largest_name == pytest.approx(0.01)

    def test_volatility_is_exact_for_shared_legs(self):
        """Two pairs that hold opposite shares of everything move not at all, whatever the covariance."""
        opposite = book(holding("PDFS_ROG", (20, -25)), holding("ROG_PDFS", (25, -20)))
        assert exposure(opposite, MARKET).volatility == 0.0
        assert peak_exposure(opposite, MARKET).volatility > 0.0
        w = np.array([0.01, -0.01, 0.0, 0.0])
        one = exposure(book(holding("PDFS_ROG", (20, -25))), MARKET)
        assert one.volatility == pytest.approx(math.sqrt(w @ MARKET.covariance @ w))
        assert one.beta_net == pytest.approx(w @ MARKET.betas)

    def test_losses_of_history_are_those_of_todays_weights(self):
        found = exposure(book(holding("PDFS_ROG", (20, -25))), MARKET)
        results = np.sort(MARKET.returns @ [0.01, -0.01, 0, 0])
        assert found.value_at_risk == pytest.approx(-results[1])
        assert found.expected_shortfall == pytest.approx(-results[:3].mean())
        assert found.days == 120

    def test_an_empty_book_holds_nothing(self):
        for found in (exposure(book(), MARKET), peak_exposure(book(), MARKET)):
            assert (found.gross, found.net, found.volatility, found.names, found.largest_name) == (0, 0, 0, {}, 0)

    @pytest.mark.parametrize("price", [math.nan, 0.0, -1.0, math.inf, None])
    def test_a_price_that_is_none_is_named(self, price):
        with pytest.raises(UnusableInput, match="the price of ROG is"):
            exposure(book(holding("PDFS_ROG", (20, -25)), prices={"PDFS": 50.0, "ROG": price}), MARKET)

    def test_what_is_not_there_is_named(self):
        with pytest.raises(UnusableInput, match="the price of NEW is missing"):
            exposure(book(foreign={"NEW": 5}), MARKET)
        with pytest.raises(UnusableInput, match="a complete history of returns of NEW is missing"):
            exposure(book(foreign={"NEW": 5}, prices={"NEW": 5.0}), MARKET)
        with pytest.raises(UnusableInput, match="equity is 0: it must be above 0"):
            exposure(book(equity=0.0), MARKET)


def test_historical_loss_is_that_of_acerbi_and_tasche():
    results = np.array([-5.0, -4.0, -3.0, *range(37)])
    assert historical_loss(results, 0.025) == (5.0, 5.0)
    assert historical_loss(results, 0.05) == (4.0, 4.5)
    assert historical_loss(results, 0.06) == (3.0, pytest.approx((5 + 4 + 0.4 * 3) / 2.4))
    assert historical_loss(np.ones(50), 0.01) == (-1.0, pytest.approx(-1.0))


@pytest.mark.parametrize(
    ("goal", "filled", "expected"),
    [(Goal.HOLD, 0, (72, -108)), (Goal.HOLD, 20, (72, -108)), (Goal.CLOSE, 20, (20, 0)), (Goal.UNWIND, 0, (0, 0))],
)
def test_a_trade_counts_with_the_larger_of_what_it_holds_and_what_it_wants(goal, filled, expected):
    order = Order(
        client_order_id="1", spread_order_id="t", symbol="PDFS", leg="y", purpose="open", attempt=1, quantity=72,
        limit_price=50.1, intended_utc=NOW, reported_filled=filled,
    )  # fmt: skip
    trade = SpreadOrder(
        id="t", pair="PDFS_ROG", y="PDFS", x="ROG", position=1, beta=1.2, target_y=72, target_x=-108, decided_utc=NOW,
        price_y=50.0, price_x=40.0, goal=goal, orders=(order,),
    )  # fmt: skip
    found = holding_of(trade, "technology")
    assert (found.shares_y, found.shares_x, found.sector) == (*expected, "technology")


class TestMarketRisk:
    def test_correlations_are_shrunk_as_scikit_learn_does_and_variances_stay(self):
        from sklearn.covariance import LedoitWolf
        from sklearn.preprocessing import StandardScaler

        returns = MARKET.returns * [1.0, 0.2, 5.0, 1.0]
        found = market_risk(SYMBOLS, returns).covariance
        np.testing.assert_allclose(np.diag(found), 252 * returns.var(axis=0))
        deviations = np.sqrt(np.diag(found))
        expected = LedoitWolf().fit(StandardScaler().fit_transform(returns)).covariance_
        np.testing.assert_allclose(found / np.outer(deviations, deviations), expected)

    def test_a_volatile_symbol_takes_no_hedge_away_from_the_others(self):
        returns = MARKET.returns.copy()
        returns[:, 1] = returns[:, 0] + 0.0005 * returns[:, 1]
        hedged = np.array([0.5, -0.5, 0.0, 0.0])
        calm = market_risk(SYMBOLS, returns).covariance
        wild = market_risk(SYMBOLS, returns * [1, 1, 1, 20.0]).covariance
        assert hedged @ wild @ hedged == pytest.approx(hedged @ calm @ hedged)

    def test_betas_are_the_slopes_on_the_market(self):
        market = np.random.default_rng(5).standard_normal(60)
        noise = 0.1 * np.random.default_rng(6).standard_normal((60, 2))
        found = market_risk(("A", "B"), np.outer(market, [0.5, 2.0]) + noise, market)
        expected = [np.polyfit(market, found.returns[:, j], 1)[0] for j in range(2)]
        np.testing.assert_allclose(found.betas, expected)

    def test_a_symbol_with_a_hole_is_left_out_alone(self):
        returns = MARKET.returns.copy()
        returns[7, 1] = np.nan
        assert market_risk(SYMBOLS, returns).symbols == ("PDFS", "AMD", "TXN")

    def test_a_symbol_that_stands_still_is_left_out_alone(self):
        assert market_risk(SYMBOLS, MARKET.returns * [1, 1, 0, 1]).symbols == ("PDFS", "ROG", "TXN")

    @pytest.mark.parametrize("returns", [np.empty((0, 2)), np.full((50, 2), np.nan), np.zeros((50, 2))])
    def test_without_returns_there_is_no_estimate(self, returns):
        with pytest.raises(UnusableInput):
            market_risk(("A", "B"), returns)


PAIRS = ("PDFS_ROG", "PDFS_TXN", "AMD_ROG", "TXN_AMD")
SHARES = st.tuples(st.integers(-60, 60), st.integers(-60, 60))


def largest_values(found):
    return [found.gross, found.net, found.beta_net, found.volatility, found.largest_name, found.sectors.get("tech", 0)]


@settings(max_examples=50)
@given(held=st.lists(SHARES, min_size=4, max_size=4), left=st.lists(st.floats(0, 1), min_size=4, max_size=4))
def test_no_part_of_a_book_is_beyond_its_peak(held, left):
    """Whatever pairs leave, in whole or in part, both legs in step."""
    whole = book(*(holding(pair, shares, "tech") for pair, shares in zip(PAIRS, held, strict=True)))
    part = book(*(
        holding(pair, (y * keep, x * keep), "tech") for pair, (y, x), keep in zip(PAIRS, held, left, strict=True)
    ))  # fmt: skip
    peak = np.array(largest_values(peak_exposure(whole, MARKET)))
    assert (np.abs(largest_values(exposure(part, MARKET))) <= peak + 1e-12).all()
    assert (np.array(largest_values(peak_exposure(part, MARKET))) <= peak + 1e-12).all()


@settings(max_examples=30)
@given(held=st.lists(SHARES, min_size=3, max_size=3), entry=SHARES, limit=st.floats(1e-3, 0.1))
def test_the_largest_share_uses_the_volatility_up_and_no_more(held, entry, limit):
    before = book(*(holding(pair, shares) for pair, shares in zip(PAIRS, held, strict=False)))
    share = largest_share_by_volatility(before, holding(PAIRS[3], entry), MARKET, limit)
    assert 0.0 <= share <= 1.0
    after = peak_exposure(before.with_holding(holding(PAIRS[3], (entry[0] * share, entry[1] * share))), MARKET)
    if share == 0.0:
        assert peak_exposure(before, MARKET).volatility >= limit * (1 - 1e-9)
    elif share < 1.0:
        assert after.volatility == pytest.approx(limit)
    else:
        assert after.volatility <= limit * (1 + 1e-9)


SHARES = st.integers(-200, 200)


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.sampled_from(["AMD_TXN", "PDFS_TXN", "AMD_ROG"]), SHARES, SHARES), max_size=3),
    st.tuples(SHARES, SHARES),
    st.tuples(*[st.floats(0.001, 0.5)] * 3),
)
def test_the_largest_share_by_value_is_the_largest_that_keeps_the_limits(held, entry, limits):
    """Any larger share breaks the limit, any smaller one keeps it; one that adds nothing is whole."""
    before = book(*(holding(pair, (y, x)) for pair, y, x in held))
    mine = holding("PDFS_ROG", entry)
    names = ("gross", "net", "beta_net")
    shares = largest_shares_by_value(before, mine, MARKET, **dict(zip(names, limits, strict=True)))

    def peak(name, share):
        part = replace(mine, shares_y=share * entry[0], shares_x=share * entry[1])
        return getattr(peak_exposure(before.with_holding(part), MARKET), name)

    for name, share, limit in zip(names, shares, limits, strict=True):
        assert 0.0 <= share <= 1.0
        assert peak(name, share) <= max(limit, peak(name, 0.0)) + 1e-9
        if share < 1.0:
            assert peak(name, min(1.0, share + 0.01)) > max(limit, peak(name, 0.0)) - 1e-12
