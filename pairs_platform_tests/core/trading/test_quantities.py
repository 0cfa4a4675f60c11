import math

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pairs_platform.core.trading.quantities import leg_quantities, naked_value

prices = st.floats(1, 2_000)
betas = st.floats(0.05, 20).flatmap(lambda size: st.sampled_from([size, -size]))
positions = st.sampled_from([1, -1])


@hypothesis_settings(max_examples=100)
@given(gross=st.floats(0, 1e6), position=positions, beta=betas, price_y=prices, price_x=prices)
def test_the_money_is_not_exceeded_by_more_than_half_a_share_of_x_and_the_hedge_misses_no_more(
    gross, position, beta, price_y, price_x
):
    legs = leg_quantities(gross, position=position, beta=beta, price_y=price_y, price_x=price_x)
    assert legs.gross == pytest.approx(abs(legs.y) * price_y + abs(legs.x) * price_x)
    assert legs.gross <= gross * (1 + 1e-9) + price_x / 2 + price_y * 1e-8
    if legs.y:
        assert math.copysign(1, legs.y) == position
        assert math.copysign(1, legs.x) == -position * math.copysign(1, beta)
        assert legs.hedge_error * legs.gross <= price_x / 2 * (1 + 1e-9)
        naked = naked_value(legs.y, legs.x, beta=beta, price_y=price_y, price_x=price_x)
        assert naked <= price_x / 2 * max(1, 1 / abs(beta)) * (1 + 1e-9)


def test_shares_by_hand():
    legs = leg_quantities(10_000, position=-1, beta=1.5, price_y=40.0, price_x=60.0)
    # $4,000 of y are 100 shares, $6,000 of x are 100 shares.
    assert (legs.y, legs.x, legs.gross, legs.hedge_error) == (-100, 100, 10_000.0, 0.0)


def test_with_a_negative_beta_both_legs_have_one_direction():
    legs = leg_quantities(9_000, position=1, beta=-0.5, price_y=60.0, price_x=30.0)
    assert (legs.y, legs.x) == (100, 100)


@pytest.mark.parametrize(("gross", "price_y", "price_x"), [(0.0, 50, 50), (90.0, 50, 50), (1_000.0, 50, 2_000)])
def test_money_that_does_not_buy_a_share_of_each_leg_buys_none(gross, price_y, price_x):
    legs = leg_quantities(gross, position=1, beta=1.0, price_y=price_y, price_x=price_x)
    assert (legs.y, legs.x, legs.gross, legs.hedge_error) == (0, 0, 0.0, 0.0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"gross": -1.0},
        {"gross": float("nan")},
        {"price_y": float("nan")},
        {"price_x": 0.0},
        {"price_x": float("inf")},
        {"beta": 0.0},
        {"beta": float("nan")},
        {"position": 0},
    ],
)
def test_nothing_is_computed_from_what_is_none(wrong):
    values = {"gross": 1_000.0, "position": 1, "beta": 1.0, "price_y": 10.0, "price_x": 10.0, **wrong}
    with pytest.raises(ValueError, match=r"is none|is no pair's"):
        leg_quantities(values.pop("gross"), **values)


class TestNaked:
    def naked(self, y: int, x: int, beta: float = 2.0) -> float:
        return naked_value(y, x, beta=beta, price_y=10.0, price_x=20.0)

    def test_by_hand(self):
        # Long 100 y ($1,000) wants short $2,000 of x, 100 shares.
        assert self.naked(0, 0) == 0.0
        assert self.naked(100, -100) == 0.0
        assert self.naked(100, 0) == 1_000.0
        assert self.naked(0, -100) == 2_000.0
        assert self.naked(100, -50) == 500.0, "half of y is hedged"
        assert self.naked(50, -100) == 1_000.0, "half of x is hedged"
        assert self.naked(100, 100) == 3_000.0, "legs of one direction hedge nothing"

    @hypothesis_settings(max_examples=100)
    @given(y=st.integers(-500, 500), x=st.integers(-500, 500), beta=betas, price_y=prices, price_x=prices)
    def test_it_is_never_negative_nor_beyond_both_legs_and_is_the_same_for_the_opposite_trade(
        self, y, x, beta, price_y, price_x
    ):
        naked = naked_value(y, x, beta=beta, price_y=price_y, price_x=price_x)
        assert 0 <= naked <= (abs(y) * price_y + abs(x) * price_x) * (1 + 1e-9)
        assert naked_value(-y, -x, beta=beta, price_y=price_y, price_x=price_x) == pytest.approx(naked)
        assert naked_value(y, -x, beta=-beta, price_y=price_y, price_x=price_x) == pytest.approx(naked)

    @pytest.mark.parametrize("wrong", [{"price_y": float("nan")}, {"price_x": -1.0}, {"beta": 0.0}])
    def test_with_a_price_that_is_none_nothing_is_taken_for_hedged(self, wrong):
        with pytest.raises(ValueError, match="is none"):
            naked_value(1, -1, **{"beta": 1.0, "price_y": 10.0, "price_x": 10.0, **wrong})
