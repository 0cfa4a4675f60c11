"""The search for network settings: trials of one study for each sector and session, judged on validation data alone.

What does not belong here: where the study is stored, and when a search is run.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pairs_platform.core.errors import DataError
from pairs_platform.core.models.features import PairDataset
from pairs_platform.core.models.settings import GruSettings
from pairs_platform.core.models.splits import SplitPlan

LOST = 1.0
"""Loss of a pair that could not be trained [nats]: worse than any forecast that is of use."""


@dataclass(frozen=True, eq=False, kw_only=True)
class TuningResult:
    """What a study has come to so far.

    Attributes
    ----------
    best : mapping
        Settings of `NetworkSettings` with the smallest validation loss.
    validation_loss, default_loss : float
        Mean over pairs of the best trial, and of the configured settings [nats].
    n_trials : int
        Trials of the study, earlier searches on the same window included.
    trials : DataFrame
        number, value and settings of the finished trials, best first.
    """

    best: Mapping[str, Any]
    validation_loss: float
    default_loss: float
    n_trials: int
    trials: pd.DataFrame

    def document(self) -> dict[str, Any]:
        """JSON-ready form."""
        return {
            "best": dict(self.best),
            "validation_loss": self.validation_loss,
            "default_loss": self.default_loss,
            "n_trials": self.n_trials,
        }


def tune(
    datasets: Sequence[PairDataset],
    plan: SplitPlan | None,
    *,
    settings: GruSettings,
    storage: str,
    study: str,
    earlier_best: Sequence[Mapping[str, Any]] = (),
    log: Callable[[str], None],
) -> TuningResult:
    """Add `settings.tuning.n_trials` trials to a study; one that was interrupted goes on where it stopped.

    A study belongs to one window, and the sequence length, which decides the split, is not searched: losses on
    different data do not compare. The first trial of a study has the configured settings, so the best is never worse
    than they are on validation.

    Parameters
    ----------
    datasets : sequence of PairDataset
        With status "ok"; `settings.tuning.n_pairs` of them, evenly spread, judge each trial.
    storage, study : str
        Optuna's storage URL and the name of the study.
    earlier_best : sequence of mapping
        Settings that did well on earlier windows; the trials after the first one try them.
    log : callable
        Takes a message about every trial.

    Raises
    ------
    DataError
        Without a pair that could be trained.
    """
    import optuna

    from pairs_platform.core.models.gru.training import train_pairs

    if not datasets or plan is None:
        raise DataError("no pair has enough data to be trained: there is nothing to tune on")
    picked = np.unique(np.linspace(0, len(datasets) - 1, min(settings.tuning.n_pairs, len(datasets))).astype(int))
    pairs = [datasets[k] for k in picked]
    configured = {
        name: getattr(settings.network, name) for name in ("hidden_1", "hidden_2", "dropout", "learning_rate")
    }

    def objective(trial: optuna.Trial) -> float:
        searched = {
            "hidden_1": trial.suggest_int("hidden_1", 2, 128, log=True),
            "hidden_2": trial.suggest_int("hidden_2", 2, 64, log=True),
            "dropout": trial.suggest_float("dropout", 0.0, 0.6),
            "learning_rate": trial.suggest_float("learning_rate", 1e-5, 1e-2, log=True),
        }
        own = settings.model_copy(update={"network": settings.network.model_copy(update=searched)})
        trained = train_pairs(pairs, plan, settings=own, seed=settings.training.seed)
        losses = [
            min((held for _, held in pair.curve), default=LOST) if pair.status == "ok" else LOST for pair in trained
        ]
        return float(np.mean(losses))

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    opened = optuna.create_study(
        study_name=study,
        storage=storage,
        load_if_exists=True,
        sampler=optuna.samplers.TPESampler(seed=settings.training.seed),
    )
    if not opened.trials:
        for trial in (configured, *earlier_best):
            opened.enqueue_trial(dict(trial))

    def report(running: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        log(f"trial {trial.number}: {trial.value:.5f} nats; best {running.best_value:.5f} {running.best_params}")

    opened.optimize(objective, n_trials=settings.tuning.n_trials, callbacks=[report])
    frame = opened.trials_dataframe(attrs=("number", "value", "params", "state"))
    done = frame[frame["state"] == "COMPLETE"].sort_values("value").drop(columns="state")
    return TuningResult(
        best=dict(opened.best_params),
        validation_loss=float(opened.best_value),
        default_loss=float(done.loc[done["number"] == 0, "value"].iloc[0]),
        n_trials=len(opened.trials),
        trials=done.reset_index(drop=True),
    )
