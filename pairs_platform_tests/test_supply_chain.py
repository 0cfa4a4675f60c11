"""What is installed is pinned, and nothing that is loaded can run code."""

import ast
import re
import tomllib
from importlib.metadata import distributions
from pathlib import Path

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
BY_HAND = {"pairs-platform", "pip", "setuptools", "wheel"}
"""The project itself, and what every virtual environment has."""


def test_every_installed_package_is_pinned_to_its_version():
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    pins = {canonicalize_name(name): version for name, version in (line.split("==") for line in lines)}
    installed = {canonicalize_name(one.metadata["Name"]): one.version.partition("+")[0] for one in distributions()}
    found = {name: version for name, version in installed.items() if name not in BY_HAND}
    assert {name: version for name, version in found.items() if pins.get(name) != version} == {}


def test_every_pin_installs_on_the_first_release_of_each_python_that_is_promised():
    """Debian 12 has 3.11.2; there pip names a wrong package as the cause of a pin that it cannot have."""
    promised = SpecifierSet(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"])
    first = [version for version in (f"3.{minor}.0" for minor in range(9, 20)) if version in promised]
    asked = {one.metadata["Name"]: one.metadata.get("Requires-Python") or "" for one in distributions()}
    assert first == ["3.11.0", "3.12.0"]
    assert {name: text for name, text in asked.items() if not all(v in SpecifierSet(text) for v in first)} == {}


def test_the_audit_asks_about_every_pin():
    recipe = (ROOT / "Makefile").read_text().partition("audit:")[2].partition("\n\n")[0]
    assert "pip-audit --strict --requirement constraints.txt" in recipe


CALLS = {
    "pickle": {"load", "loads", "Unpickler"}, "cloudpickle": {"load", "loads"}, "dill": {"load", "loads"},
    "joblib": {"load"}, "torch": {"load"}, "marshal": {"load", "loads"}, "shelve": {"open"}, "pd": {"read_pickle"},
    "yaml": {"load", "unsafe_load"},
}  # fmt: skip
"""Functions that execute what they read."""


LOADERS_OF_MLFLOW = re.compile(r"mlflow\.(pytorch|sklearn|pyfunc)\.load_model")


def test_nothing_is_loaded_that_could_run_code():
    for path in (ROOT / "pairs_platform").rglob("*.py"):
        text = path.read_text()
        assert not LOADERS_OF_MLFLOW.search(text), path
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.Call):
                continue
            assert not any(word.arg == "allow_pickle" for word in node.keywords), f"{path}:{node.lineno}"
            function = node.func
            if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
                assert function.attr not in CALLS.get(function.value.id, ()), f"{path}:{node.lineno}"
