"""Where a lake can lie, for the tests of this folder."""

from pathlib import Path

import pytest

from pairs_platform.lake.files import LakePath


@pytest.fixture(params=["disk", "object storage"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> LakePath:
    """An empty folder, on a disk and on object storage."""
    if request.param == "disk":
        return tmp_path / "a lake [with] 'odd' & spaces"
    return request.getfixturevalue("object_storage").folder
