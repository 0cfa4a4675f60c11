"""The wild bootstrap: its size under changing volatility, its power, its answers to bad input."""

import numpy as np
import pytest

from pairs_platform.core.screening.bootstrap import wild_bootstrap_p
from pairs_platform_tests.support.windows import make_window, planted_pair


def test_size_holds_where_volatility_changes():
    rng = np.random.default_rng(1)
    n_pairs, n_bars = 200, 120
    volatility = np.where(np.arange(n_bars) < 90, 0.005, 0.03)[:, None]
    correlated = rng.standard_normal((n_bars, 2 * n_pairs)) + 0.7 * rng.standard_normal((n_bars, 1))
    window = make_window(5.0 + (volatility * correlated).cumsum(axis=0))
    p = np.array(
        [
            wild_bootstrap_p(window, window.symbols[2 * k], window.symbols[2 * k + 1], n_draws=99, seed=k)
            for k in range(n_pairs)
        ]
    )
    for level in (0.05, 0.1, 0.5):
        standard_error = np.sqrt(level * (1.0 - level) / n_pairs)
        assert abs((p <= level).mean() - level) < 3.0 * standard_error


def test_a_planted_pair_has_the_smallest_p_that_the_draws_allow():
    window = make_window(planted_pair(300, seed=2, phi=0.5))
    assert wild_bootstrap_p(window, "S000", "S001", n_draws=199, seed=1) == pytest.approx(1 / 200)


def test_the_seed_repeats_and_the_order_of_the_legs_does_not_matter():
    window = make_window(planted_pair(200, seed=3, phi=0.93))
    first = wild_bootstrap_p(window, "S000", "S001", n_draws=99, seed=5)
    assert wild_bootstrap_p(window, "S000", "S001", n_draws=99, seed=5) == first
    assert wild_bootstrap_p(window, "S001", "S000", n_draws=99, seed=5) == first
    others = {wild_bootstrap_p(window, "S000", "S001", n_draws=99, seed=s) for s in range(6, 12)}
    assert len(others) > 1


def test_missing_bars_are_dropped():
    legs = planted_pair(300, seed=4)
    legs[100:110, 0] = np.nan
    known = np.isfinite(legs).all(axis=1)
    with_gap = wild_bootstrap_p(make_window(legs), "S000", "S001", n_draws=99, seed=1)
    assert with_gap == wild_bootstrap_p(make_window(legs[known]), "S000", "S001", n_draws=99, seed=1)


def test_a_pair_that_cannot_be_tested_has_no_p():
    legs = planted_pair(300, seed=5)
    legs[:, 1] = 4.0
    assert np.isnan(wild_bootstrap_p(make_window(legs), "S000", "S001", n_draws=99, seed=1))
