"""The composite score on pairs whose truth is known; `benchmarks/score_acceptance.py` is the larger version."""

import pytest

from pairs_platform_tests.support.simulated_pairs import (
    constant_variance,
    garch_variance,
    planted_pairs,
    random_walks,
    scored,
    scored_null_that_passed,
    u_shaped_day,
    window_of_legs,
)

GATE = 0.7


def share_above_gate(scores) -> float:
    assert (scores["status"] == "ok").all()
    return float((scores["score"] > GATE).mean())


@pytest.mark.parametrize("shocks", [constant_variance, garch_variance, u_shaped_day])
def test_fewer_than_five_per_cent_of_random_walks_exceed_the_gate(shocks):
    scores = scored(window_of_legs(random_walks(80, 4680, 1, shocks)))
    assert share_above_gate(scores) < 0.05


def test_fewer_than_ten_per_cent_of_null_pairs_past_the_cointegration_gate_exceed_it():
    scores = scored_null_that_passed(40, 4680, 100, garch_variance)
    assert (scores["p_cal"] < 0.05).all()
    assert share_above_gate(scores) < 0.10


def test_most_planted_pairs_exceed_the_gate_in_a_long_window_and_none_in_a_short_one():
    scores = scored(window_of_legs(planted_pairs(40, 4680, 2, garch_variance)))
    assert share_above_gate(scores) > 0.5
    medium = scored(window_of_legs(planted_pairs(40, 1512, 2, garch_variance)))
    assert 0.05 < share_above_gate(medium) < share_above_gate(scores)
    short = scored(window_of_legs(planted_pairs(40, 252, 2, garch_variance)))
    assert share_above_gate(short) == 0


def test_a_cointegrated_pair_without_clustering_is_not_selected():
    scores = scored(window_of_legs(planted_pairs(30, 4680, 2, constant_variance)))
    assert share_above_gate(scores) < 0.05
    assert (scores["p_cal"] < 0.01).mean() > 0.9
    assert scores["fit"].median() < 0.1
