"""Running parts of the daily job in this process, and changing what the lake holds behind its back."""

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from functools import lru_cache
from typing import Any

import dagster as dg
import pandas as pd
import pyarrow.parquet as pq

from pairs_platform.build import build_definitions
from pairs_platform.core.contract import Contract
from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.defs.automation import daily_job, price_run
from pairs_platform.lake.store import to_arrow
from pairs_platform.platform import Platform

ALL = (
    "price_history",
    "correlation_matrix",
    "cointegrated_pairs",
    "garch_fits",
    "pair_scores",
    "composite_rankings",
    "trading_config",
    "pair_features",
    "gru_models",
    "model_performance",
    "model_rankings",
    "model_trends",
    "shadow_losses",
    "champion_model",
)
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def execute(
    platform: Platform,
    assets: Iterable[str] = ALL,
    *,
    session: date | None = None,
    sessions: tuple[date, date] | None = None,
    sector: str = "technology",
    checks: Iterable[str] | None = None,
    instance: dg.DagsterInstance | None = None,
) -> dg.ExecuteInProcessResult:
    """Run assets with their checks, or only `checks` ("asset:name"), of the daily job for a session or a range."""
    job = build_definitions(platform.settings, {"platform": platform}).resolve_job_def(daily_job.name)
    if checks is None:
        job = job.get_subset(asset_selection={dg.AssetKey(name) for name in assets})
    else:
        named = (name.split(":") for name in checks)
        chosen = {dg.AssetCheckKey(dg.AssetKey(asset), check) for asset, check in named}
        job = job.get_subset(asset_selection=set(), asset_check_selection=chosen)
    return job.execute_in_process(
        partition_key=str(PartitionKey(session, sector)) if session else None,
        tags=price_run(sector, *sessions).tags if sessions else None,
        instance=instance or _shared_instance(),
        run_config=QUIET,
        raise_on_error=False,
    )


@lru_cache(maxsize=1)
def _shared_instance() -> dg.DagsterInstance:
    """For runs whose event log no test reads; making one takes longer than running a check."""
    return dg.DagsterInstance.ephemeral()


def check(platform: Platform, name: str, **given: Any) -> dg.AssetCheckEvaluation:
    """The result of one check, run alone."""
    (evaluation,) = execute(platform, checks=[name], **given).get_asset_check_evaluations()
    return evaluation


def failure(result: dg.ExecuteInProcessResult, step: str) -> str:
    """Words of the failure of a step: its description where it has one, else the error at its root."""
    data = result.failure_data_for_node(step)
    assert data is not None, f"{step} did not fail"
    if data.user_failure_data and data.user_failure_data.description:
        return str(data.user_failure_data.description)
    error = data.error
    while error.cause:
        error = error.cause
    return str(error.message)


def materialized(result: dg.ExecuteInProcessResult, instance: dg.DagsterInstance) -> dict[str, list[str]]:
    """Partitions that the event log has as materialized in a run, by asset."""
    found: dict[str, list[str]] = {}
    for entry in instance.all_logs(result.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION):
        event = entry.get_dagster_event()
        found.setdefault(event.asset_key.to_user_string(), []).append(str(event.partition))
    return {asset: sorted(partitions) for asset, partitions in found.items()}


def tamper(
    platform: Platform, contract: Contract, key: PartitionKey, change: Callable[[pd.DataFrame], pd.DataFrame | None]
) -> None:
    """Change a stored partition past its contract: `change` returns another frame or edits the one that it is given."""
    path = platform.lake.path(contract.table, key)
    table = pq.read_table(path, partitioning=None)
    frame = table.to_pandas()
    changed = change(frame)
    again = to_arrow(contract, frame if changed is None else changed)
    pq.write_table(again.replace_schema_metadata(table.schema.metadata), path)


def rewrite_metadata(platform: Platform, contract: Contract, key: PartitionKey, change: Mapping[str, Any]) -> None:
    """Write a partition again with other facts about it."""
    frame, facts = platform.lake.read(contract, key), platform.lake.metadata(contract, key)
    platform.lake.write(contract, key, frame, {**facts, **change})
