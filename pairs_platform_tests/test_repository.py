"""What lies at the top of the repository, what is installed, and what every decision record says."""

import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOP = {
    "pairs_platform", "pairs_platform_tests", "benchmarks", "deploy", "docs", "workspace.yaml", "dagster.yaml",
    "pyproject.toml", "constraints.txt", "Makefile", "README.md", "CONTRIBUTING.md", "LICENSE",
}  # fmt: skip
RECORDS = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
HEAD = re.compile(
    r"# (?P<number>\d{4}) (?P<title>.+)\n\n"
    r"Status: (?P<status>accepted|replaced by \d{4}) · Date: (?P<date>20\d\d-\d\d-\d\d) · "
    r"Replaces: (?P<replaces>nothing|\d{4}(, \d{4})*)\n\n## Context\n"
)


def test_the_top_level_is_fixed():
    """Files of tools begin with a dot, or are named in .gitignore."""
    ignored = [line.rstrip("/") for line in (ROOT / ".gitignore").read_text().splitlines()]
    found = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    assert {name for name in found if not any(fnmatch(name, pattern) for pattern in ignored)} == TOP


def test_every_file_of_the_package_is_installed():
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    files = [path for path in (ROOT / "pairs_platform").rglob("*") if path.is_file()]
    for path in (path for path in files if path.parent.name != "__pycache__"):
        assert (path.parent / "__init__.py").exists(), f"{path.parent} is no package: setuptools leaves it out"
        name = path.relative_to(ROOT / "pairs_platform").as_posix()
        assert path.suffix == ".py" or any(fnmatch(name, pattern) for pattern in patterns["pairs_platform"]), name


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_decision_has_number_status_date_and_what_it_replaces(path):
    head = HEAD.match(path.read_text(encoding="utf-8"))
    assert head, f"{path.name} does not begin as docs/decisions/README.md says"
    assert path.name.startswith(head["number"])
    index = (path.parent / "README.md").read_text(encoding="utf-8").splitlines()
    assert " | ".join(
        [f"| [{head['number']}]({path.name})", head["title"], head["status"], head["date"], f"{head['replaces']} |"]
    ) in index  # fmt: skip


MEASURED_BY = re.compile(r"`(?:python -[mc] |pairs-platform |make )[^`]+`|the same( command|\b.* \|$)")


def test_every_measured_number_names_the_command_that_measures_it():
    """In its paragraph, bullet or row, or in the paragraph before its table; and the benchmark is there."""
    text = (ROOT / "docs" / "measurements.md").read_text(encoding="utf-8")
    without, before = [], ""
    for block in re.split(r"\n\n|\n(?=- )", text):
        rows = block.splitlines()[2:] if block.startswith("|") and not MEASURED_BY.search(before) else []
        parts = rows if block.startswith("|") else [block]
        measured = (part for part in parts if re.search(r"\d", re.sub("`[^`]*`", "", part)))
        without += [part for part in measured if not MEASURED_BY.search(part)]
        before = block
    assert without == []
    names = set(re.findall(r"python -m benchmarks\.(\w+)", text))
    assert names <= {path.stem for path in (ROOT / "benchmarks").glob("*.py")}
    assert len(names) > 10


def test_the_index_of_decisions_has_no_other():
    index = (ROOT / "docs" / "decisions" / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"\]\((\d{4}-[\w-]+\.md)\)", index) == [path.name for path in RECORDS]
