"""The desk at the simulated broker, over HTTP and its stream, under random faults and with none.

Five hundred spread orders are `soak/test_chaos.py`; here are a few, with everything that is true of them.
"""

from pathlib import Path

import pytest

from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.model import Settings
from pairs_platform.settings.variables import variable
from pairs_platform_tests.support.chaos_session import chaos_session
from pairs_platform_tests.support.killed_desk import empty_database
from pairs_platform_tests.support.trading_desk import copied_database


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv(variable("broker.kind"), "alpaca")
    return load_settings()


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return empty_database(tmp_path_factory.mktemp("template"))


def test_random_faults_send_nothing_twice_forget_no_leg_and_leave_both_sides_equal(tmp_path, settings, template):
    with chaos_session(settings, copied_database(template, tmp_path), seed=2) as session:
        session.run(bars=3)
        found = session.found()
    assert len(found.trades) >= 8
    assert found.faults.total() >= 10
