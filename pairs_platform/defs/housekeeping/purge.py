"""Removing what old runs leave in Dagster's storage: steps, log lines, standard output.

What does not belong here: for how long things are kept (`core.operations.retention`). Models are never removed.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import sqlalchemy as sa
from dagster._core.events import ASSET_CHECK_EVENTS, ASSET_EVENTS, PIPELINE_EVENTS
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage

from pairs_platform.core.operations.retention import HousekeepingSettings
from pairs_platform.database.audit import AuditEntry, record
from pairs_platform.platform import Platform
from pairs_platform.workflows.storage import size_of

PURGED_TAG = "pairs_platform/purged"
"""Tag of runs whose steps and log lines are gone."""

KEPT_EVENTS = {kind.value for kind in {*ASSET_EVENTS, *ASSET_CHECK_EVENTS, *PIPELINE_EVENTS}}
"""Events by which Dagster knows partitions, checks and how runs ended."""

FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
_RUNS_AT_A_TIME = 500


@dataclass(frozen=True)
class Purged:
    """What was, or would be, removed: events, runs that had them, and bytes of standard output."""

    events: int
    runs: int
    compute_log_bytes: int


def purge(
    instance: dg.DagsterInstance, platform: Platform, *, dry_run: bool, actor: str, run_id: str | None = None
) -> Purged:
    """Remove steps and log lines of old runs, and their standard output; what they made and checked stays.

    Parameters
    ----------
    dry_run : bool
        Count alone.
    actor : str
        For the audit.
    run_id : str or None
        Of the run that does it.
    """
    settings, now = platform.settings.housekeeping, platform.clock()
    events = runs = 0
    for run in _old_runs(instance, now - timedelta(days=settings.event_days)):
        if PURGED_TAG in run.tags:
            continue
        n = _purge_events(instance, run.run_id, dry_run=dry_run)
        events, runs = events + n, runs + (n > 0)
        if not dry_run:
            instance.add_run_tags(run.run_id, {PURGED_TAG: now.date().isoformat()})
    log_bytes = _purge_compute_logs(instance, settings, now, dry_run=dry_run)
    purged = Purged(events, runs, log_bytes)
    if not dry_run and (events or log_bytes):
        entry = AuditEntry(
            actor=actor,
            action="data_deleted",
            object="logs of old runs",
            run_id=run_id,
            detail=vars(purged),
            reason=f"events older than {settings.event_days} days, output older than {settings.compute_log_days} days",
        )
        with platform.database.begin() as connection:
            record(connection, entry)
    return purged


def _old_runs(instance: dg.DagsterInstance, before: datetime) -> Iterator[dg.DagsterRun]:
    cursor = None
    while True:
        old = dg.RunsFilter(statuses=FINISHED, updated_before=before.astimezone(UTC))
        page = instance.get_runs(old, cursor=cursor, limit=_RUNS_AT_A_TIME)
        yield from page
        if len(page) < _RUNS_AT_A_TIME:
            return
        cursor = page[-1].run_id


def _purge_events(instance: dg.DagsterInstance, run_id: str, *, dry_run: bool) -> int:
    storage, table = instance.event_log_storage, SqlEventLogStorageTable
    assert isinstance(storage, SqlEventLogStorage)
    kind = table.c.dagster_event_type
    removable = (table.c.run_id == run_id) & (kind.is_(None) | kind.not_in(KEPT_EVENTS))
    with storage.run_connection(run_id) as connection:
        if dry_run:
            return int(connection.scalar(sa.select(sa.func.count()).select_from(table).where(removable)) or 0)
        return int(connection.execute(sa.delete(table).where(removable)).rowcount)


def _purge_compute_logs(
    instance: dg.DagsterInstance, settings: HousekeepingSettings, now: datetime, *, dry_run: bool
) -> int:
    root, removed = Path(instance.storage_directory()), 0
    for run in _old_runs(instance, now - timedelta(days=settings.compute_log_days)):
        folder = root / run.run_id
        if folder.is_dir():
            removed += size_of(folder)
            if not dry_run:
                shutil.rmtree(folder)
    return removed
