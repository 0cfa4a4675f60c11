"""The desk at the simulated broker, for the tests of this folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pairs_platform.settings.model import Settings
from pairs_platform_tests.support.broker_desk import DeskAtServer, HandClock, broker_of_desks, desk_at
from pairs_platform_tests.support.simulated_broker import RunningBroker
from pairs_platform_tests.support.trading_desk import copied_database


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[RunningBroker, HandClock]]:
    with broker_of_desks() as running:
        yield running


@pytest.fixture
def desk(tmp_path: Path, alpaca_settings: Settings, template: Path, server) -> Iterator[DeskAtServer]:
    """On a new account of the server."""
    with desk_at(*server, alpaca_settings, copied_database(template, tmp_path)) as made:
        yield made
