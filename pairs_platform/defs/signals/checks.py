"""The checks of `streamed_bars` and `signals`: three of the session under way, three of the morning after.

What does not belong here: the predicates (`core.signals.checks`).
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import dagster as dg

from pairs_platform.core.check_result import CheckResult
from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.defs.checks import check_contract, check_partitions
from pairs_platform.defs.prices.assets import price_history
from pairs_platform.defs.signals.assets import signals, streamed_bars
from pairs_platform.platform import Platform

if TYPE_CHECKING:
    from pairs_platform.workflows.streamed_bars import BarComparison


@dg.asset_check(asset=streamed_bars, name="schema_and_uniqueness", blocking=True)
def stream_schema(context: dg.AssetCheckExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.AssetCheckResult:
    """Types, positive prices, one bar per run mode, symbol and time."""
    from pairs_platform.core.streaming.contracts import STREAMED_BARS

    return check_contract(context, platform, STREAMED_BARS)


@dg.asset_check(asset=signals, name="decided_after_data")
def decided_after_data(
    context: dg.AssetCheckExecutionContext, platform: dg.ResourceParam[Platform]
) -> dg.AssetCheckResult:
    """No signal of the session rests on a bar after its own."""
    import pandas as pd

    from pairs_platform.core.signals.checks import check_decided_after_data
    from pairs_platform.workflows.signal_parity import stored_signals

    length = pd.Timedelta(minutes=platform.settings.frequency.minutes)
    return check_partitions(context, lambda key: check_decided_after_data(stored_signals(platform, key), length))


@dg.asset_check(asset=signals, name="in_time")
def in_time(context: dg.AssetCheckExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.AssetCheckResult:
    """Few bars of the session were decided late, few signals of selected pairs skipped."""
    from pairs_platform.core.signals.checks import check_signals_in_time
    from pairs_platform.workflows.signal_parity import stored_signals

    settings = platform.settings.checks

    def judge(key: PartitionKey) -> CheckResult:
        return check_signals_in_time(
            stored_signals(platform, key),
            max_late_share=settings.max_late_share,
            max_skipped_share=settings.max_skipped_share,
        )

    return check_partitions(context, judge, warn=True)


@dg.asset_check(asset=streamed_bars, name="matches_price_history", additional_deps=[price_history])
def matches_price_history(
    context: dg.AssetCheckExecutionContext, platform: dg.ResourceParam[Platform]
) -> dg.AssetCheckResult:
    """The day after: streamed bars are the vendor's, for the time that was streamed."""
    from pairs_platform.core.signals.checks import check_bars_match

    def judge(compared: "BarComparison") -> CheckResult:
        max_share = platform.settings.checks.max_stream_difference
        return check_bars_match(compared.differences, compared.n_bars, max_share=max_share)

    return _check_stream(context, platform, judge)


@dg.asset_check(asset=streamed_bars, name="session_streamed", additional_deps=[price_history])
def session_streamed(
    context: dg.AssetCheckExecutionContext, platform: dg.ResourceParam[Platform]
) -> dg.AssetCheckResult:
    """The day after: how much of the session was streamed; WARN where a live one was not streamed as a whole."""
    from pairs_platform.core.signals.checks import check_session_streamed

    def judge(compared: "BarComparison") -> CheckResult:
        return check_session_streamed(
            compared.n_bars,
            compared.n_session,
            first_utc=compared.first_utc,
            end_utc=compared.end_utc,
            run_mode=compared.run_mode,
            min_share=platform.settings.checks.min_stream_share,
        )

    return _check_stream(context, platform, judge)


def _check_stream(
    context: dg.AssetCheckExecutionContext, platform: Platform, predicate: "Callable[[BarComparison], CheckResult]"
) -> dg.AssetCheckResult:
    """Judge streamed bars beside the price history; a session that was not streamed passes."""
    from pairs_platform.workflows.streamed_bars import bar_differences

    def judge(key: PartitionKey) -> CheckResult:
        compared = bar_differences(platform, key)
        if compared is None:
            return CheckResult(passed=True, summary="the session was not streamed", figures={})
        return predicate(compared)

    return check_partitions(context, judge, warn=True)


@dg.asset_check(asset=signals, name="matches_batch", additional_deps=[price_history])
def matches_batch(context: dg.AssetCheckExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.AssetCheckResult:
    """The day after: stored signals are those that the vendor's bars give by the batch path."""
    from pairs_platform.core.signals.checks import check_signals_match
    from pairs_platform.workflows.signal_parity import signal_differences

    def judge(key: PartitionKey) -> CheckResult:
        compared = signal_differences(platform, key)
        if compared is None:
            return CheckResult(passed=True, summary="the session has no signals that can be compared", figures={})
        return check_signals_match(compared.differences, compared.n_signals)

    return check_partitions(context, judge, warn=True)


OF_THE_DAY_AFTER = dg.AssetSelection.checks(matches_price_history, session_streamed, matches_batch)
"""They compare a session with its `price_history`, which is there the day after."""
