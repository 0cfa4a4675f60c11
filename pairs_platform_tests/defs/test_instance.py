import logging
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import dagster as dg
from dagster._core.test_utils import freeze_time
from dagster._daemon.monitoring.concurrency import execute_concurrency_slots_iteration

from pairs_platform.build import build_definitions
from pairs_platform.core.operations.run_tags import PROCESS_TAG, this_process
from pairs_platform.defs.instance import COMPUTE_SLOTS, canceled_runs, open_instance
from pairs_platform.processes.runtime.dagster_home import prepare_home
from pairs_platform.settings.loading import load_settings


def test_a_profile_has_a_home_of_its_own_that_survives(monkeypatch, tmp_path):
    """Below a folder with a space, whatever the current folder is."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PAIRS_PLATFORM__STATE_ROOT", "my state")
    settings = load_settings()
    home = prepare_home(settings)
    assert home == (tmp_path / "my state" / settings.profile.name / "dagster").resolve()
    with open_instance(home) as instance:
        pool = instance.event_log_storage.get_concurrency_info("compute")
        assert pool.slot_count == COMPUTE_SLOTS
        assert not instance.telemetry_enabled
        run_id = _recorded(instance)
    (home / "dagster.yaml").write_text("edited: true\n")
    with open_instance(prepare_home(settings)) as again:
        assert again.get_run_by_id(run_id)


def test_every_pool_is_there_before_the_first_run_and_a_changed_limit_stays():
    home = prepare_home(load_settings())
    steps = [asset.op for asset in build_definitions(load_settings()).assets if isinstance(asset, dg.AssetsDefinition)]
    with open_instance(home) as instance:
        storage = instance.event_log_storage
        assert storage.get_concurrency_keys() == {step.pool for step in steps if step.pool}
        storage.set_concurrency_slots("market_data", 3)
    with open_instance(home) as again:
        assert again.event_log_storage.get_concurrency_info("market_data").slot_count == 3


def _recorded(instance, process: str = "") -> str:
    from dagster._core.test_utils import create_run_for_test

    return create_run_for_test(instance, "a_job", tags={PROCESS_TAG: process} if process else None).run_id


def test_a_run_in_a_terminal_prints_its_errors_and_no_event_and_records_all(capfd):
    @dg.asset
    def fails():
        raise KeyError("close")

    with open_instance(prepare_home(load_settings())) as instance:
        result = dg.materialize([fails], instance=instance, raise_on_error=False)
        recorded = {entry.dagster_event_type for entry in instance.all_logs(result.run_id) if entry.is_dagster_event}
    printed = capfd.readouterr().err
    assert {dg.DagsterEventType.RUN_START, dg.DagsterEventType.STEP_START} <= recorded
    assert " - ERROR - " in printed, printed
    assert "KeyError: 'close'" in printed
    assert " - DEBUG - " not in printed, printed


def test_the_daemon_frees_the_slot_that_an_ended_run_kept():
    """A run that loses its database ends without giving back its pool's slot, and nothing would run after it."""
    with open_instance(prepare_home(load_settings())) as instance:
        storage = instance.event_log_storage
        run = instance.get_run_by_id(_recorded(instance))
        assert storage.claim_concurrency_slot("market_data", run.run_id, "price_history").is_claimed
        instance.report_run_failed(run)
        daemon = SimpleNamespace(instance=instance)
        for seconds, slots in ((5, 1), (45, 0)):
            with freeze_time(datetime.now(UTC) + timedelta(seconds=seconds)):
                list(execute_concurrency_slots_iteration(daemon, logging.getLogger("daemon"), None))
            assert storage.get_concurrency_info("market_data").active_slot_count == slots


class TestDeadRuns:
    """A run whose process was killed neither stays STARTED nor keeps the slot of its pool."""

    def test_a_slot_held_by_a_killed_process_is_free_again(self):
        home = prepare_home(load_settings())
        with open_instance(home) as instance:
            storage = instance.event_log_storage
            storage.set_concurrency_slots("market_data", 1)
            gone = subprocess.run(
                [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True
            )
            dead = _recorded(instance, f"{socket.gethostname()}/{gone.stdout.strip()}/1")
            assert storage.claim_concurrency_slot("market_data", dead, "price_history").is_claimed
            alive = _recorded(instance, this_process())
            elsewhere = _recorded(instance, "another-host/1/1")
        with open_instance(home) as instance:
            statuses = {run.run_id: run.status for run in instance.get_runs()}
            assert statuses[dead] is dg.DagsterRunStatus.FAILURE
            assert statuses[alive] is dg.DagsterRunStatus.NOT_STARTED
            assert statuses[elsewhere] is dg.DagsterRunStatus.NOT_STARTED
            claim = instance.event_log_storage.claim_concurrency_slot("market_data", alive, "price_history")
            assert claim.is_claimed

    def test_those_of_a_stopped_ui_are_canceled_and_those_of_other_processes_go_on(self):
        home = prepare_home(load_settings())
        ui = 4_000_000
        with open_instance(home) as instance:
            own = [_recorded(instance, f"{socket.gethostname()}/{ui}/1"), _recorded(instance)]
            ended = _recorded(instance)
            others = [_recorded(instance, this_process()), _recorded(instance, "another-host/4000000/1")]
            with canceled_runs(home, {ui}):
                asked = {run.run_id for run in instance.get_runs() if run.status is dg.DagsterRunStatus.CANCELING}
                assert asked == {*own, ended}
                instance.report_run_failed(instance.get_run_by_id(ended))
            statuses = {run.run_id: run.status for run in instance.get_runs()}
            assert [statuses[run] for run in own] == [dg.DagsterRunStatus.CANCELED] * 2
            assert statuses[ended] is dg.DagsterRunStatus.FAILURE
            assert [statuses[run] for run in others] == [dg.DagsterRunStatus.NOT_STARTED] * 2
