"""`pairs-platform live` while its processes are killed: no signal is lost, none is there twice, none differs.

The long ones are in `soak`.
"""

import dagster as dg

from pairs_platform.build import build_definitions
from pairs_platform.defs.signals import assets
from pairs_platform_tests.support.demo_profile import key
from pairs_platform_tests.support.live_processes import make_profile, running_live
from pairs_platform_tests.support.runs import QUIET
from pairs_platform_tests.support.waiting import until

BARS = 7


def test_daemon_collector_and_redis_are_killed_in_one_session(demo, tmp_path):
    profile = make_profile(demo, tmp_path / "a profile")
    with running_live(profile, "--speed", "600") as live:
        live.await_bars(1)
        live.kill("daemon")
        live.await_restart("daemon")
        live.await_bars(3)
        live.kill("collector")
        live.await_restart("collector")
        live.await_bars(5)
        live.kill("redis")
        live.await_restart("redis")
        profile.await_signals(BARS)
        profile.assert_complete()
        assert {one.dagster_run.status for one in profile.runs()}.isdisjoint({dg.DagsterRunStatus.FAILURE})
        restarts = {name: one["restarts"] for name, one in live.processes().items()}
        assert restarts == {"redis": 1, "webserver": 0, "daemon": 1, "replay": 0, "collector": 1}
        assert live.stop() == 0
    until(lambda: not profile.members())


def test_a_run_waits_for_a_redis_that_is_away(copied, monkeypatch):
    assert assets.PATIENT_RETRIES * assets.PATIENT_SECONDS > 180
    monkeypatch.setattr(assets, "PATIENT_RETRIES", 5)
    monkeypatch.setattr(assets, "PATIENT_SECONDS", 0)
    job = build_definitions(copied.settings, {"platform": copied}).resolve_job_def("five_minute_signals")
    result = job.execute_in_process(partition_key=str(key()), run_config=QUIET, raise_on_error=False)
    assert not result.success
    assert len([event for event in result.all_events if event.is_step_up_for_retry]) == 5
