"""The asset `price_history`: bars of one session of one sector, validated before they are published; and its page.

What does not belong here: fetching and publishing (`workflows.ingest`).
"""

from typing import TYPE_CHECKING, Any

import dagster as dg

from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.core.prices.calendar import bar_grid
from pairs_platform.defs.metadata import drawing, table
from pairs_platform.defs.outcomes import for_each_partition, without_useless_retries
from pairs_platform.defs.partitions import by_sector, session_by_sector
from pairs_platform.platform import Platform

if TYPE_CHECKING:
    from pairs_platform.workflows.ingest import PublishedSession

VENDOR_RETRIES = dg.RetryPolicy(max_retries=3, delay=20, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)


@dg.asset(
    partitions_def=session_by_sector,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="prices",
    kinds={"parquet", "pandas"},
    code_version="1",
    pool="market_data",
)
def price_history(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
    """Look at the coverage first: validated bars of every symbol of the sector as the source gives them.

    Corporate actions are alongside. A range of sessions is fetched in one go. Rows that break a rule are kept apart
    in `price_quarantine` with the reason; suspicious ones stay and are listed in `price_flags` with a remedy. What
    the source itself left out is in `source_notes` and in the log. In the UI, backfill this asset alone and the
    assets after it in a second step: chosen together, every session whose lookback it touches would be run as well.
    """
    from pairs_platform.workflows.ingest import fetch_batch, publish

    with without_useless_retries(context, VENDOR_RETRIES):
        batches = {sector: fetch_batch(platform, sector, days) for sector, days in by_sector(context.partition_keys)}
    for note in dict.fromkeys(note for batch in batches.values() for note in batch.source_notes):
        context.log.warning(note)
    for_each_partition(
        context,
        lambda key: _price_page(publish(platform, batches[key.sector], key), platform, key),
        retries=VENDOR_RETRIES,
    )


def _price_page(published: "PublishedSession", platform: Platform, key: PartitionKey) -> dict[str, Any]:
    from pairs_platform.views.drawing.coverage import bar_coverage
    from pairs_platform.views.drawing.label import drawing_label

    bars = published.bars
    grid = bar_grid([key.session], platform.settings.frequency).ts_utc.to_pydatetime().tolist()
    starts = {str(symbol): own.tolist() for symbol, own in bars.accepted.groupby("symbol")["ts_utc"]}
    symbols = sorted({*starts, *published.missing_symbols})
    coverage = bar_coverage(
        {symbol: starts.get(symbol, []) for symbol in symbols},
        grid,
        label=drawing_label(platform, key, published.provenance["source"]),
    )
    return {
        **published.provenance,
        "dagster/row_count": len(bars.accepted),
        "symbols": int(bars.accepted["symbol"].nunique()),
        "symbols_missing": dict(published.missing_symbols),
        "source_notes": list(published.source_notes),
        "rows_quarantined": len(bars.quarantined),
        "quarantined_rows": table(bars.quarantined),
        "rows_flagged": len(bars.flags),
        "flags": table(bars.flags),
        "corporate_actions": table(published.actions),
        "plot_coverage": drawing(coverage, "accepted bars of each symbol"),
    }
