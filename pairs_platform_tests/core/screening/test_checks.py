import numpy as np
import pytest

from pairs_platform.core.screening.checks import check_against_chance
from pairs_platform.core.screening.cointegration import screen_pairs
from pairs_platform.core.screening.correlation import pair_correlations
from pairs_platform.core.screening.placebo import placebo_counts
from pairs_platform.settings.loading import load_settings
from pairs_platform_tests.support.windows import make_window, planted_pair, random_walks


def judge(q_values, null_mean=10.0, monte_carlo_p=0.5):
    return check_against_chance(q_values, null_mean=null_mean, monte_carlo_p=monte_carlo_p, max_p=0.05, max_q=0.05)


class TestEvidence:
    def test_by_number(self):
        found = judge([0.3] * 30, monte_carlo_p=0.02)
        assert found.passed
        assert "evidence by number" in found.summary

    def test_by_the_false_discovery_rate_however_many_chance_finds(self):
        found = judge([0.00001] * 7 + [0.33], null_mean=6.7, monte_carlo_p=0.37)
        assert found.passed
        assert "8 pairs found, 7 of them with a false-discovery rate (q) of at most 0.05" in found.summary
        assert "6.7 found on prices without long-run ties (Monte-Carlo p = 0.37)" in found.summary
        assert "evidence by q; their number alone is none" in found.summary

    @pytest.mark.parametrize(("q_values", "mean", "p"), [([0.3] * 30, 10.0, 0.2), ([0.06], 2.0, 0.01), ([], 1.0, 1.0)])
    def test_neither(self, q_values, mean, p):
        found = judge(q_values, mean, p)
        assert not found.passed
        assert "no evidence" in found.summary


def verdict(window):
    """What the asset and its check say of a window."""
    settings = load_settings()
    pairs = screen_pairs(window, settings=settings.cointegration, entry_z=2.0, exit_z=0.5, round_trip_cost_bps=4.0)
    correlated = pair_correlations(window, settings.correlation)["passes_correlation"].to_numpy()
    found = pairs.loc[correlated & pairs["passes_cointegration"], "q_value"].tolist()
    gates = {"correlation": settings.correlation, "cointegration": settings.cointegration}
    joint = placebo_counts(window, **gates, placebo=settings.placebo, found=len(found))["joint"]
    return judge(found, joint.mean, joint.p_at_least_found)


class TestMarkets:
    """Of 40 universes of 16 independent walks 3 pass; of 40 with three planted pairs in a common movement all do."""

    def test_pairs_without_a_lasting_relation_warn(self):
        verdicts = [verdict(make_window(random_walks(504, 16, seed))) for seed in range(6)]
        assert sum(not found.passed for found in verdicts) >= 5

    def test_planted_pairs_pass_although_chance_finds_as_many(self):
        for seed in range(2):
            factor = random_walks(504, 1, 100 + seed, volatility=0.03)
            legs = [planted_pair(504, 10 * seed + i, beta=1.0) + factor for i in range(3)]
            found = verdict(make_window(np.hstack([*legs, random_walks(504, 8, seed) + factor])))
            assert found.passed
            assert found.figures["found_with_low_q"] >= 3
