"""`pairs-platform ui` as a process: it serves the asset graph on localhost and leaves nothing behind when stopped."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest

from pairs_platform_tests.support.postgres import free_port
from pairs_platform_tests.support.waiting import WAIT_SECONDS, until

ROOT = Path(__file__).resolve().parents[2]
QUERY = "{ assetNodes { assetKey { path } groupName } }"


def asset_nodes(port: int) -> list[dict]:
    return asked(port, QUERY)["data"]["assetNodes"]


def asked(port: int, query: str) -> dict:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/graphql",
        data=json.dumps({"query": query}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=WAIT_SECONDS) as reply:
        return json.load(reply)


@pytest.mark.skipif(sys.platform == "win32", reason="stops the process by a POSIX signal")
def test_a_read_only_ui_shows_and_refuses(tmp_path):
    port = free_port()
    command = [Path(sys.executable).with_name("pairs-platform"), "ui", "--read-only", "--port", str(port)]
    with (tmp_path / "output").open("w") as output:
        process = psutil.Popen(command, cwd=ROOT, env={**os.environ}, stdout=output, stderr=subprocess.STDOUT)
    family: list[psutil.Process] = []
    try:
        until(lambda: process.poll() is not None or answers(port))
        family = process.children(recursive=True)
        assert not any("dagster-daemon" in " ".join(member.cmdline()) for member in family)
        mutation = """mutation { startSchedule(scheduleSelector: {
            repositoryName: "__repository__", repositoryLocationName: "pairs_platform",
            scheduleName: "weekly_network_tuning"
        }) { __typename } }"""
        assert asked(port, mutation)["data"]["startSchedule"]["__typename"] == "UnauthorizedError"
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=WAIT_SECONDS)
    finally:
        for member in [*family, process]:
            if member.is_running():
                member.kill()


def answers(port: int) -> bool:
    try:
        return bool(asset_nodes(port))
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return False


@pytest.mark.skipif(sys.platform == "win32", reason="stops the process by a POSIX signal")
def test_ui_serves_the_asset_graph(tmp_path):
    port = free_port()
    command = [Path(sys.executable).with_name("pairs-platform"), "ui", "--port", str(port)]
    output = (tmp_path / "output").open("w")
    process = psutil.Popen(command, cwd=ROOT, env={**os.environ}, stdout=output, stderr=subprocess.STDOUT)
    try:
        until(lambda: process.poll() is not None or answers(port))
        groups = {node["assetKey"]["path"][0]: node["groupName"] for node in asset_nodes(port)}
        assert groups["price_history"] == "prices", (tmp_path / "output").read_text()
        assert groups["trading_config"] == "selection"
        family = process.children(recursive=True)
        listening = {
            connection.laddr.ip
            for member in family
            for connection in member.net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
        }
        assert listening == {"127.0.0.1"}
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=WAIT_SECONDS)
        _, alive = psutil.wait_procs(family, timeout=WAIT_SECONDS)
        assert not alive
    finally:
        for member in [*process.children(recursive=True), process] if process.is_running() else []:
            member.kill()
        output.close()
