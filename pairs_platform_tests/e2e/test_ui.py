"""`pairs-platform ui` as a process: it serves the asset graph on localhost and leaves nothing behind when stopped."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from pairs_platform_tests.support.postgres import free_port
from pairs_platform_tests.support.waiting import WAIT_SECONDS, until
from pairs_platform_tests.support.web_servers import answers, graphql

ROOT = Path(__file__).resolve().parents[2]
QUERY = "{ assetNodes { assetKey { path } groupName } }"


@pytest.mark.skipif(sys.platform == "win32", reason="stops the process by a POSIX signal")
def test_ui_serves_the_asset_graph(tmp_path):
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [Path(sys.executable).with_name("pairs-platform"), "ui", "--port", str(port)]
    output = (tmp_path / "output").open("w")
    process = psutil.Popen(command, cwd=ROOT, env={**os.environ}, stdout=output, stderr=subprocess.STDOUT)
    try:
        nodes = until(lambda: answers(f"{url}/server_info", process) and graphql(url, QUERY)["assetNodes"])
        groups = {node["assetKey"]["path"][0]: node["groupName"] for node in nodes}
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
        assert (tmp_path / "output").read_text().split()[-1] == "stopped"
        assert "Aborted" not in (tmp_path / "output").read_text()
    finally:
        for member in [*process.children(recursive=True), process] if process.is_running() else []:
            member.kill()
        output.close()
