"""The models of a sector-day as a whole: train the chosen pairs, judge them on their test parts, put them in a bundle.

What does not belong here: one pair's features, training and metrics (their own modules), and storing anything.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

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
    chosen: Sequence[str],
    plan: SplitPlan | None,
    *,
    settings: GruSettings,
    listener: Any = None,
    checkpoint: Any = None,
    backend: ComputeBackend = LOCAL,
) -> SectorTraining:
    """Train the chosen pairs and judge each on its test part.

    Parameters
    ----------
    datasets : sequence of PairDataset
        Every candidate; those without data, and those not chosen, keep a row with their status.
    chosen : sequence of str
        Pairs that the scope trains.
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
    wanted = set(chosen)
    ready = [one for one in datasets if one.status == "ok" and one.pair in wanted]
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
    rows: list[dict[str, Any]] = []
    forecasts: list[TestForecasts] = []
    frames, curves, models = [], [], []
    position = {one.pair: i for i, one in enumerate(ready)}
    for dataset in datasets:
        head = {"pair": dataset.pair, "status": dataset.status, "reason": dataset.reason or None}
        if dataset.pair not in position:
            if dataset.status == "ok":
                head |= {"status": "not_chosen", "reason": "left out by the scope"}
            rows.append(head)
            continue
        outcomes = [trained[position[dataset.pair]] for trained in by_seed]
        first = outcomes[0]
        curves += [
            {"pair": dataset.pair, "epoch": epoch, "train_loss": train, "validation_loss": validation}
            for epoch, (train, validation) in enumerate(first.curve, 1)
        ]
        usable = [(one.baseline, one.weights) for one in outcomes if one.baseline and one.weights]
        if len(usable) < len(outcomes):
            reason = next(one.reason for one in outcomes if one.reason)
            rows.append({**head, "status": "failed", "reason": reason})
            continue
        judged = [_judge(dataset, plan, baseline, weights, settings) for baseline, weights in usable]
        baseline, weights = usable[0]
        metrics, threshold, test = judged[0]
        if len(judged) > 1:
            metrics = _mean_of([one[0] for one in judged]) | gain_intervals(
                [one[2] for one in judged],
                block=_block(dataset, settings),
                settings=settings.evaluation,
                seed=settings.training.seed,
            )
        forecasts.append(test)
        frames.append(_frame(dataset, plan, test, settings))
        models.append(PairModel.of(dataset, baseline, weights, threshold, metrics))
        rows.append(
            head
            | counts(dataset, plan, settings)
            | metrics
            | {
                "best_epoch": first.best_epoch,
                "epochs": first.epochs,
                "threshold": threshold,
                "baseline": baseline.kind,
            }
        )
    table = GRU_MODELS.frame(rows).drop(columns=list(REGISTERED))
    p = table["skill_p"].to_numpy(dtype=float)
    tested = np.isfinite(p)
    if tested.any():
        table.loc[tested, "skill_q"] = stats.false_discovery_control(p[tested])
    table["skill_q"] = table["skill_q"].astype("float64")
    return SectorTraining(
        rows=table,
        forecasts=pd.concat(frames, ignore_index=True) if frames else GRU_FORECASTS.empty(),
        curves=pd.DataFrame(curves, columns=["pair", "epoch", "train_loss", "validation_loss"]),
        models=tuple(models),
        pooled=pool(forecasts),
        seconds=seconds,
    )


def counts(dataset: PairDataset, plan: SplitPlan, settings: GruSettings) -> dict[str, int]:
    """Usable labels of each part, and how many of the test part's reach into another session."""
    usable = usable_rows(dataset.features, dataset.label, settings.network.sequence_length)
    found = {f"n_{name}": int(usable[getattr(plan, name)].sum()) for name in ("train", "validation", "test")}
    return found | {"n_overnight": int((usable & dataset.overnight)[plan.test].sum())}


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
    ready = next((one for one in datasets if one.status == "ok"), None)
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
    columns = {name: [one[name] for one in metrics] for name in metrics[0]}
    means = {
        name: None if any(value is None for value in values) else float(np.mean([float(v or 0.0) for v in values]))
        for name, values in columns.items()
    }
    return means | {"lift_seed_sd": float(np.std([float(one["lift"] or 0.0) for one in metrics], ddof=1))}


def _frame(dataset: PairDataset, plan: SplitPlan, test: TestForecasts, settings: GruSettings) -> pd.DataFrame:
    usable = usable_rows(dataset.features, dataset.label, settings.network.sequence_length)
    rows = np.arange(len(usable))
    chosen = usable & (rows >= plan.test.start) & (rows < plan.test.stop)
    return pd.DataFrame(
        {
            "pair": dataset.pair,
            "ts_utc": pd.DatetimeIndex(dataset.ts_utc[chosen], tz="UTC"),
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
    """Pooled figures of models that are trained on the bars before each of several stretches and judged on it.

    Everything is estimated anew for each fold, spreads and GARCH parameters included, on bars before the stretch alone.

    Parameters
    ----------
    pairs : DataFrame
        pair, y, x: candidates of the whole window. Which pairs are candidates has therefore seen the stretches; what
        is predicted about them has not.

    Returns
    -------
    list of dict
        fold, bars seen, bars judged, and the pooled figures.
    """
    found = []
    for number, fold in enumerate(walk_forward(window.n_bars, n_folds), 1):
        part = truncated(window, fold.n_bars)
        seen = fold.n_seen / fold.n_bars
        share = settings.split.train_fraction / (settings.split.train_fraction + settings.split.validation_fraction)
        split = settings.split.model_copy(
            update={"train_fraction": share * seen, "validation_fraction": (1.0 - share) * seen, "min_test_labels": 5}
        )
        own = settings.model_copy(
            update={"split": split, "training": settings.training.model_copy(update={"n_seeds": 1})}
        )
        datasets, plan, _ = pair_datasets(part, pairs, settings=own, pair_settings=pair_settings)
        training = train_sector(datasets, [one.pair for one in datasets], plan, settings=own)
        found.append(
            {"fold": number, "bars_seen": fold.n_seen, "bars_judged": fold.n_bars - fold.n_seen}
            | pooled_figures(training.pooled)
        )
    return found


def truncated(window: PriceWindow, n_bars: int) -> PriceWindow:
    """The first `n_bars` bars of a window."""
    rows = slice(0, n_bars)
    cut = {name: getattr(window, name)[rows] for name in _BY_BAR}
    return replace(window, **cut)


_BY_BAR = ("ts_utc", "session", "bar_of_day", "log_close", "log_open", "observed", "ex_action")
