"""The checks of the assets of trading.

What does not belong here: the predicates (`core.trading.checks`), and limits that act (`core.risk`).
"""

import dagster as dg

from pairs_platform.core.check_result import CheckResult
from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.defs.checks import check_contract, check_partitions
from pairs_platform.defs.trading.assets import fills, orders, performance_attribution, portfolio
from pairs_platform.platform import Platform


@dg.asset_check(asset=orders, name="reconciled", blocking=True)
def reconciled(context: dg.AssetCheckExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.AssetCheckResult:
    """Orders, executions, positions and cash are the broker's; the portfolio rests on it."""
    from pairs_platform.core.trading.checks import check_reconciled
    from pairs_platform.workflows.trading_results import lacking_executions, session_trading, trading_events

    def judge(key: PartitionKey) -> CheckResult:
        lacking = lacking_executions(session_trading(platform, key).trades)
        return check_reconciled(trading_events(platform, key), lacking)

    return check_partitions(context, judge)


@dg.asset_check(asset=orders, name="signals_have_outcomes")
def signals_have_outcomes(
    context: dg.AssetCheckExecutionContext, platform: dg.ResourceParam[Platform]
) -> dg.AssetCheckResult:
    """Every signal that asks for a trade was filled, denied with a code, late or expired, or its trade is at work."""
    from pairs_platform.core.trading.checks import check_signals_have_outcomes
    from pairs_platform.workflows.trading_results import session_trading, waiting_signals

    def judge(key: PartitionKey) -> CheckResult:
        return check_signals_have_outcomes(*waiting_signals(platform, key, session_trading(platform, key)))

    return check_partitions(context, judge)


@dg.asset_check(asset=fills, name="naked_time")
def naked_time(context: dg.AssetCheckExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.AssetCheckResult:
    """No large leg was without its hedge for longer than the time after which the trade is left, and an order's."""
    from pairs_platform.core.trading.checks import check_naked_time
    from pairs_platform.database.equity import newest_equity_rows
    from pairs_platform.workflows.trading_results import naked_times, session_trading

    execution = platform.settings.execution_settings

    def judge(key: PartitionKey) -> CheckResult:
        trading = session_trading(platform, key)
        equity = [row["equity"] for row in newest_equity_rows(platform.database, list(trading.until_utc))]
        return check_naked_time(
            naked_times(platform, trading),
            max_seconds=execution.naked_seconds + execution.leg_timeout_seconds,
            max_dollars=platform.settings.risk.limits.max_naked * min(equity),
        )

    return check_partitions(context, judge)


@dg.asset_check(asset=fills, name="slippage")
def slippage(context: dg.AssetCheckExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.AssetCheckResult:
    """Fills of the newest trades cost on average at most a multiple of what costs assume."""
    from pairs_platform.core.trading.checks import check_slippage
    from pairs_platform.core.trading.slippage import slippages
    from pairs_platform.workflows.trading_results import session_trading

    costs, limits = platform.settings.costs, platform.settings.risk.limits

    def judge(key: PartitionKey) -> CheckResult:
        trades = [stored.trade for stored in session_trading(platform, key).trades]
        return check_slippage(
            slippages(trades)[-limits.slippage_trades :],
            assumed_bps=costs.half_spread_bps + costs.slippage_bps,
            max_multiple=limits.max_slippage_multiple,
        )

    return check_partitions(context, judge, warn=True)


@dg.asset_check(asset=portfolio, name="schema_and_uniqueness", blocking=True)
def portfolio_schema(
    context: dg.AssetCheckExecutionContext, platform: dg.ResourceParam[Platform]
) -> dg.AssetCheckResult:
    """Types and signs, one row for each account and moment."""
    from pairs_platform.core.trading.contracts import PORTFOLIO

    return check_contract(context, platform, PORTFOLIO)


@dg.asset_check(asset=portfolio, name="limits_kept")
def limits_kept(context: dg.AssetCheckExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.AssetCheckResult:
    """No snapshot is beyond a limit of exposure, as far as prices may carry the book before it is made smaller."""
    from pairs_platform.core.trading.checks import check_limits_kept
    from pairs_platform.core.trading.contracts import PORTFOLIO
    from pairs_platform.views.portfolio_limits import carried_limits

    bounds = carried_limits(platform.settings.risk.limits)
    return check_partitions(context, lambda key: check_limits_kept(platform.lake.read(PORTFOLIO, key), bounds))


@dg.asset_check(asset=performance_attribution, name="schema_and_uniqueness", blocking=True)
def attribution_schema(
    context: dg.AssetCheckExecutionContext, platform: dg.ResourceParam[Platform]
) -> dg.AssetCheckResult:
    """Types, one row for each leg of a trade and for the account."""
    from pairs_platform.core.trading.contracts import PERFORMANCE_ATTRIBUTION

    return check_contract(context, platform, PERFORMANCE_ATTRIBUTION)


@dg.asset_check(asset=performance_attribution, name="attribution_closes")
def attribution_closes(
    context: dg.AssetCheckExecutionContext, platform: dg.ResourceParam[Platform]
) -> dg.AssetCheckResult:
    """The components sum to the change of equity, to one cent."""
    from pairs_platform.core.trading.checks import check_attribution_closes
    from pairs_platform.core.trading.contracts import PERFORMANCE_ATTRIBUTION

    return check_partitions(
        context, lambda key: check_attribution_closes(platform.lake.read(PERFORMANCE_ATTRIBUTION, key))
    )


@dg.asset_check(asset=performance_attribution, name="drift")
def drift(context: dg.AssetCheckExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.AssetCheckResult:
    """No pair of the sector has changed so that it takes no entries."""
    from pairs_platform.core.trading.checks import check_drift
    from pairs_platform.workflows.trading_results import drift_events

    return check_partitions(context, lambda key: check_drift(drift_events(platform, key)), warn=True)
