"""The checks of `correlation_matrix` and `cointegrated_pairs`.

What does not belong here: the predicates (`core.screening.checks`).
"""

import dagster as dg

from pairs_platform.core.check_result import CheckResult
from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.defs.checks import ROUNDING, check_contract, check_partitions
from pairs_platform.defs.screening.assets import cointegrated_pairs, correlation_matrix
from pairs_platform.platform import Platform


@dg.asset_check(asset=correlation_matrix, name="schema_and_uniqueness", blocking=True)
def correlation_schema(
    context: dg.AssetCheckExecutionContext, platform: dg.ResourceParam[Platform]
) -> dg.AssetCheckResult:
    """Types, correlations in [−1, 1], every pair once."""
    from pairs_platform.core.screening.contracts import CORRELATION_MATRIX

    return check_contract(context, platform, CORRELATION_MATRIX)


@dg.asset_check(asset=cointegrated_pairs, name="schema_and_uniqueness", blocking=True)
def cointegration_schema(
    context: dg.AssetCheckExecutionContext, platform: dg.ResourceParam[Platform]
) -> dg.AssetCheckResult:
    """Types, p-values in [0, 1], every pair once, figures exactly where the status is ok."""
    from pairs_platform.core.screening.contracts import COINTEGRATED_PAIRS

    return check_contract(context, platform, COINTEGRATED_PAIRS)


@dg.asset_check(asset=cointegrated_pairs, name="no_look_ahead", blocking=True)
def cointegration_no_look_ahead(
    context: dg.AssetCheckExecutionContext, platform: dg.ResourceParam[Platform]
) -> dg.AssetCheckResult:
    """A sampled pair, tested again on prices cut off at the session's close, gives the stored row."""
    from pairs_platform.core.check_result import check_no_lookahead
    from pairs_platform.workflows.screening import recomputed_pair

    def judge(key: PartitionKey) -> CheckResult:
        pair = recomputed_pair(platform, key)
        return check_no_lookahead(pair.stored, pair.recomputed, row=pair.name, relative=ROUNDING)

    return check_partitions(context, judge)


@dg.asset_check(asset=cointegrated_pairs, name="found_against_chance")
def found_against_chance(
    context: dg.AssetCheckExecutionContext, platform: dg.ResourceParam[Platform]
) -> dg.AssetCheckResult:
    """The pairs found are evidence of lasting relations, by their false-discovery rate or by their number."""
    from pairs_platform.core.screening.checks import check_against_chance
    from pairs_platform.core.screening.contracts import COINTEGRATED_PAIRS
    from pairs_platform.views.windows import past_both_gates

    settings = platform.settings.checks

    def judge(key: PartitionKey) -> CheckResult:
        joint = platform.lake.metadata(COINTEGRATED_PAIRS, key)["placebo"]["joint"]
        return check_against_chance(
            past_both_gates(platform, key)["q_value"].tolist(),
            null_mean=joint["mean"],
            monte_carlo_p=joint["p_at_least_found"],
            max_p=settings.max_chance_p,
            max_q=settings.max_false_discovery_rate,
        )

    return check_partitions(context, judge, warn=True)
