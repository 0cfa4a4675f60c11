"""The checks of `garch_fits`."""

import dagster as dg

from pairs_platform.core.check_result import CheckResult
from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.defs.checks import check_contract, check_partitions, row_values, sampled
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
    import pandas as pd

    from pairs_platform.core.check_result import check_no_lookahead
    from pairs_platform.core.volatility.contracts import GARCH_FITS
    from pairs_platform.core.volatility.parameters import fit_parameter_sets, parameter_values
    from pairs_platform.views.windows import load_truncated_window

    def judge(key: PartitionKey) -> CheckResult:
        fits = platform.lake.read(GARCH_FITS, key)
        if fits.empty:
            return CheckResult(passed=True, summary="no pair was fitted", figures={})
        stored = sampled(fits, key)
        name = f"{stored['pair']} ({stored['parameter_set']})"
        window = load_truncated_window(platform, key, [stored["y"], stored["x"]])
        again = fit_parameter_sets(window, pd.DataFrame([stored])[["pair", "y", "x"]], settings=platform.settings.garch)
        same = again[again["parameter_set"] == stored["parameter_set"]]
        return check_no_lookahead(parameter_values(stored), parameter_values(row_values(same)), row=name)

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
