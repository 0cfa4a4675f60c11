"""Faults of the live part that one run meets; those of a whole session, against real processes, are in `soak`."""

from pairs_platform.build import build_definitions
from pairs_platform.defs.signals import assets
from pairs_platform_tests.support.demo_profile import key
from pairs_platform_tests.support.runs import QUIET


def test_a_run_waits_for_a_redis_that_is_away(copied, monkeypatch):
    assert assets.PATIENT_RETRIES * assets.PATIENT_SECONDS > 180
    monkeypatch.setattr(assets, "PATIENT_RETRIES", 5)
    monkeypatch.setattr(assets, "PATIENT_SECONDS", 0)
    job = build_definitions(copied.settings, {"platform": copied}).resolve_job_def("five_minute_signals")
    result = job.execute_in_process(partition_key=str(key()), run_config=QUIET, raise_on_error=False)
    assert not result.success
    assert len([event for event in result.all_events if event.is_step_up_for_retry]) == 5
