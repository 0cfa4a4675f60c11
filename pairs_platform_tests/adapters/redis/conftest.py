"""A Redis for the tests of this folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from pairs_platform.adapters.redis.connection import connect
from pairs_platform.processes.runtime.redis_server import embedded_redis


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("redis")
    with embedded_redis(folder):
        yield folder


@pytest.fixture
def client(server) -> Iterator[redis.Redis]:
    client = connect(None, server)
    client.flushall()
    yield client
    client.close()
