"""`pairs-platform ui` in a terminal: it serves the asset graph on localhost, says little, and leaves nothing behind."""

import os
import signal

import psutil
import pytest

from pairs_platform_tests.support.postgres import free_port
from pairs_platform_tests.support.waiting import WAIT_SECONDS
from pairs_platform_tests.support.web_servers import answers, graphql

NODES = "{ assetNodes { assetKey { path } groupName } }"
TICKS = """{ sensorsOrError(repositorySelector: {
    repositoryName: "__repository__", repositoryLocationName: "pairs_platform"
}) { ... on Sensors { results { name sensorState { ticks(limit: 3) { status error { message } } } } } } }"""


def ticks(url: str) -> dict[str, list[str]]:
    """How the newest ticks of each sensor ended."""
    found = graphql(url, TICKS)["sensorsOrError"]["results"]
    return {sensor["name"]: [tick["status"] for tick in sensor["sensorState"]["ticks"]] for sensor in found}


@pytest.mark.skipif(os.name == "nt", reason="there is no pseudo-terminal on Windows")
def test_ui_serves_the_asset_graph_and_is_quiet(tmp_path):
    from pairs_platform_tests.support.terminal import Terminal

    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with Terminal("ui", "--port", str(port), folder=tmp_path) as terminal:
        terminal.read_until(lambda: answers(f"{url}/server_info") and len(graphql(url, NODES)["assetNodes"]) > 0)
        groups = {node["assetKey"]["path"][0]: node["groupName"] for node in graphql(url, NODES)["assetNodes"]}
        assert groups["price_history"] == "prices"
        assert groups["trading_config"] == "selection"
        family = psutil.Process(terminal.process.pid).children(recursive=True)
        assert len([member for member in family if "grpc" in member.cmdline()]) == 1, "the code is loaded once"
        listening = {
            connection.laddr.ip
            for member in family
            for connection in member.net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
        }
        assert listening == {"127.0.0.1"}
        terminal.read_until(lambda: len(ticks(url)["signal_sensor"]) == 3)
        assert {status for found in ticks(url).values() for status in found} <= {"SKIPPED", "STARTED"}
        shown = terminal.text
        assert [line.split()[0] for line in shown.splitlines()] == ["profile", "database:", "running:", "Ctrl-C"], shown
        assert url in shown
        terminal.process.send_signal(signal.SIGTERM)
        terminal.read_to_end()
        _, alive = psutil.wait_procs(family, timeout=WAIT_SECONDS)
        assert alive == []
        assert terminal.left() == []
        assert terminal.text.removeprefix(shown).split() == ["stopped"]
