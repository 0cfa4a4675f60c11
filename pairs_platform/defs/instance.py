"""The Dagster instance of a prepared home: its pools, the runs of processes that are gone, its schema.

What does not belong here: the home's folder and its dagster.yaml (`processes.runtime.dagster_home`).
"""

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import dagster as dg
from dagster._core.storage.sql import ALEMBIC_SCRIPTS_LOCATION

from pairs_platform.core.operations.run_tags import PROCESS_TAG, is_alive_here, is_of_this_host, pid_of, this_process
from pairs_platform.database.revisions import newest_revision, note_prepared

COMPUTE_SLOTS = max(1, (os.cpu_count() or 1) // 2)
"""Steps of heavy computation at a time; each one uses two threads."""

POOLS = {"compute": COMPUTE_SLOTS, "market_data": 1, "training": 1}
"""Slots of every pool. They are there before the first run: runs that make the same pool at once on PostgreSQL fail
(Dagster goes on in the transaction that the second insert has ended)."""


def open_instance(home: Path) -> dg.DagsterInstance:
    """Open the Dagster instance of a prepared home; pools that are not there are made, other limits stay."""
    instance = dg.DagsterInstance.from_config(str(home))
    pools = instance.event_log_storage.get_concurrency_keys()
    for pool, slots in POOLS.items():
        if pool not in pools or pool == "compute":
            instance.event_log_storage.set_concurrency_slots(pool, slots)
    end_dead_runs(instance)
    return instance


def end_dead_runs(instance: dg.DagsterInstance) -> None:
    """Mark runs as failed whose process on this host is gone, and free the pool slots that they held.

    A killed process cannot do so itself, and without a daemon nobody else would: the next run would wait for its slots.
    """
    for run in _unfinished(instance):
        process = run.tags.get(PROCESS_TAG, "")
        if is_of_this_host(process) and not is_alive_here(process):
            if run.status is dg.DagsterRunStatus.CANCELING:
                instance.report_run_canceled(run, message="the process of this run is gone")
            else:
                instance.report_run_failed(run, message="the process of this run is gone")
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)


def cancel_own_runs(home: Path) -> None:
    """Record the runs of this process as canceled: it is about to end, and they with it."""
    with dg.DagsterInstance.from_config(str(home)) as instance:
        for run in _unfinished(instance):
            if run.tags.get(PROCESS_TAG) == this_process():
                _end_canceled(instance, run, "the command that ran it was interrupted")


@contextmanager
def canceled_runs(home: Path, processes: Collection[int]) -> Iterator[None]:
    """Cancel the runs that processes have under way, which are ended while the context is open.

    Dagster takes a run for failed whose process is ended though nobody asked for it. Runs in the queue stay there.

    Parameters
    ----------
    home : Path
        Prepared Dagster home.
    processes : collection of int
        Ids of the processes of a UI and its daemon. A run without `PROCESS_TAG` is one of theirs.
    """
    with dg.DagsterInstance.from_config(str(home)) as instance:
        under_way = [run for run in _unfinished(instance) if _is_of(run, processes)]
        for run in under_way:
            if run.status is not dg.DagsterRunStatus.CANCELING:
                instance.report_run_canceling(run)
        yield
        stopped = {run.run_id for run in under_way}
        for run in _unfinished(instance):
            if run.run_id in stopped:
                _end_canceled(instance, run, "the UI was stopped, and its runs with it")


def _end_canceled(instance: dg.DagsterInstance, run: dg.DagsterRun, message: str) -> None:
    instance.report_run_canceled(run, message=message)
    instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)


def _is_of(run: dg.DagsterRun, processes: Collection[int]) -> bool:
    tag = run.tags.get(PROCESS_TAG, "")
    return not tag or (is_of_this_host(tag) and pid_of(tag) in processes)


def _unfinished(instance: dg.DagsterInstance) -> Sequence[dg.DagsterRun]:
    status = dg.DagsterRunStatus
    statuses = [status.NOT_STARTED, status.STARTING, status.STARTED, status.CANCELING]
    return instance.get_runs(dg.RunsFilter(statuses=statuses))


def prepare_instance(home: Path, report: Callable[[str], None]) -> None:
    """Make what a prepared home lacks and bring Dagster's storage to the installed version.

    Parameters
    ----------
    home : Path
        Prepared Dagster home.
    report : callable
        Called with each change.

    Raises
    ------
    DatabaseMismatch
        The storage is newer than the installed Dagster.
    """
    package, _, folder = ALEMBIC_SCRIPTS_LOCATION.partition(":")
    spec = find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    with open_instance(home) as instance:
        _begin_event_logs(instance)
        storages = (instance.run_storage, instance.event_log_storage, instance.schedule_storage)
        versions = [storage.alembic_version() for storage in storages if storage is not None]
        currents = {version[0] for version in versions if version is not None}
        heads = {
            newest_revision(Path(spec.origin).parent / folder, current, "Dagster's storage") for current in currents
        }
        if currents != heads:
            instance.upgrade()
            outdated = ", ".join(sorted(str(revision) for revision in currents - heads))
            report(f"Dagster's storage: {outdated} → {', '.join(heads)}")
    note_prepared(home, "dagster")


def _begin_event_logs(instance: dg.DagsterInstance) -> None:
    """Let a daemon that has never run on an instance begin with what comes: it does the same, and warns about it."""
    ends = (dg.DagsterEventType.RUN_FAILURE, dg.DagsterEventType.RUN_SUCCESS)
    names = {f"EVENT_LOG_CONSUMER_CURSOR-{kind.value}" for kind in ends}
    missing = names - instance.daemon_cursor_storage.get_cursor_values(names).keys()
    if missing:
        newest = str(instance.event_log_storage.get_maximum_record_id() or 0)
        instance.daemon_cursor_storage.set_cursor_values(dict.fromkeys(missing, newest))


def sensors_evaluated(home: Path, since: float) -> bool:
    """Whether the daemon has evaluated its sensors since a moment, in seconds since 1970."""
    with open_instance(home) as instance:
        beat = instance.get_daemon_heartbeats().get("SENSOR")
    return beat is not None and beat.timestamp >= since
