from pairs_platform.cli.instance import COMPUTE_SLOTS, open_instance, prepare_home
from pairs_platform.settings import load_settings


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


def _recorded(instance) -> str:
    from dagster._core.test_utils import create_run_for_test

    return create_run_for_test(instance, "a_job").run_id
