"""The checks of `pair_scores`, `composite_rankings` and `trading_config`.

What does not belong here: the predicates (`core.selection.checks`).
"""

import dagster as dg

from pairs_platform.core.check_result import CheckResult
from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.defs.checks import ROUNDING, check_contract, check_partitions
from pairs_platform.defs.selection.assets import composite_rankings, pair_scores, trading_config
from pairs_platform.platform import Platform


@dg.asset_check(asset=pair_scores, name="schema_and_uniqueness", blocking=True)
def score_schema(context: dg.AssetCheckExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.AssetCheckResult:
    """Types, components in [0, 1], every pair once, a score exactly where the status is ok."""
    from pairs_platform.core.selection.contracts import PAIR_SCORES

    return check_contract(context, platform, PAIR_SCORES)


@dg.asset_check(asset=pair_scores, name="no_look_ahead", blocking=True)
def score_no_look_ahead(
    context: dg.AssetCheckExecutionContext, platform: dg.ResourceParam[Platform]
) -> dg.AssetCheckResult:
    """A sampled score, computed again on prices cut off at the session's close, gives the stored row."""
    from pairs_platform.core.check_result import check_no_lookahead
    from pairs_platform.workflows.selection import recomputed_score

    def judge(key: PartitionKey) -> CheckResult:
        score = recomputed_score(platform, key)
        if score is None:
            return CheckResult(passed=True, summary="no pair was scored", figures={})
        return check_no_lookahead(score.stored, score.recomputed, row=score.name, relative=ROUNDING)

    return check_partitions(context, judge)


@dg.asset_check(asset=composite_rankings, name="schema_and_uniqueness", blocking=True)
def ranking_schema(context: dg.AssetCheckExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.AssetCheckResult:
    """Types, every pair once, ranks without holes, selected exactly where every gate is passed."""
    from pairs_platform.core.selection.contracts import COMPOSITE_RANKINGS

    return check_contract(context, platform, COMPOSITE_RANKINGS)


@dg.asset_check(asset=trading_config, name="schema_and_uniqueness", blocking=True)
def config_schema(context: dg.AssetCheckExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.AssetCheckResult:
    """The table satisfies its contract, and the JSON document of the session reads back with the same content hash."""
    from pairs_platform.core.selection.checks import check_document
    from pairs_platform.core.selection.contracts import TRADING_CONFIG
    from pairs_platform.views.trading_config import trading_document

    def judge(key: PartitionKey) -> CheckResult:
        return check_document(trading_document(platform, key), platform.lake.read(TRADING_CONFIG, key))

    return check_contract(context, platform, TRADING_CONFIG, also=judge)


@dg.asset_check(asset=trading_config, name="pair_churn")
def pair_churn(context: dg.AssetCheckExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.AssetCheckResult:
    """The selected pairs are mostly those of the session before."""
    from pairs_platform.core.prices.calendar import session_offset
    from pairs_platform.core.selection.checks import check_pair_churn
    from pairs_platform.workflows.selection import selected_pairs

    def judge(key: PartitionKey) -> CheckResult:
        before = PartitionKey(session_offset(key.session, -1), key.sector)
        today, previous = selected_pairs(platform, key), selected_pairs(platform, before)
        return check_pair_churn(today or [], previous, max_churn=platform.settings.checks.max_pair_churn)

    return check_partitions(context, judge, warn=True)
