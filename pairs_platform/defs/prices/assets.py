"""The asset `price_history`: bars of one session of one sector, validated before they are published."""

import dagster as dg

from pairs_platform.defs.outcomes import for_each_partition, without_useless_retries
from pairs_platform.defs.partitions import by_sector, session_by_sector
from pairs_platform.platform import Platform


@dg.asset(
    partitions_def=session_by_sector,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="prices",
    kinds={"parquet", "pandas"},
    owners=["team:data-platform"],
    code_version="1",
    pool="market_data",
    retry_policy=dg.RetryPolicy(max_retries=3, delay=20, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS),
)
def price_history(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
    """Validated bars of every symbol of the sector as the source gives them, corporate actions beside them.

    A range of sessions is fetched in one go. Rows that break a rule are kept apart in `price_quarantine` with the
    reason; suspicious ones stay and are listed in `price_flags` with a remedy. In the UI, backfill this asset alone and
    the assets behind it afterwards: chosen together, every session whose lookback it touches would be run as well.
    """
    from pairs_platform.workflows.ingest import fetch_batch, publish

    with without_useless_retries():
        batches = {sector: fetch_batch(platform, sector, days) for sector, days in by_sector(context.partition_keys)}
    for_each_partition(context, lambda key: publish(platform, batches[key.sector], key))
