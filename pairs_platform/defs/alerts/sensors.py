"""The sensors of alerts, and the check that says what is broken now.

What does not belong here: what is an alert (`find`), how it is said (`core.operations.alerts`), when it is sent
(`database.alerts`).
"""

import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict

import dagster as dg

from pairs_platform.core.errors import ConfigurationError, DatabaseUnavailable
from pairs_platform.core.operations.alerts import TITLES, Alert
from pairs_platform.core.operations.run_tags import RETRY_OF_TAG
from pairs_platform.defs.alerts.find import CHECK, failed_run, judged_checks, late_sessions, silent_stream, subject_of
from pairs_platform.defs.metadata import rows_table
from pairs_platform.defs.selection.assets import trading_config
from pairs_platform.platform import Platform

if TYPE_CHECKING:
    from dagster._core.event_api import RunStatusChangeEventType
    from pydantic import SecretStr

    from pairs_platform.core.operations.alerts import OpenAlert

_ENDS: tuple["RunStatusChangeEventType", ...] = (
    dg.DagsterEventType.RUN_SUCCESS,
    dg.DagsterEventType.RUN_FAILURE,
    dg.DagsterEventType.RUN_CANCELED,
)


class _Behind(TypedDict, total=False):
    after_storage_id: int
    after_timestamp: float


_RUNS_A_TICK = 25
_SETTLED_SECONDS = 2.0
"""A younger event waits: others with a smaller number may not be stored yet."""

_TICK_SECONDS = 30.0
"""After so long a tick begins nothing more: Dagster gives it up after 60 s."""


@dg.sensor(
    name="run_alerts",
    minimum_interval_seconds=15,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Raises an alert for each failed run and each failed check, wherever the run was started, and closes "
    "those that are well again. Goes on behind a run only once what it says of it is stored.",
)
def run_alerts(context: dg.SensorEvaluationContext, platform: dg.ResourceParam[Platform]) -> dg.SkipReason:
    """Raise and close; request nothing."""
    newest = max(_ended(context.instance), key=lambda one: one.storage_id, default=None)
    if context.cursor is None:
        context.update_cursor(_place(newest.storage_id, newest.timestamp) if newest else _place(0, 0.0))
        return dg.SkipReason("runs that end from now on are looked at")
    number, at = context.cursor.split("|")
    # SQLite gives the numbers of deleted events to new ones.
    is_reused = newest is not None and newest.storage_id < int(number)
    behind = _Behind(after_timestamp=float(at)) if is_reused else _Behind(after_storage_id=int(number))
    judged, until = 0, time.monotonic() + _TICK_SECONDS
    for record in _ended(context.instance, behind):
        if record.timestamp > time.time() - _SETTLED_SECONDS or time.monotonic() > until:
            break
        try:
            _judge(context, platform, record)
        except DatabaseUnavailable as error:
            if not judged:
                raise
            return dg.SkipReason(f"{judged} runs are looked at, the others are next: {error}")
        context.update_cursor(_place(record.storage_id, record.timestamp))
        judged += 1
    return dg.SkipReason(f"{judged} runs are looked at")


@dg.sensor(
    name="alert_watch",
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Raises alerts for what should be there and is not: a daily run, the configuration at 08:00 New York, "
    "streamed bars. Knows sessions and holidays.",
)
def alert_watch(context: dg.SensorEvaluationContext, platform: dg.ResourceParam[Platform]) -> dg.SkipReason:
    """Raise and close; request nothing."""
    alerts, well = late_sessions(context.instance, platform, platform.clock())
    _keep(platform, alerts, well)
    if platform.settings.stream.run_mode == "live":
        silent, heard = silent_stream(platform.streams, platform.settings.alerts.silent_after_minutes)
        _keep(platform, silent, heard)
        alerts = [*alerts, *silent]
    return dg.SkipReason("; ".join(alert.what for alert in alerts) or "everything that is due is there")


@dg.sensor(
    name="alert_delivery",
    asset_selection=dg.AssetSelection.assets(trading_config),
    minimum_interval_seconds=15,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Sends what is new in one message to every receiver, tries failed deliveries again, keeps "
    f"`{CHECK}` up to date.",
)
def alert_delivery(
    context: dg.SensorEvaluationContext, platform: dg.ResourceParam[Platform]
) -> dg.SensorResult | dg.SkipReason:
    """Send; the check's verdict is stored when what is broken has changed."""
    from pairs_platform.database.alerts import failed_deliveries, make_message, open_alerts

    receivers = _receivers(platform)
    make_message(platform.database, list(receivers), platform.clock(), platform.settings.alert_settings)
    said = deliver(platform)
    broken, stuck = open_alerts(platform.database), failed_deliveries(platform.database, list(receivers))
    state = json.dumps([sorted(one.key for one in broken), [(one.id, one.error) for one in stuck]])
    if state == context.cursor:
        return dg.SkipReason(said)
    return dg.SensorResult(asset_events=[_verdict(platform)], cursor=state, skip_reason=said)


@dg.asset_check(asset=trading_config, name=CHECK)
def what_is_broken_now(platform: dg.ResourceParam[Platform]) -> dg.AssetCheckResult:
    """Nothing is broken: no alert is open, and every message went out. The open ones are listed."""
    evaluation = _verdict(platform)
    return dg.AssetCheckResult(
        passed=evaluation.passed,
        severity=evaluation.severity,
        metadata=evaluation.metadata,
        description=evaluation.description,
    )


def deliver(platform: Platform) -> str:
    """Try what is due to be sent, each message by one process at a time; how that went, in words."""
    from pairs_platform.adapters.notify.apprise_notifier import send
    from pairs_platform.database.alerts import claim_delivery, due_deliveries, note_delivery

    receivers = _receivers(platform)
    sent, failed = 0, []
    until = time.monotonic() + _TICK_SECONDS
    for delivery in due_deliveries(platform.database, list(receivers), platform.clock()):
        if time.monotonic() > until:
            break
        if not claim_delivery(platform.database, delivery, platform.clock()):
            continue
        try:
            error = send(delivery.target, receivers[delivery.target], delivery.title, delivery.body)
        except ConfigurationError as mistake:
            error = str(mistake)
        note_delivery(platform.database, delivery, error, platform.clock(), platform.settings.alerts)
        sent += not error
        failed += [f"{delivery.target}: {error}"] if error else []
    if not receivers:
        return "no receiver is configured: alerts are kept, see `pairs-platform alerts`"
    return f"{sent} sent" + (f", {len(failed)} not: {'; '.join(failed)}" if failed else "")


def _receivers(platform: Platform) -> "dict[str, SecretStr]":
    from pairs_platform.adapters.notify.apprise_notifier import receivers

    return receivers(platform.settings.alert_urls)


def _verdict(platform: Platform) -> dg.AssetCheckEvaluation:
    from pairs_platform.database.alerts import failed_deliveries, open_alerts

    broken = open_alerts(platform.database)
    stuck = failed_deliveries(platform.database, list(_receivers(platform)))
    is_error = any(one.severity == "error" for one in broken)
    parts = [f"{len(broken)} open"] if broken else []
    parts += [f"{len(stuck)} messages not delivered: {stuck[-1].error}"] if stuck else []
    return dg.AssetCheckEvaluation(
        asset_key=trading_config.key,
        check_name=CHECK,
        passed=not broken and not stuck,
        severity=dg.AssetCheckSeverity.ERROR if is_error else dg.AssetCheckSeverity.WARN,
        description="; ".join(parts) or None,
        metadata={"open": len(broken), "undelivered": len(stuck), "alerts": _table(broken, platform)},
    )


def _table(broken: "Sequence[OpenAlert]", platform: Platform) -> dg.MarkdownMetadataValue:
    now = platform.clock()
    rows = [
        (
            one.severity,
            TITLES[one.kind],
            f"{one.session or ''}|{one.sector or ''}".strip("|"),
            one.what,
            one.remedy,
            f"{(now - one.opened_utc).total_seconds() / 3600:.1f} h",
            one.times,
        )
        for one in broken
    ]
    return rows_table(("severity", "kind", "partition", "what", "remedy", "open for", "seen"), rows)


def _place(storage_id: int, timestamp: float) -> str:
    return f"{storage_id}|{timestamp!r}"


def _ended(instance: dg.DagsterInstance, behind: _Behind | None = None) -> list[dg.EventLogRecord]:
    """The oldest events of runs that ended behind a place in the event log, or the newest ones of all."""
    found: list[dg.EventLogRecord] = []
    for kind in _ENDS:
        chosen = dg.RunStatusChangeRecordsFilter(kind, **(behind or {}))
        found += instance.fetch_run_status_changes(chosen, limit=_RUNS_A_TICK, ascending=behind is not None).records
    return sorted(found, key=lambda one: one.storage_id)[: None if behind is None else _RUNS_A_TICK]


def _judge(context: dg.SensorEvaluationContext, platform: Platform, record: dg.EventLogRecord) -> None:
    """Raise and close what one run says; what cannot be read of it is an alert itself, and hides no other run."""
    run = context.instance.get_run_by_id(record.event_log_entry.run_id)
    if run is None:
        return
    try:
        _judge_run(context.instance, platform, run, record.event_log_entry.get_dagster_event())
    except DatabaseUnavailable:
        raise
    except Exception as error:
        context.log.exception(f"run {run.run_id} could not be judged")
        _keep(platform, [failed_run(run, f"its end could not be judged, {type(error).__name__}: see {run.run_id}")], [])


def _judge_run(instance: dg.DagsterInstance, platform: Platform, run: dg.DagsterRun, event: dg.DagsterEvent) -> None:
    from pairs_platform.database.alerts import end_earlier

    judged = judged_checks(instance, run, warnings=platform.settings.alerts.warnings)
    checks = [subject for subject, _ in judged]
    # The event is stored before the status of the run.
    if event.event_type is dg.DagsterEventType.RUN_FAILURE:
        judged.append((subject_of(run), failed_run(run, _cause(event))))
    elif event.event_type is dg.DagsterEventType.RUN_SUCCESS:
        judged.append((subject_of(run), None))
    _keep(platform, [alert for _, alert in judged if alert], [subject.key for subject, alert in judged if not alert])
    for subject, alert in judged:
        if subject.earlier is not None and (alert is None or subject in checks):
            begin, place = subject.earlier
            end_earlier(platform.database, begin, place.sector, place.session, platform.clock(), report=alert is None)
    if run.parent_run_id or RETRY_OF_TAG in run.tags:
        _record_retry(platform, run, event)


def _keep(platform: Platform, alerts: Sequence[Alert], well: Sequence[str]) -> None:
    from pairs_platform.database.alerts import raise_alert, resolve_alerts

    for alert in alerts:
        raise_alert(platform.database, alert, platform.clock())
    resolve_alerts(platform.database, well, platform.clock())


def _record_retry(platform: Platform, run: dg.DagsterRun, event: dg.DagsterEvent) -> None:
    """Write once into the audit that a run was run again, by the platform, by Dagster or by a person in the UI."""
    from pairs_platform.database.audit import AuditEntry, record_once

    # A run that is made again from the UI has the tags of the first one.
    if run.parent_run_id:
        actor = "dagster" if "dagster/retry_number" in run.tags else run.tags.get("user") or "the UI"
    else:
        actor = "failed_session_retry"
    what = AuditEntry(
        actor=actor,
        action="run_retried",
        object=f"{run.job_name} {run.tags.get('dagster/partition', '')}".strip()[:200],
        reason=f"run {run.parent_run_id or run.tags[RETRY_OF_TAG]} again",
        detail={"ended": event.event_type.value},
        run_id=run.run_id,
    )
    record_once(platform.database, what)


def _cause(event: dg.DagsterEvent) -> str:
    """What the first failed step said at last, or the run itself."""
    step = getattr(event.event_specific_data, "first_step_failure_event", None)
    error = getattr(step.event_specific_data, "error", None) if step else None
    while error is not None and error.cause is not None:
        error = error.cause
    return error.message.strip() if error is not None else event.message or ""
