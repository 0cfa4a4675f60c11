"""The checks of `garch_fits`.

What does not belong here: the predicates (`core.volatility.checks`).
"""

import dagster as dg

from pairs_platform.core.check_result import CheckResult
from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.defs.checks import check_contract, check_partitions
from pairs_platform.defs.volatility.assets import garch_fits
from pairs_platform.platform import Platform


@dg.asset_check(asset=garch_fits, name="schema_and_uniqueness", blocking=True)
def garch_schema(context: dg.AssetCheckExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.AssetCheckResult:
    """Types, parameters inside their bounds, one row per pair and parameter set."""
    from pairs_platform.core.volatility.contracts import GARCH_FITS

    return check_contract(context, platform, GARCH_FITS)


@dg.asset_check(asset=garch_fits, name="no_look_ahead", blocking=True)
def garch_no_look_ahead(
    context: dg.AssetCheckExecutionContext, platform: dg.ResourceParam[Platform]
) -> dg.AssetCheckResult:
    """A sampled fit, made again on prices cut off at the session's close, gives the stored row."""
    from pairs_platform.core.check_result import check_no_lookahead
    from pairs_platform.workflows.volatility import recomputed_fit

    def judge(key: PartitionKey) -> CheckResult:
        fit = recomputed_fit(platform, key)
        if fit is None:
            return CheckResult(passed=True, summary="no pair was fitted", figures={})
        return check_no_lookahead(fit.stored, fit.recomputed, row=fit.name)

    return check_partitions(context, judge)


@dg.asset_check(asset=garch_fits, name="convergence_rate")
def convergence_rate(
    context: dg.AssetCheckExecutionContext, platform: dg.ResourceParam[Platform]
) -> dg.AssetCheckResult:
    """Enough fits converged."""
    from pairs_platform.core.volatility.checks import check_convergence
    from pairs_platform.core.volatility.contracts import GARCH_FITS

    def judge(key: PartitionKey) -> CheckResult:
        statuses = platform.lake.read(GARCH_FITS, key, ["status"])["status"]
        return check_convergence(statuses, min_rate=platform.settings.checks.min_convergence_rate)

    return check_partitions(context, judge, warn=True)
