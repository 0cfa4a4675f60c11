"""The files of `deploy`: the same topology as `pairs-platform up`, and nothing in them that opens a door."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
import yaml

from pairs_platform.cli.dagster_calls import dagster_calls
from pairs_platform.processes.runtime.dagster_home import prepare_home
from pairs_platform.processes.runtime.postgres_server import (
    APPLICATION,
    DAGSTER,
    DATABASES,
    MLFLOW,
    OWNER,
    PASSWORDS_FILE,
    SUPERUSER,
    EmbeddedPostgres,
)
from pairs_platform.processes.runtime.topology import OwnStores, own_stores, production_processes
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.model import SECRET_FIELDS, Settings, described_fields
from pairs_platform.settings.variables import variable
from pairs_platform_tests.support.postgres import free_port
from pairs_platform_tests.support.waiting import WAIT_SECONDS, until

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
URLS = {
    "database_url": "postgresql+psycopg2://a:hunter2@db/trading_system", "redis_url": "redis://:hunter2@cache/0",
    "dagster_url": "postgresql+psycopg2://d:hunter2@db/dagster", "mlflow_uri": "http://mlflow:5000",
}  # fmt: skip


@pytest.fixture
def alpaca(monkeypatch) -> None:
    monkeypatch.setenv(variable("source.kind"), "alpaca")
    monkeypatch.setenv(variable("stream.mode"), "alpaca")


def names_of(settings: Settings, own: OwnStores) -> list[str]:
    return [spec.name for spec in production_processes(settings, prepare_home(settings), own, dagster_calls(), print)]


def test_the_process_file_starts_what_up_starts(alpaca):
    settings = load_settings()
    expected = names_of(settings, own_stores(settings))
    lines = [line.partition(": ") for line in (DEPLOY / "Procfile").read_text().splitlines()]
    assert [name for name, _, _ in lines] == expected
    assert [command for _, _, command in lines] == [f".venv/bin/pairs-platform serve {name}" for name in expected]


def test_the_process_manager_reads_it():
    honcho = Path(sys.executable).with_name("honcho")
    done = subprocess.run([str(honcho), "-f", str(DEPLOY / "Procfile"), "check"], capture_output=True, text=True)
    assert done.returncode == 0
    assert "trader" in done.stderr


def test_nothing_of_the_platforms_own_is_started_where_all_stores_are_named(alpaca, monkeypatch):
    for name, url in URLS.items():
        monkeypatch.setenv(variable(name), url)
    settings = load_settings()
    own = own_stores(settings)
    assert (own.postgres, own.environment, own.mlflow_database) == (None, {}, None)
    names = names_of(settings, own)
    assert names == ["code", "webserver", "daemon", "collector", "trader"]
    services = compose()["services"]
    assert list(services) == ["postgres", "redis", "mlflow", *names]
    for name in names:
        assert f"serve {name}" in " ".join(services[name]["command"])


def compose() -> dict:
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())


def test_containers_publish_on_loopback_and_take_secrets_from_files(alpaca):
    document = compose()
    assert [port for one in document["services"].values() for port in one.get("ports", [])] == [
        "127.0.0.1:5000:5000", "127.0.0.1:3000:3000",
    ]  # fmt: skip
    used = {name for one in document["services"].values() for name in one.get("secrets", [])}
    assert used == set(document["secrets"])
    for service in document["services"].values():
        for name, value in service.get("environment", {}).items():
            if "PASSWORD" in name or name.removesuffix("_FILE") in {variable(field) for field in SECRET_FIELDS}:
                assert value.startswith(("/run/secrets/", "http://mlflow"))


def test_every_process_of_the_platform_listens_where_the_others_look_for_it():
    services = compose()["services"]
    for name in ("code", "webserver", "daemon", "collector", "trader"):
        assert services[name]["entrypoint"] == ["sh", "-c"]
        assert services[name]["command"] == [
            f'PAIRS_PLATFORM__SERVICES__HOST="$$(hostname -i)" exec pairs-platform serve {name}'
        ]


def test_only_the_process_that_migrates_sees_the_owner_of_the_database():
    services = compose()["services"]
    assert [name for name, one in services.items() if "database_owner_url" in one.get("secrets", [])] == ["code"]


def test_the_user_of_the_image_owns_the_volumes():
    (made,) = re.findall(r"install --directory --owner pairs --group pairs (.*)", (DEPLOY / "Dockerfile").read_text())
    places = {
        volume.partition(":")[2] for name in ("code", "mlflow") for volume in compose()["services"][name]["volumes"]
    }
    assert places == set(made.split())


def test_the_database_of_mlflow_is_migrated_before_its_server_starts(postgres, monkeypatch, tmp_path):
    """The very words of the container, with a migration that is noted and a server that is not started."""
    (words,) = compose()["services"]["mlflow"]["command"]
    (tmp_path / "mlflow_url").write_text("postgresql://nobody/at/all")
    words = words.replace("$$", "$").replace("/run/secrets", str(tmp_path))
    for name in ("pairs-platform", "mlflow"):
        program = tmp_path / name
        program.write_text(f'#!/bin/sh\necho "{name} $* with $MLFLOW_BACKEND_STORE_URI"\n')
        program.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = subprocess.run(["sh", "-c", words], env={**os.environ, "PATH": path}, capture_output=True, text=True)
    first, second = done.stdout.splitlines()
    assert first == "pairs-platform migrate --mlflow-database MLFLOW_BACKEND_STORE_URI with postgresql://nobody/at/all"
    assert second.startswith("mlflow server --host ")


def test_the_databases_of_the_container_are_those_of_the_platforms_own_server(tmp_path):
    secrets = {name: f"{name}-'s3cret" for name in ("database_owner", "database", "mlflow", "dagster")}
    for name, value in secrets.items():
        (tmp_path / f"{name}_password").write_text(value + "\n")
    script = (DEPLOY / "postgres-init.sh").read_text().replace("/run/secrets", str(tmp_path))
    server = EmbeddedPostgres(tmp_path / "server", free_port())
    server.prepare()
    process = subprocess.Popen(server.command(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(server.answers)
        environment = {
            **os.environ, "PATH": f"{server.tool('psql').parent}:{os.environ['PATH']}", "PGHOST": "127.0.0.1",
            "PGPORT": str(server.port), "PGDATABASE": "postgres",
            "PGPASSWORD": json.loads((server.folder / PASSWORDS_FILE).read_text())[SUPERUSER],
        }  # fmt: skip
        done = subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert "s3cret" not in done.stdout + done.stderr
        roles = {"database_owner": OWNER, "database": APPLICATION, "mlflow": MLFLOW, "dagster": DAGSTER}
        for database, allowed in DATABASES.items():
            for secret, role in roles.items():
                url = sa.URL.create("postgresql+psycopg2", role, secrets[secret], "127.0.0.1", server.port, database)
                engine = sa.create_engine(url)
                if role in allowed:
                    engine.connect().close()
                else:
                    with pytest.raises(sa.exc.OperationalError, match="permission denied"):
                        engine.connect()
                engine.dispose()
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(WAIT_SECONDS)


def test_the_template_names_settings_alone_and_no_secret():
    known = {variable(path) for path, _ in described_fields()} | {"PAIRS_PLATFORM_CONFIG"}
    found = dict(
        line.split("=", 1)
        for line in (DEPLOY / "env.template").read_text().splitlines()
        if "=" in line[:60] and line[0] != "#"
    )
    assert set(found) <= known
    assert {variable(field) for field in SECRET_FIELDS} <= set(found)
    assert all(not found[variable(field)] for field in SECRET_FIELDS)
    for path, info in described_fields():
        if path.startswith("services.") and variable(path) in found:
            assert found[variable(path)] == str(info.default)


def test_the_production_yaml_is_the_embedded_one_with_another_storage():
    production, embedded = (yaml.safe_load((folder / "dagster.yaml").read_text()) for folder in (DEPLOY, ROOT))
    assert production.pop("storage") == {"postgres": {"postgres_url": {"env": variable("dagster_url")}}}
    for name in ("storage", "local_artifact_storage", "compute_logs"):
        embedded.pop(name)
    assert production == embedded


def test_no_default_opens_a_door_or_holds_a_password():
    """No file that is shipped listens everywhere or carries a password of its own."""
    for path in [*DEPLOY.iterdir(), *(ROOT / "pairs_platform").rglob("*.yaml"), ROOT / "dagster.yaml"]:
        text = path.read_text()
        assert "0.0.0.0" not in text, path
        assert not re.search(r"://[^\s:/@]*:(?!PASSWORD)[^\s:/@$]+@", text), path
    defaults = {path: info.default for path, info in described_fields()}
    assert {defaults[path] for path in defaults if path.endswith("host")} == {"127.0.0.1"}
    assert all(defaults[field] is None for field in SECRET_FIELDS)
