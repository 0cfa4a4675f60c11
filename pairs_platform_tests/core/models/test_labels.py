import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairs_platform.core.models.labels import first_passage, horizon_bars, reverts_next
from pairs_platform.core.models.settings import LabelSettings
from pairs_platform.core.screening.spread import SpreadParameters
from pairs_platform.core.trading.rule import TradeAction, TradeState, at_close
from pairs_platform.core.trading.settings import CostSettings, TradingSettings
from pairs_platform_tests.support.model_samples import FREE

NAN = float("nan")


def no_bar(spread) -> np.ndarray:
    return np.zeros(len(spread), bool)


class TestHorizon:
    def test_one_bar_needs_no_half_life(self):
        assert horizon_bars(NAN, LabelSettings()) == 1

    @pytest.mark.parametrize(("half_life", "bars"), [(0.3, 1), (9.0, 4), (13.5, 7), (400.0, 39), (NAN, None)])
    def test_half_of_the_half_life_is_rounded_and_bounded(self, half_life, bars):
        assert horizon_bars(half_life, LabelSettings(horizon="half_of_half_life")) == bars

    def test_a_first_passage_has_its_own_bound(self):
        assert horizon_bars(NAN, LabelSettings(kind="first_passage", max_horizon_bars=20)) == 20


class TestRevertsNext:
    def test_by_hand(self):
        # towards the mean of 1 from above, away, a tie, from below, past the mean, from the mean itself
        spread = np.array([3.0, 2.0, 2.5, 2.5, 0.0, 1.0, 4.0])
        np.testing.assert_array_equal(reverts_next(spread, 1.0, 1, no_bar(spread)), [1, 0, 0, 1, 1, 0, NAN])

    def test_the_last_bars_have_no_label_and_a_short_series_none(self):
        spread = np.array([3.0, 2.0, 2.5, 2.5])
        np.testing.assert_array_equal(reverts_next(spread, 1.0, 2, no_bar(spread)), [1, 0, NAN, NAN])
        assert np.isnan(reverts_next(spread, 1.0, 4, no_bar(spread))).all()
        assert np.isnan(reverts_next(spread, 1.0, 9, no_bar(spread))).all()

    def test_a_gap_removes_the_labels_that_reach_into_or_over_it(self):
        spread = np.array([5.0, 4.0, NAN, 3.0, 2.0, 1.5, 1.0])
        np.testing.assert_array_equal(reverts_next(spread, 0.0, 2, no_bar(spread)), [NAN, NAN, NAN, 1, 1, NAN, NAN])

    def test_an_excluded_move_removes_the_labels_that_hold_it_but_not_the_one_behind_it(self):
        spread = np.array([5.0, 4.0, 3.0, 2.0, 1.0])
        excluded = np.array([False, False, True, False, False])
        np.testing.assert_array_equal(reverts_next(spread, 0.0, 1, excluded), [1, NAN, 1, 1, NAN])
        np.testing.assert_array_equal(reverts_next(spread, 0.0, 2, excluded), [NAN, NAN, 1, NAN, NAN])

    @given(st.integers(0, 2**31), st.integers(1, 8), st.integers(1, 60))
    def test_equals_its_definition_bar_by_bar(self, seed, horizon, n_bars):
        rng = np.random.default_rng(seed)
        spread = np.where(rng.random(n_bars) < 0.1, NAN, rng.integers(-3, 4, n_bars))
        excluded, mu = rng.random(n_bars) < 0.1, 0.5
        expected = np.full(n_bars, NAN)
        for t in range(n_bars - horizon):
            between = range(t + 1, t + horizon + 1)
            if not any(excluded[k] or np.isnan(spread[k]) for k in between) and not np.isnan(spread[t]):
                expected[t] = (spread[t + horizon] - spread[t]) * (spread[t] - mu) < 0
        np.testing.assert_array_equal(reverts_next(spread, mu, horizon, excluded), expected)


def passage(z, *, band=None, excluded=None, max_bars=3, costs=FREE, beta=1.0, sigma=0.01, mu=0.2) -> np.ndarray:
    """Labels of a spread given by its z; the stop lies at |z| = 4 unless `band` (in σ) says otherwise."""
    spread = mu + sigma * np.asarray(z, float)
    return first_passage(
        spread,
        SpreadParameters(y="Y", x="X", alpha=0.0, beta=beta, mu=mu, sigma=sigma, n_bars=len(spread)),
        band=sigma * (np.ones(len(spread)) if band is None else np.asarray(band, float)),
        excluded=no_bar(spread) if excluded is None else np.asarray(excluded),
        max_bars=max_bars,
        trading=TradingSettings(),
        costs=costs,
    )


class TestFirstPassage:
    @pytest.mark.parametrize("side", [1, -1])
    @pytest.mark.parametrize(
        ("path", "label"),
        [
            ([2.5, 2.2, 1.0, 0.4], 1),  # reaches the exit on the last bar that counts
            ([2.5, -3.0, 2.5, 2.5], 1),  # jumps past the mean
            ([2.5, 2.2, 1.0, 0.6], 0),  # too late
            ([2.5, 4.1, 0.0, 0.0], 0),  # the stop comes first
            ([2.5, 3.9, 0.0, 0.0], 1),  # the stop was near
            ([1.9, 0.0, 0.0, 0.0], NAN),  # no entry
            ([4.1, 0.0, 0.0, 0.0], NAN),  # beyond the stop
            ([NAN, 0.0, 0.0, 0.0], NAN),
        ],
    )
    def test_by_hand(self, side, path, label):
        np.testing.assert_array_equal(passage(side * np.array(path)), [label, NAN, NAN, NAN])

    def test_the_stop_moves_with_the_band_of_its_own_bar(self):
        path = [2.5, 3.0, 0.0, 0.0]
        assert passage(path)[0] == 1
        assert passage(path, band=[1, 0.7, 1, 1])[0] == 0
        assert np.isnan(passage(path, band=[0.6, 1, 1, 1])[0])
        assert passage([2.5, 4.5, 0.0, 0.0], band=[1, 1.2, 1, 1])[0] == 1

    def test_a_gap_or_an_excluded_move_before_the_outcome_leaves_no_label(self):
        assert np.isnan(passage([2.5, NAN, 0.0, 0.0])[0])
        assert np.isnan(passage([2.5, 2.4, 0.0, 0.0], excluded=[False, True, False, False])[0])
        assert passage([2.5, 0.0, NAN, 0.0])[0] == 1
        assert passage([2.5, 0.0, 0.0, 0.0], excluded=[True, False, False, False])[0] == 1

    def test_the_end_of_the_window_does_not_favour_quick_outcomes(self):
        assert np.isnan(passage([2.5, 0.0, 0.0])).all()

    def test_the_move_must_exceed_the_costs_of_both_legs_and_both_ways(self):
        # two fills of two basis points on a gross value of 1 + |β|: 8 bp at β = ±1, 12 bp at β = 2
        costs = CostSettings(commission_bps=0.5, half_spread_bps=1.0, slippage_bps=0.5)
        path = [2.4, 0.4, 0.4, 0.4]
        assert passage(path, costs=costs, sigma=4.1e-4)[0] == 1  # 8.2 bp
        assert passage(path, costs=costs, sigma=4.1e-4, beta=-1.0)[0] == 1
        assert passage(path, costs=costs, sigma=3.9e-4)[0] == 0  # 7.8 bp
        assert passage(path, costs=costs, sigma=4.1e-4, beta=2.0)[0] == 0
        assert passage(path, costs=costs, sigma=6.1e-4, beta=2.0)[0] == 1

    @settings(max_examples=40)
    @given(st.integers(0, 2**31), st.integers(1, 12))
    def test_agrees_with_the_trading_rule_that_entered_at_that_close(self, seed, max_bars):
        rng = np.random.default_rng(seed)
        z, band = np.cumsum(rng.normal(0, 0.9, 120)), rng.uniform(0.6, 1.4, 120)
        trading, expected = TradingSettings(), np.full(120, NAN)
        for t in range(120 - max_bars):
            if not trading.entry_z <= abs(z[t]) <= trading.stop_multiple * band[t]:
                continue
            state, action, k = TradeState(position=-int(np.sign(z[t]))), TradeAction.HOLD, t
            while action is TradeAction.HOLD:
                k += 1
                action, state = at_close(
                    state, spread=z[k], mu=0.0, sigma=1.0, band=band[k], max_hold=max_bars, settings=trading
                )
            expected[t] = action is TradeAction.EXIT
        found = passage(z, band=band, max_bars=max_bars, sigma=1.0, mu=0.0)
        np.testing.assert_array_equal(found, expected)
