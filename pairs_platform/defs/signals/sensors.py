"""The sensor that waits for complete bars, and the one that reports the collector's health.

What does not belong here: deciding what is due (`core.signals.requests`).
"""

import json
import time
from collections.abc import Callable

import dagster as dg

from pairs_platform.core.errors import ClockUnknown, StreamUnavailable
from pairs_platform.core.operations.run_tags import SIGNALS_TAG
from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.core.signals.requests import StreamRequest, decide_signal_requests
from pairs_platform.core.streaming.sessions import is_open
from pairs_platform.core.time import SECOND_NS
from pairs_platform.defs.outcomes import explained
from pairs_platform.defs.signals.assets import signals, streamed_bars
from pairs_platform.defs.signals.checks import OF_THE_DAY_AFTER, decided_after_data, in_time
from pairs_platform.platform import Platform
from pairs_platform.settings.hints import stored_hint

MAX_SECONDS = 300
"""A run of signals that takes longer is ended: its bar is long over, and the next run fills it."""

MAX_RETRIES = 3
"""Times that a run of signals whose process died is run again."""

GONE_SECONDS = 30.0
"""A collector without a heartbeat for this long counts as gone; it writes one every second."""

BLOCK_MS = 3800
"""How long a tick waits for a bar. The daemon looks at its sensors every 5 s, and leaves out one whose tick has not
ended by then: the rest is for its start and end over gRPC and PostgreSQL."""

signal_job = dg.define_asset_job(
    "five_minute_signals",
    selection=dg.AssetSelection.assets(signals) - dg.AssetSelection.all_asset_checks(),
    description="The signals of the complete bars of one session of one sector.",
)

save_job = dg.define_asset_job(
    "stream_save",
    selection=(dg.AssetSelection.assets(streamed_bars) - OF_THE_DAY_AFTER)
    | dg.AssetSelection.checks(decided_after_data, in_time),
    description="Streamed bars of one session of one sector into the lake, and the checks of its signals so far.",
    tags={"pairs_platform/stage": "save"},
)


@dg.sensor(
    name="signal_sensor",
    jobs=[signal_job, save_job],
    minimum_interval_seconds=1,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Waits for complete bars and requests the signals of every active sector.",
)
def signal_sensor(
    context: dg.SensorEvaluationContext, platform: dg.ResourceParam[Platform]
) -> dg.SensorResult | dg.SkipReason:
    """Request what is due; a Redis that does not answer is a failed tick."""
    return _while_streamed(platform, lambda: _complete_bars(platform, context.cursor))


def _complete_bars(platform: Platform, cursor: str | None) -> dg.SensorResult | dg.SkipReason:
    streams = platform.streams
    cursors: dict[str, str] = json.loads(cursor) if cursor else {}
    bar_closes = streams.bar_closes.after(cursors.get(streams.run_mode, "0-0"), block_ms=BLOCK_MS)
    if not bar_closes:
        return dg.SkipReason("no bar has become complete")
    due = decide_signal_requests(
        bar_closes,
        market_ns=streams.clock.now_ns(),
        sectors=platform.settings.active_sectors,
        run_mode=streams.run_mode,
    )
    requests = [request_signals(request) for request in due.signals]
    requests += [_request(request, save_job.name, 0, {}) for request in due.saves]
    return dg.SensorResult(
        run_requests=requests,
        skip_reason=None if requests else due.reason,
        cursor=json.dumps({**cursors, streams.run_mode: bar_closes[-1].id}),
    )


def request_signals(request: StreamRequest) -> dg.RunRequest:
    """One run of the signals of a sector, ahead of all other runs in the queue."""
    tags = {"dagster/max_runtime": str(MAX_SECONDS), "dagster/max_retries": str(MAX_RETRIES)}
    return _request(request, signal_job.name, 20, {SIGNALS_TAG: request.sector, **tags})


def request_streamed_bars(key: PartitionKey) -> dg.RunRequest:
    """One run that saves the streamed bars of a session, without the checks of its signals."""
    return dg.RunRequest(partition_key=str(key), asset_selection=[dg.AssetKey("streamed_bars")])


def _request(request: StreamRequest, job: str, priority: int, tags: dict[str, str]) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=request.run_key,
        job_name=job,
        partition_key=str(PartitionKey(request.session, request.sector)),
        tags={**tags, "dagster/priority": str(priority), "pairs_platform/bucket_ns": str(request.start_ns)},
    )


def _while_streamed(
    platform: Platform, tick: Callable[[], dg.SensorResult | dg.SkipReason]
) -> dg.SensorResult | dg.SkipReason:
    """What a tick finds; a skip where no stream runs, also where it was stopped in order while the tick waited."""
    idle = _no_stream(platform)
    if idle:
        return dg.SkipReason(idle)
    try:
        with explained():
            return tick()
    except StreamUnavailable:
        idle = _no_stream(platform)
        if not idle:
            raise
        return dg.SkipReason(idle)


def _no_stream(platform: Platform) -> str:
    """The reason for not waiting where no stream has been started; empty otherwise."""
    from pairs_platform.adapters.redis.socket_file import socket_path

    if platform.settings.redis_url is not None or socket_path(platform.settings.profile_root / "redis").exists():
        return ""
    return f"no stream has been started; `{stored_hint('live')}` starts one"


@dg.sensor(
    name="stream_health",
    target=dg.AssetSelection.assets(streamed_bars),
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Reports the health of the collector as an observation of `streamed_bars`, while a session is open.",
)
def health_sensor(
    context: dg.SensorEvaluationContext, platform: dg.ResourceParam[Platform]
) -> dg.SensorResult | dg.SkipReason:
    """Observe; request nothing."""
    return _while_streamed(platform, lambda: _observed(platform))


def _observed(platform: Platform) -> dg.SensorResult | dg.SkipReason:
    streams = platform.streams
    health = streams.health.read()
    try:
        open_now = is_open(streams.clock.now_ns())
    except ClockUnknown:
        open_now = False
    if not health or not open_now:
        return dg.SkipReason("no session is open" if health else "no collector has run")
    silent_s = (time.time_ns() - int(health.get("heartbeat_wall_ns", 0))) / SECOND_NS
    state = health.get("state", "unknown") if silent_s < GONE_SECONDS else "gone"
    metadata: dict[str, str | int] = {**health, "state": state, "symbols_with_bars": len(streams.bars.newest())}
    return dg.SensorResult(
        asset_events=[dg.AssetObservation("streamed_bars", metadata=metadata)], skip_reason=f"the collector is {state}"
    )
