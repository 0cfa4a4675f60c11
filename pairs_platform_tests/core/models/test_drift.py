"""Drift of simulated spreads, which move slowly, with and without a change: 60 sessions of 78 bars, parts of 60, 20 %.

Of 60 spreads of each half-life from 5 to 40 bars and no change, at most one has a p below 0.01 in any feature (of
random walks 4); with a level that moves by two standard deviations 98 % (half-life 10) and 70 % (40) have, and
with a doubled volatility all.
"""

import numpy as np
import pandas as pd
import pytest

from pairs_platform.core.models.checks import check_feature_drift
from pairs_platform.core.models.drift import autocorrelation_time, feature_drift, population_stability
from pairs_platform.core.models.inputs import FEATURES, feature_matrix

N_BARS, TRAINING, TEST = 4680, slice(20, 2808), slice(3744, 4680)


class TestIndex:
    def test_of_a_known_shift(self):
        reference = np.repeat(np.arange(10.0), 100)
        recent = np.repeat(np.arange(10.0), [20, *[10] * 8, 0])
        floor = 0.5 / 100
        expected = (0.2 - 0.1) * np.log(2) + (floor - 0.1) * np.log(floor / 0.1)
        assert population_stability(reference, recent) == pytest.approx(expected)

    def test_samples_of_one_distribution_are_stable_and_missing_values_do_not_count(self):
        rng = np.random.default_rng(1)
        reference, recent = rng.standard_normal(3000), rng.standard_normal(900)
        recent[::7] = np.nan
        assert 0 <= population_stability(reference, recent) < 0.05
        assert np.isnan(population_stability(reference, np.full(3, np.nan)))

    def test_of_independent_values_it_is_what_is_expected(self):
        rng = np.random.default_rng(5)
        drifts = [feature_drift(rng.standard_normal(2000), rng.standard_normal(700)) for _ in range(200)]
        assert np.mean([drift.index for drift in drifts]) == pytest.approx(drifts[0].expected, rel=0.15)
        assert 0.0 <= np.mean([drift.p < 0.05 for drift in drifts]) <= 0.08

    def test_without_values_or_variation_there_is_none(self):
        values = np.arange(9.0)
        assert feature_drift(values, np.full(3, np.nan)) is None
        assert feature_drift(np.ones(9), values) is None


@pytest.mark.parametrize(("phi", "expected"), [(0.0, 1.0), (0.5, 3.0), (0.9, 19.0)])
def test_the_autocorrelation_time_of_an_ar_1_is_known(phi, expected):
    rng = np.random.default_rng(6)
    values = np.zeros(40_000)
    for t, shock in enumerate(rng.standard_normal(len(values) - 1), 1):
        values[t] = phi * values[t - 1] + shock
    assert autocorrelation_time(values) == pytest.approx(expected, rel=0.15)


def rows_of(pair: str, seed: int, *, half_life: float, level: float = 0.0, volatility: float = 1.0):
    """Features of training and test of an AR(1) spread whose test part has another level [σ] or volatility [factor]."""
    rng = np.random.default_rng(seed)
    phi, spread = 0.5 ** (1.0 / half_life), np.zeros(N_BARS)
    factor = np.where(np.arange(N_BARS) >= TEST.start, volatility, 1.0)
    for t, shock in enumerate((rng.standard_normal(N_BARS) * factor)[1:], 1):
        spread[t] = phi * spread[t - 1] + shock
    spread[TEST] += level * spread[TRAINING].std()
    values = feature_matrix(
        spread,
        mu=spread[TRAINING].mean(),
        sigma=spread[TRAINING].std(),
        next_volatility=factor,
        residual=np.diff(spread, prepend=0.0),
        bar_of_day=np.arange(N_BARS) % 78,
        bars_per_session=78,
    )
    frame = pd.DataFrame(values, columns=list(FEATURES)).assign(pair=pair)
    return frame[TRAINING], frame[TEST]


def verdict(**change: float):
    """The check over seven pairs whose half-lives are those of a sector's."""
    pairs = [rows_of(f"A_{i}", i, half_life=h, **change) for i, h in enumerate((6, 8, 9, 10, 26, 27, 31))]
    training, recent = (pd.concat(parts) for parts in zip(*pairs, strict=True))
    return check_feature_drift(training, recent, features=FEATURES, max_drift=0.25)


class TestSector:
    def test_spreads_that_only_move_slowly_are_not_shifted(self):
        found = verdict()
        assert found.passed
        assert found.figures["pairs_moved"] <= 1
        # The rule of thumb alone would say that they are.
        assert max(value for name, value in found.figures.items() if name.startswith("drift_")) > 0.15

    def test_another_level_is_found_in_the_features_of_the_level(self):
        found = verdict(level=2.0)
        assert not found.passed
        assert "lag_1" in found.summary
        assert "rolling_z" not in found.summary

    def test_another_volatility_is_found(self):
        found = verdict(volatility=2.0)
        assert not found.passed
        assert "rolling_volatility" in found.summary
