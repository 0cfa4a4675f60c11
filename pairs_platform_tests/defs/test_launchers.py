"""Files of `deploy` that hand runs to other machines, against the schemas of the classes that they name."""

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from dagster._config import process_config, resolve_to_config_type

DEPLOY = Path(__file__).parents[2] / "deploy"
VARIABLES = {
    "PAIRS_PLATFORM_NAMESPACE": "trading",
    "PAIRS_PLATFORM_IMAGE": "pairs-platform:1",
    "PAIRS_PLATFORM_CELERY_BROKER": "redis://127.0.0.1:6379/1",
    "PAIRS_PLATFORM_CELERY_BACKEND": "redis://127.0.0.1:6379/2",
}


def launcher(name: str) -> dict[str, Any]:
    return yaml.safe_load((DEPLOY / f"dagster.{name}.yaml").read_text())["run_launcher"]


@pytest.mark.parametrize("name", ["k8s", "celery"])
def test_a_launcher_replaces_one_block_of_the_production_file(name: str) -> None:
    whole = yaml.safe_load((DEPLOY / f"dagster.{name}.yaml").read_text())
    assert set(whole) == {"run_launcher"} <= set(yaml.safe_load((DEPLOY / "dagster.yaml").read_text()))


@pytest.mark.parametrize("name", ["k8s", "celery"])
def test_the_launcher_takes_its_configuration(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in VARIABLES.items():
        monkeypatch.setenv(variable, value)
    block = launcher(name)
    chosen = getattr(import_module(block["module"]), block["class"])
    checked = process_config(resolve_to_config_type(chosen.config_type()), block["config"])
    assert checked.success, checked.errors
