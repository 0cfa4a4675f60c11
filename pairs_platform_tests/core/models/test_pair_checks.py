import numpy as np
import pytest

from pairs_platform.core.check_result import (
    check_convergence,
    check_found_against_chance,
    check_no_lookahead,
    check_pair_churn,
    differing_columns,
)


@pytest.mark.parametrize(
    ("today", "previous", "churn"),
    [([], [], 0.0), (["A_B"], ["A_B"], 0.0), (["A_B"], [], 1.0), (["A_B", "A_C"], ["A_B", "B_C"], 2 / 3)],
)
def test_churn_is_the_share_of_pairs_that_changed(today, previous, churn):
    verdict = check_pair_churn(today, previous, max_churn=0.5)
    assert verdict.figures["churn"] == pytest.approx(churn)
    assert verdict.passed == (churn <= 0.5)


def test_churn_without_a_previous_session_passes_and_says_so():
    verdict = check_pair_churn(["A_B"], None, max_churn=0.0)
    assert verdict.passed
    assert "no previous session" in verdict.summary


def test_convergence_rate_counts_what_is_not_ok():
    assert check_convergence([], min_rate=0.9).passed
    verdict = check_convergence(["ok"] * 8 + ["not_converged"] * 2, min_rate=0.9)
    assert not verdict.passed
    assert verdict.summary == "80.0% of 10 fits converged; 2 not_converged"
    assert check_convergence(["ok"] * 8 + ["not_converged"] * 2, min_rate=0.8).passed


def test_found_must_beat_chance():
    assert check_found_against_chance(30, chance_mean=10.0, p_at_least_found=0.02, max_p=0.05).passed
    assert not check_found_against_chance(30, chance_mean=10.0, p_at_least_found=0.2, max_p=0.05).passed
    verdict = check_found_against_chance(0, chance_mean=1.0, p_at_least_found=1.0, max_p=1.0)
    assert not verdict.passed
    assert "no evidence" in verdict.summary


def test_differing_columns_are_named():
    row = {"pair": "A_B", "score": 0.5, "n": 3, "ok": True, "half_life": np.nan, "d": np.array([1.0, 2.0])}
    assert differing_columns(row, dict(row)) == ()
    assert differing_columns(row, row | {"d": [1.0, 2.0], "half_life": None}) == ()
    assert differing_columns(row, row | {"score": 0.5 + 1e-12}) == ("score",)
    assert differing_columns(row, row | {"score": 0.5 + 1e-12}, relative=1e-9) == ()
    changed = {"pair": "A_C", "score": np.nan, "n": 4, "ok": False, "half_life": 3.0, "d": [1.0, 2.5]}
    assert differing_columns(row, changed, relative=1e-6) == tuple(row)
    assert differing_columns(row, row | {"d": [1.0]}) == ("d",)
    assert differing_columns(row, {k: v for k, v in row.items() if k != "n"} | {"extra": 1}) == ("n", "extra")


def test_lookahead_is_reported_with_the_column_that_leaked():
    row = {"pair": "A_B", "z": -2.0}
    assert check_no_lookahead(row, dict(row), row="A_B").passed
    verdict = check_no_lookahead(row, {"pair": "A_B", "z": -1.5}, row="A_B")
    assert not verdict.passed
    assert "differs from its recomputation in z: z is -2.0, recomputed -1.5" in verdict.summary
    assert not check_no_lookahead(row, None, row="A_B").passed
