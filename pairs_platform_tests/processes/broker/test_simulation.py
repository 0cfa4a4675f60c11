"""The process: from its line to Ctrl-C."""

import os
import re
import signal
import subprocess
import sys

import pytest
import requests
from alpaca.trading.client import TradingClient

from pairs_platform_tests.support.waiting import WAIT_SECONDS

COMMAND = (sys.executable, "-W", "ignore", "-c", "from pairs_platform.cli import main; main()", "broker", "simulate")


@pytest.mark.skipif(os.name == "nt", reason="a signal that Windows does not send to a single process")
def test_it_says_where_it_is_in_one_line_serves_and_ends_quietly_on_ctrl_c(tmp_path):
    environment = {**os.environ, "PAIRS_PLATFORM__STATE_ROOT": str(tmp_path)}
    words = ("--port", "0", "--faults", "paper,duplicate_event", "--cash", "50000", "--at", "2026-11-24 10:00")
    with subprocess.Popen(
        [*COMMAND, *words], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("profile simulated-5min")
        line = process.stdout.readline()
        said = re.fullmatch(
            r"simulated broker at (http://127\.0\.0\.1:\d+): (\d+) symbols, \$50,000, faults: paper, duplicate_event; "
            r"the market is open until Tue 24 Nov 16:00 New York; Ctrl-C ends it\n",
            line,
        )
        assert said, line
        account = TradingClient("any", "key", url_override=said[1]).get_account()
        state = requests.get(f"{said[1]}/simulator").json()
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=WAIT_SECONDS)
    assert account.cash == "50000.00"
    assert len(state["prices"]) == int(said[2]) > 10
    assert (process.returncode, rest) == (0, "")
