"""The shared demo and Dagster's storages for the tests of this folder."""

from collections.abc import Iterator

import dagster as dg
import pytest

from pairs_platform.processes.runtime.postgres_server import SUPERUSER
from pairs_platform_tests.support.demo_profile import copied, demo, stored
from pairs_platform_tests.support.postgres import new_database

__all__ = ["copied", "demo", "stored"]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def stored_instance(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dg.DagsterInstance]:
    home = str(tmp_path_factory.mktemp("instance"))
    if request.param == "sqlite":
        with dg.DagsterInstance.local_temp(home) as opened:
            yield opened
        return
    server = request.getfixturevalue("postgres")
    with new_database(server) as name:
        url = server.url(name, SUPERUSER).get_secret_value()
        with dg.DagsterInstance.local_temp(home, {"storage": {"postgres": {"postgres_url": url}}}) as opened:
            yield opened


@pytest.fixture
def instance(stored_instance: dg.DagsterInstance) -> dg.DagsterInstance:
    """An instance without runs on each of the two storages; no ephemeral one, which a schedule's context refuses."""
    stored_instance.wipe()
    return stored_instance
