"""Measuring the state, and removing what old runs leave behind.

What does not belong here: for how long things are kept (`core.operations.retention`). Models are never removed.
"""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import sqlalchemy as sa
from dagster._core.events import ASSET_CHECK_EVENTS, ASSET_EVENTS, PIPELINE_EVENTS
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage

from pairs_platform.core.errors import StreamUnavailable
from pairs_platform.core.operations.retention import Growth, HousekeepingSettings, growth
from pairs_platform.core.operations.scheduling import as_of_session
from pairs_platform.database.audit import AuditEntry, record
from pairs_platform.database.sizes import database_sizes, sizes_by_session, store_sizes
from pairs_platform.lake.files import sizes_below
from pairs_platform.platform import Platform
from pairs_platform.views.remedies import with_remedy

REDIS_MEMORY = "redis memory"
OBJECTS = "objects"
"""First part of the names of what lies on object storage."""
PURGED_TAG = "pairs_platform/purged"
"""Tag of runs whose steps and log lines are gone."""

KEPT_EVENTS = {kind.value for kind in {*ASSET_EVENTS, *ASSET_CHECK_EVENTS, *PIPELINE_EVENTS}}
"""Events by which Dagster knows partitions, checks and how runs ended."""

FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
_RUNS_AT_A_TIME = 500


@dataclass(frozen=True)
class Room:
    """How large the state is.

    Attributes
    ----------
    sizes : dict of str to int
        Bytes by part.
    free_bytes : int
        Of the disk that holds the profile.
    growth : Growth
        Of the total.
    by_part : dict of str to float
        Growth by session of each part [bytes]; NaN where too few sessions are measured.
    missing : list of str
        Parts that could not be measured, with the reason.
    """

    sizes: dict[str, int]
    free_bytes: int
    growth: Growth
    by_part: dict[str, float]
    missing: list[str]

    @property
    def total(self) -> int:
        """Bytes of what lies on the disk of the profile."""
        return on_disk(self.sizes)


def on_disk(sizes: Mapping[str, int]) -> int:
    """Total without what is counted twice, in memory or elsewhere: tables of the database, Redis' memory."""
    return sum(size for part, size in sizes.items() if not part.startswith(("database/", f"{OBJECTS}/", REDIS_MEMORY)))


def measure(platform: Platform) -> Room:
    """Measure every part of the state, keep the sizes for the newest closed session, and forecast."""
    root, settings = platform.settings.profile_root, platform.settings.housekeeping
    place = "lake" if platform.settings.lake_url is None else OBJECTS
    sizes = {f"{place}/{table}": size for table, size in platform.lake.sizes().items()}
    for path in sorted(root.iterdir()):
        if path.name == "production":
            sizes |= {f"production/{below.name}": _bytes(below) for below in sorted(path.iterdir()) if below.is_dir()}
        elif path.name != "lake":
            sizes[path.name] = _bytes(path)
    sizes |= {f"database/{name}": size for name, size in database_sizes(platform.database).items()}
    missing = []
    try:
        sizes[REDIS_MEMORY] = platform.streams.connection.memory_bytes()
    except StreamUnavailable as error:
        missing.append(f"{REDIS_MEMORY}: {with_remedy(error)}")
    session = as_of_session(platform.clock())
    store_sizes(platform.database, session, sizes, platform.clock())
    known = sizes_by_session(platform.database)
    free = shutil.disk_usage(root).free
    total = growth([(day, on_disk(of)) for day, of in known.items()], free, settings.forecast_sessions)
    parts = {
        part: growth([(day, of[part]) for day, of in known.items() if part in of], free, settings.forecast_sessions)
        for part in sizes
    }
    return Room(sizes, free, total, {name: one.bytes_per_session for name, one in parts.items()}, missing)


def _bytes(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(sizes_below(path).values())


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
    found = Purged(events, runs, log_bytes)
    if not dry_run and (events or log_bytes):
        what = AuditEntry(
            actor=actor, action="data_deleted", object="logs of old runs", run_id=run_id, detail=vars(found),
            reason=f"events older than {settings.event_days} days, output older than {settings.compute_log_days} days",
        )  # fmt: skip
        with platform.database.begin() as connection:
            record(connection, what)
    return found


def _old_runs(instance: dg.DagsterInstance, before: datetime) -> Iterator[dg.DagsterRun]:
    cursor = None
    while True:
        chosen = dg.RunsFilter(statuses=FINISHED, updated_before=before.astimezone(UTC))
        page = instance.get_runs(chosen, cursor=cursor, limit=_RUNS_AT_A_TIME)
        yield from page
        if len(page) < _RUNS_AT_A_TIME:
            return
        cursor = page[-1].run_id


def _purge_events(instance: dg.DagsterInstance, run_id: str, *, dry_run: bool) -> int:
    storage, table = instance.event_log_storage, SqlEventLogStorageTable
    assert isinstance(storage, SqlEventLogStorage)
    kind = table.c.dagster_event_type
    chosen = (table.c.run_id == run_id) & (kind.is_(None) | kind.not_in(KEPT_EVENTS))
    with storage.run_connection(run_id) as connection:
        if dry_run:
            return int(connection.scalar(sa.select(sa.func.count()).select_from(table).where(chosen)) or 0)
        return int(connection.execute(sa.delete(table).where(chosen)).rowcount)


def _purge_compute_logs(
    instance: dg.DagsterInstance, settings: HousekeepingSettings, now: datetime, *, dry_run: bool
) -> int:
    root, removed = Path(instance.storage_directory()), 0
    for run in _old_runs(instance, now - timedelta(days=settings.compute_log_days)):
        folder = root / run.run_id
        if folder.is_dir():
            removed += _bytes(folder)
            if not dry_run:
                shutil.rmtree(folder)
    return removed
