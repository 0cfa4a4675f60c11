"""Settings of the GRU models; light enough to be read while definitions load.

What does not belong here: the code that obeys them.
"""

from typing import Literal, Self

from pydantic import model_validator

from pairs_platform.core.settings import SettingsGroup, setting

LabelKind = Literal["reverts_next", "first_passage"]
TrainingScope = Literal["all", "top_n", "selected"]


class LabelSettings(SettingsGroup):
    """What a model predicts."""

    kind: LabelKind = setting(
        "reverts_next",
        unit="name",
        description="reverts_next: the spread moves towards its mean over the horizon. first_passage: from the entry "
        "band it reaches the exit band before the stop, net of costs.",
    )
    horizon: Literal["one_bar", "half_of_half_life"] = setting(
        "one_bar",
        unit="name",
        description="Horizon of reverts_next: one bar, or half the in-sample half-life of the pair.",
    )
    max_horizon_bars: int = setting(
        39, unit="bars", ge=1, le=390, description="Bound of the horizon, and the bars in which first_passage must end."
    )


class SplitSettings(SettingsGroup):
    """How a window is cut in time, and how much of it an evaluation needs."""

    train_fraction: float = setting(0.6, unit="1", gt=0.1, lt=0.9, description="First part of the window: training.")
    validation_fraction: float = setting(
        0.2, unit="1", gt=0.05, lt=0.5, description="Part behind it: early stopping, threshold, choice of baseline."
    )
    min_test_labels: int = setting(
        500, unit="labels", ge=5, le=100_000, description="With fewer test labels a pair is `insufficient_data`."
    )

    @model_validator(mode="after")
    def _leaves_a_test_part(self) -> Self:
        if self.train_fraction + self.validation_fraction > 0.95:
            raise ValueError(
                f"train_fraction {self.train_fraction} and validation_fraction {self.validation_fraction} leave less "
                "than 5 % of the window to the test: lower one of them"
            )
        return self


class NetworkSettings(SettingsGroup):
    """The network and its optimiser."""

    hidden_1: int = setting(64, unit="units", ge=2, le=512, description="Units of the first GRU layer.")
    hidden_2: int = setting(32, unit="units", ge=2, le=512, description="Units of the second GRU layer.")
    dropout: float = setting(
        0.255, unit="1", ge=0, lt=0.9, description="Dropout between the layers and before the output."
    )
    sequence_length: int = setting(10, unit="bars", ge=2, le=128, description="Bars that a prediction looks back on.")
    learning_rate: float = setting(3e-4, unit="1", gt=0, le=0.1, description="Learning rate of Adam.")
    max_epochs: int = setting(50, unit="epochs", ge=1, le=1000, description="Bound on the epochs of a training.")
    patience: int = setting(
        10, unit="epochs", ge=1, le=1000, description="Epochs without a better validation loss before a pair stops."
    )


class ModelTrainingSettings(SettingsGroup):
    """Which pairs are trained, on what, and when that changes."""

    scope: TrainingScope = setting(
        "all",
        unit="name",
        description="all: every fitted pair past the correlation gate; top_n: the best by past lift; selected: those "
        "with a positive past lift.",
    )
    top_n: int = setting(50, unit="pairs", ge=1, le=100_000, description="Pairs of the scope top_n.")
    full_retrain_every_sessions: int = setting(
        20, unit="sessions", ge=1, le=250, description="All pairs are trained again after this many sessions."
    )
    max_training_minutes: float = setting(
        120.0, unit="minutes", gt=0, le=1440, description="A longer training moves the scope from all to selected."
    )
    diminishing_sessions: int = setting(
        10,
        unit="sessions",
        ge=2,
        le=250,
        description="Full retrains, half of them to name the pairs outside `selected` and half, tested on later "
        "sessions, to average their lift; when it is not above zero, training them has no return and the scope "
        "moves from all to selected.",
    )
    chunk_pairs: int = setting(
        64, unit="pairs", ge=1, le=100_000, description="Pairs that train together on a CPU; a kill loses one chunk."
    )
    device: Literal["auto", "cpu", "cuda"] = setting(
        "auto", unit="name", description="Where training runs; auto takes a GPU when there is one."
    )
    seed: int = setting(7, unit="1", ge=0, le=2**31 - 1, description="Seed of initial weights, order and dropout.")
    n_seeds: int = setting(
        1, unit="seeds", ge=1, le=20, description="Trainings of each pair; metrics are then averaged."
    )


class EvaluationSettings(SettingsGroup):
    """How a model is judged on its test part."""

    n_bootstrap: int = setting(1000, unit="draws", ge=200, le=100_000, description="Draws of every bootstrap interval.")


class PromotionSettings(SettingsGroup):
    """When a model becomes champion and when it ceases to be one."""

    challenger_sessions: int = setting(
        10, unit="sessions", ge=2, le=250, description="Sessions for which a challenger is frozen; newer versions wait."
    )
    min_sessions_for_significance: int = setting(
        20, unit="sessions", ge=5, le=250, description="Paired sessions that a decision by significance needs."
    )
    significance: float = setting(
        0.05, unit="1", gt=0, lt=0.5, description="One-sided level of the test, shared between repeated looks."
    )
    max_age_sessions: int = setting(
        20,
        unit="sessions",
        ge=1,
        le=500,
        description="A model whose window ended longer ago gives no signals. At least twice challenger_sessions: a "
        "challenger is that old when it takes over, and serves while the next one is frozen.",
    )
    demotion_drop: float = setting(
        0.005,
        unit="nats",
        ge=0,
        le=1,
        description="A champion is demoted when its 7-session lift is this much below its 30-session lift.",
    )

    @model_validator(mode="after")
    def _serves_for_a_while(self) -> Self:
        if self.max_age_sessions < 2 * self.challenger_sessions:
            raise ValueError(
                f"max_age_sessions {self.max_age_sessions} is below twice challenger_sessions "
                f"{self.challenger_sessions} (a promoted model would be too old before its successor is ready): raise "
                "max_age_sessions or lower challenger_sessions"
            )
        return self


class TuningSettings(SettingsGroup):
    """The search for better settings of the network, on validation data alone."""

    n_trials: int = setting(20, unit="trials", ge=1, le=10_000, description="Trials that a tuning adds to the study.")
    n_pairs: int = setting(16, unit="pairs", ge=1, le=1000, description="Pairs on which each trial is judged.")


class GruSettings(SettingsGroup):
    """Settings of the GRU models."""

    label: LabelSettings = LabelSettings()
    split: SplitSettings = SplitSettings()
    network: NetworkSettings = NetworkSettings()
    training: ModelTrainingSettings = ModelTrainingSettings()
    evaluation: EvaluationSettings = EvaluationSettings()
    promotion: PromotionSettings = PromotionSettings()
    tuning: TuningSettings = TuningSettings()
    max_registry_gb: float = setting(
        50.0, unit="gigabytes", gt=0, le=100_000, description="Size of the model registry from which a check warns."
    )
