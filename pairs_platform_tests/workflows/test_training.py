"""What a training knows before it begins: its settings and the history of its sector."""

from types import SimpleNamespace

import pandas as pd
import pytest

from pairs_platform.core.models.contracts import GRU_FORECASTS, GRU_MODELS
from pairs_platform.core.prices.calendar import session_offset
from pairs_platform.database.models import record_training
from pairs_platform.platform import Platform
from pairs_platform.settings.loading import load_settings
from pairs_platform.views.drawing import plots
from pairs_platform.workflows.training import (
    TrainingOptions,
    _pictures,
    gather_training,
    settings_of_run,
    training_history,
)
from pairs_platform.workflows.tuning import TUNING
from pairs_platform_tests.support.demo_profile import SECTOR, SESSION, key
from pairs_platform_tests.support.trainings import performance, training


@pytest.fixture
def platform() -> Platform:
    return Platform(load_settings())


class TestSettings:
    def test_without_a_tuning_they_are_the_configuration(self, platform):
        assert settings_of_run(platform, key(), TrainingOptions()) == platform.settings.gru

    def test_the_newest_tuning_up_to_the_session_counts(self, platform):
        for offset, hidden in ((-2, 11), (0, 12), (1, 13)):
            platform.lake.write_document(TUNING, key(session_offset(SESSION, offset)), {"best": {"hidden_1": hidden}})
        before = key(session_offset(SESSION, -1))
        assert settings_of_run(platform, before, TrainingOptions()).network.hidden_1 == 11
        settings = settings_of_run(platform, key(), TrainingOptions())
        assert settings.network == platform.settings.gru.network.model_copy(update={"hidden_1": 12})

    def test_a_run_may_ask_for_more_seeds(self, platform):
        settings = settings_of_run(platform, key(), TrainingOptions(n_seeds=3))
        assert settings.training == platform.settings.gru.training.model_copy(update={"n_seeds": 3})


def test_every_picture_of_a_training_says_where_its_figures_come_from(stored, monkeypatch):
    labels = []
    monkeypatch.setattr(plots, "_png", lambda figure, dpi=80: labels.append(figure.axes[0].get_title()) or b"")
    inputs = gather_training(stored, key(), TrainingOptions(), run_id="run")
    rows = stored.lake.read(GRU_MODELS, key())
    training = SimpleNamespace(
        forecasts=stored.lake.read(GRU_FORECASTS, key()),
        curves=pd.DataFrame({"pair": ["A_B"], "epoch": [0], "train_loss": [0.7], "validation_loss": [0.7]}),
    )
    assert set(_pictures(inputs, rows, training)) == {"reliability", "lift", "learning_curves"}
    source = f"{SECTOR} {SESSION} · {stored.market_data.label} · {stored.settings.profile.name}"
    assert [label.partition("\n")[2] for label in labels] == 3 * [source]


class TestHistory:
    def test_it_begins_empty(self, platform):
        history = training_history(platform, SECTOR)
        assert list(history.trainings.columns) == ["session", "full_retrain", "seconds"]
        assert history.trainings.empty
        assert history.lifts.empty

    def test_it_holds_the_trainings_and_the_lifts_of_judged_pairs(self, platform):
        record_training(platform.database, training(seconds=12.5), performance({"A_B": 0.1}))
        history = training_history(platform, SECTOR)
        assert history.trainings.to_dict("records") == [{"session": SESSION, "full_retrain": True, "seconds": 12.5}]
        assert history.lifts.to_dict("records") == [{"session": SESSION, "pair": "A_B", "lift": 0.1}]
