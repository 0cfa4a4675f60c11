from pathlib import Path

import pytest

from pairs_platform.core.errors import DataError
from pairs_platform.core.models.gru.tuning import tune
from pairs_platform.core.models.settings import GruSettings, TuningSettings
from pairs_platform_tests.support.model_samples import RULES, planted_window, prepared


def search(folder: Path, n_trials: int, messages: list[str], **more):
    settings: GruSettings = RULES.model_copy(update={"tuning": TuningSettings(n_trials=n_trials, n_pairs=2)})
    datasets, plan, *_ = prepared(planted_window(2), settings=settings)
    storage = f"sqlite:///{folder / 'optuna.db'}"
    return tune(datasets, plan, settings=settings, storage=storage, study="gru_technology", log=messages.append, **more)


def test_a_study_goes_on_where_it_stopped_and_is_never_worse_than_the_configuration(tmp_path):
    messages: list[str] = []
    first = search(tmp_path, 2, messages)
    again = search(tmp_path, 2, messages)
    assert (first.n_trials, again.n_trials) == (2, 4)
    assert again.validation_loss <= first.validation_loss <= first.default_loss
    assert again.default_loss == first.default_loss
    assert set(again.best) == {"hidden_1", "hidden_2", "dropout", "learning_rate"}
    assert len(messages) == 4
    first_trial = again.trials.set_index("number").loc[0]
    assert first_trial["params_hidden_1"] == RULES.network.hidden_1


def test_what_did_well_on_an_earlier_window_is_tried_behind_the_configuration(tmp_path):
    earlier = {"hidden_1": 5, "hidden_2": 3, "dropout": 0.1, "learning_rate": 0.002}
    trials = search(tmp_path, 2, [], earlier_best=[earlier]).trials.set_index("number")
    assert {name: trials.loc[1, f"params_{name}"] for name in earlier} == earlier
    assert trials.loc[0, "params_hidden_1"] == RULES.network.hidden_1


def test_nothing_to_tune_on(tmp_path):
    with pytest.raises(DataError, match="no pair has enough data"):
        tune([], None, settings=RULES, storage=f"sqlite:///{tmp_path / 'o.db'}", study="s", log=print)
