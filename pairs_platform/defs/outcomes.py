"""How an asset works through the partitions of a run: one that fails does not stop the others.

What does not belong here: what the work is (the assets) and which failures are worth a retry by time (their policies).
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import dagster as dg

from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.defs.partitions import lake_keys
from pairs_platform.ports.market_data import PermanentSourceError

DETERMINISTIC = (ValueError, LookupError, PermanentSourceError)
"""Failures that running the same code again would only repeat: no retry."""


@contextmanager
def without_useless_retries() -> Iterator[None]:
    """Turn a failure of `DETERMINISTIC` into one that ends the step at once, whatever the asset's retry policy.

    Raises
    ------
    dagster.Failure
        With the words of the cause.
    """
    try:
        yield
    except DETERMINISTIC as error:
        raise dg.Failure(description=str(error), allow_retries=False) from error


def for_each_partition(context: dg.AssetExecutionContext, work: Callable[[PartitionKey], Mapping[str, Any]]) -> None:
    """Call `work` for every partition of the run, oldest session first, and attach the metadata that it returns.

    Partitions that succeeded are recorded as materialized even when others fail.

    Raises
    ------
    dagster.Failure
        After the last partition, naming each one that failed and why; without retries, because its causes
        (`DETERMINISTIC`) are. Any other exception stops the step and is retried by the asset's policy.
    """
    keys = lake_keys(context.partition_keys)
    done: dict[str, Mapping[str, Any]] = {}
    failed: dict[str, Exception] = {}
    for key in keys:
        name = str(key)
        try:
            done[name] = work(key)
        except DETERMINISTIC as error:
            failed[name] = error
            context.log.error(f"{name}: {error}")
    if failed:
        for name, metadata in done.items():
            stored = dg.AssetMaterialization(context.asset_key, partition=name, metadata=dict(metadata))
            # `context.log_event` keeps an event until the body returns; one that raises would lose it.
            dg.DagsterEvent.asset_materialization(context.get_step_execution_context(), stored)
        reasons = "\n".join(f"{name}: {error}" for name, error in failed.items())
        raise dg.Failure(
            description=f"{len(failed)} of {len(keys)} partitions failed\n{reasons}", allow_retries=False
        ) from next(iter(failed.values()))
    for name, metadata in done.items():
        context.add_asset_metadata(dict(metadata), partition_key=name)
