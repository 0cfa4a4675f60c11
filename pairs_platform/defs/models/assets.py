"""The assets of the models: features, training, performance tables, shadow evaluation, champion, tuning.

They come after `trading_config` in the daily run (their steps have a lower priority), and nothing that trades waits for
them. What does not belong here: what they do (`workflows`) and what their pages show (`metadata`).
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.defs.models.metadata import (
    feature_metadata,
    promotion_metadata,
    shadow_metadata,
    table_results,
    training_metadata,
    tuning_metadata,
)
from pairs_platform.defs.outcomes import for_each_partition, without_useless_retries
from pairs_platform.defs.partitions import lake_keys, session_by_sector
from pairs_platform.defs.prices.assets import price_history
from pairs_platform.defs.screening.assets import cointegrated_pairs, correlation_matrix
from pairs_platform.defs.selection.assets import pair_scores
from pairs_platform.defs.volatility.assets import garch_fits
from pairs_platform.platform import Platform

AFTER_TRADING = {"dagster/priority": "-1"}
"""Steps with a lower priority than those that lead to the trading configuration."""

REGISTRY_RETRIES = dg.RetryPolicy(max_retries=2, delay=30, backoff=dg.Backoff.EXPONENTIAL)


class TrainingConfig(dg.Config):
    """What a run may ask for beyond the settings."""

    full_retrain: bool = False
    n_seeds: int | None = None
    walk_forward_folds: int | None = None


@dg.asset(
    deps=[price_history, correlation_matrix, cointegrated_pairs],
    partitions_def=session_by_sector,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="models",
    kinds={"parquet", "numpy"},
    code_version="1",
    op_tags=AFTER_TRADING,
)
def pair_features(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
    """Look at the labels: features and label of every bar, from a spread that only the training part has estimated.

    Beside it `feature_fits`, the parameters of that spread, and `feature_scaling`: scaling constants of the training
    part, and why a pair has no features.
    """
    from pairs_platform.workflows.features import feature_partition

    for_each_partition(context, lambda key: feature_metadata(feature_partition(platform, key)))


@dg.asset(
    deps=[correlation_matrix, garch_fits, pair_scores, pair_features],
    partitions_def=session_by_sector,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="models",
    kinds={"pytorch", "mlflow"},
    code_version="1",
    pool="training",
    op_tags=AFTER_TRADING,
)
def gru_models(context: dg.AssetExecutionContext, config: TrainingConfig, platform: dg.ResourceParam[Platform]) -> None:
    """Look at the best models: a GRU for every chosen pair, judged on test data alone, tracked in MLflow.

    They are registered there as one version. A killed training goes on with the chunks that were finished; a pair that
    fails has a reason, and the others go on.
    """
    from pairs_platform.workflows.training import TrainingOptions, train_partition

    options = TrainingOptions(
        full_retrain=config.full_retrain, n_seeds=config.n_seeds, walk_forward_folds=config.walk_forward_folds
    )

    def train(key: PartitionKey) -> dict[str, Any]:
        stored = train_partition(platform, key, options, run_id=context.run.run_id, log=context.log.info)
        return training_metadata(stored, platform.settings)

    for_each_partition(context, train, retries=REGISTRY_RETRIES)


@dg.multi_asset(
    specs=[
        dg.AssetSpec(
            name,
            deps=[gru_models],
            group_name="models",
            kinds={"sql"},
            code_version="1",
            description=description,
        )
        for name, description in (
            (
                "model_performance",
                "Look at the performance: one row for each pair and training, in the database, with its MLflow run.",
            ),
            (
                "model_rankings",
                "Look at the order by lift, and beside it that by F1: the models of each session, in the database.",
            ),
            (
                "model_trends",
                "Look at the best over 30 sessions: means over 7 and 30, and the number of trainings, in the database.",
            ),
        )
    ],
    name="model_tables",
    partitions_def=session_by_sector,
    backfill_policy=dg.BackfillPolicy.single_run(),
    op_tags=AFTER_TRADING,
)
def model_tables(
    context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]
) -> Iterator[dg.MaterializeResult]:
    """Performance, rankings and trends of each training, stored in one transaction."""
    from pairs_platform.workflows.model_tables import record_partition

    results: list[dg.MaterializeResult] = []
    for key in lake_keys(context.partition_keys):
        with without_useless_retries(context, REGISTRY_RETRIES):
            results = table_results(record_partition(platform, key), platform.settings)
    yield from results


@dg.asset(
    deps=[price_history],
    partitions_def=session_by_sector,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="models",
    kinds={"parquet", "numpy"},
    code_version="1",
    op_tags=AFTER_TRADING,
)
def shadow_losses(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
    """Look at the losses: champion and challenger, as they stood before it, on a session that they have never seen."""
    from pairs_platform.workflows.promotion import shadow_partition

    for_each_partition(context, lambda key: shadow_metadata(shadow_partition(platform, key)), retries=REGISTRY_RETRIES)


@dg.asset(
    deps=[gru_models, "model_performance", shadow_losses],
    partitions_def=session_by_sector,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="models",
    kinds={"mlflow", "sql"},
    code_version="1",
    op_tags=AFTER_TRADING,
)
def champion_model(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
    """Look at the decision: on champion and challenger of a sector; each is a row of the database's audit.

    A session that is older than the last one decided changes nothing.
    """
    from pairs_platform.workflows.promotion import decide_partition

    actor = f"dagster run {context.run.run_id}"
    for_each_partition(
        context,
        lambda key: promotion_metadata(decide_partition(platform, key, actor=actor), key.session),
        retries=REGISTRY_RETRIES,
    )


@dg.asset(
    deps=[pair_features],
    partitions_def=session_by_sector,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="models",
    kinds={"optuna", "json"},
    code_version="1",
    pool="training",
)
def gru_tuning(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
    """Look at the trials: a search of network settings on the sector's window, on validation data alone.

    The best settings are a document; trainings of this and later sessions use the newest one.
    """
    from pairs_platform.workflows.tuning import tune_partition

    for_each_partition(context, lambda key: tuning_metadata(tune_partition(platform, key, log=context.log.info)))
