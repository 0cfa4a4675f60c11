"""The job that looks at a session's trading, and the sensor that asks for it.

What does not belong here: deciding what is due (`workflows.trading_requests`).
"""

import dagster as dg

from pairs_platform.defs.trading.assets import fills, orders, performance_attribution, portfolio
from pairs_platform.platform import Platform

LOOK_SECONDS = 60
"""Between two looks: bars of five minutes, and a daemon that signals must not wait for."""

trading_job = dg.define_asset_job(
    "session_trading",
    selection=dg.AssetSelection.assets(orders, fills, portfolio, performance_attribution),
    description="Orders, fills, portfolio and attribution of one session of one sector, with their checks.",
    tags={"pairs_platform/stage": "trading"},
)


@dg.sensor(
    name="trading_sensor",
    job=trading_job,
    minimum_interval_seconds=LOOK_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Asks for the orders, fills, portfolio and attribution of every sector that trades: after each bar's "
    "signals, and at the close.",
)
def trading_sensor(platform: dg.ResourceParam[Platform]) -> dg.SensorResult | dg.SkipReason:
    """Request what is new since the last look."""
    from pairs_platform.workflows.trading_requests import due_results

    requests = [dg.RunRequest(run_key=due.name, partition_key=str(due.key)) for due in due_results(platform)]
    return dg.SensorResult(run_requests=requests) if requests else dg.SkipReason("nothing is traded")
