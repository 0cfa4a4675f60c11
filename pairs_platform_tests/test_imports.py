import ast
import os
import subprocess
import sys
from pathlib import Path

from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.database.models import record_training
from pairs_platform.platform import Platform
from pairs_platform.settings.loading import load_settings
from pairs_platform_tests.support.trainings import SESSION, performance, training

HEAVY = {
    "alembic", "alpaca", "arch", "duckdb", "exchange_calendars", "matplotlib", "mlflow", "numba", "optuna", "pandas",
    "pandera", "pyarrow", "redis", "scipy", "sklearn", "sqlalchemy", "statsmodels", "torch", "yfinance",
}  # fmt: skip
"""Libraries that a run imports when it needs one: every run and the code location load the definitions first."""


def test_loading_the_definitions_imports_no_heavy_library(tmp_path):
    code = f"import sys, pairs_platform.definitions\nheavy = {HEAVY} & set(sys.modules)\nassert not heavy, heavy"
    environment = {**os.environ, "PAIRS_PLATFORM__STATE_ROOT": str(tmp_path)}
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert not list(tmp_path.iterdir()), "importing the package wrote something"


SENSORS = """
import sys
import dagster as dg
from pairs_platform.definitions import defs
from pairs_platform.processes.runtime.dagster_home import prepare_home
from pairs_platform.settings.loading import load_settings
home, repository = prepare_home(load_settings()), defs.get_repository_def()
with dg.DagsterInstance.from_config(str(home)) as instance:
    for sensor in repository.sensor_defs:
        every = repository.get_top_level_resources()
        needed = {{name: every[name] for name in sensor.required_resource_keys}}
        with dg.build_sensor_context(instance, repository_def=repository, resources=needed) as context:
            sensor.evaluate_tick(context)
heavy = {heavy} & set(sys.modules)
assert not heavy, heavy
"""


def test_sensors_that_find_nothing_to_do_import_no_library_that_they_do_not_need(tmp_path):
    """The code server of a UI that rests evaluates them all, and keeps what they have imported."""
    code = SENSORS.format(heavy=HEAVY - {"alembic", "sqlalchemy"})
    environment = {**os.environ, "PAIRS_PLATFORM__STATE_ROOT": str(tmp_path)}
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


def test_a_command_imports_no_heavy_library_before_it_needs_one():
    code = (
        "import sys, pairs_platform.cli, pairs_platform.platform\n"
        f"heavy = {HEAVY | {'dagster'}} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


def test_what_serves_the_ui_stays_small():
    """It lives as long as the UI does: stores are migrated and runs are ended by what it imports only then."""
    code = (
        "import sys, pairs_platform.cli.ui, pairs_platform.processes.runtime.migrations\n"
        f"heavy = {(HEAVY - {'sqlalchemy'}) | {'dagster', 'grpc', 'numpy'}} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


READING = """
import sys
from pairs_platform.cli import main
heavy, allowed, seen = {heavy}, set(), []
for words, needs in {commands}:
    allowed |= set(needs)
    sys.argv = ["pairs-platform", *words.split()]
    try:
        main()
    except SystemExit as ended:
        assert not ended.code or words == {refused!r}, words
    found = (heavy - allowed) & set(sys.modules)
    if found:
        seen.append((words, sorted(found)))
assert not seen, seen
"""


def test_commands_that_only_read_import_no_library_that_they_do_not_need(tmp_path, monkeypatch):
    """Each command after those that need less, in one process: what it imports beyond them is its own."""
    monkeypatch.setenv("PAIRS_PLATFORM__STATE_ROOT", str(tmp_path))
    platform = Platform(load_settings())
    record_training(platform.database, training(), performance())
    ranking = platform.lake.path("composite_rankings", PartitionKey(SESSION, "technology"))
    ranking.parent.mkdir(parents=True)
    ranking.touch()
    frames = ("numpy", "pandas", "pandera", "pyarrow")
    commands = [
        *(("--help", ()), ("config show", ("pydantic", "yaml")), ("symbols list", ("rich",)), ("profiles list", ())),
        *(("audit", ("sqlalchemy",)), ("alerts", ()), ("models list", ()), ("models show 1", ())),
        ("storage", ("numpy", "psutil", "redis")),
        *(("symbols status", frames), ("pairs --session 2023-03-07", ()), ("models compare 1 1", ())),
    ]
    heavy = HEAVY | {"dagster", "numpy", "psutil", "pydantic", "rich", "yaml"}
    code = READING.format(heavy=heavy, commands=commands, refused="pairs --session 2023-03-07")
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


def test_support_imports_no_test():
    """Benchmarks import it, and with it whatever it imports."""
    imported = {
        (path.name, node.module)
        for path in (Path(__file__).parent / "support").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("pairs_platform_tests")
    }
    assert imported
    assert [found for found in imported if not found[1].startswith("pairs_platform_tests.support")] == []
