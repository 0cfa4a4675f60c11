"""Jobs and schedules of the models, and the sensor that ends what killed trainings left open.

What does not belong here: the daily job, which trains as well (`defs.automation`), and deciding who is trained
(`core.models.pair_choice`).
"""

from collections.abc import Iterator

import dagster as dg

from pairs_platform.core.operations.run_tags import DAILY, SECTOR_TAG
from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.core.time import MARKET_TIMEZONE
from pairs_platform.defs.freshness.checks import assets_up_to_date
from pairs_platform.defs.models.assets import gru_tuning
from pairs_platform.platform import Platform
from pairs_platform.views.trading_config import TRADING_CONFIG

WALK_FORWARD_FOLDS = 3
"""Folds of the weekly report."""

_tuning = dg.AssetSelection.assets(gru_tuning)

full_retrain_job = dg.define_asset_job(
    "model_baseline",
    selection=dg.AssetSelection.groups("models") - _tuning - dg.AssetSelection.checks(assets_up_to_date),
    description="Every pair of a sector trained again, whatever the scope, with walk-forward folds in the report.",
    tags=DAILY,
)

tuning_job = dg.define_asset_job(
    "network_tuning",
    selection=_tuning,
    description="Searches network settings on the sector's window, on validation data alone.",
    tags=DAILY,
)


def _newest(platform: Platform, suffix: str, run_config: dict | None = None) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """One run for the newest configured session of every active sector."""
    asked = False
    for sector in platform.settings.active_sectors:
        sessions = platform.lake.sessions(TRADING_CONFIG, sector)
        if sessions:
            asked = True
            name = str(PartitionKey(sessions[-1], sector))
            yield dg.RunRequest(
                run_key=f"{suffix}|{name}", partition_key=name, run_config=run_config, tags={SECTOR_TAG: sector}
            )
    if not asked:
        yield dg.SkipReason("no active sector has a configured session yet")


@dg.schedule(
    name="weekly_model_baseline",
    job=full_retrain_job,
    cron_schedule="0 10 * * 6",
    execution_timezone=MARKET_TIMEZONE,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Saturday 10:00 New York: all pairs of every active sector, trained on the newest session's window.",
)
def full_retrain_schedule(platform: dg.ResourceParam[Platform]) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Request a full retrain of every active sector."""
    config = {"full_retrain": True, "walk_forward_folds": WALK_FORWARD_FOLDS}
    yield from _newest(platform, "baseline", {"ops": {"gru_models": {"config": config}}})


@dg.schedule(
    name="weekly_network_tuning",
    job=tuning_job,
    cron_schedule="0 12 * * 6",
    execution_timezone=MARKET_TIMEZONE,
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Saturday 12:00 New York, off until switched on: a search of network settings for every active sector.",
)
def tuning_schedule(platform: dg.ResourceParam[Platform]) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Request a tuning of every active sector."""
    yield from _newest(platform, "tuning")


def close_abandoned_runs(instance: dg.DagsterInstance, platform: Platform) -> int:
    """End the MLflow runs whose Dagster run has ended; how many there were.

    A run that this instance does not know may belong to another one where the registry is a server; the registry of
    a profile's folder has no other.
    """
    shared = platform.settings.mlflow_uri is not None

    def is_alive(run_id: str) -> bool:
        run = instance.get_run_by_id(run_id)
        return shared if run is None else not run.is_finished

    return platform.registry.close_orphans(is_alive)


@dg.sensor(
    name="mlflow_run_closer",
    minimum_interval_seconds=300,
    default_status=dg.DefaultSensorStatus.RUNNING,
    job=full_retrain_job,
    description="Ends MLflow runs that a killed training left open.",
)
def run_closer(context: dg.SensorEvaluationContext, platform: dg.ResourceParam[Platform]) -> dg.SkipReason:
    """Close what is open and request nothing."""
    closed = close_abandoned_runs(context.instance, platform)
    return dg.SkipReason(
        f"{closed} MLflow runs of ended Dagster runs closed" if closed else "no MLflow run is left open"
    )
