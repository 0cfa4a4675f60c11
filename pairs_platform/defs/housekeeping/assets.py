"""The assets `storage_report` and `retention`, their job, and its schedule.

What does not belong here: measuring (`workflows.storage`) and removing (`purge`).
"""

from zoneinfo import ZoneInfo

import dagster as dg

from pairs_platform.core.prices.calendar import is_session
from pairs_platform.core.time import MARKET_TIMEZONE
from pairs_platform.defs.metadata import page, rows_table
from pairs_platform.platform import Platform

GROUP = "housekeeping"


@dg.asset(group_name=GROUP, kinds={"python", "sql"}, code_version="1")
def storage_report(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult:
    """Look at the sessions left: how large each part of the state is, how it grows, and when the disk is full."""
    from pairs_platform.workflows.storage import measure_storage

    usage = measure_storage(platform)
    rows = [
        (part, f"{size / 1e6:.2f}", usage.growth_of(part))
        for part, size in sorted(usage.sizes.items(), key=lambda item: -item[1])
    ]
    return dg.MaterializeResult(
        metadata=page(
            "storage_report",
            {
                "total_mb": usage.total / 1e6,
                "free_mb": usage.free_bytes / 1e6,
                "growth_mb_per_session": usage.growth.bytes_per_session / 1e6,
                "growth_interval_mb": f"{usage.growth.low / 1e6:.3f} to {usage.growth.high / 1e6:.3f}",
                "sessions_left": usage.growth.sessions_left,
                "parts": rows_table(("part", "MB", "MB per session"), rows, rows=60),
                "not_measured": "; ".join(usage.missing) or "nothing",
            },
        )
    )


@dg.asset_check(asset=storage_report)
def enough_room(context: dg.AssetCheckExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.AssetCheckResult:
    """At its fastest likely growth, the state fits on the disk for some weeks; unknown before five sessions."""
    from pairs_platform.workflows.storage import measure_storage

    usage, needed = measure_storage(platform), platform.settings.housekeeping.warn_sessions
    sessions_left = usage.growth.sessions_left
    return dg.AssetCheckResult(
        passed=not sessions_left < needed,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"the disk is full in {sessions_left:.0f} sessions; {needed} are wanted"
        if sessions_left < needed
        else None,
        metadata={"sessions_left": sessions_left, "free_mb": usage.free_bytes / 1e6},
    )


@dg.asset(group_name=GROUP, kinds={"dagster", "sql"}, code_version="1")
def retention(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult:
    """Look at the runs: of old ones steps, log lines and output are removed; what they made and every model stays."""
    from pairs_platform.defs.housekeeping.purge import purge

    purged = purge(context.instance, platform, dry_run=False, actor="retention", run_id=context.run_id)
    return dg.MaterializeResult(metadata=page("retention", vars(purged)))


housekeeping_job = dg.define_asset_job(
    "housekeeping",
    selection=dg.AssetSelection.groups(GROUP),
    description="How large everything is and when the disk is full; then removes what old runs leave behind.",
)


@dg.schedule(
    name="nightly_housekeeping",
    job=housekeeping_job,
    cron_schedule="0 20 * * 1-5",
    execution_timezone=MARKET_TIMEZONE,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="20:00 New York on session days.",
)
def housekeeping_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Request the run of a session day."""
    today = context.scheduled_execution_time.astimezone(ZoneInfo(MARKET_TIMEZONE)).date()
    if not is_session(today):
        return dg.SkipReason(f"{today} is not an XNYS session")
    return dg.RunRequest(run_key=f"housekeeping|{today}")
