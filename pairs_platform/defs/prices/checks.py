"""The checks of `price_history`.

What does not belong here: the predicates (`core.prices.checks`).
"""

from collections import Counter

import dagster as dg

from pairs_platform.core.check_result import CheckResult
from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.defs.checks import check_contract, check_partitions
from pairs_platform.defs.prices.assets import price_history
from pairs_platform.platform import Platform


@dg.asset_check(asset=price_history, name="schema_and_uniqueness", blocking=True)
def price_schema(context: dg.AssetCheckExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.AssetCheckResult:
    """Types, positive prices, high and low around open and close, order, one bar per symbol and time."""
    from pairs_platform.core.prices.contracts import PRICE_HISTORY

    return check_contract(context, platform, PRICE_HISTORY)


@dg.asset_check(asset=price_history, name="session_coverage")
def session_coverage(
    context: dg.AssetCheckExecutionContext, platform: dg.ResourceParam[Platform]
) -> dg.AssetCheckResult:
    """Every symbol of the sector has enough of the session's bars; a missing one is named."""
    from pairs_platform.core.prices.calendar import bar_grid
    from pairs_platform.core.prices.checks import check_session_coverage
    from pairs_platform.core.prices.contracts import PRICE_HISTORY

    settings = platform.settings

    def judge(key: PartitionKey) -> CheckResult:
        bars = platform.lake.read(PRICE_HISTORY, key, ["symbol"])
        return check_session_coverage(
            Counter(bars["symbol"]),
            symbols=[listing.symbol for listing in platform.listings(key.sector)],
            bars_expected=len(bar_grid([key.session], settings.frequency).ts_utc),
            min_coverage=settings.window.min_session_coverage,
        )

    return check_partitions(context, judge, warn=True)


@dg.asset_check(asset=price_history, name="quarantine_and_flags")
def quarantine_and_flags(
    context: dg.AssetCheckExecutionContext, platform: dg.ResourceParam[Platform]
) -> dg.AssetCheckResult:
    """No row was quarantined, and no accepted row is flagged."""
    from pairs_platform.core.prices.checks import check_price_quality
    from pairs_platform.core.prices.contracts import PRICE_FLAGS, PRICE_QUARANTINE

    def judge(key: PartitionKey) -> CheckResult:
        return check_price_quality(platform.lake.read(PRICE_QUARANTINE, key), platform.lake.read(PRICE_FLAGS, key))

    return check_partitions(context, judge, warn=True)
