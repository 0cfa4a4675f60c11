"""The table "I want to change X → this folder" has one row for each folder of the package, and none for another."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROW = re.compile(r"^\| (?P<what>[^|]+) \| `(?P<folder>[\w./-]+)` \|$", re.MULTILINE)


def folders_of_table() -> list[str]:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = text.split("## I want to change X → this folder", 1)[1].split("\n## ", 1)[0]
    return [row["folder"] for row in ROW.finditer(table)]


def test_every_folder_has_one_row():
    """A folder whose only file is an empty `__init__.py` has nothing that anybody would change."""
    package = ROOT / "pairs_platform"
    folders = {
        path.parent.relative_to(ROOT).as_posix()
        for path in package.rglob("*.py")
        if path.parent != package and (path.name != "__init__.py" or path.parent.name == "config")
    }
    assert sorted(folders_of_table()) == sorted(folders | {"pairs_platform/processes"})
