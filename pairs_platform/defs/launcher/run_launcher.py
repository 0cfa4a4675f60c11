"""The run launcher: runs of signals go to a warm worker, a process that has imported everything beforehand.

A run is a fresh process, and importing Dagster and the definitions takes most of the time from a complete bar to its
signals. So one warm worker is kept that waits for a run id; it executes that one run and ends, and the next one is
started. Every other run is launched as Dagster does. Started by `dagster.yaml`.
What does not belong here: what a run does.
"""

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any, Self

import dagster as dg
import psutil
from dagster._config import UserConfigSchema
from dagster._core.launcher import DefaultRunLauncher, LaunchRunContext
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import ConfigurableClassData, serialize_value

from pairs_platform.core.errors import SettingsError
from pairs_platform.core.operations.run_tags import PROCESS_TAG, SIGNALS_TAG, is_alive_here, pid_of, tag_of
from pairs_platform.settings.loading import secrets_from_environment

COMMAND = (sys.executable, "-m", "pairs_platform.defs.launcher.warm_worker", "pairs_platform.definitions")
"""Starts a warm worker."""

LONGEST_WAIT_SECONDS = 900.0
"""A worker that has waited longer, as overnight, may know settings and code that have changed since; it is let go."""


class WarmRunLauncher(DefaultRunLauncher):
    """`DefaultRunLauncher`, and a warm worker for runs that carry `SIGNALS_TAG`.

    The first such run is launched as any other, and starts a warm worker; so does a run that comes before the next
    one is there. Only the process that launches runs (the daemon) keeps one.
    """

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(inst_data)
        self._lock = threading.Lock()
        self._warm: subprocess.Popen[str] | None = None
        self._warm_since = 0.0
        with contextlib.suppress(SettingsError):  # the daemon and the web server read no settings, and mask secrets too
            secrets_from_environment()

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        """No configuration."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]) -> Self:
        """Make the launcher that `dagster.yaml` names."""
        return cls(inst_data)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Hand the run to the warm worker, or launch it as usual."""
        run = context.dagster_run
        if SIGNALS_TAG not in run.tags:
            super().launch_run(context)
            return
        if PROCESS_TAG in run.tags:  # a run that is run again has the tags of the first one, whose process is gone
            self._instance.add_run_tags(run.run_id, {PROCESS_TAG: ""})
        worker = self._take()
        if worker is None:
            super().launch_run(context)
        else:
            self._hand_over(worker, run)
        self._start_next()

    def terminate(self, run_id: str) -> bool:
        """Interrupt a run, in whichever way it was launched."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished or not is_alive_here(run.tags.get(PROCESS_TAG, "")):
            return bool(super().terminate(run_id))
        self._instance.report_run_canceling(run)
        psutil.Process(pid_of(run.tags[PROCESS_TAG])).terminate()
        return True

    def dispose(self) -> None:
        """Let the warm worker end."""
        worker = self._take()
        if worker is not None:
            self._close(worker)
        super().dispose()

    def _take(self) -> "subprocess.Popen[str] | None":
        with self._lock:
            worker, self._warm = self._warm, None
        if worker is None:
            return None
        if worker.poll() is not None or time.monotonic() - self._warm_since > LONGEST_WAIT_SECONDS:
            self._close(worker)
            return None
        return worker

    def _start_next(self) -> None:
        with self._lock:
            if self._warm is None:
                self._warm_since = time.monotonic()
                self._warm = subprocess.Popen(COMMAND, stdin=subprocess.PIPE, text=True)

    def _hand_over(self, worker: "subprocess.Popen[str]", run: dg.DagsterRun) -> None:
        self._instance.add_run_tags(run.run_id, {PROCESS_TAG: tag_of(worker.pid)})
        arguments = ExecuteRunArgs(run.job_code_origin, run.run_id, self._instance.get_ref())  # type: ignore[arg-type]
        assert worker.stdin is not None
        worker.stdin.write(json.dumps(serialize_value(arguments)) + "\n")
        worker.stdin.flush()
        threading.Thread(target=self._watch, args=(worker, run.run_id), daemon=True).start()

    def _watch(self, worker: "subprocess.Popen[str]", run_id: str) -> None:
        """Report a run as failed when its process ends before the run is finished."""
        code = worker.wait()
        self._close(worker)
        run = self._instance.get_run_by_id(run_id)
        if run is not None and not run.is_finished:
            self._instance.report_run_failed(run, message=f"the process of this run ended with status {code}")

    @staticmethod
    def _close(worker: "subprocess.Popen[str]") -> None:
        """Close the pipe of a worker, which ends a waiting one."""
        if worker.stdin is not None:
            worker.stdin.close()
        worker.wait()
