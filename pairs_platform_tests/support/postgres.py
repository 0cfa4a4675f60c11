"""A real PostgreSQL server for tests, and empty databases on it."""

import socket
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from pairs_platform.processes.runtime.postgres_server import SUPERUSER, EmbeddedPostgres


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


@contextmanager
def running_postgres(folder: Path) -> Iterator[EmbeddedPostgres]:
    """The platform's own server in a folder, with its roles and databases."""
    server = EmbeddedPostgres(folder, free_port())
    server.prepare()
    with server.running():
        yield server


@contextmanager
def new_database(server: EmbeddedPostgres, *, owner: str = SUPERUSER, others: Sequence[str] = ()) -> Iterator[str]:
    """Name of an empty database that belongs to `owner` and that `others` may enter; dropped at the end."""
    name = f"test_{uuid.uuid4().hex}"
    url = server.url("postgres", SUPERUSER).get_secret_value()
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name} OWNER {owner}"))
        connection.execute(sa.text(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC"))
        for role in others:
            connection.execute(sa.text(f"GRANT CONNECT ON DATABASE {name} TO {role}"))
    yield name
    with engine.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()
