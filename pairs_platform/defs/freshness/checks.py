"""The check `up_to_date` of every daily asset: its newest sessions in Dagster's record beside the session that is due.

What does not belong here: which session is due and what is late (`core.operations`), when the check is judged
(`sensors`).
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date

import dagster as dg

from pairs_platform.core.operations.freshness import up_to_date
from pairs_platform.core.operations.scheduling import READY_BY, as_of_session
from pairs_platform.defs.asset_metadata import DAILY_ASSETS
from pairs_platform.defs.checks import as_result
from pairs_platform.defs.metadata import formatted
from pairs_platform.platform import Platform

CHECK = "up_to_date"

Newest = Mapping[str, Mapping[str, date]]
"""The newest materialized session of each sector, by asset."""


@dg.multi_asset_check(
    name=CHECK,
    specs=[
        dg.AssetCheckSpec(
            CHECK,
            asset=asset,
            description=f"By {READY_BY:%H:%M} New York on session days every active sector has the session before. "
            "Week-ends and holidays make nothing late.",
        )
        for asset in DAILY_ASSETS
    ],
    can_subset=True,
)
def assets_up_to_date(
    context: dg.AssetCheckExecutionContext, platform: dg.ResourceParam[Platform]
) -> Iterator[dg.AssetCheckResult]:
    """Judge the present. A run that makes partitions judges nothing: the sensor does, as soon as they are there."""
    if context.has_partition_key or context.has_partition_key_range:
        return
    evaluations = judged(platform, newest_sessions(context.instance))
    for key in sorted(context.selected_asset_check_keys):
        yield as_result(evaluations[key.asset_key.to_user_string()])


def newest_sessions(instance: dg.DagsterInstance) -> Newest:
    """Read the newest materialized session of each daily asset and sector."""
    return {asset: dict(_newest(instance.get_materialized_partitions(dg.AssetKey(asset)))) for asset in DAILY_ASSETS}


def _newest(partitions: Iterable[str]) -> Iterator[tuple[str, date]]:
    newest: dict[str, str] = {}
    for partition in partitions:
        session, _, sector = partition.partition("|")
        newest[sector] = max(session, newest.get(sector, ""))
    for sector, session in newest.items():
        yield sector, date.fromisoformat(session)


def judged(platform: Platform, newest: Newest) -> dict[str, dg.AssetCheckEvaluation]:
    """The result of the check of every daily asset now; a sector begins with the first partition of any of them."""
    due = as_of_session(platform.clock(), at=READY_BY)
    begun = [
        sector for sector in platform.settings.active_sectors if any(sector in sectors for sectors in newest.values())
    ]
    evaluations = {}
    for asset in DAILY_ASSETS:
        result = up_to_date({sector: newest[asset].get(sector) for sector in begun}, due)
        evaluations[asset] = dg.AssetCheckEvaluation(
            asset_key=dg.AssetKey(asset),
            check_name=CHECK,
            passed=result.passed,
            severity=dg.AssetCheckSeverity.WARN,
            description=result.summary,
            metadata=formatted(result.figures),
        )
    return evaluations
