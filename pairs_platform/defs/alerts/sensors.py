"""The sensors of alerts, and the check that says what is broken now.

What does not belong here: what is an alert (`core.operations.alert_causes`, `runs`), keeping and sending alerts
(`workflows.alerts`).
"""

import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict

import dagster as dg

from pairs_platform.core.errors import DatabaseUnavailable
from pairs_platform.core.operations.alert_causes import STANDING_CHECK
from pairs_platform.core.operations.alerts import TITLES
from pairs_platform.core.operations.run_tags import RETRY_OF_TAG
from pairs_platform.defs.alerts.runs import cause_of, failed_run, judged_checks, subject_of
from pairs_platform.defs.automation import daily_job, sector_state
from pairs_platform.defs.checks import as_result
from pairs_platform.defs.metadata import rows_table
from pairs_platform.defs.selection.assets import trading_config
from pairs_platform.platform import Platform
from pairs_platform.settings.hints import stored_hint

if TYPE_CHECKING:
    from dagster._core.event_api import RunStatusChangeEventType

    from pairs_platform.core.operations.alerts import OpenAlert

_ENDS: tuple["RunStatusChangeEventType", ...] = (
    dg.DagsterEventType.RUN_SUCCESS,
    dg.DagsterEventType.RUN_FAILURE,
    dg.DagsterEventType.RUN_CANCELED,
)


class _Place(TypedDict, total=False):
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
    "those that are well again. Continues after a run only once its alerts are stored.",
)
def run_alerts(context: dg.SensorEvaluationContext, platform: dg.ResourceParam[Platform]) -> dg.SkipReason:
    """Raise and close; request nothing."""
    newest = max(_ended(context.instance), key=lambda record: record.storage_id, default=None)
    if context.cursor is None:
        context.update_cursor(_cursor(newest.storage_id, newest.timestamp) if newest else _cursor(0, 0.0))
        return dg.SkipReason("runs that end from now on are looked at")
    number, at = context.cursor.split("|")
    # SQLite gives the numbers of deleted events to new ones.
    is_reused = newest is not None and newest.storage_id < int(number)
    after = _Place(after_timestamp=float(at)) if is_reused else _Place(after_storage_id=int(number))
    judged, until = 0, time.monotonic() + _TICK_SECONDS
    for record in _ended(context.instance, after):
        if record.timestamp > time.time() - _SETTLED_SECONDS or time.monotonic() > until:
            break
        try:
            _judge(context, platform, record)
        except DatabaseUnavailable as error:
            if not judged:
                raise
            return dg.SkipReason(f"{judged} runs are looked at, the others are next: {error}")
        context.update_cursor(_cursor(record.storage_id, record.timestamp))
        judged += 1
    return dg.SkipReason(f"{judged} runs are looked at")


@dg.sensor(
    name="alert_watch",
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Raises alerts for what should be there and is not: a daily run, the configuration at 08:00 New York, "
    "streamed bars; and for the kill switch, accounts in which nothing is begun, rejected orders. Knows sessions and "
    "holidays.",
)
def alert_watch(context: dg.SensorEvaluationContext, platform: dg.ResourceParam[Platform]) -> dg.SkipReason:
    """Raise and close; request nothing."""
    from pairs_platform.workflows.alerts import keep_alerts, late_sessions, silent_stream, stopped_trading

    now, settings = platform.clock(), platform.settings
    states = [sector_state(context.instance, platform, sector, now=now) for sector in settings.active_sectors]
    changes = [late_sessions(platform, states, now, job=daily_job.name)]
    keep_alerts(platform, changes[0])
    if settings.stream.run_mode == "live":
        changes.append(silent_stream(platform.streams, settings.alerts.silent_after_minutes))
        keep_alerts(platform, changes[1])
    changes.append(stopped_trading(platform.database, settings.stream.run_mode))
    keep_alerts(platform, changes[-1])
    raised = [alert.what for change in changes for alert in change.raised]
    return dg.SkipReason("; ".join(raised) or "everything that is due is there")


@dg.sensor(
    name="alert_delivery",
    asset_selection=dg.AssetSelection.assets(trading_config),
    minimum_interval_seconds=15,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Sends what is new in one message to every receiver, tries failed deliveries again, keeps "
    f"`{STANDING_CHECK}` up to date.",
)
def alert_delivery(
    context: dg.SensorEvaluationContext, platform: dg.ResourceParam[Platform]
) -> dg.SensorResult | dg.SkipReason:
    """Send; the check's result is stored when what is broken has changed."""
    from pairs_platform.database.alerts import failed_deliveries, make_message, open_alerts
    from pairs_platform.workflows.alerts import alert_receivers, deliver

    receivers = list(alert_receivers(platform))
    settings, command = platform.settings.alert_settings, stored_hint("alerts")
    make_message(platform.database, receivers, platform.clock(), settings, list_command=command)
    summary = deliver(platform, seconds=_TICK_SECONDS)
    broken, undelivered = open_alerts(platform.database), failed_deliveries(platform.database, receivers)
    state = json.dumps(
        [sorted(alert.key for alert in broken), [(delivery.id, delivery.error) for delivery in undelivered]]
    )
    if state == context.cursor:
        return dg.SkipReason(summary)
    return dg.SensorResult(asset_events=[_evaluation(platform)], cursor=state, skip_reason=summary)


@dg.asset_check(asset=trading_config, name=STANDING_CHECK)
def what_is_broken_now(platform: dg.ResourceParam[Platform]) -> dg.AssetCheckResult:
    """Nothing is broken: no alert is open, and every message went out. The open ones are listed."""
    return as_result(_evaluation(platform))


def _evaluation(platform: Platform) -> dg.AssetCheckEvaluation:
    from pairs_platform.database.alerts import failed_deliveries, open_alerts
    from pairs_platform.workflows.alerts import alert_receivers

    broken = open_alerts(platform.database)
    undelivered = failed_deliveries(platform.database, list(alert_receivers(platform)))
    is_error = any(alert.severity == "error" for alert in broken)
    parts = [f"{len(broken)} open"] if broken else []
    parts += [f"{len(undelivered)} messages not delivered: {undelivered[-1].error}"] if undelivered else []
    return dg.AssetCheckEvaluation(
        asset_key=trading_config.key,
        check_name=STANDING_CHECK,
        passed=not broken and not undelivered,
        severity=dg.AssetCheckSeverity.ERROR if is_error else dg.AssetCheckSeverity.WARN,
        description="; ".join(parts) or None,
        metadata={"open": len(broken), "undelivered": len(undelivered), "alerts": _table(broken, platform)},
    )


def _table(broken: "Sequence[OpenAlert]", platform: Platform) -> dg.MetadataValue:
    now = platform.clock()
    rows = [
        (
            alert.severity,
            TITLES[alert.kind],
            f"{alert.session or ''}|{alert.sector or ''}".strip("|"),
            alert.what,
            alert.remedy,
            f"{(now - alert.opened_utc).total_seconds() / 3600:.1f} h",
            alert.times,
        )
        for alert in broken
    ]
    return rows_table(("severity", "kind", "partition", "what", "remedy", "open for", "seen"), rows)


def _cursor(storage_id: int, timestamp: float) -> str:
    return f"{storage_id}|{timestamp!r}"


def _ended(instance: dg.DagsterInstance, after: _Place | None = None) -> list[dg.EventLogRecord]:
    """The oldest events of runs that ended after a place in the event log, or the newest ones of all."""
    records: list[dg.EventLogRecord] = []
    for kind in _ENDS:
        filters = dg.RunStatusChangeRecordsFilter(kind, **(after or {}))
        records += instance.fetch_run_status_changes(filters, limit=_RUNS_A_TICK, ascending=after is not None).records
    return sorted(records, key=lambda record: record.storage_id)[: None if after is None else _RUNS_A_TICK]


def _judge(context: dg.SensorEvaluationContext, platform: Platform, record: dg.EventLogRecord) -> None:
    """Raise and close the alerts of one run; a run that cannot be judged is an alert itself, and hides no other run."""
    from pairs_platform.workflows.alerts import AlertChanges, keep_alerts

    run = context.instance.get_run_by_id(record.event_log_entry.run_id)
    if run is None:
        return
    try:
        _judge_run(context.instance, platform, run, record.event_log_entry.get_dagster_event())
    except DatabaseUnavailable:
        raise
    except Exception as error:
        context.log.exception(f"run {run.run_id} could not be judged")
        alert = failed_run(run, f"its end could not be judged, {type(error).__name__}: see {run.run_id}")
        keep_alerts(platform, AlertChanges(raised=(alert,)))


def _judge_run(instance: dg.DagsterInstance, platform: Platform, run: dg.DagsterRun, event: dg.DagsterEvent) -> None:
    from pairs_platform.database.alerts import end_earlier
    from pairs_platform.workflows.alerts import AlertChanges, keep_alerts

    judged = judged_checks(instance, run, warnings=platform.settings.alerts.warnings)
    checks = [subject for subject, _ in judged]
    # The event is stored before the status of the run.
    if event.event_type is dg.DagsterEventType.RUN_FAILURE:
        judged.append((subject_of(run), failed_run(run, cause_of(event))))
    elif event.event_type is dg.DagsterEventType.RUN_SUCCESS:
        judged.append((subject_of(run), None))
    changes = AlertChanges(
        raised=tuple(alert for _, alert in judged if alert),
        over=tuple(subject.key for subject, alert in judged if not alert),
    )
    keep_alerts(platform, changes)
    for subject, alert in judged:
        if subject.earlier is not None and (alert is None or subject in checks):
            prefix, partition = subject.earlier
            end_earlier(
                platform.database, prefix, partition.sector, partition.session, platform.clock(), report=alert is None
            )
    if run.parent_run_id or RETRY_OF_TAG in run.tags:
        _record_retry(platform, run, event)


def _record_retry(platform: Platform, run: dg.DagsterRun, event: dg.DagsterEvent) -> None:
    """Write once into the audit that a run was run again, by the platform, by Dagster or by a person in the UI."""
    from pairs_platform.database.audit import AuditEntry, record_once

    # A run that is made again from the UI has the tags of the first one.
    if run.parent_run_id:
        actor = "dagster" if "dagster/retry_number" in run.tags else run.tags.get("user") or "the UI"
    else:
        actor = "failed_session_retry"
    entry = AuditEntry(
        actor=actor,
        action="run_retried",
        object=f"{run.job_name} {run.tags.get('dagster/partition', '')}".strip()[:200],
        reason=f"run {run.parent_run_id or run.tags[RETRY_OF_TAG]} again",
        detail={"ended": event.event_type.value},
        run_id=run.run_id,
    )
    record_once(platform.database, entry)
