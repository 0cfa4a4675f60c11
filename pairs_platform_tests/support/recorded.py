"""Files of the repository that are written from the code: a test says when one is out of date.

What does not belong here: data of the package that a benchmark makes (`benchmarks/make_*.py`).
"""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from pairs_platform.build import build_definitions
from pairs_platform.processes.runtime.dagster_home import production_dagster_yaml, render_dagster_yaml
from pairs_platform.settings.loading import load_settings
from pairs_platform_tests.support.definitions_text import definitions_text
from pairs_platform_tests.support.import_picture import mermaid, svg
from pairs_platform_tests.support.settings_table import with_settings_tables

ROOT = Path(__file__).parents[2]
MERMAID_BLOCK = re.compile(r"(?<=<!-- imports -->\n```mermaid\n).*?(?=```)", re.DOTALL)


def _architecture() -> str:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    return MERMAID_BLOCK.sub(lambda _: mermaid("pairs_platform"), text)


RECORDED: Mapping[str, Callable[[], str]] = {
    "dagster.yaml": lambda: render_dagster_yaml(f".state/{load_settings().profile.name}/dagster"),
    "deploy/dagster.yaml": production_dagster_yaml,
    "docs/architecture.md": _architecture,
    "docs/execution.md": lambda: with_settings_tables((ROOT / "docs" / "execution.md").read_text(encoding="utf-8")),
    "docs/images/imports.svg": svg,
    "docs/risk.md": lambda: with_settings_tables((ROOT / "docs" / "risk.md").read_text(encoding="utf-8")),
    "pairs_platform_tests/definitions.txt": lambda: definitions_text(build_definitions(load_settings())),
}
"""What each file must hold, by its path in the repository."""


def record() -> None:
    """Write every file, over the shipped settings whatever those of the caller are."""
    for name in [name for name in os.environ if name.startswith("PAIRS_PLATFORM_")]:
        del os.environ[name]
    for path, text in RECORDED.items():
        (ROOT / path).write_text(text(), encoding="utf-8", newline="\n")
