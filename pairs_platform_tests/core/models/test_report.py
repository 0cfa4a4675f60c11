import numpy as np
import pandas as pd
import pytest

from pairs_platform.core.models.report import sector_report


def rows(n: int = 20) -> pd.DataFrame:
    lift = np.linspace(-0.01, 0.01, n)
    return pd.DataFrame(
        {
            "pair": [f"P{k}_Q" for k in range(n)],
            "status": "ok",
            "lift": lift,
            "skill": lift + 0.001,
            "roc_auc": 0.5 + lift,
            "f1": 0.6,
            "f1_always": 0.7,
            "skill_low": lift,
            "lift_low": lift - 0.005,
            "skill_q": np.where(lift > 0.009, 0.01, 0.9),
            "best_epoch": np.arange(n) % 2,
            "n_overnight": 12,
            "n_test": 900,
            "calibration_error": 0.04,
            "correlation": 0.8 + 2 * lift,
        }
    )


def test_distribution_gap_and_relation_to_correlation():
    report = sector_report(rows(), pooled={"skill": 0.001}, seconds=12.0, folds=[{"fold": 1, "skill": 0.002}])
    figures = report.document()["pairs"]
    assert figures["lift_p50"] == pytest.approx(0.0, abs=1e-12)
    assert figures["top_less_bottom_tenth_lift"] > 0.018
    assert figures["correlation_against_skill"] == pytest.approx(1.0)
    assert figures["share_skill_interval_above_zero"] == 0.5
    assert figures["skill_discoveries"] == 1
    assert figures["share_where_the_network_adds_nothing"] == 0.5
    assert figures["overnight_share_of_test_labels"] == 12 / 900
    table = report.table()
    assert table.set_index(["section", "figure"]).loc[("walk-forward fold 1", "skill"), "value"] == 0.002


def test_a_sector_without_a_judged_pair_reports_counts():
    report = sector_report(rows().assign(status="insufficient_data"), pooled={"n_pairs": 0}, seconds=0.0)
    assert report.document()["pairs"] == {"candidates": 20, "judged": 0}
