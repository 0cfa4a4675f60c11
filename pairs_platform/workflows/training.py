"""One training of a sector-day: gather features, settings and history; train and judge; track and store.

What does not belong here: numerics and rules (`core.models`), and finished chunks as files (`checkpoints`).
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import pandas as pd
from pydantic import ValidationError

from pairs_platform import __version__
from pairs_platform.core.errors import ConfigurationError
from pairs_platform.core.models.bundle import SectorBundle
from pairs_platform.core.models.contracts import GRU_FORECASTS, GRU_MODELS, PAIR_FEATURES
from pairs_platform.core.models.features import PairDataset
from pairs_platform.core.models.pair_choice import TrainingChoice, TrainingHistory, choose_pairs, training_triggers
from pairs_platform.core.models.report import SectorReport, sector_report
from pairs_platform.core.models.sector_training import (
    SectorTraining,
    first_test_session,
    pooled_figures,
    train_sector,
    walk_forward_figures,
)
from pairs_platform.core.models.settings import GruSettings
from pairs_platform.core.models.splits import SplitPlan
from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.prices.calendar import sessions_between
from pairs_platform.core.prices.window import PriceWindow
from pairs_platform.core.screening.contracts import CORRELATION_MATRIX
from pairs_platform.core.selection.contracts import PAIR_SCORES
from pairs_platform.core.trading.settings import PairSettings
from pairs_platform.core.volatility.contracts import GARCH_FITS
from pairs_platform.database.models import read_performance, read_trainings
from pairs_platform.lake.files import LakePath, read_file
from pairs_platform.platform import Platform
from pairs_platform.ports.model_registry import TrackedTraining, TrainingRecord
from pairs_platform.settings.explanations import explained
from pairs_platform.views.drawing import plots
from pairs_platform.views.drawing.label import drawing_label
from pairs_platform.views.windows import load_window, past_correlation_gate
from pairs_platform.workflows.checkpoints import ChunkFiles
from pairs_platform.workflows.features import load_datasets
from pairs_platform.workflows.tuning import best_settings, tuned_sessions

if TYPE_CHECKING:
    from pairs_platform.core.models.gru.training import Checkpoint, Progress
    from pairs_platform.core.parallel import ComputeBackend

Log = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """What a run may ask for beyond the settings.

    Attributes
    ----------
    full_retrain : bool
        Train every candidate, whatever the training scope.
    n_seeds, walk_forward_folds : int or None
        Trainings of each pair instead of the configured number; folds of the report, none without a number.
    """

    full_retrain: bool = False
    n_seeds: int | None = None
    walk_forward_folds: int | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class WalkForward:
    """What the folds of a report are made from: the window, its candidates (pair, y, x), and settings of all stages."""

    n_folds: int
    window: PriceWindow
    pairs: pd.DataFrame
    pair_settings: PairSettings


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainingInputs:
    """All that one training knows.

    Attributes
    ----------
    key : PartitionKey
    run_id : str
        Run that trains.
    options : TrainingOptions
    settings : GruSettings
        As configured, tuned up to the session, and asked for by the run.
    frequency : Frequency
    datasets : sequence of PairDataset
        Every candidate.
    splits : SplitPlan or None
        None where no candidate has data.
    history : TrainingHistory
    provenance : mapping
        Stored with the features; stored with the models too.
    drawing_label : str
        What every picture says about where its figures come from.
    correlations : mapping of str to float
        By pair, on the configured basis.
    garch_fits, pair_scores : DataFrame
        Of the partition; tracked with the training.
    walk_forward : WalkForward or None
        None where the run asks for no folds.
    fingerprint : str
        Changes with the features and with every setting that training obeys.
    """

    key: PartitionKey
    run_id: str
    options: TrainingOptions
    settings: GruSettings
    frequency: Frequency
    datasets: Sequence[PairDataset]
    splits: SplitPlan | None
    history: TrainingHistory
    provenance: Mapping[str, Any]
    drawing_label: str
    correlations: Mapping[str, float]
    garch_fits: pd.DataFrame
    pair_scores: pd.DataFrame
    walk_forward: WalkForward | None
    fingerprint: str

    @property
    def test_begins(self) -> date:
        """First session of the test part; the session itself where no candidate has data."""
        return first_test_session(self.datasets, self.splits) or self.key.session


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainingResult:
    """What one training came to, not yet stored.

    Attributes
    ----------
    choice : TrainingChoice
        Which pairs were trained, and why those.
    training : SectorTraining
    rows : DataFrame
        Those of `training` with the correlation of each pair.
    pooled : mapping of str to float or None
        Figures of the whole sector.
    report : SectorReport
    pictures : mapping of str to bytes
        PNG by name; empty where no pair could be judged.
    bundle : SectorBundle or None
        None where no pair could be trained.
    history : TrainingHistory
        Earlier trainings and this one.
    """

    choice: TrainingChoice
    training: SectorTraining
    rows: pd.DataFrame
    pooled: Mapping[str, float | None]
    report: SectorReport
    pictures: Mapping[str, bytes]
    bundle: SectorBundle | None
    history: TrainingHistory


@dataclass(frozen=True, eq=False, kw_only=True)
class StoredTraining:
    """A training that is tracked and stored.

    Attributes
    ----------
    result : TrainingResult
    provenance : mapping
    tracked : TrackedTraining
    registry_bytes : int
        What the registry holds now.
    """

    result: TrainingResult
    provenance: Mapping[str, Any]
    tracked: TrackedTraining
    registry_bytes: int


def train_partition(
    platform: Platform, key: PartitionKey, options: TrainingOptions, *, run_id: str, log: Log
) -> StoredTraining:
    """Train, judge, track and store one sector-day; a killed training goes on with its finished chunks.

    Parameters
    ----------
    run_id : str
        Run that trains, as it is tracked.
    log : callable
        Takes a message about the choice of pairs and about every epoch.

    Raises
    ------
    PartitionMissing
        The partition has no features, correlations, fits or scores.
    RegistryUnavailable, DatabaseUnavailable
    """
    inputs = gather_training(platform, key, options, run_id=run_id)
    chunks = ChunkFiles(
        platform.settings.profile_root / "training" / key.sector / key.session.isoformat(), inputs.fingerprint
    )
    with platform.compute_backend() as backend:
        result = decide_training(inputs, checkpoint=chunks, backend=backend, log=log)
    stored = store_training(platform, inputs, result)
    chunks.clear()
    return stored


def gather_training(platform: Platform, key: PartitionKey, options: TrainingOptions, *, run_id: str) -> TrainingInputs:
    """Read all that a training knows."""
    lake = platform.lake
    settings = settings_of_run(platform, key, options)
    datasets, splits = load_datasets(platform, key)
    basis = f"corr_{platform.settings.correlation.basis}"
    correlations = lake.read(CORRELATION_MATRIX, key, ["pair", basis])
    provenance = lake.metadata(PAIR_FEATURES, key)
    return TrainingInputs(
        key=key,
        run_id=run_id,
        options=options,
        settings=settings,
        frequency=platform.settings.frequency,
        datasets=datasets,
        splits=splits,
        history=training_history(platform, key.sector),
        provenance=provenance,
        drawing_label=drawing_label(platform, key, str(provenance["source"])),
        correlations=dict(zip(correlations["pair"], correlations[basis], strict=True)),
        garch_fits=lake.read(GARCH_FITS, key),
        pair_scores=lake.read(PAIR_SCORES, key),
        walk_forward=_walk_forward(platform, key, options),
        fingerprint=_fingerprint(lake.path(PAIR_FEATURES.table, key), settings),
    )


def settings_of_run(platform: Platform, key: PartitionKey, options: TrainingOptions) -> GruSettings:
    """The settings of one training: the configuration, the newest tuning up to its session, what the run asks for.

    Raises
    ------
    ConfigurationError
        Together they are outside what is valid.
    """
    settings = platform.settings.gru
    tuned = [day for day in tuned_sessions(platform, key.sector) if day <= key.session]
    if tuned:
        best = best_settings(platform, PartitionKey(tuned[-1], key.sector))
        settings = settings.model_copy(update={"network": settings.network.model_copy(update=best)})
    if options.n_seeds is not None:
        training = settings.training.model_copy(update={"n_seeds": options.n_seeds})
        settings = settings.model_copy(update={"training": training})
    try:
        return GruSettings.model_validate(settings.model_dump())
    except ValidationError as error:
        raise ConfigurationError(f"the settings of this training: {explained(error, (), 'gru')}") from None


def training_history(platform: Platform, sector: str) -> TrainingHistory:
    """Past trainings of a sector and the lifts of their pairs, from the database."""
    trainings = read_trainings(platform.database, sector)
    performance = read_performance(platform.database, sector)
    judged = performance[performance["status"] == "ok"] if len(performance) else performance
    return TrainingHistory(
        trainings=trainings[["session", "full_retrain", "seconds"]],
        lifts=judged[["session", "pair", "lift"]],
    )


def _walk_forward(platform: Platform, key: PartitionKey, options: TrainingOptions) -> WalkForward | None:
    if not options.walk_forward_folds:
        return None
    settings = platform.settings
    return WalkForward(
        n_folds=options.walk_forward_folds,
        window=load_window(platform, key),
        pairs=past_correlation_gate(platform, key),
        pair_settings=settings.pair_settings,
    )


def _fingerprint(features: LakePath, settings: GruSettings) -> str:
    digest = hashlib.sha256(read_file(features))
    digest.update(settings.model_dump_json().encode())
    digest.update(__version__.encode())
    return digest.hexdigest()


def decide_training(
    inputs: TrainingInputs, *, checkpoint: "Checkpoint", backend: "ComputeBackend", log: Log
) -> TrainingResult:
    """Choose the pairs, train them and judge them."""
    choice = choose_pairs(
        [dataset.pair for dataset in inputs.datasets if dataset.status == "ok"],
        inputs.history,
        session=inputs.key.session,
        test_begins=inputs.test_begins,
        settings=inputs.settings,
        full_retrain=inputs.options.full_retrain,
    )
    n_chosen, n_candidates = len(choice.pairs), len(inputs.datasets)
    log(f"{inputs.key}: {n_chosen} of {n_candidates} pairs are trained ({choice.scope_reason})")

    def log_epoch(progress: "Progress") -> None:
        log(
            f"training {inputs.key}: chunk {progress.chunk} of {progress.chunks}, epoch {progress.epoch} of at most "
            f"{progress.max_epochs}, {progress.pairs_active} of {progress.pairs} pairs active, at most "
            f"{progress.seconds_left:.0f} s left"
        )

    training = train_sector(
        inputs.datasets,
        choice.pairs,
        inputs.splits,
        settings=inputs.settings,
        listener=log_epoch,
        checkpoint=checkpoint,
        backend=backend,
    )
    return _judged(inputs, choice, training)


def _judged(inputs: TrainingInputs, choice: TrainingChoice, training: SectorTraining) -> TrainingResult:
    rows = training.rows.assign(correlation=training.rows["pair"].map(inputs.correlations))
    pooled = pooled_figures(training.pooled)
    return TrainingResult(
        choice=choice,
        training=training,
        rows=rows,
        pooled=pooled,
        report=sector_report(rows, pooled=pooled, seconds=training.seconds, folds=_folds(inputs)),
        pictures=_pictures(inputs, rows, training),
        bundle=_bundle(inputs, training),
        history=inputs.history.followed_by(
            inputs.key.session,
            full_retrain=choice.full_retrain,
            seconds=training.seconds,
            lifts=rows.loc[rows["status"] == "ok", ["pair", "lift"]],
        ),
    )


def _folds(inputs: TrainingInputs) -> list[dict[str, Any]] | None:
    """Pooled figures of models trained on the first part of the window and judged on the bars after it."""
    parts = inputs.walk_forward
    if parts is None:
        return None
    return walk_forward_figures(
        parts.window,
        parts.pairs,
        parts.n_folds,
        settings=inputs.settings,
        pair_settings=parts.pair_settings,
    )


def _pictures(inputs: TrainingInputs, rows: pd.DataFrame, training: SectorTraining) -> dict[str, bytes]:
    judged = rows[rows["status"] == "ok"]
    if judged.empty:
        return {}
    label = inputs.drawing_label
    forecasts, lift = training.forecasts, judged["lift"].to_numpy()
    return {
        "reliability": plots.reliability_diagram(
            forecasts["probability"].to_numpy(), forecasts["label"].to_numpy(), label=label
        ),
        "lift": plots.lift_distribution(lift, judged["lift_low"].to_numpy(), list(judged["pair"]), label=label),
        "learning_curves": plots.learning_curves(training.curves, label=label),
    }


def _bundle(inputs: TrainingInputs, training: SectorTraining) -> SectorBundle | None:
    if not training.models:
        return None
    provenance, settings = inputs.provenance, inputs.settings
    return SectorBundle(
        sector=inputs.key.sector,
        source_label=str(provenance["source"]),
        code_version=__version__,
        dagster_run_id=inputs.run_id,
        first_session=date.fromisoformat(str(provenance["first_session"])),
        session=inputs.key.session,
        frequency=inputs.frequency,
        label=settings.label.kind,
        sequence_length=settings.network.sequence_length,
        bars_per_session=int(provenance["bars_per_session"]),
        pairs=training.models,
    )


def store_training(platform: Platform, inputs: TrainingInputs, result: TrainingResult) -> StoredTraining:
    """Track a training and register its models, then store its tables with what the database will hold of it."""
    lake, key = platform.lake, inputs.key
    tracked = platform.registry.log_training(_tracking_record(platform, inputs, result))
    stored = StoredTraining(
        result=result,
        provenance=inputs.provenance,
        tracked=tracked,
        registry_bytes=platform.registry.storage_bytes(),
    )
    about = {
        **inputs.provenance,
        "training": _database_row(platform, inputs, stored),
        "report": result.report.document(),
    }
    lake.write(GRU_FORECASTS, key, result.training.forecasts, about)
    runs = [tracked.pair_runs.get(pair, (None, None)) for pair in result.rows["pair"]]
    rows = result.rows.copy()
    rows["model_run_id"], rows["run_name"] = [run_id for run_id, _ in runs], [name for _, name in runs]
    lake.write(GRU_MODELS, key, GRU_MODELS.frame(rows), about)
    return stored


def _tracking_record(platform: Platform, inputs: TrainingInputs, result: TrainingResult) -> TrainingRecord:
    settings, training = inputs.settings, result.training
    figures = {**result.pooled, "seconds": training.seconds}
    return TrainingRecord(
        sector=inputs.key.sector,
        session=inputs.key.session,
        dagster_run_id=inputs.run_id,
        trained_utc=platform.clock(),
        params={
            **{f"network.{name}": value for name, value in settings.network.model_dump().items()},
            **{f"label.{name}": value for name, value in settings.label.model_dump().items()},
            "scope": result.choice.scope,
            "seed": settings.training.seed,
            "n_seeds": settings.training.n_seeds,
            "source": inputs.provenance["source"],
            "first_session": inputs.provenance["first_session"],
        },
        pooled={name: value for name, value in figures.items() if value is not None},
        pairs=result.rows,
        tables={
            "curves": training.curves,
            "forecasts": training.forecasts,
            "garch_fits": inputs.garch_fits,
            "pair_scores": inputs.pair_scores,
            "report": result.report.table(),
        },
        pictures=result.pictures,
        bundle=result.bundle,
    )


def _database_row(platform: Platform, inputs: TrainingInputs, stored: StoredTraining) -> dict[str, Any]:
    """The training as a row of `model_training`, JSON-ready; `model_tables` brings it into the database."""
    result, tracked = stored.result, stored.tracked
    choice, statuses = result.choice, result.rows["status"].value_counts()
    n_trained = int(statuses.get("ok", 0))
    triggers = training_triggers(
        result.history,
        len(sessions_between(inputs.test_begins, inputs.key.session)),
        registry_bytes=stored.registry_bytes,
        settings=inputs.settings,
    )
    return {
        "run_id": tracked.run_id,
        "run_name": tracked.run_name,
        "dagster_run_id": inputs.run_id,
        "model_version": tracked.version.version if tracked.version else None,
        "scope": choice.scope,
        "scope_reason": choice.scope_reason[:400],
        "full_retrain": choice.full_retrain,
        "n_candidates": len(result.rows),
        "n_trained": n_trained,
        "n_failed": int(statuses.get("failed", 0)),
        "n_pairs": n_trained,
        "seconds": result.training.seconds,
        "registry_bytes": stored.registry_bytes,
        "triggers": triggers,
        "trained_utc": platform.clock().isoformat(),
        **{name: value for name, value in result.pooled.items() if name not in ("n_pairs", "n_labels", "n_sessions")},
    }
