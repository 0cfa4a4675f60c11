"""The assets `exports` and `session_report`: a session as files for other programs, and for people.

What does not belong here: the tables and the report (`views.reports`).
"""

from typing import Any

import dagster as dg

from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.defs.metadata import rows_table
from pairs_platform.defs.models.assets import model_tables
from pairs_platform.defs.outcomes import for_each_partition
from pairs_platform.defs.partitions import session_by_sector
from pairs_platform.defs.selection.assets import composite_rankings, trading_config
from pairs_platform.defs.volatility.assets import garch_fits
from pairs_platform.platform import Platform


@dg.asset(
    deps=[composite_rankings, trading_config, model_tables],
    partitions_def=session_by_sector,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="reports",
    kinds={"csv", "excel", "parquet"},
    code_version="1",
)
def exports(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
    """Look at the files: rankings, configuration, model performance and signals of the session, for other programs.

    In the profile's folder `exports/<sector>/<session>`; a table without rows is a file with a heading. Signals are
    those of the session itself: run the partition again after its close to have all of them.
    """
    from pairs_platform.workflows.reports import export_partition

    def export(key: PartitionKey) -> dict[str, Any]:
        written = export_partition(platform, key)
        return {
            "source": written.source,
            "folder": written.folder,
            "dagster/row_count": sum(written.sizes.values()),
            "files": rows_table(("table", "rows"), written.sizes.items()),
        }

    for_each_partition(context, export)


@dg.asset(
    deps=[garch_fits, composite_rankings, trading_config, model_tables],
    partitions_def=session_by_sector,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="reports",
    kinds={"html", "pdf"},
    code_version="1",
)
def session_report(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
    """Look at `report.html`: the session for people, from the funnel to the spreads, as HTML and PDF.

    In the profile's folder `exports/<sector>/<session>`; the same state gives the same bytes. Signals are those of the
    session itself: run the partition again after its close to have all of them.
    """
    from pairs_platform.workflows.reports import report_partition

    def report(key: PartitionKey) -> dict[str, Any]:
        written = report_partition(platform, key)
        return {"source": written.source, "files": rows_table(("file", "bytes"), written.sizes.items())}

    for_each_partition(context, report)
