"""Dagster's own commands as typed in the project's folder, here a copy of it whose path has a space."""

import shutil
import subprocess
from pathlib import Path

import dagster as dg
import pytest
import yaml

from pairs_platform.platform import Platform
from pairs_platform.processes.runtime.dagster_home import render_dagster_yaml
from pairs_platform_tests.support.demo_profile import SECTOR, SESSIONS, DemoRun, key, run

ROOT = Path(__file__).resolve().parents[2]
BEHIND = "correlation_matrix,cointegrated_pairs,garch_fits,pair_scores,composite_rankings,trading_config"


@pytest.fixture
def folder(tmp_path) -> Path:
    copy = tmp_path / "project with a space"
    copy.mkdir()
    for name in ("dagster.yaml", "workspace.yaml", "pyproject.toml"):
        shutil.copy(ROOT / name, copy / name)
    return copy


def typed(arguments: list[str], folder: Path, demo: DemoRun, state: Path) -> subprocess.CompletedProcess[str]:
    done = run(["dagster", *arguments], folder, config=demo.config, state=state)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "DEBUG" not in done.stdout + done.stderr
    return done


def test_materialize_as_typed(folder: Path, demo: DemoRun, copied: Platform) -> None:
    """Without DAGSTER_HOME, prices of a stretch and then everything behind them, into the storage of dagster.yaml."""
    lake = copied.lake
    for session in SESSIONS[1:]:
        lake.path("price_history", key(session)).unlink()
    for asset in BEHIND.split(","):
        lake.path(asset, key()).unlink()
    module = ["asset", "materialize", "-m", "pairs_platform.definitions", "--select"]
    stretch = f"{key(SESSIONS[1])}...{key()}"
    typed([*module, "price_history", "--partition-range", stretch], folder, demo, copied.settings.state_root)
    assert set(SESSIONS[1:]) <= set(lake.sessions("price_history", SECTOR))
    typed([*module, BEHIND, "--partition", str(key())], folder, demo, copied.settings.state_root)
    assert all(lake.exists(asset, key()) for asset in BEHIND.split(","))
    home = folder / ".state/simulated-5min-raw/dagster"
    (home / "dagster.yaml").write_text(render_dagster_yaml(home.as_posix()))
    with dg.DagsterInstance.from_config(str(home)) as instance:
        assert [run.status for run in instance.get_runs()] == 2 * [dg.DagsterRunStatus.SUCCESS]
        assert instance.get_materialized_partitions(dg.AssetKey("trading_config")) == {str(key())}


def test_the_workspace_file_loads_the_one_code_location(folder: Path, demo: DemoRun) -> None:
    done = typed(["definitions", "validate", "-w", "workspace.yaml"], folder, demo, folder / "state")
    told = done.stdout + done.stderr
    assert "Validation successful for code location pairs_platform" in told
    assert "1 code locations" in told or "All code locations passed validation" in told


def test_only_the_workspace_file_names_the_code_location() -> None:
    import tomllib

    tools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    assert not {"dagster", "dg"} & set(tools)
    (location,) = yaml.safe_load((ROOT / "workspace.yaml").read_text())["load_from"]
    assert location["python_module"]["module_name"] == "pairs_platform.definitions"


def test_the_instance_limits_what_runs_at_once(tmp_path) -> None:
    """Runs of one sector wait for each other; the vendor is asked by one step at a time."""
    settings = yaml.safe_load(render_dagster_yaml(tmp_path.as_posix()))
    limits = settings["concurrency"]["runs"]["tag_concurrency_limits"]
    each = {"limit": 1, "value": {"applyLimitPerUniqueValue": True}}
    assert {"key": "pairs_platform/sector", **each} in limits
    assert {"key": "pairs_platform/signals", **each} in limits
    assert {"key": "pairs_platform/stage", "value": "daily", "limit": 3} in limits
    assert settings["concurrency"]["pools"]["default_limit"] == 1
    assert settings["run_monitoring"]["enabled"]
    assert settings["run_monitoring"]["max_runtime_seconds"] == 21600
    assert settings["telemetry"] == {"enabled": False}
