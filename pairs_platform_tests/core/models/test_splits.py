import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairs_platform.core.errors import DataError
from pairs_platform.core.models.settings import GruSettings, NetworkSettings, SplitSettings
from pairs_platform.core.models.splits import (
    FEATURE_LOOKBACK_BARS,
    SplitPlan,
    plan_of_parts,
    purge_bars,
    split_plan,
    walk_forward,
)


def test_the_shipped_settings_cut_a_window_60_20_20_with_purges_from_the_later_parts():
    plan = split_plan(4_680, settings=GruSettings(), horizon_bars=1)
    assert plan == SplitPlan(
        n_bars=4_680, purge_bars=31, train=slice(0, 2_808), validation=slice(2_839, 3_744), test=slice(3_775, 4_680)
    )
    assert purge_bars(GruSettings(), 39) == 10 + 20 + 39


def test_the_daily_window_of_a_year_leaves_twenty_test_rows():
    plan = split_plan(252, settings=GruSettings(), horizon_bars=1)
    assert (plan.train, plan.validation, plan.test) == (slice(0, 151), slice(182, 201), slice(232, 252))


@given(
    n_bars=st.integers(0, 3_000),
    horizon=st.integers(1, 60),
    length=st.integers(2, 40),
    train=st.floats(0.2, 0.7),
    validation=st.floats(0.1, 0.25),
)
def test_no_bar_serves_a_label_of_one_part_and_a_feature_or_label_of_the_next(
    n_bars, horizon, length, train, validation
):
    settings = GruSettings(
        split=SplitSettings(train_fraction=train, validation_fraction=validation),
        network=NetworkSettings(sequence_length=length),
    )
    plan = split_plan(n_bars, settings=settings, horizon_bars=horizon)
    parts = [plan.train, plan.validation, plan.test]
    for earlier, later in [(0, 1), (0, 2), (1, 2)]:
        rows, following = (np.arange(n_bars)[parts[i]] for i in (earlier, later))
        if len(rows) and len(following):
            last_bar_of_a_label = rows[-1] + horizon
            first_bar_of_a_feature = following[0] - (length - 1) - FEATURE_LOOKBACK_BARS
            assert last_bar_of_a_label < first_bar_of_a_feature
    names = plan.parts()
    assert len(names) == n_bars
    for name, part in zip(("train", "validation", "test"), parts, strict=True):
        assert (names[part] == name).all()
        assert (names == name).sum() == len(range(n_bars)[part])


@pytest.mark.parametrize("n_bars", [120, 1_000, 4_680])
def test_stored_parts_give_the_plan_back(n_bars):
    plan = split_plan(n_bars, settings=GruSettings(network=NetworkSettings(sequence_length=2)), horizon_bars=1)
    assert plan_of_parts(plan.parts()) == plan


def test_parts_that_are_missing_or_torn_are_refused_by_name():
    names = split_plan(500, settings=GruSettings(), horizon_bars=1).parts()
    with pytest.raises(DataError, match="the validation part are not contiguous"):
        plan_of_parts(np.where(names == "validation", "purge", names))
    names[100] = "purge"
    with pytest.raises(DataError, match="the train part are not contiguous: write pair_features again"):
        plan_of_parts(names)


def test_walk_forward_judges_consecutive_stretches_of_the_second_half_behind_all_that_was_seen():
    folds = walk_forward(4_680, 4)
    assert [(fold.n_seen, fold.n_bars) for fold in folds] == [
        (2_340, 2_925), (2_925, 3_510), (3_510, 4_095), (4_095, 4_680),
    ]  # fmt: skip
