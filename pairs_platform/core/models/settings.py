"""Settings of the GRU models; light enough to be read while definitions load.

What does not belong here: the code that obeys them.
"""

from typing import Literal, Self

from pydantic import model_validator

from pairs_platform.core.settings import Rules, rule

LabelKind = Literal["reverts_next", "first_passage"]
Strategy = Literal["all", "top_n", "selected"]


class LabelRules(Rules):
    """What a model predicts."""

    kind: LabelKind = rule(
        "reverts_next",
        unit="name",
        description="reverts_next: the spread moves towards its mean over the horizon. first_passage: from the entry "
        "band it reaches the exit band before the stop, net of costs.",
    )
    horizon: Literal["one_bar", "half_of_half_life"] = rule(
        "one_bar",
        unit="name",
        description="Horizon of reverts_next: one bar, or half the evaluation half-life of the pair.",
    )
    max_horizon_bars: int = rule(
        39, unit="bars", ge=1, le=390, description="Bound of the horizon, and the bars in which first_passage must end."
    )


class SplitRules(Rules):
    """How a window is cut in time, and how much of it an evaluation needs."""

    train_fraction: float = rule(0.6, unit="1", gt=0.1, lt=0.9, description="First part of the window: training.")
    validation_fraction: float = rule(
        0.2, unit="1", gt=0.05, lt=0.5, description="Part behind it: early stopping, threshold, choice of baseline."
    )
    min_test_labels: int = rule(
        500, unit="labels", ge=5, le=100_000, description="With fewer test labels a pair is `insufficient_data`."
    )

    @model_validator(mode="after")
    def _leaves_a_test_part(self) -> Self:
        if self.train_fraction + self.validation_fraction > 0.95:
            raise ValueError(
                f"train_fraction {self.train_fraction} and validation_fraction {self.validation_fraction} leave less "
                "than 5 % of the window to the test"
            )
        return self


class NetworkRules(Rules):
    """The network and its optimiser."""

    hidden_1: int = rule(64, unit="units", ge=2, le=512, description="Units of the first GRU layer.")
    hidden_2: int = rule(32, unit="units", ge=2, le=512, description="Units of the second GRU layer.")
    dropout: float = rule(
        0.255, unit="1", ge=0, lt=0.9, description="Dropout between the layers and before the output."
    )
    sequence_length: int = rule(10, unit="bars", ge=2, le=128, description="Bars that a prediction looks back on.")
    learning_rate: float = rule(3e-4, unit="1", gt=0, le=0.1, description="Learning rate of Adam.")
    max_epochs: int = rule(50, unit="epochs", ge=1, le=1000, description="Bound on the epochs of a training.")
    patience: int = rule(
        10, unit="epochs", ge=1, le=1000, description="Epochs without a better validation loss before a pair stops."
    )


class TrainingRules(Rules):
    """Which pairs are trained, on what, and when that changes."""

    strategy: Strategy = rule(
        "all",
        unit="name",
        description="all: every fitted pair past the correlation gate; top_n: the best by past lift; selected: those "
        "with a positive past lift.",
    )
    top_n: int = rule(50, unit="pairs", ge=1, le=100_000, description="Pairs of the strategy top_n.")
    baseline_every_sessions: int = rule(
        20, unit="sessions", ge=1, le=250, description="All pairs are trained again after this many sessions."
    )
    max_training_minutes: float = rule(
        120.0, unit="minutes", gt=0, le=1440, description="A longer training moves the strategy from all to selected."
    )
    diminishing_sessions: int = rule(
        10,
        unit="sessions",
        ge=2,
        le=250,
        description="Full baselines, half of them to name the pairs outside `selected` and half, tested on later "
        "sessions, to average their lift; when it is not above zero, training them has no return and the strategy "
        "moves from all to selected.",
    )
    chunk_pairs: int = rule(
        64, unit="pairs", ge=1, le=100_000, description="Pairs that train together on a CPU; a kill loses one chunk."
    )
    device: Literal["auto", "cpu", "cuda"] = rule(
        "auto", unit="name", description="Where training runs; auto takes a GPU when there is one."
    )
    seed: int = rule(7, unit="1", ge=0, le=2**31 - 1, description="Seed of initial weights, order and dropout.")
    n_seeds: int = rule(1, unit="seeds", ge=1, le=20, description="Trainings of each pair; metrics are then averaged.")


class EvaluationRules(Rules):
    """How a model is judged on its test part."""

    n_bootstrap: int = rule(1000, unit="draws", ge=200, le=100_000, description="Draws of every bootstrap interval.")


class PromotionRules(Rules):
    """When a model becomes champion and when it ceases to be one."""

    challenger_sessions: int = rule(
        10, unit="sessions", ge=2, le=250, description="Sessions for which a challenger is frozen; newer versions wait."
    )
    min_sessions_for_significance: int = rule(
        20, unit="sessions", ge=5, le=250, description="Paired sessions that a decision by significance needs."
    )
    significance: float = rule(
        0.05, unit="1", gt=0, lt=0.5, description="One-sided level of the test, shared between repeated looks."
    )
    max_age_sessions: int = rule(
        20,
        unit="sessions",
        ge=1,
        le=500,
        description="A model whose window ended longer ago gives no signals. At least twice challenger_sessions: a "
        "challenger is that old when it takes over, and serves while the next one is frozen.",
    )
    demotion_drop: float = rule(
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
                f"{self.challenger_sessions}: a promoted model would be too old before its successor is ready"
            )
        return self


class TuningRules(Rules):
    """The search for better settings of the network, on validation data alone."""

    n_trials: int = rule(20, unit="trials", ge=1, le=10_000, description="Trials that a tuning adds to the study.")
    n_pairs: int = rule(16, unit="pairs", ge=1, le=1000, description="Pairs on which each trial is judged.")


class GruRules(Rules):
    """Settings of the GRU models."""

    label: LabelRules = LabelRules()
    split: SplitRules = SplitRules()
    network: NetworkRules = NetworkRules()
    training: TrainingRules = TrainingRules()
    evaluation: EvaluationRules = EvaluationRules()
    promotion: PromotionRules = PromotionRules()
    tuning: TuningRules = TuningRules()
    max_registry_gb: float = rule(
        50.0, unit="gigabytes", gt=0, le=100_000, description="Size of the model registry from which a check warns."
    )
