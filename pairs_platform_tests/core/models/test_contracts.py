import dataclasses
from datetime import date

import numpy as np
import pandas as pd
import pytest

from pairs_platform.core.contract import Contract
from pairs_platform.core.errors import ContractViolation, VersionMismatch
from pairs_platform.core.models.contracts import (
    FEATURE_FITS,
    FEATURE_SCALING,
    GRU_FORECASTS,
    GRU_MODELS,
    METRICS,
    PAIR_FEATURES,
    SHADOW_LOSSES,
    datasets_of,
    feature_frame,
    scaling_frame,
)
from pairs_platform.core.models.features import PairDataset
from pairs_platform.core.models.inputs import FEATURES
from pairs_platform.core.models.splits import SplitPlan
from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.core.volatility.contracts import GARCH_FITS
from pairs_platform.lake.store import Lake
from pairs_platform.lake.tables import TABLES
from pairs_platform_tests.support.model_samples import pairs_of, planted_window, prepared
from pairs_platform_tests.support.simulated_pairs import with_missing_bars

KEY = PartitionKey(date(2023, 3, 8), "technology")
Prepared = tuple[list[PairDataset], SplitPlan, pd.DataFrame]


@pytest.fixture(scope="module")
def made() -> Prepared:
    """Two pairs with data, gaps in them, and one without a direction between the two."""
    window = with_missing_bars(planted_window(3), 2, share=0.005, holes=1)
    pairs = pairs_of(window)
    pairs.loc[1, ["y", "x"]] = None
    datasets, plan, fits = prepared(window, pairs=pairs)
    assert [one.status for one in datasets] == ["ok", "no_fit", "ok"]
    return datasets, plan, fits


def stored(lake: Lake, contract: Contract, frame: pd.DataFrame) -> pd.DataFrame:
    lake.write(contract, KEY, frame, {})
    return lake.read(contract, KEY)


def every_table(lake: Lake, made: Prepared) -> list[pd.DataFrame]:
    datasets, plan, fits = made
    frames = (feature_frame(datasets, plan), scaling_frame(datasets), fits)
    return [
        stored(lake, contract, frame)
        for contract, frame in zip((PAIR_FEATURES, FEATURE_SCALING, FEATURE_FITS), frames, strict=True)
    ]


class TestRoundTrip:
    def test_datasets_come_back_from_the_lake_bit_for_bit(self, tmp_path, made):
        datasets, plan, _ = made
        again, plan_again = datasets_of(*every_table(Lake(tmp_path), made))
        assert plan_again == plan
        for one, other in zip(datasets, again, strict=True):
            np.testing.assert_equal(dataclasses.asdict(other), dataclasses.asdict(one))
            for name in ("features", "label", "overnight", "excess", "ts_utc"):
                assert getattr(other, name).dtype == getattr(one, name).dtype
        assert np.isnan(again[0].features).any()
        np.testing.assert_array_equal(again[0].scaled(), datasets[0].scaled())

    def test_the_table_holds_every_bar_of_the_pairs_with_data_in_single_precision(self, tmp_path, made):
        datasets, plan, _ = made
        frame, *_ = every_table(Lake(tmp_path), made)
        assert frame["pair"].unique().tolist() == [datasets[0].pair, datasets[2].pair]
        assert len(frame) == 2 * plan.n_bars
        assert {str(frame[name].dtype) for name in FEATURES} == {"float32"}
        assert frame.groupby("pair")["part"].apply(list).iloc[0] == plan.parts().tolist()
        assert set(frame["label"].dropna()) == {0.0, 1.0}

    def test_a_sector_without_a_pair_with_data_is_a_valid_partition(self, tmp_path, made):
        datasets, plan, fits = made
        none = ([datasets[1]], plan, fits)
        frames = every_table(Lake(tmp_path), none)
        assert len(frames[0]) == 0
        (one,), no_plan = datasets_of(*frames)
        assert (one.status, one.reason, no_plan) == ("no_fit", datasets[1].reason, None)

    def test_a_sector_without_a_candidate_is_a_valid_partition(self, tmp_path, made):
        frames = every_table(Lake(tmp_path), ([], made[1], made[2].iloc[:0]))
        assert datasets_of(*frames) == ([], None)

    def test_parameters_under_another_version_of_the_fits_are_refused(self, tmp_path, made):
        lake = Lake(tmp_path)
        lake.write(FEATURE_FITS, KEY, made[2], {})
        newer = dataclasses.replace(FEATURE_FITS, version=FEATURE_FITS.version + 1)
        with pytest.raises(VersionMismatch) as refused:
            lake.read(newer, KEY)
        assert refused.value.asset == "pair_features"
        assert FEATURE_FITS.version == GARCH_FITS.version


class TestViolations:
    @pytest.mark.parametrize(
        ("column", "value", "words"),
        [
            ("label", 0.5, "label must be one of 0.0, 1.0: fails on 1 row"),
            ("part", "holdout", "part must be one of"),
            ("excess", -1.0, "excess must be 0.0 or more"),
            ("pair", None, "pair"),
        ],
    )
    def test_features(self, made, column, value, words):
        frame = feature_frame(*made[:2])
        frame.loc[40, column] = value
        with pytest.raises(ContractViolation, match=words):
            PAIR_FEATURES.require(frame)

    def test_a_bar_twice_and_double_precision(self, made):
        frame = feature_frame(*made[:2])
        with pytest.raises(ContractViolation, match="unique"):
            PAIR_FEATURES.require(pd.concat([frame, frame.iloc[[5]]]))
        with pytest.raises(ContractViolation, match="lag_3 must be of type float32"):
            PAIR_FEATURES.require(frame.astype({"lag_3": "float64"}))

    @pytest.mark.parametrize(
        ("row", "column", "value", "words"),
        [
            (0, "centre", None, "exactly where the status is ok"),
            (1, "last_variance", 0.1, "exactly where the status is ok"),
            (1, "reason", None, "a reason exactly where the status is not ok"),
            (0, "reason", "why", "a reason exactly where the status is not ok"),
            (0, "last_variance", 0.0, "last_variance must be above 0"),
            (0, "status", "fine", "status must be one of"),
        ],
    )
    def test_scaling(self, made, row, column, value, words):
        frame = scaling_frame(made[0])
        assert not FEATURE_SCALING.violations(frame)
        frame.loc[row, column] = value
        with pytest.raises(ContractViolation, match=words):
            FEATURE_SCALING.require(frame)

    def test_a_model_that_ends_inside_a_gap_has_no_last_spread(self, made):
        frame = scaling_frame(made[0])
        frame.loc[0, "last_spread"] = np.nan
        assert not FEATURE_SCALING.violations(frame)


def models() -> pd.DataFrame:
    """One judged pair, one that failed, one that was not chosen."""
    judged = dict.fromkeys(METRICS, 0.5) | {
        "pair": "A_B", "status": "ok", "reason": None, "n_train": 9, "n_validation": 3, "n_test": 3, "n_overnight": 0,
        "skill_q": 0.5, "threshold": 0.5, "baseline": "ar1_logit", "best_epoch": 1, "epochs": 2, "correlation": 0.9,
        "model_run_id": "r1", "run_name": "GRU_Training_A_B",
    }  # fmt: skip
    others = [
        {"pair": "A_C", "status": "failed", "reason": "the loss is not finite"},
        {"pair": "B_C", "status": "not_chosen", "reason": "left out by the scope"},
    ]
    rows = [dict.fromkeys(GRU_MODELS.columns) | one for one in (judged, *others)]
    return pd.DataFrame(rows).astype({name: GRU_MODELS.dtype(name) for name in GRU_MODELS.columns})


class TestModels:
    def test_rows_of_every_outcome_are_stored_and_read_back(self, tmp_path):
        again = stored(Lake(tmp_path), GRU_MODELS, models())
        assert again["status"].tolist() == ["ok", "failed", "not_chosen"]
        assert again["n_test"].tolist() == [3, pd.NA, pd.NA]
        assert again["skill"].isna().tolist() == [False, True, True]

    @pytest.mark.parametrize("column", ["log_loss", "skill", "lift", "f1", "threshold", "baseline", "n_test"])
    def test_a_metric_is_there_exactly_where_a_pair_was_judged(self, column):
        missing, extra = models(), models()
        missing.loc[0, column] = pd.NA if column == "n_test" else None
        extra.loc[1, column] = extra.loc[0, column]
        for frame in (missing, extra):
            with pytest.raises(ContractViolation, match="exactly where the status is ok"):
                GRU_MODELS.require(frame)

    def test_a_pair_that_was_not_judged_says_why(self):
        frame = models()
        frame.loc[2, "reason"] = None
        with pytest.raises(ContractViolation, match="a reason exactly where"):
            GRU_MODELS.require(frame)


class TestForecastsAndShadow:
    def test_a_forecast_is_a_probability_of_a_known_label(self):
        frame = pd.DataFrame(
            {
                "pair": ["A_B", "A_B"],
                "ts_utc": pd.DatetimeIndex(["2023-03-08 14:30", "2023-03-08 14:35"], tz="UTC"),
                "label": [0.0, 1.0],
                **{name: [0.4, 0.6] for name in ("probability", "base_probability", "baseline_probability")},
            }
        )
        assert not GRU_FORECASTS.violations(frame)
        for column, value in (("probability", 1.2), ("label", np.nan), ("base_probability", np.nan)):
            bad = frame.copy()
            bad.loc[1, column] = value
            with pytest.raises(ContractViolation, match=column):
                GRU_FORECASTS.require(bad)

    def test_a_pair_has_losses_or_a_reason_under_each_alias_and_version(self):
        losses = {"loss": 50.0, "base_loss": 51.0, "baseline_loss": 50.5}
        row = {
            "alias": "champion",
            "version": 3,
            "pair": "A_B",
            "status": "ok",
            "reason": None,
            "n_labels": 77,
            **losses,
        }
        other = {**row, "alias": "challenger", "version": 4}
        gone = {**row, "pair": "A_C", "status": "corporate_action", "reason": "fell ex", "n_labels": 0}
        gone |= dict.fromkeys(losses, np.nan)
        frame = pd.DataFrame([row, other, gone], columns=list(SHADOW_LOSSES.columns))
        assert not SHADOW_LOSSES.violations(frame)
        for changed in ({"loss": np.nan}, {"status": "no_labels", "reason": "none"}, {"reason": "why"}, {"version": 0}):
            with pytest.raises(ContractViolation):
                SHADOW_LOSSES.require(
                    frame.assign(**{k: frame[k].where(frame.index != 0, v) for k, v in changed.items()})
                )
        with pytest.raises(ContractViolation, match="unique"):
            SHADOW_LOSSES.require(pd.concat([frame, frame.iloc[[0]]]))


@pytest.mark.parametrize(
    "contract", [PAIR_FEATURES, FEATURE_FITS, FEATURE_SCALING, GRU_MODELS, GRU_FORECASTS, SHADOW_LOSSES]
)
def test_every_table_may_be_empty_and_is_known_to_the_lake(tmp_path, contract):
    assert len(stored(Lake(tmp_path), contract, contract.empty())) == 0
    assert contract in TABLES
