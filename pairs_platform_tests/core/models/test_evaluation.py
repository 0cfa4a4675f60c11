from dataclasses import replace

import numpy as np
import pytest
from arch.bootstrap import MovingBlockBootstrap

from pairs_platform.core.models.contracts import METRICS
from pairs_platform.core.models.evaluation import (
    TestForecasts,
    block_bootstrap,
    calibration_error,
    choose_threshold,
    evaluate_pair,
    gain_intervals,
    pool,
    session_interval,
)
from pairs_platform.core.models.settings import EvaluationSettings

RULES = EvaluationSettings()


def forecasts(n: int = 900, seed: int = 0, edge: float = 0.0, sessions: int = 12, pair: str = "A_B") -> TestForecasts:
    """Outcomes with chance 0.55 ± edge, forecast exactly; the baseline knows 0.55 alone."""
    rng = np.random.default_rng(seed)
    chance = 0.55 + edge * np.sign(rng.standard_normal(n))
    days = np.datetime64("2023-03-01") + np.sort(np.arange(n) % sessions)
    known = np.full(n, 0.55)
    return TestForecasts(
        pair=pair,
        session=days,
        label=(rng.random(n) < chance).astype(float),
        probability=chance,
        base_probability=np.full(n, 0.5),
        baseline_probability=known,
    )


def evaluated(given: TestForecasts, threshold: float = 0.5) -> dict:
    return evaluate_pair(given, threshold=threshold, block=10, settings=RULES, seed=1)


class TestMetrics:
    def test_every_metric_is_there_and_always_reverts_stands_beside(self):
        given = forecasts(edge=0.1)
        found = evaluated(given, threshold=0.0)
        rate = given.label.mean()
        assert tuple(found) == METRICS
        assert found["f1"] == pytest.approx(found["f1_always"]) == pytest.approx(2 * rate / (1 + rate))
        assert found["accuracy"] == found["accuracy_always"] == rate
        assert found["mcc"] == 0.0

    def test_losses_skill_and_lift_by_hand(self):
        given = forecasts(edge=0.1)
        found = evaluated(given)
        own = -np.mean(np.where(given.label == 1, np.log(given.probability), np.log(1 - given.probability)))
        base = -np.mean(np.log(np.full(900, 0.5)))
        assert found["log_loss"] == pytest.approx(own)
        assert found["skill"] == pytest.approx(base - own)
        assert found["lift"] == pytest.approx(found["log_loss_baseline"] - own)
        assert found["skill_low"] < found["skill"] < found["skill_high"]
        assert found["brier"] == pytest.approx(np.mean((given.probability - given.label) ** 2))

    def test_several_seeds_are_judged_by_their_mean_loss(self):
        """Seeds that err in different places are sure together where none of them is alone."""
        given = forecasts(edge=0.0)
        noise = 0.3 * np.random.default_rng(3).standard_normal(900)
        seeds = [
            replace(given, probability=np.clip(0.56 + sign * noise, 0.05, 0.95), base_probability=np.full(900, 0.4))
            for sign in (1.0, -1.0)
        ]
        alone = [gain_intervals([one], block=10, settings=RULES, seed=1) for one in seeds]
        both = gain_intervals(seeds, block=10, settings=RULES, seed=1)
        mean = np.mean([one.gains()[0] for one in seeds], axis=0)
        expected = block_bootstrap(mean, block=10, settings=RULES, seed=1)
        assert (both["skill"], both["skill_low"], both["skill_p"]) == (expected.mean, expected.low, expected.p)
        assert both["skill"] == pytest.approx(np.mean([one["skill"] for one in alone]))
        assert both["skill_high"] - both["skill_low"] < min(one["skill_high"] - one["skill_low"] for one in alone)

    def test_a_forecast_that_is_its_baseline_has_no_lift_at_all(self):
        found = evaluated(forecasts(edge=0.0))
        assert (found["lift"], found["lift_low"], found["lift_high"], found["lift_p"]) == (0.0, 0.0, 0.0, 1.0)

    def test_one_class_has_no_ranking_metric(self):
        given = forecasts()
        single = TestForecasts(**{**vars(given), "label": np.ones(900)})
        assert evaluated(single)["roc_auc"] is None

    def test_calibration_error_of_known_bins(self):
        probability = np.repeat([0.2, 0.8], 50)
        label = np.concatenate([np.arange(50) < 20, np.arange(50) < 40]).astype(float)
        assert calibration_error(probability, label) >= abs(0.2 - 0.4) / 2 - 1e-9

    def test_the_threshold_is_the_one_that_tells_the_classes_apart(self):
        probability = np.linspace(0, 1, 400)
        assert choose_threshold(probability, (probability > 0.7).astype(float)) == pytest.approx(0.7, abs=0.03)
        assert choose_threshold(np.full(400, 0.6), np.arange(400) % 2.0) == 0.5


class TestBlockBootstrap:
    def test_agrees_with_arch(self):
        values = np.convolve(np.random.default_rng(3).standard_normal(900), np.ones(5) / 5, "same")
        ours = block_bootstrap(values, block=20, settings=EvaluationSettings(n_bootstrap=4000), seed=1)
        theirs = MovingBlockBootstrap(20, values, seed=2).apply(np.mean, 4000).ravel()
        np.testing.assert_allclose([ours.low, ours.high], np.quantile(theirs, [0.025, 0.975]), atol=0.006)

    def test_covers_the_mean_of_a_dependent_series_where_single_draws_do_not(self):
        rng, settings = np.random.default_rng(4), EvaluationSettings(n_bootstrap=300)
        series = [np.convolve(rng.standard_normal(909), np.ones(10), "valid") for _ in range(150)]
        covered = {
            block: np.mean(
                [
                    one.low <= 0 <= one.high
                    for one in (
                        block_bootstrap(v, block=block, settings=settings, seed=k) for k, v in enumerate(series)
                    )
                ]
            )
            for block in (1, 40)
        }
        assert covered[1] < 0.6
        assert covered[40] > 0.85

    def test_p_is_small_for_a_clear_gain_and_large_for_a_loss(self):
        values = np.random.default_rng(5).standard_normal(900)
        assert block_bootstrap(values + 0.3, block=10, settings=RULES, seed=1).p < 0.01
        assert block_bootstrap(values - 0.3, block=10, settings=RULES, seed=1).p > 0.9


class TestPooling:
    def test_copies_of_a_pair_do_not_narrow_the_interval(self):
        one = pool([forecasts(edge=0.1)])
        ten = pool([forecasts(edge=0.1)] * 10)
        assert ten.n_labels == 10 * one.n_labels
        assert (ten.skill_low, ten.skill_high) == pytest.approx((one.skill_low, one.skill_high))

    def test_the_interval_covers_with_twelve_sessions(self):
        rng = np.random.default_rng(6)
        session = np.repeat(np.arange(12), 75)
        hits = 0
        for _ in range(400):
            values = rng.standard_normal(900) + np.repeat(rng.standard_normal(12), 75)
            found = session_interval(values, session)
            hits += found.low <= 0 <= found.high
        assert 0.92 <= hits / 400 <= 0.98

    def test_one_session_says_nothing(self):
        found = session_interval(np.array([1.0, 2.0]), np.array([0, 0]))
        assert found.mean == 1.5
        assert np.isnan([found.low, found.high, found.p]).all()

    @pytest.mark.parametrize("value", [0.3, 1 / 3, -0.3])
    def test_gains_that_do_not_vary_have_no_interval_and_no_p(self, value):
        values = np.full(120, value) + np.tile([0.0, 1e-17], 60)
        session = np.repeat(np.arange(12), 10)
        for found in (session_interval(values, session), block_bootstrap(values, block=10, settings=RULES, seed=1)):
            assert found.mean == pytest.approx(value)
            assert np.isnan([found.low, found.high, found.p]).all()

    def test_nothing_to_pool(self):
        assert pool([]) is None
