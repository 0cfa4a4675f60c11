from datetime import date

import numpy as np
import pandas as pd
import pytest

from pairs_platform.core.models.checks import (
    check_calibration,
    check_feature_drift,
    check_lift,
    check_staleness,
    check_trained,
    check_triggers,
    population_stability,
)


def rows(**columns) -> pd.DataFrame:
    given = {"pair": ["A_B", "A_C"], "status": ["ok", "ok"], "reason": ["", ""], **columns}
    return pd.DataFrame(given)


class TestDrift:
    def test_the_index_of_a_known_shift(self):
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

    def test_a_shifted_feature_is_named(self):
        rng = np.random.default_rng(2)
        names = ["lag_1", "rsi_14"]
        training = pd.DataFrame(rng.standard_normal((800, 2)), columns=names).assign(pair=["A_B", "A_C"] * 400)
        recent = pd.DataFrame(rng.standard_normal((400, 2)), columns=names).assign(pair=["A_B", "A_C"] * 200)
        assert check_feature_drift(training, recent, features=names, max_drift=0.25).passed
        recent["rsi_14"] += 1.0
        verdict = check_feature_drift(training, recent, features=names, max_drift=0.25)
        assert not verdict.passed
        assert "rsi_14" in verdict.summary
        assert "lag_1" not in verdict.summary


POOLED = {"lift": 0.002, "lift_low": 0.001, "lift_high": 0.003}


class TestLift:
    def test_lift_stands_next_to_f1_and_to_always_reverts(self):
        verdict = check_lift(POOLED, rows(f1=[0.70, 0.72], f1_always=[0.69, 0.71]))
        assert verdict.passed
        assert "+0.00200" in verdict.summary
        assert "F1 0.710" in verdict.summary
        assert "gets 0.700" in verdict.summary

    def test_a_high_f1_without_lift_does_not_pass(self):
        pooled = {**POOLED, "lift_low": -0.001}
        verdict = check_lift(pooled, rows(f1=[0.9, 0.9], f1_always=[0.9, 0.9]))
        assert not verdict.passed
        assert "no lift above zero" in verdict.summary

    def test_nothing_to_judge(self):
        assert check_lift(POOLED, rows(status=["insufficient_data"] * 2)).figures == {}


def test_calibration():
    assert check_calibration(rows(calibration_error=[0.02, 0.04]), max_error=0.03).passed
    verdict = check_calibration(rows(calibration_error=[0.02, 0.10]), max_error=0.03)
    assert not verdict.passed
    assert "A_C 0.100" in verdict.summary


def test_pairs_without_enough_data_are_no_failures():
    assert check_trained(rows(status=["ok", "insufficient_data"]), min_share=1.0).passed
    verdict = check_trained(rows(status=["ok", "failed"], reason=["", "loss is not finite"]), min_share=0.9)
    assert not verdict.passed
    assert "A_C: loss is not finite" in verdict.summary


def test_the_age_of_a_champion_counts_sessions():
    friday, tuesday = date(2023, 3, 3), date(2023, 3, 7)
    verdict = check_staleness(friday, tuesday, max_age=2)
    assert verdict.passed
    assert verdict.figures["champion_age_sessions"] == 2
    assert not check_staleness(friday, tuesday, max_age=1).passed
    assert check_staleness(None, tuesday, max_age=1).passed


def test_a_trigger_is_told():
    assert check_triggers({}).passed
    verdict = check_triggers({"training_time": "training took 3 h"})
    assert not verdict.passed
    assert "3 h" in verdict.summary
