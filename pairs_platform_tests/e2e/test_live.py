"""`pairs-platform live` from its start to Ctrl-C: a part of a session replayed into signals by all of its processes."""

import socket
import urllib.request
from collections.abc import Iterator

import dagster as dg
import pytest

from pairs_platform.core.streaming.contracts import STREAMED_BARS
from pairs_platform_tests.support.live_processes import (
    Live,
    make_profile,
    running_live,
    through_the_waiting_process,
)
from pairs_platform_tests.support.waiting import WAIT_SECONDS, until

BARS = 7
"""Of a session of hourly bars; the first two have ended before the replay begins."""


@pytest.fixture(scope="module")
def live(demo, tmp_path_factory) -> Iterator[Live]:
    """All bars of the session have their signals."""
    profile = make_profile(demo, tmp_path_factory.mktemp("live") / "a profile")
    with running_live(profile, "--start", "11:30", "--speed", "900") as found:
        profile.await_signals(BARS)
        yield found


def test_every_bar_has_one_set_of_signals_with_the_values_of_the_batch_path(live):
    rows = live.profile.assert_complete()
    assert len(rows) == BARS * len(live.profile.config.pairs)
    assert rows["probability_champion"].notna().any()


def test_they_came_through_sensor_queue_and_run(live):
    until(lambda: all(one.dagster_run.is_finished for one in live.profile.runs()))
    records = live.profile.runs()
    assert {one.dagster_run.status for one in records} == {dg.DagsterRunStatus.SUCCESS}
    assert {one.dagster_run.tags["dagster/sensor_name"] for one in records} == {"signal_sensor"}
    assert set(live.profile.signals["run_id"]) <= {one.dagster_run.run_id for one in records}
    assert len({one.dagster_run.tags["dagster/run_key"] for one in records}) == len(records) >= 3
    assert [through_the_waiting_process(one) for one in records[:3]] == [False, True, True]


def test_the_stream_is_saved_at_the_close(live):
    lake, key = live.profile.platform.lake, live.profile.key
    until(lambda: lake.exists(STREAMED_BARS.table, key))
    bars = lake.read(STREAMED_BARS, key)
    assert len(bars) == len(live.profile.platform.streams.bars.merged(live.profile.session))
    assert set(bars["run_mode"]) == {"replay"}


def test_the_console_shows_signals_and_processes(live):
    shown = live.profile.console("signals")
    assert shown.returncode == 0, shown.stderr
    assert all(pair.pair in shown.stdout for pair in live.profile.config.pairs)
    shown = live.profile.console("stream", "status")
    assert all(
        str(live.pid(name)) in shown.stdout
        for name in ("redis", "webserver", "daemon", "replay", "collector", "broker", "trader")
    )
    assert "streaming" in shown.stdout
    with urllib.request.urlopen(f"http://127.0.0.1:{live.web_port}/server_info", timeout=WAIT_SECONDS) as reply:
        assert reply.status == 200


def test_ctrl_c_ends_every_process_and_frees_the_ports(live):
    """The last test of the file: it stops what the others look at."""
    assert len(live.profile.members()) >= 6
    assert live.stop() == 0
    assert live.output.read_text().rstrip().endswith("stopped")
    until(lambda: not live.profile.members())
    for port in (live.web_port, live.profile.replay_port):
        with socket.socket() as again:
            again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            again.bind(("127.0.0.1", port))
