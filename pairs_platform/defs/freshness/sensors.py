"""The sensor that keeps the check `up_to_date` of every daily asset true.

What does not belong here: the check (`checks`), and alerts about what is missing (`defs.alerts`).
"""

import json

import dagster as dg

from pairs_platform.core.operations.scheduling import READY_BY, as_of_session
from pairs_platform.defs.asset_metadata import DAILY_ASSETS
from pairs_platform.defs.freshness.checks import CHECK, judged, newest_sessions
from pairs_platform.platform import Platform

_ASSETS = [dg.AssetKey(asset) for asset in DAILY_ASSETS]


@dg.sensor(
    name="freshness_watch",
    asset_selection=dg.AssetSelection.assets(*_ASSETS),
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=f"Judges `{CHECK}` of the daily assets again when a session becomes due and when one is materialized.",
)
def freshness_watch(
    context: dg.SensorEvaluationContext, platform: dg.ResourceParam[Platform]
) -> dg.SensorResult | dg.SkipReason:
    """Store what has changed; request nothing.

    The UI shows a result that is older than the newest materialization as none: it is stored again after each one.
    """
    due = as_of_session(platform.clock(), at=READY_BY)
    what = [str(due), *platform.settings.active_sectors]
    events = context.instance.get_latest_materialization_events(_ASSETS)
    made = {key.to_user_string(): event.timestamp if event else None for key, event in events.items()}
    before = json.loads(context.cursor or "{}")
    if before.get("what") == what and before["made"] == made:
        return dg.SkipReason(f"nothing has changed since session {due} was judged")
    evaluations = judged(platform, newest_sessions(context.instance))
    shown = {asset: found.description for asset, found in evaluations.items()}
    changed = [
        found
        for asset, found in evaluations.items()
        if (before.get("shown", {}).get(asset), before.get("made", {}).get(asset)) != (shown[asset], made.get(asset))
    ]
    late = sum(not found.passed for found in evaluations.values())
    return dg.SensorResult(
        asset_events=changed,
        cursor=json.dumps({"what": what, "made": made, "shown": shown}),
        skip_reason=f"session {due}: {late} of {len(evaluations)} daily assets are behind",
    )
