from datetime import date

import numpy as np
import pandas as pd

from pairs_platform.core.models.checks import (
    check_calibration,
    check_feature_drift,
    check_lift,
    check_staleness,
    check_trained,
    check_triggers,
)


def rows(**columns) -> pd.DataFrame:
    given = {"pair": ["A_B", "A_C"], "status": ["ok", "ok"], "reason": ["", ""], **columns}
    return pd.DataFrame(given)


class TestDrift:
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

    def test_one_pair_of_three_is_named_and_is_no_shift_of_the_sector(self):
        rng = np.random.default_rng(4)
        frame = pd.DataFrame({"pair": ["A_B", "A_C", "B_C"] * 300, "lag_1": rng.standard_normal(900)})
        moved = frame.assign(lag_1=frame["lag_1"] + 2.0 * (frame["pair"] == "B_C"))
        verdict = check_feature_drift(frame, moved, features=["lag_1"], max_drift=0.25)
        assert verdict.passed
        assert verdict.summary.endswith("moved on its own: B_C")
        assert verdict.figures["pairs_moved"] == 1


POOLED = {"lift": 0.002, "lift_low": 0.001, "lift_high": 0.003}


class TestLift:
    def test_lift_stands_next_to_f1_and_to_always_reverts(self):
        verdict = check_lift(POOLED, rows(f1=[0.70, 0.72], f1_always=[0.69, 0.71]))
        assert verdict.passed
        assert "+0.00200" in verdict.summary
        assert "F1 0.710" in verdict.summary
        assert "gets 0.700" in verdict.summary

    def test_an_interval_around_zero_is_no_fault_and_no_lift(self):
        pooled = {**POOLED, "lift_low": -0.001}
        verdict = check_lift(pooled, rows(f1=[0.9, 0.9], f1_always=[0.9, 0.9]))
        assert verdict.passed
        assert verdict.summary.startswith("no lift above zero")

    def test_worse_than_the_simple_forecasts_is_a_fault_whatever_f1_says(self):
        pooled = {"lift": -0.002, "lift_low": -0.003, "lift_high": -0.001}
        verdict = check_lift(pooled, rows(f1=[0.9, 0.9], f1_always=[0.9, 0.9]))
        assert not verdict.passed
        assert verdict.summary.startswith("worse than the simple forecasts")

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
    without = check_staleness(None, tuesday, max_age=1)
    assert without.passed
    assert without.figures == {}


def test_a_trigger_is_told():
    assert check_triggers({}).passed
    verdict = check_triggers({"training_time": "training took 3 h"})
    assert not verdict.passed
    assert "3 h" in verdict.summary
