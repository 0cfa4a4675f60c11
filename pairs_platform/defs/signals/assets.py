"""The assets `streamed_bars` and `signals`, of the session under way."""

from typing import Any

import dagster as dg

from pairs_platform.defs.partitions import lake_keys, live_session_by_sector, lookback_mapping
from pairs_platform.defs.selection.assets import trading_config
from pairs_platform.platform import Platform

GROUP = "live"

PATIENT_RETRIES, PATIENT_SECONDS = 40, 5
"""A run of signals outlasts a Redis or a database that is away for three minutes: behind the last bar of a session
no later run would fill what is missing."""


@dg.asset(
    partitions_def=live_session_by_sector,
    group_name=GROUP,
    kinds={"redis", "parquet"},
    owners=["team:data-platform"],
    code_version="1",
    retry_policy=dg.RetryPolicy(max_retries=2, delay=5),
)
def streamed_bars(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
    """Bars as they were streamed, of the stream's own length, each in its last revision; every hour and at the close.

    Beside `price_history`, which comes from the vendor alone and is what everything is computed from.
    """
    from pairs_platform.core.partition_key import PartitionKey
    from pairs_platform.defs.metadata import table
    from pairs_platform.defs.outcomes import for_each_partition
    from pairs_platform.defs.signals.work import save_stream

    def save(key: PartitionKey) -> dict[str, Any]:
        frame, facts = save_stream(platform, key)
        by_symbol = frame.groupby("symbol").agg(
            bars=("ts_utc", "size"), first=("ts_utc", "min"), last=("ts_utc", "max"), revised=("revision", "max")
        )
        return {
            **facts,
            "dagster/row_count": len(frame),
            "symbols": len(by_symbol),
            "rows_of_a_proxy": int(frame["source"].str.startswith("proxy:").sum()),
            "by_symbol": table(by_symbol.reset_index(), rows=50),
        }

    for_each_partition(context, save)


@dg.asset(
    deps=[
        dg.AssetDep(trading_config, partition_mapping=lookback_mapping(-1, -1)),
    ],
    partitions_def=live_session_by_sector,
    group_name=GROUP,
    kinds={"redis", "sql", "numpy"},
    owners=["team:trading"],
    code_version="1",
    retry_policy=dg.RetryPolicy(max_retries=2, delay=2),
)
def signals(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
    """What to do with every configured pair at every bar of the session: rows of the database, stored once.

    A run computes every complete bar that has no signals yet; what is stored is never changed. Read by
    `pairs-platform signals`.
    """
    from pairs_platform.adapters.redis.bus import StreamUnavailable
    from pairs_platform.database.errors import DatabaseUnavailable
    from pairs_platform.defs.outcomes import without_useless_retries
    from pairs_platform.defs.signals.work import signal_partition

    for key in lake_keys(context.partition_keys):
        with without_useless_retries():
            try:
                outcome = signal_partition(platform, key, run_id=context.run.run_id)
            except (StreamUnavailable, DatabaseUnavailable) as error:
                raise dg.RetryRequested(max_retries=PATIENT_RETRIES, seconds_to_wait=PATIENT_SECONDS) from error
        from pairs_platform.views.drawing.signal_strip import signal_page

        context.add_asset_metadata(signal_page(platform, outcome), partition_key=str(key))
