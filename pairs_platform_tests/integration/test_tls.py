"""TLS by setting on loopback: database, MLflow, Dagster's storage and Redis verify certificate and host name."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from pairs_platform.adapters.redis.connection import connect
from pairs_platform.adapters.redis.socket_file import socket_path
from pairs_platform.core.errors import DatabaseUnavailable, StreamUnavailable
from pairs_platform.database.audit import entries
from pairs_platform.defs.instance import open_instance
from pairs_platform.platform import open_database, open_registry, open_streams
from pairs_platform.processes.runtime.dagster_home import prepare_home
from pairs_platform.processes.runtime.postgres_server import SUPERUSER, EmbeddedPostgres
from pairs_platform.processes.runtime.redis_server import embedded_redis
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.variables import variable
from pairs_platform_tests.support.postgres import new_database
from pairs_platform_tests.support.tls import Authority, behind_tls, make_authority


@pytest.fixture(scope="module")
def authorities(tmp_path_factory) -> tuple[Authority, Authority]:
    """The servers' own, and one that has nothing to do with them."""
    folder = tmp_path_factory.mktemp("certificates")
    return make_authority(folder, "own"), make_authority(folder, "another")


@pytest.fixture(scope="module")
def postgres_port(postgres, authorities) -> Iterator[int]:
    own = authorities[0]
    with behind_tls(own, lambda: socket.create_connection(("127.0.0.1", postgres.port)), postgres=True) as port:
        yield port


@pytest.fixture
def database(postgres) -> Iterator[str]:
    with new_database(postgres) as name:
        yield name


def url(postgres: EmbeddedPostgres, database: str, port: int, authority: Authority, host: str = "localhost") -> str:
    plain = sa.make_url(postgres.url(database, SUPERUSER).get_secret_value())
    secure = plain.set(host=host, port=port, query={"sslmode": "verify-full", "sslrootcert": str(authority.file)})
    return secure.render_as_string(hide_password=False)


def test_the_database_works_over_a_verified_connection(postgres, database, postgres_port, authorities, monkeypatch):
    given = url(postgres, database, postgres_port, authorities[0])
    with pytest.raises(sa.exc.OperationalError):  # the port takes nothing in the clear
        sa.create_engine(given.replace("verify-full", "disable")).connect()
    monkeypatch.setenv(variable("database_url"), given)
    assert entries(open_database(load_settings())) == []


def test_dagster_works_over_a_verified_connection(postgres, database, postgres_port, authorities, monkeypatch):
    monkeypatch.setenv(variable("dagster_url"), url(postgres, database, postgres_port, authorities[0]))
    with open_instance(prepare_home(load_settings())) as instance:
        assert instance.get_runs() == []
        assert type(instance.run_storage).__name__ == "PostgresRunStorage"


def test_mlflow_works_over_a_verified_connection(postgres, database, postgres_port, authorities, monkeypatch):
    monkeypatch.setenv(variable("mlflow_uri"), url(postgres, database, postgres_port, authorities[0]))
    assert open_registry(load_settings()).versions("technology") == []


@pytest.mark.parametrize(
    ("authority", "host", "reason"),
    [(1, "localhost", "certificate verify failed"), (0, "127.0.0.1", "does not match host name")],
)
def test_postgresql_with_another_authority_or_name_is_refused(
    postgres, database, postgres_port, authorities, monkeypatch, authority, host, reason
):
    given = url(postgres, database, postgres_port, authorities[authority], host)
    monkeypatch.setenv(variable("database_url"), given)
    with pytest.raises(DatabaseUnavailable, match=reason) as caught:
        entries(open_database(load_settings()))
    assert str(sa.make_url(given).password) not in str(caught.value)


class TestRedis:
    @pytest.fixture
    def port(self, authorities, tmp_path) -> Iterator[int]:
        folder = tmp_path / "redis"

        def plain() -> socket.socket:
            found = socket.socket(socket.AF_UNIX)
            found.connect(str(socket_path(folder)))
            return found

        with embedded_redis(folder), behind_tls(authorities[0], plain, postgres=False) as port:
            yield port

    def test_streams_work_over_a_verified_connection(self, port, authorities, monkeypatch):
        monkeypatch.setenv(variable("redis_url"), f"rediss://localhost:{port}/0?ssl_ca_certs={authorities[0].file}")
        streams = open_streams(load_settings(), "replay")
        streams.health.report({"state": "streaming"})
        assert streams.health.read() == {"state": "streaming"}
        streams.close()

    @pytest.mark.parametrize(("authority", "host"), [(1, "localhost"), (0, "127.0.0.1")])
    def test_another_authority_or_name_is_refused(self, port, authorities, authority, host):
        client = connect(f"rediss://{host}:{port}/0?ssl_ca_certs={authorities[authority].file}", Path("/"))
        with pytest.raises(Exception, match="certificate verify failed"):
            client.ping()
        client.close()

    def test_without_tls_nobody_is_served(self, port, monkeypatch):
        monkeypatch.setenv(variable("redis_url"), f"redis://localhost:{port}/0")
        streams = open_streams(load_settings(), "replay")
        with pytest.raises(StreamUnavailable):
            streams.health.read()
        streams.close()
