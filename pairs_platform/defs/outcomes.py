"""How an asset works through the partitions of a run: one that fails does not stop the others.

A finding is a `PlatformError` that is not `Unavailable`: running the same code again would only repeat it. What is
`Unavailable`, and what the operating system reports (`OSError`), is tried again as the asset's `retries` say. Anything
else is a bug, which ends the step at once. An interrupt, by Ctrl-C or by a termination, is neither: it passes, and no
asset has a `retry_policy`, by which Dagster would try an interrupted step again. What does not belong here: what the
work is (the assets) and how often and after which waits a failure is tried again (their `retries`).
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import dagster as dg

from pairs_platform.core.errors import PlatformError, Unavailable
from pairs_platform.core.folding import folded, shortened
from pairs_platform.core.masking import masked
from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.defs.metadata import page
from pairs_platform.defs.partitions import lake_keys
from pairs_platform.views.remedies import remedy_of, with_remedy


def explain(error: PlatformError) -> str:
    """The message of an error with its remedy, which is added to its traceback too."""
    remedy = remedy_of(error, stored=True)
    if remedy and remedy not in getattr(error, "__notes__", ()):
        error.add_note(remedy)
    return with_remedy(error, stored=True)


@contextmanager
def explained() -> Iterator[None]:
    """Add the remedy to the traceback of an error of the tree."""
    try:
        yield
    except PlatformError as error:
        explain(error)
        raise


@contextmanager
def without_useless_retries(context: dg.AssetExecutionContext, retries: dg.RetryPolicy | None) -> Iterator[None]:
    """Turn a finding, and a bug, into a failure that ends the step at once, and what may pass into a retry.

    Parameters
    ----------
    context : AssetExecutionContext
        Of the step that is tried again.
    retries : RetryPolicy or None
        How often, and after which waits; never where None.

    Raises
    ------
    dagster.Failure
        With the message of the finding, or naming the bug; its cause has the traceback.
    dagster.RetryRequested
        For `Unavailable` and `OSError`, by `retries`.
    Unavailable, OSError
        As they are, without `retries`.
    """
    try:
        yield
    except (Unavailable, OSError) as error:
        if isinstance(error, Unavailable):
            explain(error)
        if retries is None:
            raise
        wait = retries.calculate_delay(context.retry_number + 1)
        raise dg.RetryRequested(max_retries=retries.max_retries, seconds_to_wait=wait) from error
    except PlatformError as finding:
        raise dg.Failure(description=explain(finding), allow_retries=False) from finding
    except (dg.Failure, dg.RetryRequested):
        raise
    except Exception as bug:
        description = masked(f"a bug, not a finding: {type(bug).__name__}: {bug}")
        raise dg.Failure(description=description, allow_retries=False) from bug


def for_each_partition(
    context: dg.AssetExecutionContext,
    work: Callable[[PartitionKey], Mapping[str, Any]],
    *,
    retries: dg.RetryPolicy | None = None,
) -> None:
    """Call `work` for every partition of the run, oldest session first, and attach the metadata that it returns.

    Partitions that succeeded are recorded as materialized even when others have findings.

    Raises
    ------
    dagster.Failure
        After the last partition, naming each one with a finding, without retries; at once for a bug.
    dagster.RetryRequested
        At once for `Unavailable` and `OSError`, by `retries`; as they are without.
    """
    keys = lake_keys(context.partition_keys)
    done: dict[str, dict[str, Any]] = {}
    findings: dict[str, PlatformError] = {}
    for key in keys:
        name = str(key)
        with without_useless_retries(context, retries):
            try:
                done[name] = page(context.asset_key.to_user_string(), work(key))
            except Unavailable:
                raise
            except PlatformError as finding:
                findings[name] = finding
                context.log.error(f"{name}: {explain(finding)}")
    if findings:
        for name, metadata in done.items():
            stored = dg.AssetMaterialization(context.asset_key, partition=name, metadata=metadata)
            # `context.log_event` keeps an event until the body returns; one that raises would lose it.
            dg.DagsterEvent.asset_materialization(context.get_step_execution_context(), stored)
        reasons = "\n".join(folded((name, with_remedy(finding, stored=True)) for name, finding in findings.items()))
        raise dg.Failure(
            description=shortened(f"{len(findings)} of {len(keys)} partitions failed\n{reasons}"), allow_retries=False
        ) from next(iter(findings.values()))
    for name, metadata in done.items():
        context.add_asset_metadata(metadata, partition_key=name)
