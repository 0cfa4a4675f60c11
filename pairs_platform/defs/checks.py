"""What the checks of all stages share: how a check result of `core` becomes Dagster's.

What does not belong here: any check (`defs/<stage>/checks.py`) and any predicate (`core/<stage>/checks.py`).
"""

from collections.abc import Callable

import dagster as dg

from pairs_platform.core.check_result import CheckResult
from pairs_platform.core.contract import Contract
from pairs_platform.core.folding import folded, shortened
from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.defs.metadata import formatted
from pairs_platform.defs.partitions import lake_keys
from pairs_platform.platform import Platform
from pairs_platform.settings.hints import stored_hint

ROUNDING = 1e-5
"""Relative difference that a recomputed test statistic may show: matrix products over two symbols and over all of them
round in another order."""


def check_partitions(
    context: dg.AssetCheckExecutionContext, predicate: Callable[[PartitionKey], CheckResult], *, warn: bool = False
) -> dg.AssetCheckResult:
    """Judge every partition of the run: the result passes when each one does, and names those that do not.

    The figures shown are those of the last partition, or of the last one that failed.

    Raises
    ------
    dagster.Failure
        When the run has no partition, as one that is started for the check alone in the UI.
    """
    if not (context.has_partition_key or context.has_partition_key_range):
        raise dg.Failure("a check judges the partitions of its run, and this run has none: materialize its asset")
    results = {str(key): predicate(key) for key in lake_keys(context.partition_keys)}
    failed = {name: result for name, result in results.items() if not result.passed}
    reported = failed or dict(list(results.items())[-1:])
    figures = list(reported.values())[-1].figures
    return dg.AssetCheckResult(
        passed=not failed,
        severity=dg.AssetCheckSeverity.WARN if warn else dg.AssetCheckSeverity.ERROR,
        description=shortened("\n".join(folded((name, _sentence(result)) for name, result in reported.items()))),
        metadata=formatted({**figures, "partitions": len(results), "partitions_failed": len(failed)}),
    )


def as_result(evaluation: dg.AssetCheckEvaluation) -> dg.AssetCheckResult:
    """What a check yields in a run: the same as its sensor stores without one."""
    return dg.AssetCheckResult(
        asset_key=evaluation.asset_key,
        check_name=evaluation.check_name,
        passed=evaluation.passed,
        severity=evaluation.severity,
        description=evaluation.description,
        metadata=evaluation.metadata,
    )


def _sentence(result: CheckResult) -> str:
    """The summary, with the command that shows more."""
    return f"{result.summary}; see `{stored_hint(result.see)}`" if result.see else result.summary


def check_contract(
    context: dg.AssetCheckExecutionContext,
    platform: Platform,
    contract: Contract,
    also: Callable[[PartitionKey], CheckResult] | None = None,
) -> dg.AssetCheckResult:
    """Check the stored partitions against their contract, then by `also`."""

    def judge(key: PartitionKey) -> CheckResult:
        frame = platform.lake.read(contract, key)
        violations = contract.violations(frame)
        if violations or also is None:
            summary = (
                "; ".join(violations[:5])
                if violations
                else f"{len(frame)} rows satisfy {contract.table} v{contract.version}"
            )
            return CheckResult(
                passed=not violations, summary=summary, figures={"rows": len(frame), "violations": len(violations)}
            )
        return also(key)

    return check_partitions(context, judge)
