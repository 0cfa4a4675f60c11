"""The models of a sector-day as a whole: train the chosen pairs, judge them on their test parts, put them in a bundle.

What does not belong here: one pair's features, training and metrics (their own modules), and storing anything.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pairs_platform.core.models.baseline import Baseline
from pairs_platform.core.models.bundle import PairModel
from pairs_platform.core.models.contracts import GRU_FORECASTS, GRU_MODELS, REGISTERED
from pairs_platform.core.models.evaluation import (
    Pooled,
    TestForecasts,
    choose_threshold,
    evaluate_pair,
    gain_intervals,
    pool,
)
from pairs_platform.core.models.features import PairDataset, pair_datasets, usable_rows
from pairs_platform.core.models.gru.inference import GruWeights, predict
from pairs_platform.core.models.settings import GruSettings
from pairs_platform.core.models.splits import SplitPlan, split_plan, walk_forward
from pairs_platform.core.parallel import LOCAL, ComputeBackend
from pairs_platform.core.prices.window import PriceWindow
from pairs_platform.core.time import MARKET_TIMEZONE
from pairs_platform.core.trading.settings import PairSettings

if TYPE_CHECKING:
    from pairs_platform.core.models.gru.training import TrainedPair


@dataclass(frozen=True, eq=False, kw_only=True)
class SectorTraining:
    """Outcome of one sector-day.

    Attributes
    ----------
    rows : DataFrame
        One row for each candidate, the columns of `GRU_MODELS` without `REGISTERED`.
    forecasts : DataFrame
        `GRU_FORECASTS` of the test parts.
    curves : DataFrame
        pair, epoch, train_loss, validation_loss [nats].
    models : tuple of PairModel
        The pairs with status "ok".
    pooled : Pooled or None
        None where no pair could be judged.
    seconds : float
        Wall time of the training.
    """

    rows: pd.DataFrame
    forecasts: pd.DataFrame
    curves: pd.DataFrame
    models: tuple[PairModel, ...]
    pooled: Pooled | None
    seconds: float


def train_sector(
    datasets: Sequence[PairDataset],
    pairs: Sequence[str],
    plan: SplitPlan | None,
    *,
    settings: GruSettings,
    listener: Any = None,
    checkpoint: Any = None,
    backend: ComputeBackend = LOCAL,
) -> SectorTraining:
    """Train some of the pairs and judge each of them on its test part.

    Parameters
    ----------
    datasets : sequence of PairDataset
        Every candidate; those without data, and those not chosen, keep a row with their status.
    pairs : sequence of str
        Those to train.
    plan : SplitPlan or None
        None where no candidate has data.
    listener : training.Listener, optional
    checkpoint : training.Checkpoint, optional
        Serves the first seed; further seeds are for the report alone.
    backend : ComputeBackend, optional
        Where the work is done; in the threads of this process if not given.

    Notes
    -----
    With `settings.training.n_seeds` above 1 each pair is trained that often; metrics are means over the seeds,
    intervals and p-values of skill and lift are those of the seeds' mean losses, `lift_seed_sd` is the standard
    deviation of the lift between them; the bundle and the pooled figures are of the first seed's models.
    """
    from pairs_platform.core.models.gru.training import train_pairs

    started = time.monotonic()
    wanted = set(pairs)
    ready = [dataset for dataset in datasets if dataset.status == "ok" and dataset.pair in wanted]
    if plan is None:
        if ready:
            raise ValueError(f"{ready[0].pair} has data, and there is no plan that splits it")
        plan = split_plan(0, settings=settings, horizon_bars=1)
    by_seed = [
        train_pairs(
            ready,
            plan,
            settings=settings,
            seed=settings.training.seed + extra,
            listener=listener,
            checkpoint=None if extra else checkpoint,
            backend=backend,
        )
        for extra in range(settings.training.n_seeds if ready else 0)
    ]
    seconds = time.monotonic() - started
    outcomes = {dataset.pair: [trained[i] for trained in by_seed] for i, dataset in enumerate(ready)}
    judged = {dataset.pair: _judge_pair(dataset, plan, outcomes[dataset.pair], settings) for dataset in ready}
    succeeded = [(dataset, pair) for dataset in ready if (pair := judged[dataset.pair]) is not None]
    frames = [_frame(dataset, plan, pair.test, settings) for dataset, pair in succeeded]
    return SectorTraining(
        rows=_rows(datasets, outcomes, judged, plan, settings),
        forecasts=pd.concat(frames, ignore_index=True) if frames else GRU_FORECASTS.empty(),
        curves=_curves(outcomes),
        models=tuple(pair.model for _, pair in succeeded),
        pooled=pool([pair.test for _, pair in succeeded]),
        seconds=seconds,
    )


@dataclass(frozen=True, eq=False)
class _JudgedPair:
    """A pair on its test part: metrics over the seeds; threshold, forecasts and model of the first one."""

    metrics: dict[str, float | None]
    threshold: float
    test: TestForecasts
    model: PairModel


def _judge_pair(
    dataset: PairDataset, plan: SplitPlan, outcomes: "Sequence[TrainedPair]", settings: GruSettings
) -> _JudgedPair | None:
    """None where the training of a seed failed."""
    trained = [(outcome.baseline, outcome.weights) for outcome in outcomes if outcome.baseline and outcome.weights]
    if len(trained) < len(outcomes):
        return None
    judged = [_judge(dataset, plan, baseline, weights, settings) for baseline, weights in trained]
    (baseline, weights), (metrics, threshold, test) = trained[0], judged[0]
    if len(judged) > 1:
        metrics = _mean_of([metrics for metrics, _, _ in judged]) | gain_intervals(
            [test for _, _, test in judged],
            block=_block(dataset, settings),
            settings=settings.evaluation,
            seed=settings.training.seed,
        )
    model = PairModel.of(dataset, baseline, weights, threshold, metrics)
    return _JudgedPair(metrics=metrics, threshold=threshold, test=test, model=model)


def _rows(
    datasets: Sequence[PairDataset],
    outcomes: "Mapping[str, Sequence[TrainedPair]]",
    judged: Mapping[str, _JudgedPair | None],
    plan: SplitPlan,
    settings: GruSettings,
) -> pd.DataFrame:
    rows = []
    for dataset in datasets:
        row: dict[str, Any] = {"pair": dataset.pair, "status": dataset.status, "reason": dataset.reason or None}
        of_seeds, pair = outcomes.get(dataset.pair), judged.get(dataset.pair)
        if of_seeds is None:
            if dataset.status == "ok":
                row |= {"status": "not_chosen", "reason": "left out by the scope"}
        elif pair is None:
            row |= {"status": "failed", "reason": next(outcome.reason for outcome in of_seeds if outcome.reason)}
        else:
            row |= counts(dataset, plan, settings) | pair.metrics
            row |= {
                "best_epoch": of_seeds[0].best_epoch,
                "epochs": of_seeds[0].epochs,
                "threshold": pair.threshold,
                "baseline": pair.model.baseline.kind,
            }
        rows.append(row)
    table = GRU_MODELS.frame(rows).drop(columns=list(REGISTERED))
    p = table["skill_p"].to_numpy(dtype=float)
    tested = np.isfinite(p)
    if tested.any():
        from scipy.stats import false_discovery_control

        table.loc[tested, "skill_q"] = false_discovery_control(p[tested])
    return table.astype({"skill_q": "float64"})


def _curves(outcomes: "Mapping[str, Sequence[TrainedPair]]") -> pd.DataFrame:
    """Losses of the first seed by epoch."""
    rows = [
        (pair, epoch, train, validation)
        for pair, of_seeds in outcomes.items()
        for epoch, (train, validation) in enumerate(of_seeds[0].curve, 1)
    ]
    return pd.DataFrame(rows, columns=["pair", "epoch", "train_loss", "validation_loss"])


def counts(dataset: PairDataset, plan: SplitPlan, settings: GruSettings) -> dict[str, int]:
    """Usable labels of each part, and how many of the test part's reach into another session."""
    usable = usable_rows(dataset.features, dataset.label, settings.network.sequence_length)
    labels = {f"n_{name}": int(usable[getattr(plan, name)].sum()) for name in ("train", "validation", "test")}
    return labels | {"n_overnight": int((usable & dataset.overnight)[plan.test].sum())}


def _judge(
    dataset: PairDataset, plan: SplitPlan, baseline: Baseline, weights: GruWeights, settings: GruSettings
) -> tuple[dict[str, float | None], float, TestForecasts]:
    """Metrics of the test part, the threshold chosen on validation, and the forecasts that were judged."""
    assert dataset.scaling is not None
    length = settings.network.sequence_length
    usable = usable_rows(dataset.features, dataset.label, length)
    rows = np.arange(len(usable))
    held = usable & (rows >= plan.validation.start) & (rows < plan.validation.stop)
    test = usable & (rows >= plan.test.start) & (rows < plan.test.stop)
    start = max(0, plan.validation.start - length + 1)
    probability = np.full(len(usable), np.nan)
    probability[start:] = predict(weights, baseline, dataset.scaling, dataset.features[start:], length)
    threshold = choose_threshold(probability[held], dataset.label[held])
    forecasts = TestForecasts(
        pair=dataset.pair,
        session=sessions_of_starts(dataset.ts_utc[test]),
        label=dataset.label[test],
        probability=probability[test],
        base_probability=np.full(int(test.sum()), baseline.base_rate),
        baseline_probability=baseline.probability(dataset.excess[test]),
    )
    metrics = evaluate_pair(
        forecasts,
        threshold=threshold,
        block=_block(dataset, settings),
        settings=settings.evaluation,
        seed=settings.training.seed,
    )
    return metrics, threshold, forecasts


def _block(dataset: PairDataset, settings: GruSettings) -> int:
    return max(settings.network.sequence_length, 2 * dataset.horizon_bars)


def first_test_session(datasets: Sequence[PairDataset], plan: SplitPlan | None) -> date | None:
    """Session in which the test part begins; None where no pair has data."""
    ready = next((dataset for dataset in datasets if dataset.status == "ok"), None)
    if ready is None or plan is None:
        return None
    first: date = sessions_of_starts(ready.ts_utc[plan.test])[0].astype(object)
    return first


def sessions_of_starts(ts_utc: np.ndarray) -> np.ndarray:
    """Session date (datetime64[D]) of each bar start: its date in New York."""
    local = pd.DatetimeIndex(ts_utc, tz="UTC").tz_convert(MARKET_TIMEZONE).tz_localize(None)
    return local.to_numpy().astype("datetime64[D]")


def _mean_of(metrics: Sequence[Mapping[str, float | None]]) -> dict[str, float | None]:
    """Mean of each metric over seeds, None where a seed has none, and how far the lift varies."""
    columns = {name: [of_seed[name] for of_seed in metrics] for name in metrics[0]}
    means = {
        name: None if any(value is None for value in values) else float(np.mean([float(v or 0.0) for v in values]))
        for name, values in columns.items()
    }
    return means | {"lift_seed_sd": float(np.std([float(of_seed["lift"] or 0.0) for of_seed in metrics], ddof=1))}


def _frame(dataset: PairDataset, plan: SplitPlan, test: TestForecasts, settings: GruSettings) -> pd.DataFrame:
    usable = usable_rows(dataset.features, dataset.label, settings.network.sequence_length)
    rows = np.arange(len(usable))
    tested = usable & (rows >= plan.test.start) & (rows < plan.test.stop)
    return pd.DataFrame(
        {
            "pair": dataset.pair,
            "ts_utc": pd.DatetimeIndex(dataset.ts_utc[tested], tz="UTC"),
            "label": test.label,
            "probability": test.probability,
            "base_probability": test.base_probability,
            "baseline_probability": test.baseline_probability,
        }
    )


def pooled_figures(pooled: Pooled | None) -> dict[str, float | None]:
    """The pooled figures by name; without a judged pair only the counts, which are zero."""
    if pooled is None:
        return {"n_pairs": 0, "n_labels": 0, "n_sessions": 0}
    return {name: None if not np.isfinite(value) else value for name, value in asdict(pooled).items()}


def walk_forward_figures(
    window: PriceWindow,
    pairs: pd.DataFrame,
    n_folds: int,
    *,
    settings: GruSettings,
    pair_settings: PairSettings,
) -> list[dict[str, Any]]:
    """Pooled figures of models that are trained on the bars before each of several test parts and judged on it.

    Everything is estimated again for each fold, spreads and GARCH parameters included, on the bars before it alone.

    Parameters
    ----------
    pairs : DataFrame
        pair, y, x: candidates of the whole window. Which pairs are candidates has therefore seen the test parts; what
        is predicted about them has not.

    Returns
    -------
    list of dict
        fold, bars seen, bars judged, and the pooled figures.
    """
    figures = []
    for number, fold in enumerate(walk_forward(window.n_bars, n_folds), 1):
        part = window.first_bars(fold.n_bars)
        seen = fold.n_seen / fold.n_bars
        share = settings.split.train_fraction / (settings.split.train_fraction + settings.split.validation_fraction)
        split = settings.split.model_copy(
            update={"train_fraction": share * seen, "validation_fraction": (1.0 - share) * seen, "min_test_labels": 5}
        )
        own = settings.model_copy(
            update={"split": split, "training": settings.training.model_copy(update={"n_seeds": 1})}
        )
        datasets, plan, _ = pair_datasets(part, pairs, settings=own, pair_settings=pair_settings)
        training = train_sector(datasets, [dataset.pair for dataset in datasets], plan, settings=own)
        figures.append(
            {"fold": number, "bars_seen": fold.n_seen, "bars_judged": fold.n_bars - fold.n_seen}
            | pooled_figures(training.pooled)
        )
    return figures
