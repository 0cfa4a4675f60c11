"""How an asset works through the partitions of a run: one that fails does not stop the others.

A finding is a `PlatformError` that is not `Unavailable`: running the same code again would only repeat it. What is
`Unavailable`, and what the operating system reports (`OSError`), is left to the asset's retry policy. Anything else is
a bug, which ends the step at once. What does not belong here: what the work is (the assets) and which failures are
worth a retry by time (their policies).
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import dagster as dg

from pairs_platform.core.errors import PlatformError, Unavailable
from pairs_platform.core.folding import folded, shortened
from pairs_platform.core.masking import masked
from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.defs.partitions import lake_keys
from pairs_platform.views.remedies import remedy_of, with_remedy


def explain(error: PlatformError) -> str:
    """The message of an error with its remedy, which is added to its traceback too."""
    remedy = remedy_of(error)
    if remedy and remedy not in getattr(error, "__notes__", ()):
        error.add_note(remedy)
    return with_remedy(error)


@contextmanager
def explained() -> Iterator[None]:
    """Add the remedy to the traceback of an error of the tree."""
    try:
        yield
    except PlatformError as error:
        explain(error)
        raise


@contextmanager
def without_useless_retries() -> Iterator[None]:
    """Turn a finding, and a bug, into a failure that ends the step at once, whatever the asset's retry policy.

    Raises
    ------
    dagster.Failure
        With the message of the finding, or naming the bug; its cause has the traceback.
    Unavailable, OSError
        As they are: the policy retries.
    """
    try:
        yield
    except Unavailable as error:
        explain(error)
        raise
    except PlatformError as finding:
        raise dg.Failure(description=explain(finding), allow_retries=False) from finding
    except (dg.Failure, dg.RetryRequested, OSError):
        raise
    except Exception as bug:
        description = masked(f"a bug, not a finding: {type(bug).__name__}: {bug}")
        raise dg.Failure(description=description, allow_retries=False) from bug


def for_each_partition(context: dg.AssetExecutionContext, work: Callable[[PartitionKey], Mapping[str, Any]]) -> None:
    """Call `work` for every partition of the run, oldest session first, and attach the metadata that it returns.

    Partitions that succeeded are recorded as materialized even when others have findings.

    Raises
    ------
    dagster.Failure
        After the last partition, naming each one with a finding, without retries; at once for a bug.
    Unavailable, OSError
        At once: the policy retries.
    """
    keys = lake_keys(context.partition_keys)
    done: dict[str, Mapping[str, Any]] = {}
    findings: dict[str, PlatformError] = {}
    for key in keys:
        name = str(key)
        with without_useless_retries():
            try:
                done[name] = work(key)
            except Unavailable:
                raise
            except PlatformError as finding:
                findings[name] = finding
                context.log.error(f"{name}: {explain(finding)}")
    if findings:
        for name, metadata in done.items():
            stored = dg.AssetMaterialization(context.asset_key, partition=name, metadata=dict(metadata))
            # `context.log_event` keeps an event until the body returns; one that raises would lose it.
            dg.DagsterEvent.asset_materialization(context.get_step_execution_context(), stored)
        reasons = "\n".join(folded((name, with_remedy(finding)) for name, finding in findings.items()))
        raise dg.Failure(
            description=shortened(f"{len(findings)} of {len(keys)} partitions failed\n{reasons}"), allow_retries=False
        ) from next(iter(findings.values()))
    for name, metadata in done.items():
        context.add_asset_metadata(dict(metadata), partition_key=name)
