"""Runs of the platform's jobs inside the calling process, for commands of the console.

What does not belong here: which runs there are (`defs.automation`, `defs.signals.sensors`), and showing them (`cli`).
"""

import signal
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

import dagster as dg
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.events import RunFailureReason
from dagster._core.execution import compute_logs
from dagster._core.execution.api import execute_run
from dagster._core.execution.execute_in_process import merge_run_tags
from dagster._core.execution.plan.objects import ErrorSource
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin

from pairs_platform.core.operations.run_tags import CODE_LOCATION, PROCESS_TAG, this_process
from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.core.signals.requests import StreamRequest
from pairs_platform.defs.automation import RANGE_END, RANGE_START, daily_job, price_run, session_run
from pairs_platform.defs.partitions import SessionBySector
from pairs_platform.defs.signals.sensors import request_signals, request_streamed_bars, save_job, signal_job

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}

Listener = Callable[[str, int, int], None]
"""Called with the step under way, the number of steps that have ended, and the number of all steps."""


@dataclass(frozen=True)
class JobRunner:
    """Runs jobs of the definitions in this process; Dagster records them like any other run.

    They carry the name of their job and of the code location, by which the UI counts a run among those of a job and
    draws it on the timeline.

    Each method returns the failures of its steps and blocking checks as messages: none on success. One that is
    interrupted is recorded as canceled, and raises KeyboardInterrupt.

    Attributes
    ----------
    definitions : Definitions
    instance : DagsterInstance
    """

    definitions: dg.Definitions
    instance: dg.DagsterInstance

    def fetch_prices(self, sector: str, first: date, last: date, listener: Listener) -> list[str]:
        """Prices of the sessions from `first` to `last` in one run."""
        return self._execute(daily_job.name, price_run(sector, first, last), listener)

    def identify_pairs(self, sector: str, session: date, listener: Listener) -> list[str]:
        """The daily job for one session."""
        return self._execute(daily_job.name, session_run(sector, session), listener)

    def compute_signals(self, request: StreamRequest) -> list[str]:
        """The signals that a bar-close event asks for."""
        return self._execute(signal_job.name, request_signals(request), lambda *_: None)

    def save_streamed_bars(self, key: PartitionKey) -> list[str]:
        """The streamed bars of one session, as a partition of the lake."""
        return self._execute(save_job.name, request_streamed_bars(key), lambda *_: None)

    def _execute(self, name: str, request: dg.RunRequest, listener: Listener) -> list[str]:
        run_id = str(uuid.uuid4())
        job = self.definitions.resolve_job_def(name)
        _require_range(job, request)
        selection = frozenset(request.asset_selection or ())
        job = job.get_subset(asset_selection=selection) if selection else job
        total, ended = len(job.graph.nodes), [0]

        def listen(entry: Any) -> None:
            event = entry.dagster_event
            if event is None and entry.user_message.startswith("training ") and "epoch" in entry.user_message:
                epoch = entry.user_message.split(", ")[1].replace("at most ", "")
                listener(f"gru_models, {epoch}"[:28], ended[0], total)
            elif event is not None and event.is_step_start:
                listener(event.step_key, ended[0], total)
            elif event is not None and (event.is_step_success or event.is_step_failure):
                ended[0] += 1
                if event.is_step_failure and event.step_failure_data.error_source is ErrorSource.INTERRUPT:
                    # Dagster takes an interrupt for a failure of the run where nobody has asked for its end.
                    self.instance.report_run_canceling(run)

        self.instance.add_event_listener(run_id, listen)
        try:
            run = self.instance.create_run_for_job(
                job_def=job,
                run_id=run_id,
                run_config=QUIET,
                tags=merge_run_tags(
                    job_def=job,
                    partition_key=request.partition_key,
                    tags={**request.tags, PROCESS_TAG: this_process()},
                    asset_selection=list(selection),
                    instance=self.instance,
                    run_config=QUIET,
                ),
                asset_selection=selection or None,
                remote_job_origin=self._origin(name),
            )
            result = execute_run(InMemoryJob(job), run, self.instance)
        except KeyboardInterrupt:  # before the run began
            for created in self.instance.get_runs(dg.RunsFilter(run_ids=[run_id])):
                self.instance.report_run_canceled(created, message="interrupted before its first step")
            raise
        if result.success:
            return []
        if _was_interrupted(result):
            if result.dagster_run.status is not dg.DagsterRunStatus.CANCELED:
                self.instance.report_run_canceled(result.dagster_run, message="interrupted between two steps")
            raise KeyboardInterrupt
        checks = [
            f"check {event.asset_check_evaluation_data.check_name}: {event.asset_check_evaluation_data.description}"
            for event in result.all_events
            if event.event_type_value == "ASSET_CHECK_EVALUATION" and not event.asset_check_evaluation_data.passed
        ]
        return [_failure(event) for event in result.all_events if event.is_step_failure] + checks

    def _origin(self, job: str) -> RemoteJobOrigin:
        """The place of a job in the workspace, as a run has it that the UI or the daemon starts."""
        repository = self.definitions.get_repository_def().name
        return RemoteJobOrigin(RemoteRepositoryOrigin(RegisteredCodeLocationOrigin(CODE_LOCATION), repository), job)


_mirrored = compute_logs.execute_posix_tail


@contextmanager
def _mirrored_without_interrupts(*given: Any) -> Iterator[Any]:
    """Dagster's two processes that mirror a step's output: Ctrl-C is for the process that runs it, which ends them.

    A process is born with the signals blocked that its parent has blocked.
    """
    with ExitStack() as stack:
        held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            pids = stack.enter_context(_mirrored(*given))
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, held)
        yield pids


# Dagster 1.13 has no hook for it; to be removed when its watching process says nothing of a Ctrl-C.
vars(compute_logs)["execute_posix_tail"] = _mirrored_without_interrupts


def _was_interrupted(result: dg.JobExecutionResult) -> bool:
    reasons = [event.job_failure_data.failure_reason for event in result.all_events if event.is_job_failure]
    return (
        result.dagster_run.status is dg.DagsterRunStatus.CANCELED or RunFailureReason.UNEXPECTED_TERMINATION in reasons
    )


def _require_range(job: dg.JobDefinition, request: dg.RunRequest) -> None:
    """Refuse a range whose ends are no partitions, as Dagster refuses a single one."""
    for edge in (RANGE_START, RANGE_END):
        if isinstance(job.partitions_def, SessionBySector) and edge in request.tags:
            job.partitions_def.validate_partition_key(request.tags[edge])


def _failure(event: Any) -> str:
    """The step and its innermost cause, or the description that the failure carries."""
    cause = event.step_failure_data.error
    while cause is not None and cause.cause is not None:
        cause = cause.cause
    described = event.step_failure_data.user_failure_data
    if described and described.description:
        return f"{event.step_key}: {described.description}"
    return f"{event.step_key}: {cause.message.strip() if cause else 'no reason given'}"
