"""The assets of the models: features, training, performance tables, losses in shadow, champion, tuning.

They come after `trading_config` in the daily run (their steps have a lower priority), and nothing that trades waits for
them. What does not belong here: what they compute (`core.gru`) and how a run of them is put together (`work`).
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.defs.metadata import table
from pairs_platform.defs.outcomes import for_each_partition
from pairs_platform.defs.partitions import lake_keys, session_by_sector
from pairs_platform.defs.prices.assets import price_history
from pairs_platform.defs.screening.assets import cointegrated_pairs, correlation_matrix
from pairs_platform.defs.selection.assets import pair_scores
from pairs_platform.defs.volatility.assets import garch_fits
from pairs_platform.platform import Platform

AFTER_TRADING = {"dagster/priority": "-1"}
"""Steps with a lower priority than those that lead to the trading configuration."""

REGISTRY_RETRIES = dg.RetryPolicy(max_retries=2, delay=30, backoff=dg.Backoff.EXPONENTIAL)


class TrainingChoice(dg.Config):
    """What a run may ask for beyond the settings."""

    full_baseline: bool = False
    n_seeds: int | None = None
    walk_forward_folds: int | None = None


@dg.asset(
    deps=[price_history, correlation_matrix, cointegrated_pairs],
    partitions_def=session_by_sector,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="models",
    kinds={"parquet", "numpy"},
    owners=["team:research"],
    code_version="1",
    op_tags=AFTER_TRADING,
)
def pair_features(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
    """Features and label of every bar, from a spread that only the models' training part has estimated.

    Beside it `feature_fits`, the parameters of that spread, and `feature_scaling`: scaling constants of the training
    part, and why a pair has no features.
    """
    from pairs_platform.core.models.contracts import (
        FEATURE_FITS,
        FEATURE_SCALING,
        PAIR_FEATURES,
        feature_frame,
        scaling_frame,
    )
    from pairs_platform.core.models.features import pair_datasets
    from pairs_platform.views.windows import load_window, past_correlation_gate, window_metadata

    settings, lake = platform.settings, platform.lake

    def describe(key: PartitionKey) -> dict[str, Any]:
        window = load_window(platform, key)
        datasets, plan, fits = pair_datasets(
            window, past_correlation_gate(platform, key), settings=settings.gru, garch=settings.garch,
            trading=settings.trading, costs=settings.costs,
        )  # fmt: skip
        facts = window_metadata(platform, key, window) | {"bars_per_session": int(window.bar_of_day.max()) + 1}
        scaling, features = scaling_frame(datasets), feature_frame(datasets, plan)
        lake.write(FEATURE_FITS, key, fits, facts)
        lake.write(FEATURE_SCALING, key, scaling, facts)
        path = lake.write(PAIR_FEATURES, key, features, facts)
        labels = features.groupby("part")["label"].agg(["count", "mean"]).reset_index()
        return {
            **facts,
            "dagster/row_count": len(features),
            "statuses": scaling["status"].value_counts().to_dict(),
            "purge_bars": plan.purge_bars,
            "overnight_labels": float(features["overnight"].mean()) if len(features) else 0.0,
            "labels": table(labels.rename(columns={"count": "labels", "mean": "share that reverts"})),
            "megabytes": path.stat().st_size / 1e6,
        }

    for_each_partition(context, describe)


@dg.asset(
    deps=[correlation_matrix, garch_fits, pair_scores, pair_features],
    partitions_def=session_by_sector,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="models",
    kinds={"pytorch", "mlflow"},
    owners=["team:research"],
    code_version="1",
    pool="training",
    op_tags=AFTER_TRADING,
    retry_policy=REGISTRY_RETRIES,
)
def gru_models(context: dg.AssetExecutionContext, config: TrainingChoice, platform: dg.ResourceParam[Platform]) -> None:
    """A GRU for every chosen pair, trained together, judged on test data alone, tracked and registered in MLflow.

    A killed training goes on with the chunks that were finished; a pair that fails has a reason, and the others go on.
    """
    from pairs_platform.defs.models.work import train_partition

    def train(key: PartitionKey) -> dict[str, Any]:
        return train_partition(context, platform, key, config.model_dump())

    for_each_partition(context, train)


@dg.multi_asset(
    specs=[
        dg.AssetSpec(
            name,
            deps=[gru_models],
            group_name="models",
            kinds={"sql"},
            owners=["team:research"],
            code_version="1",
            description=description,
        )
        for name, description in (
            ("model_performance", "One row for each pair and training, in the database, with its MLflow run."),
            ("model_rankings", "The models of each session ranked by lift and by F1, in the database."),
            ("model_trends", "Means over 7 and 30 sessions, the best and the number of trainings, in the database."),
        )
    ],
    name="model_tables",
    partitions_def=session_by_sector,
    backfill_policy=dg.BackfillPolicy.single_run(),
    op_tags=AFTER_TRADING,
    retry_policy=REGISTRY_RETRIES,
)
def model_tables(
    context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]
) -> Iterator[dg.MaterializeResult]:
    """Performance, rankings and trends of each training, stored in one transaction."""
    from pairs_platform.defs.models.work import record_partition

    figures: dict[str, dict[str, Any]] = {}
    for key in lake_keys(context.partition_keys):
        figures = record_partition(platform, key)
    for name, metadata in figures.items():
        yield dg.MaterializeResult(asset_key=name, metadata=metadata)


@dg.asset(
    deps=[price_history],
    partitions_def=session_by_sector,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="models",
    kinds={"parquet", "numpy"},
    owners=["team:research"],
    code_version="1",
    op_tags=AFTER_TRADING,
    retry_policy=REGISTRY_RETRIES,
)
def shadow_losses(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
    """Losses of champion and challenger, as they stood before the session, on a session that they have never seen."""
    from pairs_platform.core.models.contracts import SHADOW_LOSSES
    from pairs_platform.defs.models.work import shadow_partition

    def judge(key: PartitionKey) -> dict[str, Any]:
        losses, facts = shadow_partition(platform, key)
        platform.lake.write(SHADOW_LOSSES, key, losses, facts)
        sums = losses.groupby("alias")[["n_labels", "loss", "base_loss", "baseline_loss"]].sum().reset_index()
        source = platform.market_data.label
        return {"source": source, **facts, "dagster/row_count": len(losses), "losses": table(sums)}

    for_each_partition(context, judge)


@dg.asset(
    deps=[gru_models, "model_performance", shadow_losses],
    partitions_def=session_by_sector,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="models",
    kinds={"mlflow", "sql"},
    owners=["team:trading"],
    code_version="1",
    op_tags=AFTER_TRADING,
    retry_policy=REGISTRY_RETRIES,
)
def champion_model(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
    """Decides on champion and challenger of a sector; every decision is a row of the database's audit.

    A session that is older than the last one decided changes nothing.
    """
    from pairs_platform.defs.models.work import decide_partition

    def decide(key: PartitionKey) -> dict[str, Any]:
        return decide_partition(platform, key, actor=f"dagster run {context.run.run_id}")

    for_each_partition(context, decide)


@dg.asset(
    deps=[pair_features],
    partitions_def=session_by_sector,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="models",
    kinds={"optuna", "json"},
    owners=["team:research"],
    code_version="1",
    pool="training",
)
def gru_tuning(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
    """A search of network settings on the sector's window, on validation data alone.

    The best settings are a document; trainings of this and later sessions use the newest one.
    """
    from pairs_platform.defs.models.work import tune_partition

    for_each_partition(context, lambda key: tune_partition(context, platform, key))
