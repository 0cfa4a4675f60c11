"""Servers that a test starts as processes: when a page of theirs is there, what Dagster's answers, and those of MLflow.

What does not belong here: servers that stand in for a vendor (`vendor_servers`, `stream_servers`).
"""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pairs_platform_tests.support.postgres import free_port
from pairs_platform_tests.support.waiting import WAIT_SECONDS, until

SCRIPTS = Path(sys.executable).parent
WITHOUT_JOBS = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
"""As the platform starts it: the job runner of a server is seven more processes, each of which imports MLflow."""


def answers(url: str, process: subprocess.Popen[bytes] | None = None) -> bool:
    """Whether a page is there; an assertion fails when the process that is to serve it has ended."""
    assert process is None or process.poll() is None, f"the server ended with {process.returncode}"
    try:
        with urllib.request.urlopen(url, timeout=WAIT_SECONDS) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False


def graphql(url: str, query: str) -> dict[str, Any]:
    """The data with which Dagster's UI at an address answers a query."""
    body = json.dumps({"query": query}).encode()
    request = urllib.request.Request(f"{url}/graphql", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=WAIT_SECONDS) as reply:
        data: dict[str, Any] = json.load(reply)["data"]
        return data


@contextmanager
def running_mlflow(words: Sequence[str], folder: Path, health: str, **variables: str) -> Iterator[str]:
    """The address of a server of MLflow as long as the context is open; it ends with all its workers.

    Parameters
    ----------
    words : sequence of str
        Command of `mlflow` and its options, without the address.
    folder : Path
        Where it runs.
    health : str
        The path that answers as soon as it works.
    **variables : str
        Its environment, next to this process's.
    """
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [str(SCRIPTS / "mlflow"), *words, "--host", "127.0.0.1", "--port", str(port)],
        cwd=folder,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PATH": f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}", **WITHOUT_JOBS, **variables},
    )
    try:
        until(lambda: answers(f"{address}{health}", process))
        yield address
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(WAIT_SECONDS)
