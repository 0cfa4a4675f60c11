"""The long tests: collected where this folder is named (`make soak`, `make soak-live`), and not with all the others."""

from pathlib import Path

import pytest

from pairs_platform_tests.support.demo_profile import demo

__all__ = ["demo"]


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    named = any("soak" in Path(word.split("::")[0]).parts for word in config.args)
    return None if named else True


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--daily-runs", type=int, default=200, help="runs of the daily soak")
    parser.addoption("--chaos-orders", type=int, default=500, help="spread orders of the chaos soak, of each legging")
    parser.addoption("--chaos-seed", type=int, default=None, help="one session of the chaos soak alone")


@pytest.fixture
def daily_runs(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--daily-runs"))
