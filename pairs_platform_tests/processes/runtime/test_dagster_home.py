import pytest
import yaml

from pairs_platform.processes.runtime.dagster_home import render_dagster_yaml
from pairs_platform_tests.support.odd_names import ODD_NAMES


@pytest.mark.parametrize("name", ODD_NAMES)
def test_every_folder_is_written_as_it_is_called(name):
    home = f"/state/{name}/dagster"
    written = yaml.safe_load(render_dagster_yaml(home))
    storage = written["storage"]
    assert (storage.get("sqlite") or storage["custom"]["config"]) == {"base_dir": home}
    assert written["local_artifact_storage"]["config"] == {"base_dir": home}
    assert written["compute_logs"]["config"] == {"base_dir": f"{home}/storage"}


def test_dagsters_own_storage_is_used_where_it_can_open_the_folder():
    assert "sqlite" in yaml.safe_load(render_dagster_yaml("/home/ann-b/.state/x_1:2"))["storage"]
    assert "custom" in yaml.safe_load(render_dagster_yaml("/home/100%25/.state"))["storage"]
