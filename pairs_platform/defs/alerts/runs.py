"""Alerts about finished runs and their checks, from Dagster's event log.

What does not belong here: what is worth an alert (`core.operations.alert_causes`), keeping and sending them
(`workflows.alerts`).
"""

import dagster as dg

from pairs_platform.core.operations.alert_causes import (
    NOT_ALERTS,
    RANGE_SEPARATOR,
    CheckEvaluation,
    Subject,
    check_alert,
    failed_run_alert,
)
from pairs_platform.core.operations.alerts import Alert
from pairs_platform.core.operations.run_tags import SECTOR_TAG, SIGNALS_TAG
from pairs_platform.core.prices.sectors import SECTORS
from pairs_platform.defs.automation import RANGE_END, RANGE_START, daily_job

PARTITION_TAG = "dagster/partition"
_SECTOR_TAGS = (SIGNALS_TAG, SECTOR_TAG)


def subject_of(run: dg.DagsterRun) -> Subject:
    """What the alert about a run is about: another run of the same job and partition is about the same.

    The assets of a run belong to it, but for daily runs: one that failed is run again with what is missing alone.
    """
    date_range = RANGE_SEPARATOR.join(run.tags[name] for name in (RANGE_START, RANGE_END) if name in run.tags)
    scope = run.tags.get(SIGNALS_TAG) or run.tags.get(PARTITION_TAG) or date_range or run.tags.get(SECTOR_TAG, "")
    is_daily = run.job_name == daily_job.name and bool(scope)
    assets = () if is_daily else sorted(str(key.to_user_string()) for key in run.asset_selection or ())
    return Subject(f"run|{run.job_name}|{','.join(assets)}", scope)


def failed_run(run: dg.DagsterRun, message: str) -> Alert:
    """The alert about a failed run."""
    sector = next((run.tags[tag] for tag in _SECTOR_TAGS if run.tags.get(tag) in SECTORS), None)
    return failed_run_alert(subject_of(run), job=run.job_name, run_id=run.run_id, message=message, sector=sector)


def judged_checks(
    instance: dg.DagsterInstance, run: dg.DagsterRun, *, warnings: bool
) -> list[tuple[Subject, Alert | None]]:
    """The checks of a run, each with its alert or None where it passed; the last result of each counts.

    Parameters
    ----------
    warnings : bool
        Whether a failed check of severity WARN is an alert.
    """
    alerts: dict[Subject, Alert | None] = {}
    for event in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION):
        assert event.dagster_event is not None
        data = event.dagster_event.asset_check_evaluation_data
        if data.check_name in NOT_ALERTS:
            continue
        evaluation = CheckEvaluation(
            asset=tuple(data.asset_key.path),
            check=data.check_name,
            description=data.description or "",
            scope=data.partition or subject_of(run).scope,
            passed=data.passed,
            is_error=data.severity is dg.AssetCheckSeverity.ERROR,
        )
        alerts[evaluation.subject] = check_alert(evaluation, warnings=warnings)
    return list(alerts.items())


def cause_of(event: dg.DagsterEvent) -> str:
    """The innermost error of the first failed step, or the message of the run."""
    step = getattr(event.event_specific_data, "first_step_failure_event", None)
    error = getattr(step.event_specific_data, "error", None) if step else None
    while error is not None and error.cause is not None:
        error = error.cause
    return error.message.strip() if error is not None else event.message or ""
