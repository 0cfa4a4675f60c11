"""Backup and restore through the console, on SQLite and on a real PostgreSQL server, compared row by row."""

import gzip
import hashlib
import io
import json
import sqlite3
import subprocess
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from pydantic import SecretStr

from pairs_platform.adapters.redis.socket_file import socket_path
from pairs_platform.cli import cli
from pairs_platform.core.errors import PlatformError, Refused, Unavailable
from pairs_platform.database.audit import entries
from pairs_platform.database.store import Database
from pairs_platform.defs.instance import open_instance
from pairs_platform.platform import open_database, open_registry, open_streams
from pairs_platform.processes.runtime.backup import MANIFEST, NOT_SAVED, ProfileState, restore_databases, save
from pairs_platform.processes.runtime.dagster_home import prepare_home
from pairs_platform.processes.runtime.postgres_server import APPLICATION, OWNER, SUPERUSER
from pairs_platform.processes.runtime.redis_server import embedded_redis
from pairs_platform.processes.runtime.topology import own_postgres
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.production import ENVIRONMENT_FILE, production_folder
from pairs_platform.settings.variables import variable
from pairs_platform.views.remedies import with_remedy
from pairs_platform_tests.database.test_audit import decide
from pairs_platform_tests.support.bundles import SECTOR, record
from pairs_platform_tests.support.postgres import new_database, running_postgres

NAMES = ("database", "dagster", "mlflow")


def console(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(cli, list(words))
    if isinstance(done.exception, PlatformError):
        return 1, with_remedy(done.exception)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


def files(folder: Path) -> dict[str, str]:
    """Digests of everything that is saved, by place; of SQLite databases the digest of their rows."""
    found = {}
    for path in folder.rglob("*"):
        place = path.relative_to(folder).as_posix()
        if not path.is_file() or place.startswith(NOT_SAVED) or path.name.endswith((".lock", "-wal", "-shm")):
            continue
        if path.suffix == ".db":
            with closing(sqlite3.connect(path)) as connection:
                content = "\n".join(line for line in connection.iterdump()).encode()
        else:
            content = path.read_bytes()
        found[place] = hashlib.sha256(content).hexdigest()
    return found


def rows(url: str) -> dict[str, list[str]]:
    """Every row of every table and view, and the place of every sequence."""
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        inspector = sa.inspect(connection)
        names = [*inspector.get_table_names(), *inspector.get_view_names()]
        found = {
            name: sorted(str(_plain(row)) for row in connection.execute(sa.text(f'SELECT * FROM "{name}"')))
            for name in names
        }
        asked = sa.text("SELECT sequencename, last_value FROM pg_sequences ORDER BY 1")
        found["sequences"] = [str(tuple(row)) for row in connection.execute(asked)]
        asked = sa.text("SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1, 2")
        found["triggers"] = [str(tuple(row)) for row in connection.execute(asked)]
    engine.dispose()
    return found


def _plain(row: sa.Row) -> list[object]:
    return [bytes(value) if isinstance(value, memoryview) else value for value in row]


@contextmanager
def with_streams(folder: Path) -> Iterator[None]:
    with embedded_redis(folder / "redis"):
        yield


def populate(settings) -> None:
    """A run in Dagster's history, a decision in the database, a clock in Redis."""
    with open_instance(prepare_home(settings)) as instance:

        @dg.op
        def nothing() -> None: ...

        @dg.job
        def a_job() -> None:
            nothing()

        assert a_job.execute_in_process(instance=instance).success
    decide(open_database(settings))
    open_registry(settings).log_training(record())
    open_streams(settings, "replay").replay.publish_clock(5, 1.0)


@pytest.fixture
def saved(copied, tmp_path) -> Path:
    target = tmp_path / "a folder" / "state.tar.gz"
    with with_streams(copied.settings.profile_root):
        populate(copied.settings)
        code, said = console("backup", str(target))
    assert code == 0, said
    return target


def weights(settings) -> list[bytes]:
    """Those of the newest model, from where the registry says that its files are."""
    registry = open_registry(settings)
    bundle = registry.load(SECTOR, registry.versions(SECTOR)[-1].version)
    return [array.tobytes() for pair in bundle.pairs for array in vars(pair.weights).values()]


def test_everything_is_there_again(copied, saved, monkeypatch, tmp_path):
    before, model = files(copied.settings.profile_root), weights(copied.settings)
    assert {place.partition("/")[0] for place in before} >= {
        "lake",
        "mlflow",
        "dagster",
        "database.db",
        "manifest.json",
    }
    assert saved.stat().st_mode & 0o077 == 0
    monkeypatch.setenv(variable("state_root"), str(tmp_path / "elsewhere"))
    code, said = console("restore", str(saved))
    assert code == 0, said
    settings = load_settings()
    after = files(settings.profile_root)
    assert after.pop("database.db") != before.pop("database.db")  # it has one more row
    assert after == before
    assert weights(settings) == model
    with closing(sqlite3.connect(settings.profile_root / "mlflow" / "mlflow.db")) as connection:
        places = connection.execute("SELECT artifact_location FROM experiments WHERE name LIKE 'pairs_trading/%'")
        assert {place.rpartition("/artifacts/")[0] for (place,) in places} == {
            (settings.profile_root / "mlflow").as_uri()
        }
    restored, *older = entries(open_database(settings))
    assert restored.action == "state_restored"
    assert older == entries(copied.database)
    with with_streams(settings.profile_root):
        assert open_streams(settings, "replay").clock.now_ns() >= 5
    with open_instance(prepare_home(settings)) as instance:
        assert [run.job_name for run in instance.get_runs()] == ["a_job"]


class TestSqlite:
    def test_a_place_that_is_not_empty_is_refused_and_left_alone(self, copied, saved):
        before = files(copied.settings.profile_root)
        code, said = console("restore", str(saved))
        assert code == 1
        assert "is not empty: move it away, or name another state_root" in said
        assert files(copied.settings.profile_root) == before

    def test_a_backup_is_never_overwritten(self, saved):
        code, said = console("backup", str(saved))
        assert (code, "exists already" in said) == (1, True)

    @pytest.mark.parametrize("damage", ["cut", "flipped", "compression", "member"])
    def test_a_damaged_one_is_refused_before_anything_is_written(self, saved, damage, monkeypatch, tmp_path):
        content = bytearray(saved.read_bytes())
        if damage == "cut":
            saved.write_bytes(content[: len(content) // 2])
        elif damage == "flipped":
            content[len(content) // 2] ^= 0xFF
            saved.write_bytes(content)
        elif damage == "compression":
            packer, whole = zlib.compressobj(wbits=31), gzip.decompress(content)
            sound = packer.compress(whole[: len(whole) // 2]) + packer.flush(zlib.Z_FULL_FLUSH)
            saved.write_bytes(sound + b"\xff" * 100)
        else:
            exchange_member(saved)
        elsewhere = tmp_path / "elsewhere"
        monkeypatch.setenv(variable("state_root"), str(elsewhere))
        code, said = console("restore", str(saved))
        assert code == 1
        assert "is damaged" in said or "is no whole backup" in said
        assert not elsewhere.exists()

    def test_one_that_broke_off_leaves_nothing(self, copied, tmp_path, monkeypatch):
        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(tarfile.TarFile, "addfile", full)
        target = tmp_path / "out" / "state.tar.gz"
        with pytest.raises(OSError, match="No space left"):
            console("backup", str(target))
        assert list(target.parent.iterdir()) == []

    def test_another_profile_is_refused(self, saved, monkeypatch, tmp_path):
        monkeypatch.setenv(variable("state_root"), str(tmp_path / "elsewhere"))
        monkeypatch.setenv(variable("frequency"), "5min")
        code, said = console("restore", str(saved))
        assert (code, "the settings ask for" in said) == (1, True)


class TestWhatTheEnvironmentNames:
    @pytest.fixture
    def environment(self, copied) -> Path:
        path = production_folder(copied.settings) / ENVIRONMENT_FILE
        path.parent.mkdir()
        names = ("database_url", "dagster_url", "mlflow_uri")
        path.write_text("".join(f"export {variable(name)}=x\n" for name in names) + "export DAGSTER_HOME=/x\n")
        path.chmod(0o600)
        return path

    def test_a_store_of_production_that_is_not_named_is_not_left_out_in_silence(
        self, environment, monkeypatch, tmp_path
    ):
        monkeypatch.setenv(variable("dagster_url"), "postgresql+psycopg2://u:p@127.0.0.1:1/dagster")
        code, said = console("backup", str(tmp_path / "state.tar.gz"))
        assert code == 1
        assert f"({variable('database_url')}, {variable('mlflow_uri')})" in said
        assert f"source {environment}" in said
        assert not (tmp_path / "state.tar.gz").exists()

    def test_databases_that_only_a_process_manager_started_are_not_left_out(self, copied, tmp_path):
        own_postgres(copied.settings).prepare()
        code, said = console("backup", str(tmp_path / "state.tar.gz"))
        assert (code, variable("dagster_url") in said) == (1, True)

    def test_models_of_a_server_elsewhere_are_said_to_be_left_out(self, copied, monkeypatch, tmp_path):
        monkeypatch.setenv(variable("mlflow_uri"), f"http://127.0.0.1:{load_settings().services.mlflow_port}")
        with with_streams(copied.settings.profile_root):
            code, said = console("backup", str(tmp_path / "state.tar.gz"))
        assert code == 0, said
        assert "without models: the MLflow server is not the platform's own" in said


class TestRedis:
    """A server of the user's own, which holds something already or refuses."""

    @pytest.fixture
    def theirs(self, monkeypatch, saved, tmp_path) -> Iterator[None]:
        monkeypatch.setenv(variable("state_root"), str(tmp_path / "elsewhere"))
        with embedded_redis(tmp_path / "theirs"):
            monkeypatch.setenv(variable("redis_url"), f"unix://{socket_path(tmp_path / 'theirs')}")
            yield

    def test_one_with_keys_of_the_profile_is_refused_before_anything_is_written(self, theirs, saved, tmp_path):
        streams = open_streams(load_settings(), "replay")
        streams.replay.publish_clock(7, 1.0)
        code, said = console("restore", str(saved))
        assert code == 1
        assert "has keys of this profile already" in said
        assert not (tmp_path / "elsewhere").exists()
        streams.connection.redis.flushall()
        assert console("restore", str(saved))[0] == 0
        assert streams.clock.now_ns() >= 5

    def test_after_a_failure_databases_that_are_filled_are_named(self, postgres, theirs, saved, monkeypatch, tmp_path):
        monkeypatch.setattr(
            "pairs_platform.cli.restore._named_databases", lambda *_: {"database": SecretStr("sqlite://")}
        )

        def fails(*_: object) -> int:
            raise Unavailable("Redis does not answer")

        monkeypatch.setattr("pairs_platform.cli.restore.restore_databases", lambda *_: None)
        monkeypatch.setattr("pairs_platform.cli.restore.restore_streams", fails)
        done = CliRunner().invoke(cli, ["restore", str(saved)])
        assert isinstance(done.exception, Unavailable)
        assert "the databases named for database may hold tables now: empty them" in done.output
        assert not (tmp_path / "elsewhere").exists() or not list((tmp_path / "elsewhere").iterdir())


def test_nothing_of_a_database_url_is_in_the_words_of_a_command(postgres, monkeypatch, tmp_path):
    words: list[str] = []
    real = subprocess.run

    def noted(given: list[str], **more: object) -> subprocess.CompletedProcess:
        words.extend(given)
        return real(given, **more)

    monkeypatch.setattr("pairs_platform.processes.runtime.backup.subprocess.run", noted)
    with new_database(postgres) as name:
        url = postgres.url(name, SUPERUSER).get_secret_value()
        given = SecretStr(f"{url}?sslmode=prefer&sslpassword=hunter2")
        state = ProfileState("p", tmp_path / "p", {"database": given}, None)
        save(state, tmp_path / "state.tar.gz", print)
        assert any(word.endswith("pg_dump") for word in words)
        with pytest.raises(Refused, match=name) as raised:
            restore_databases({"database": SecretStr(f"{url}?sslpassword=hunter2")}, broken(tmp_path))
    for secret in ("hunter2", sa.make_url(url).password):
        assert secret not in " ".join(words)
        assert secret not in str(raised.value)


def broken(folder: Path) -> Path:
    """A backup whose database cannot be restored."""
    path = folder / "broken.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        info = tarfile.TarInfo("databases/database.dump")
        info.size = 4
        archive.addfile(info, io.BytesIO(b"none"))
    return path


def exchange_member(path: Path) -> None:
    """Another content of one file, in a tar that is whole."""
    out = io.BytesIO()
    with tarfile.open(path, "r:gz") as source, tarfile.open(fileobj=out, mode="w:gz") as target:
        for info in source:
            content = source.extractfile(info).read()
            if info.name.endswith("manifest.json") and info.name != MANIFEST:
                content = json.dumps({**json.loads(content), "source": "another"}).encode()
                info.size = len(content)
            target.addfile(info, io.BytesIO(content))
    path.write_bytes(out.getvalue())


def name_as_before(path: Path) -> None:
    """Write a backup again with the names of format 1."""
    out = io.BytesIO()
    with tarfile.open(path, "r:gz") as source, tarfile.open(fileobj=out, mode="w:gz") as target:
        for info in source:
            content = source.extractfile(info).read()
            info.name = info.name.replace("databases/database.dump", "databases/ledger.dump")
            if info.name == MANIFEST:
                manifest = json.loads(content)
                members = manifest["members"]
                members["databases/ledger.dump"] = members.pop("databases/database.dump")
                content = json.dumps({**manifest, "format": 1, "postgresql": ["dagster", "ledger", "mlflow"]}).encode()
                info.size = len(content)
            target.addfile(info, io.BytesIO(content))
    path.write_bytes(out.getvalue())


class TestPostgres:
    @contextmanager
    def databases(self, postgres, monkeypatch) -> Iterator[dict[str, str]]:
        """Three empty databases that the environment names; URLs of the superuser."""
        with (
            new_database(postgres, owner=OWNER, others=(APPLICATION,)) as database,
            new_database(postgres) as dagster,
            new_database(postgres) as mlflow,
        ):
            urls = {"database": database, "dagster": dagster, "mlflow": mlflow}
            monkeypatch.setenv(variable("database_url"), postgres.url(database, APPLICATION).get_secret_value())
            monkeypatch.setenv(variable("database_owner_url"), postgres.url(database, OWNER).get_secret_value())
            monkeypatch.setenv(variable("dagster_url"), postgres.url(dagster, SUPERUSER).get_secret_value())
            monkeypatch.setenv(variable("mlflow_uri"), postgres.url(mlflow, SUPERUSER).get_secret_value())
            yield {name: postgres.url(one, SUPERUSER).get_secret_value() for name, one in urls.items()}

    @pytest.mark.parametrize("format_", [1, 2])
    def test_everything_is_there_again(self, postgres, copied, monkeypatch, tmp_path, format_):
        target = tmp_path / "state.tar.gz"
        with self.databases(postgres, monkeypatch) as urls:
            settings = load_settings()
            with with_streams(settings.profile_root):
                populate(settings)
                code, said = console("backup", str(target))
            assert code == 0, said
            if format_ == 1:
                name_as_before(target)
            before, model = {name: rows(url) for name, url in urls.items()}, weights(settings)
            old = settings.profile_root / "mlflow"
        old.rename(tmp_path / "gone")
        assert before["database"]["model_decisions"]
        assert before["dagster"]["runs"]
        with self.databases(postgres, monkeypatch) as urls:
            monkeypatch.setenv(variable("state_root"), str(tmp_path / "elsewhere"))
            code, said = console("restore", str(target))
            assert code == 0, said
            after = {name: rows(url) for name, url in urls.items()}
            assert len(after["database"]["audit_log"]) == len(before["database"]["audit_log"]) + 1
            for name in ("audit_log", "sequences"):
                after["database"].pop(name), before["database"].pop(name)
            settings = load_settings()
            new = (settings.profile_root / "mlflow").as_uri()
            assert new in str(after["mlflow"])
            places = {
                name: sorted(row.replace(new, old.as_uri()) for row in found) for name, found in after["mlflow"].items()
            }
            assert {**after, "mlflow": places} == before
            assert weights(settings) == model
            app = Database(settings.database_url.get_secret_value(), settings.profile.name)
            decide(app)
            with pytest.raises(sa.exc.ProgrammingError, match="permission denied"), app.begin() as connection:
                connection.execute(sa.text("DELETE FROM audit_log"))
            code, said = console("restore", str(target))
            assert (code, "is not empty" in said) == (1, True)
            monkeypatch.setenv(variable("state_root"), str(tmp_path / "third"))
            code, said = console("restore", str(target))
            assert (code, "has tables already: make an empty one" in said) == (1, True)
            assert not (tmp_path / "third").exists()

    def test_an_error_names_the_database_and_not_the_password(self, postgres, copied, monkeypatch, tmp_path):
        with self.databases(postgres, monkeypatch) as urls:
            for url in urls.values():
                password = sa.make_url(url).password
            monkeypatch.setenv(variable("database_url"), postgres.url("no_such", APPLICATION).get_secret_value())
            code, said = console("backup", str(tmp_path / "state.tar.gz"))
        assert code == 1
        assert "no_such" in said
        assert password not in said
        assert postgres.url("", APPLICATION).get_secret_value().split(":")[2].split("@")[0] not in said

    def test_into_the_platforms_own_server_where_none_is_named(self, postgres, copied, monkeypatch, tmp_path):
        target = tmp_path / "state.tar.gz"
        with self.databases(postgres, monkeypatch) as urls:
            settings = load_settings()
            with with_streams(settings.profile_root):
                populate(settings)
                code, said = console("backup", str(target))
                assert code == 0, said
            before = {name: rows(url) for name, url in urls.items()}
        for name in ("database_url", "database_owner_url", "dagster_url", "mlflow_uri"):
            monkeypatch.delenv(variable(name))
        monkeypatch.setenv(variable("state_root"), str(tmp_path / "elsewhere"))
        code, said = console("restore", str(target))
        assert code == 0, said
        with running_postgres(load_settings().profile_root / "production" / "postgres") as own:
            for name, database in (("database", "trading_system"), ("dagster", "dagster"), ("mlflow", "mlflow_db")):
                after = rows(own.url(database, SUPERUSER).get_secret_value())
                if name == "mlflow":
                    after = {
                        table: sorted(
                            row.replace(str(tmp_path / "elsewhere"), str(tmp_path / "state")) for row in found
                        )
                        for table, found in after.items()
                    }
                assert {**after, "audit_log": 0, "sequences": 0} == {**before[name], "audit_log": 0, "sequences": 0}
