import dagster as dg

from pairs_platform.defs.instance import open_instance, prepare_instance
from pairs_platform.processes.runtime.dagster_home import prepare_home
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.variables import variable
from pairs_platform_tests.support.odd_names import EVERY_CHARACTER


@dg.asset
def something() -> None: ...


def test_runs_and_their_events_are_kept_in_any_folder(monkeypatch, tmp_path):
    root = tmp_path / EVERY_CHARACTER
    monkeypatch.setenv(variable("state_root"), str(root))
    home = prepare_home(load_settings())
    assert prepare_home(load_settings()) == home
    with open_instance(home) as instance:
        run = dg.materialize([something], instance=instance).run_id
    with open_instance(home) as instance:
        assert instance.get_latest_materialization_event(something.key).run_id == run
        assert instance.event_log_storage.get_all_run_ids() == [run]
    prepare_instance(home, print)
    databases = {file.name for file in home.resolve().rglob("*.db")}
    assert {"runs.db", "schedules.db", "index.db", f"{run}.db"} <= databases
    assert {file.name for file in tmp_path.rglob("*.db")} == databases
    assert list(tmp_path.iterdir()) == [root]
