"""An empty database of each kind: a SQLite file, and one on a real PostgreSQL server."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pairs_platform.database.store import Database
from pairs_platform.processes.runtime.postgres_server import APPLICATION, OWNER, SUPERUSER, EmbeddedPostgres
from pairs_platform_tests.support.postgres import new_database

ON_SQLITE = pytest.mark.parametrize("url", ["sqlite"], indirect=True)
"""For a test of what does not depend on the kind of database."""


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of an empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'of a test' / 'database.db'}"
        return
    server: EmbeddedPostgres = request.getfixturevalue("postgres")
    with new_database(server) as name:
        yield server.url(name, SUPERUSER).get_secret_value()


@pytest.fixture
def database(url: str) -> Database:
    """The database of a profile, which its first use makes."""
    return Database(url, "simulated-5min-raw")


@dataclass(frozen=True)
class Owned:
    """URLs of an empty database for the role that owns it, and for the one that the platform works as."""

    owner: str
    app: str


@pytest.fixture
def owned(postgres: EmbeddedPostgres) -> Iterator[Owned]:
    with new_database(postgres, owner=OWNER, others=(APPLICATION,)) as name:
        yield Owned(*(postgres.url(name, role).get_secret_value() for role in (OWNER, APPLICATION)))
