"""What the stages find of simulated markets whose truth is known; `benchmarks/ground_truth.py` is the larger version.

Two markets with seven planted pairs each, one window of 60 sessions of 5-minute bars per market, shipped settings.
"""

import pandas as pd
import pytest

from pairs_platform.settings.loading import load_settings
from pairs_platform_tests.support.ground_truth import (
    SectorDay,
    as_of_session,
    counts,
    identify,
    recovery,
    share,
    simulated_market,
)

SEEDS = (1001, 1002)
MOST_FALSE_SELECTED = 0.10
MOST_SELECTED_WITHOUT_PAIRS = 1


def days_of(variant: str, *, windows: int = 1) -> list[SectorDay]:
    settings = load_settings()
    markets = [simulated_market(settings, seed, variant=variant) for seed in SEEDS]
    return [
        identify(market, as_of_session(window), settings, placebo=False)
        for market in markets
        for window in range(windows)
    ]


def totals(days: list[SectorDay]) -> pd.Series:
    return pd.DataFrame([counts(day) for day in days]).sum()


def test_planted_pairs_are_found_and_hardly_any_other_is_selected() -> None:
    days = days_of("standard")
    found = totals(days)
    assert found["planted"] == 14
    assert found["cointegrated_true"] >= 0.8 * found["planted"]
    assert found["selected_true"] >= 0.7 * found["planted"]
    assert found["selected_false"] <= MOST_FALSE_SELECTED * (found["selected_true"] + found["selected_false"])
    # Chance lets some pairs past the first two gates: a screen that finds none is not the screen of the documents.
    assert 0 < found["cointegrated_false"] <= 16
    errors = pd.concat([recovery(day) for day in days]).abs().median()
    assert errors["beta_error"] < 0.01
    assert errors["half_life_error"] < 0.15


def test_nothing_is_selected_where_no_pair_is_planted() -> None:
    found = totals(days_of("no_pairs", windows=2))
    assert found["planted"] == 0
    assert found["correlated_false"] > 0
    assert found["selected_false"] <= MOST_SELECTED_WITHOUT_PAIRS


def test_breaks_of_beta_reduce_what_is_found() -> None:
    found = totals(days_of("beta_breaks"))
    assert found["planted"] == 14
    assert found["cointegrated_true"] <= 0.7 * found["planted"]
    assert found["selected_true"] <= 0.6 * found["planted"]
    assert found["selected_false"] <= 1


def test_a_pair_that_shares_a_leg_with_a_planted_one_is_false() -> None:
    settings = load_settings()
    planted = simulated_market(settings, SEEDS[0]).ground_truth("technology")
    other = next(one.x for one in planted[1:])
    pairs = pd.DataFrame(
        {
            "pair": [planted[0].pair, "_".join(sorted((planted[0].y, other)))],
            "y": [planted[0].x, planted[0].y],
            "beta": [1.0 / planted[0].beta, 1.0],
            "half_life_bars": [2.0 * planted[0].half_life_bars, 10.0],
            "correlated": True,
            "cointegrated": True,
            "selected": [False, True],
        }
    )
    day = SectorDay(pairs, planted, {})
    numbers = counts(day)
    assert (numbers["cointegrated_true"], numbers["cointegrated_false"]) == (1, 1)
    assert (numbers["selected_true"], numbers["selected_false"]) == (0, 1)
    assert recovery(day).to_numpy().tolist() == [[pytest.approx(0.0), pytest.approx(1.0)]]


def test_standard_errors_take_a_market_as_the_unit() -> None:
    days = pd.DataFrame({"seed": [1, 1, 2, 2], "found": [7, 7, 0, 0], "planted": [7, 7, 7, 7]})
    ratio, error = share(days, "found", ["planted"])
    assert ratio == 0.5
    # Two markets, all and nothing: the standard error of their mean, not that of 28 independent pairs.
    assert error == pytest.approx(0.5)
