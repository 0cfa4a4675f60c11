"""The sensors of alerts, and the check that says what is broken now.

What does not belong here: what is an alert (`find`), how it is said (`core.alerts`), when it is sent (`ledger.alerts`).
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import dagster as dg

from pairs_platform.adapters.ports import PermanentSourceError
from pairs_platform.core.alerts import TITLES, Alert
from pairs_platform.defs.alerts.find import (
    CHECK,
    failed_run,
    judged_checks,
    late_sessions,
    run_key,
    silent_stream,
)
from pairs_platform.defs.metadata import rows_table
from pairs_platform.defs.resources import Platform
from pairs_platform.defs.selection.assets import trading_config

if TYPE_CHECKING:
    from dagster_shared.error import SerializableErrorInfo
    from pydantic import SecretStr

    from pairs_platform.core.alerts import OpenAlert


@dg.run_failure_sensor(
    name="run_failure_alerts",
    monitor_all_code_locations=True,
    minimum_interval_seconds=15,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Raises an alert for a failed run and for each of its failed checks.",
)
def run_failure_alerts(context: dg.RunFailureSensorContext, platform: dg.ResourceParam[Platform]) -> None:
    """Raise; deliver nothing."""
    message = context.failure_event.message or ""
    data = context.failure_event.event_specific_data
    cause = getattr(getattr(data, "first_step_failure_event", None), "event_specific_data", None)
    error = getattr(cause, "error", None)
    _judge(context, platform, [failed_run(context.dagster_run, _first_cause(error) or message)], [])


@dg.run_status_sensor(
    name="check_alerts",
    run_status=dg.DagsterRunStatus.SUCCESS,
    monitor_all_code_locations=True,
    minimum_interval_seconds=15,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Raises an alert for each failed check of a finished run, and closes those that are well again.",
)
def check_alerts(context: dg.RunStatusSensorContext, platform: dg.ResourceParam[Platform]) -> None:
    """Raise and close; deliver nothing."""
    _judge(context, platform, [], [run_key(context.dagster_run)])


@dg.sensor(
    name="alert_watch",
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Raises alerts for what should be there and is not: a daily run, the configuration at 08:00 New York, "
    "streamed bars. Knows sessions and holidays.",
)
def alert_watch(context: dg.SensorEvaluationContext, platform: dg.ResourceParam[Platform]) -> dg.SkipReason:
    """Raise and close; request nothing."""
    now = platform.clock()
    alerts, well = late_sessions(context.instance, platform, now)
    if platform.settings.stream.feed == "live":
        silent, heard = silent_stream(platform.bus, platform.settings.alerts.silent_after_minutes)
        alerts, well = [*alerts, *silent], [*well, *heard]
    _keep(platform, alerts, well)
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
    from pairs_platform.ledger.alerts import make_message, open_alerts

    receivers = _receivers(platform)
    make_message(platform.ledger, list(receivers), platform.clock(), platform.settings.alerts)
    said = deliver(platform)
    broken = open_alerts(platform.ledger)
    state = json.dumps(sorted(one.key for one in broken))
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
    """Try what is due to be sent; how that went, in words."""
    from pairs_platform.adapters.notify import send
    from pairs_platform.ledger.alerts import due_deliveries, note_delivery

    receivers = _receivers(platform)
    sent, failed = 0, []
    for delivery in due_deliveries(platform.ledger, platform.clock()):
        url = receivers.get(delivery.target)
        try:
            error = (
                send(delivery.target, url, delivery.title, delivery.body)
                if url is not None
                else "the receiver is no longer configured"
            )
        except PermanentSourceError as mistake:
            error = str(mistake)
        note_delivery(platform.ledger, delivery, error, platform.clock(), platform.settings.alerts)
        sent += not error
        failed += [f"{delivery.target}: {error}"] if error else []
    if not receivers:
        return "no receiver is configured: alerts are kept, see `pairs-platform alerts`"
    return f"{sent} sent" + (f", {len(failed)} not: {'; '.join(failed)}" if failed else "")


def _receivers(platform: Platform) -> "dict[str, SecretStr]":
    from pairs_platform.adapters.notify import receivers

    return receivers(platform.settings.alert_urls)


def _verdict(platform: Platform) -> dg.AssetCheckEvaluation:
    from pairs_platform.ledger.alerts import failed_deliveries, open_alerts

    broken, stuck = open_alerts(platform.ledger), failed_deliveries(platform.ledger)
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


def _judge(context: dg.RunStatusSensorContext, platform: Platform, alerts: list[Alert], well: list[str]) -> None:
    run = context.dagster_run
    failed, passed = judged_checks(context.instance, run, warnings=platform.settings.alerts.warnings)
    _keep(platform, [*alerts, *failed], [*well, *passed])
    if run.parent_run_id is not None:
        _record_retry(platform, run)


def _keep(platform: Platform, alerts: Sequence[Alert], well: Sequence[str]) -> None:
    from pairs_platform.ledger.alerts import raise_alert, resolve_alerts

    for alert in alerts:
        raise_alert(platform.ledger, alert, platform.clock())
    resolve_alerts(platform.ledger, well, platform.clock())


def _record_retry(platform: Platform, run: dg.DagsterRun) -> None:
    """Write into the audit that a run was run again, by a person in the UI or by Dagster."""
    from pairs_platform.ledger.audit import AuditEntry, record

    actor = run.tags.get("user") or ("dagster" if "dagster/retry_number" in run.tags else "the UI")
    what = AuditEntry(
        actor=actor,
        action="run_retried",
        object=f"{run.job_name} {run.tags.get('dagster/partition', '')}".strip(),
        reason=f"run {run.parent_run_id} again",
        detail={"status": run.status.value},
        run_id=run.run_id,
    )
    with platform.ledger.begin() as connection:
        record(connection, what)


def _first_cause(error: "SerializableErrorInfo | None") -> str:
    while error is not None and error.cause is not None:
        error = error.cause
    return error.message.strip() if error is not None else ""
