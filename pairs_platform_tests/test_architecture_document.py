"""The table "I want to change X → this room" names rooms that exist, and forgets none of the package's folders."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TABLE_ROW = re.compile(r"^\| (?P<what>[^|]+) \| (?P<rooms>[^|]+) \|$")


def rooms() -> list[str]:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = text.split("## I want to change X → this room", 1)[1].split("\n## ", 1)[0]
    rows = [match for match in map(TABLE_ROW.match, table.splitlines()) if match]
    return sorted({room for row in rows[1:] for room in re.findall(r"`([\w./-]+/[\w./-]+|\w+\.yaml)`", row["rooms"])})


@pytest.mark.parametrize("room", rooms())
def test_room_exists(room):
    assert (ROOT / room).exists(), f"docs/architecture.md sends people to {room}"


def test_table_is_read():
    assert len(rooms()) > 30


def test_every_folder_of_the_package_is_named():
    folders = {
        path.parent.relative_to(ROOT).as_posix()
        for path in (ROOT / "pairs_platform").rglob("*.py")
        if path.parent.name != "__pycache__"
    }
    named = rooms()
    forgotten = [
        folder
        for folder in sorted(folders - {"pairs_platform"})
        if not any(room == folder or room.startswith(f"{folder}/") for room in named)
    ]
    assert not forgotten
