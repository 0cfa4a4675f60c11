"""Runs of the platform's jobs inside the calling process, for commands of the console.

What does not belong here: which runs there are (`defs.automation`, `defs.signals.sensors`), and showing them (`cli`).
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import dagster as dg

from pairs_platform.core.operations.run_tags import PROCESS_TAG, this_process
from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.core.signals.requests import StreamRequest
from pairs_platform.defs.automation import daily_job, price_run, session_run
from pairs_platform.defs.signals.assets import streamed_bars
from pairs_platform.defs.signals.sensors import request_signals, signal_job
from pairs_platform.platform import Platform

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}

Listener = Callable[[str, int, int], None]
"""Called with the step under way, the number of steps that have ended, and the number of all steps."""


@dataclass(frozen=True)
class JobRunner:
    """Runs jobs of the definitions in this process; Dagster records them like any other run.

    Each method returns the failures of its steps and blocking checks as messages: none on success.

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

    def _execute(self, name: str, request: dg.RunRequest, listener: Listener) -> list[str]:
        run_id = str(uuid.uuid4())
        job = self.definitions.resolve_job_def(name)
        job = job.get_subset(asset_selection=set(request.asset_selection)) if request.asset_selection else job
        total, ended = len(job.graph.nodes), [0]

        def listen(entry: Any) -> None:
            event = entry.dagster_event
            if event is None and entry.user_message.startswith("training ") and "epoch" in entry.user_message:
                parts = entry.user_message.split(", ")
                listener(f"gru_models, {parts[1].removesuffix(' at most')}"[:28], ended[0], total)
            elif event is not None and event.is_step_start:
                listener(event.step_key, ended[0], total)
            elif event is not None and (event.is_step_success or event.is_step_failure):
                ended[0] += 1

        self.instance.add_event_listener(run_id, listen)
        result = job.execute_in_process(
            instance=self.instance,
            partition_key=request.partition_key,
            tags={**request.tags, PROCESS_TAG: this_process()},
            run_id=run_id,
            raise_on_error=False,
            run_config=QUIET,
        )
        if result.success:
            return []
        checks = [
            f"check {event.asset_check_evaluation_data.check_name}: {event.asset_check_evaluation_data.description}"
            for event in result.all_events
            if event.event_type_value == "ASSET_CHECK_EVALUATION" and not event.asset_check_evaluation_data.passed
        ]
        return [_failure(event) for event in result.all_events if event.is_step_failure] + checks


def save_streamed_bars(
    platform: Platform, instance: dg.DagsterInstance, key: PartitionKey
) -> tuple[int, None] | tuple[None, str]:
    """Materialize `streamed_bars` of one session; returns the number of bars and None, or None and the reason."""
    result = dg.materialize(
        [streamed_bars],
        partition_key=str(key),
        resources={"platform": platform},
        instance=instance,
        raise_on_error=False,
        run_config=QUIET,
        selection=dg.AssetSelection.assets(streamed_bars),
    )
    if not result.success:
        failures = [event.step_failure_data for event in result.all_events if event.is_step_failure]
        reasons = [failure.user_failure_data.description for failure in failures if failure.user_failure_data]
        return None, str(reasons[0]) if reasons else "see the run in the UI"
    rows = result.asset_materializations_for_node("streamed_bars")[0].metadata["dagster/row_count"].value
    return int(str(rows)), None


def _failure(event: Any) -> str:
    """The step and its innermost cause, or the description that the failure carries."""
    cause = event.step_failure_data.error
    while cause is not None and cause.cause is not None:
        cause = cause.cause
    described = event.step_failure_data.user_failure_data
    if described and described.description:
        return f"{event.step_key}: {described.description}"
    return f"{event.step_key}: {cause.message.strip() if cause else 'no reason given'}"
