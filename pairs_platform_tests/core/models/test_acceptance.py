"""What the models must show, at a size that a test can afford; `benchmarks.gru_acceptance` has the full size."""

import pytest

from pairs_platform.core.models.features import without_data
from pairs_platform.core.models.sector_training import (
    SectorTraining,
    first_test_session,
    train_sector,
    walk_forward_figures,
)
from pairs_platform.core.models.settings import EvaluationSettings, GruSettings, NetworkSettings
from pairs_platform.core.models.splits import n_test_sessions
from pairs_platform.core.trading.settings import PairSettings
from pairs_platform_tests.support.model_samples import pairs_of, prepared, walk_window
from pairs_platform_tests.support.simulated_pairs import garch_variance, planted_pairs, window_of_legs

RULES = GruSettings(network=NetworkSettings(hidden_1=16, hidden_2=8, max_epochs=8, patience=4))


def trained(window, settings: GruSettings = RULES) -> SectorTraining:
    from pairs_platform.core.models.features import pair_datasets

    datasets, plan, _ = pair_datasets(
        window,
        pairs_of(window),
        settings=settings,
        pair_settings=PairSettings(),
    )
    return train_sector(datasets, [one.pair for one in datasets], plan, settings=settings)


@pytest.fixture(scope="module")
def planted() -> SectorTraining:
    return trained(window_of_legs(planted_pairs(16, 4680, 31, garch_variance, half_lives=(5.0, 20.0))))


def test_planted_pairs_have_pooled_skill_above_zero(planted):
    assert planted.pooled.skill_low > 0.0


def test_pooled_loss_is_about_that_of_the_simple_forecast(planted):
    assert planted.pooled.log_loss - planted.pooled.log_loss_baseline < 0.001


def test_random_walks_have_no_skill():
    rows = trained(walk_window(20, 4680, 7)).rows
    assert (rows["status"] == "ok").all()
    assert (rows["skill_low"] > 0).mean() < 0.15


def test_every_candidate_has_a_row_and_every_judged_pair_its_forecasts(planted):
    rows, forecasts = planted.rows, planted.forecasts
    assert len(rows) == 16
    assert (forecasts.groupby("pair").size() == rows.set_index("pair")["n_test"]).all()
    assert set(planted.curves["pair"]) == set(rows["pair"])
    assert rows["skill_q"].ge(rows["skill_p"] - 1e-12).all()


def test_several_seeds_give_means_and_their_spread():
    window = window_of_legs(planted_pairs(2, 4680, 5, garch_variance, half_lives=(5.0, 10.0)))
    short = RULES.model_copy(update={"network": RULES.network.model_copy(update={"max_epochs": 2})})
    by_seed = [
        trained(window, short.model_copy(update={"training": short.training.model_copy(update={"seed": seed})})).rows
        for seed in (7, 8)
    ]
    both = trained(window, short.model_copy(update={"training": short.training.model_copy(update={"n_seeds": 2})})).rows
    mean = (by_seed[0]["log_loss"] + by_seed[1]["log_loss"]) / 2
    assert both["log_loss"].to_numpy() == pytest.approx(mean.to_numpy())
    assert both["lift_seed_sd"].notna().all()
    assert by_seed[0]["lift_seed_sd"].isna().all()


def test_the_test_part_begins_where_the_plan_says_whichever_pair_has_no_data():
    window = window_of_legs(planted_pairs(2, 4680, 5, garch_variance, half_lives=(5.0, 10.0)))
    datasets, plan, _ = prepared(window, settings=RULES)
    missing = without_data("A_B", "insufficient_data", "too short")
    expected = window.session[plan.test.start].astype(object)
    assert first_test_session([missing, *datasets], plan) == expected
    assert first_test_session([missing], None) is None
    assert len(set(window.session[plan.test])) == n_test_sessions(len(set(window.session)), RULES.split)


def test_walk_forward_folds_are_judged_behind_what_they_have_seen():
    window = window_of_legs(planted_pairs(3, 4680, 9, garch_variance, half_lives=(5.0, 10.0)))
    settings = RULES.model_copy(update={"evaluation": EvaluationSettings(n_bootstrap=200)})
    folds = walk_forward_figures(
        window,
        pairs_of(window),
        2,
        settings=settings,
        pair_settings=PairSettings(),
    )
    assert [(fold["bars_seen"], fold["bars_judged"]) for fold in folds] == [(2340, 1170), (3510, 1170)]
    assert all(fold["n_pairs"] == 3 and fold["n_labels"] > 3 * 1000 for fold in folds)
