"""`pairs-platform up` from nothing to healthy, signals in PostgreSQL, rights of the roles, and `down`."""

import json
import shlex
import socket
import stat
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import psutil
import psycopg2
import pytest
import sqlalchemy as sa

from pairs_platform.core.prices.calendar import session_offset
from pairs_platform.processes.runtime.postgres_server import DATABASES, PASSWORDS_FILE
from pairs_platform.processes.runtime.supervisor import running_processes
from pairs_platform.settings.model import Settings
from pairs_platform.settings.production import live_folder, production_folder
from pairs_platform.settings.variables import variable
from pairs_platform_tests.support.demo_profile import SECTOR, SESSION
from pairs_platform_tests.support.live_processes import Profile, make_profile, profile_of
from pairs_platform_tests.support.postgres import free_port
from pairs_platform_tests.support.receivers import WebReceiver, web_receiver
from pairs_platform_tests.support.waiting import WAIT_SECONDS, until
from pairs_platform_tests.support.web_servers import graphql

PORTS = ("ui_port", "mlflow_port", "code_port", "postgres_port")
PROCESSES = ["postgres", "redis", "mlflow", "code", "webserver", "daemon", "replay", "collector", "trader"]
BARS = 2
PLANTED = {"alpaca_key_id": "PKPLANTED0KEY", "alpaca_secret_key": "planted0secret0key"}
TOKEN = "T0ken-In-Path"

EVERYTHING = """{
  runsOrError(limit: 100) { ... on Runs { results {
    runConfigYaml tags { key value }
    eventConnection(limit: 1000) { events { __typename ... on MessageEvent { message }
      ... on ErrorEvent { error { message stack causes { message } } } } }
  } } }
  instance { info daemonHealth { allDaemonStatuses { lastHeartbeatErrors { message } } } }
  repositoriesOrError { ... on RepositoryConnection { nodes {
    allTopLevelResourceDetails { name description configFields { name } configuredValues { key value } }
    sensors { name sensorState { ticks(limit: 20) { skipReason error { message } } } }
  } } }
}"""
"""What the pages of the UI ask for where a secret could be."""


@dataclass(frozen=True)
class Production:
    """What runs.

    Attributes
    ----------
    started : Profile
        As the caller of `up` sees it: without the stores that `up` started.
    profile : Profile
        As a shell sees it that has sourced the environment file.
    output : str
        What `up` said.
    """

    started: Profile
    profile: Profile
    output: str

    @property
    def settings(self) -> Settings:
        return self.profile.platform.settings

    @property
    def ui(self) -> str:
        return f"http://127.0.0.1:{self.settings.services.ui_port}"

    @property
    def passwords(self) -> dict[str, str]:
        return json.loads((production_folder(self.settings) / "postgres" / PASSWORDS_FILE).read_text())

    def connection(self, database: str, role: str) -> psycopg2.extensions.connection:
        port = self.settings.services.postgres_port
        return psycopg2.connect(host="127.0.0.1", port=port, user=role, password=self.passwords[role], dbname=database)


def sourced(path: Path) -> dict[str, str]:
    words = [shlex.split(line)[1].partition("=") for line in path.read_text().splitlines()]
    return {name: value for name, _, value in words}


@pytest.fixture(scope="module")
def receiver() -> Iterator[WebReceiver]:
    with web_receiver() as found:
        yield found


@pytest.fixture(scope="module")
def production(demo, receiver, tmp_path_factory) -> Iterator[Production]:
    ports = {f"services.{name}": str(free_port()) for name in PORTS}
    more = {
        **ports,
        **PLANTED,
        "alert_urls": f"json://127.0.0.1:{receiver.port}/{TOKEN}",
        "stream.replay.start": "11:30",
        "stream.replay.speed": "900",
        "stream.replay.bars": str(BARS),
    }
    started = make_profile(demo, tmp_path_factory.mktemp("up") / "a profile", **more)
    try:
        up = started.console("up")
        assert up.returncode == 0, up.stdout + up.stderr
        found = sourced(production_folder(started.platform.settings) / "environment")
        stores = {name: found[variable(name)] for name in ("database_url", "dagster_url", "mlflow_uri")}
        own = {**more, **stores, "stream.replay.port": str(started.replay_port)}
        profile = profile_of(started.folder, demo.config, SESSION, SECTOR, **own)
        with pytest.MonkeyPatch.context() as patched:
            patched.setenv(variable("dagster_url"), found[variable("dagster_url")])
            yield Production(started, profile, up.stdout)
    finally:
        started.console("down")
        for member in started.members():
            member.kill()


def processes(production: Production) -> dict[str, dict[str, object]]:
    return running_processes(live_folder(production.settings))


def test_every_process_is_healthy_and_everything_answers(production):
    assert list(processes(production)) == PROCESSES
    assert all(one["alive"] and not one["restarts"] for one in processes(production).values())
    services = production.settings.services
    for port, path in ((services.ui_port, "server_info"), (services.mlflow_port, "health")):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=WAIT_SECONDS) as reply:
            assert reply.status == 200
    assert f"UI at {production.ui}" in production.output


def test_the_ui_shows_the_code_location_and_the_storage_without_its_password(production):
    answer = graphql(
        production.ui,
        "{ workspaceOrError { ... on Workspace { locationEntries { name loadStatus } } } instance { info } }",
    )
    assert answer["workspaceOrError"]["locationEntries"] == [{"name": "pairs_platform", "loadStatus": "LOADED"}]
    assert "tag_concurrency_limits" in answer["instance"]["info"]
    assert not any(password in json.dumps(answer) for password in production.passwords.values())


RESOURCE = """{ topLevelResourceDetailsOrError(resourceSelector: {
    repositoryName: "__repository__", repositoryLocationName: "pairs_platform", resourceName: "%s"
}) { ... on ResourceDetails { resourceType configuredValues { key value type } } } }"""


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("alpaca", {"feed": "iex", "key_id": "APCA_API_KEY_ID", "secret_key": "APCA_API_SECRET_KEY"}),
        ("redis", {"keep_days": "10"}),
        ("mlflow", {"uri": variable("mlflow_uri")}),
        ("postgres", {"url": variable("database_url")}),
    ],
)
def test_resources_are_shown_with_the_names_of_their_secrets(production, name, expected):
    shown = graphql(production.ui, RESOURCE % name)["topLevelResourceDetailsOrError"]
    assert shown["resourceType"].endswith(f"{name.capitalize()}Resource")
    values = {
        one["key"]: json.loads(one["value"]) if one["type"] == "VALUE" else one["value"]
        for one in shown["configuredValues"]
    }
    assert {key: str(values[key]) for key in expected} == expected
    kinds = {one["key"]: one["type"] for one in shown["configuredValues"]}
    assert all(kinds[key] == "ENV_VAR" for key, value in expected.items() if value.isupper())


def test_a_command_finds_these_databases_by_itself(production):
    shown = production.started.console("alerts", "--days", "0")
    assert shown.returncode == 0, shown.stderr
    assert "`up` runs, its databases are used" in shown.stderr
    assert not any(password in shown.stdout + shown.stderr for password in production.passwords.values())


def test_browsers_report_nothing_home(production):
    """Dagster's page loads its telemetry from dagster.io where it is allowed to; MLflow's asks its server first."""
    services = production.settings.services
    with urllib.request.urlopen(f"http://127.0.0.1:{services.ui_port}/", timeout=WAIT_SECONDS) as reply:
        assert b'"telemetryEnabled": false' in reply.read()
    address = f"http://127.0.0.1:{services.mlflow_port}/ajax-api/3.0/mlflow/ui-telemetry"
    with urllib.request.urlopen(address, timeout=WAIT_SECONDS) as reply:
        assert json.loads(reply.read())["disable_ui_telemetry"] is True
    posted = urllib.request.Request(
        address, b'{"records": [{"event_name": "x"}]}', {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(posted, timeout=WAIT_SECONDS) as reply:
        assert json.loads(reply.read()) == {"status": "disabled"}
    mlflow = psutil.Process(int(str(processes(production)["mlflow"]["pid"])))
    assert mlflow.environ()["MLFLOW_DISABLE_TELEMETRY"] == "true"  # under pytest MLflow is silent in any case


def test_mlflow_unpickles_nothing_and_shows_no_experiment_of_its_own(production):
    mlflow = psutil.Process(int(str(processes(production)["mlflow"]["pid"])))
    assert mlflow.environ()["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] == "false"
    address = (
        f"http://127.0.0.1:{production.settings.services.mlflow_port}/api/2.0/mlflow/experiments/get?experiment_id=0"
    )
    with urllib.request.urlopen(address, timeout=WAIT_SECONDS) as reply:
        assert json.loads(reply.read())["experiment"]["lifecycle_stage"] == "deleted"


def test_replayed_bars_become_signals_in_postgresql(production):
    profile = production.profile
    profile.await_signals(BARS)
    assert len(profile.signals) >= BARS * len(profile.config.pairs)
    runs = profile.runs()
    assert runs
    assert all(one.dagster_run.tags["dagster/sensor_name"] == "signal_sensor" for one in runs)
    with dg.DagsterInstance.from_config(str(Path(sourced(environment(production))["DAGSTER_HOME"]))) as instance:
        assert type(instance.event_log_storage).__name__ == "PostgresEventLogStorage"
        assert type(instance.run_storage).__name__ == "PostgresRunStorage"
        assert type(instance.schedule_storage).__name__ == "PostgresScheduleStorage"


def environment(production: Production) -> Path:
    return production_folder(production.settings) / "environment"


def test_a_failed_run_reaches_the_receiver(production, receiver):
    """A run from the command line, found by the sensors of the daemon, told by the library."""
    before = str(session_offset(SESSION, -200))
    failed = production.profile.console_script(
        "dagster",
        "job",
        "execute",
        "-m",
        "pairs_platform.definitions",
        "-j",
        "daily_pair_identification",
        "--tags",
        json.dumps({"dagster/partition": f"{before}|{SECTOR}"}),
        DAGSTER_HOME=sourced(environment(production))["DAGSTER_HOME"],
    )
    assert failed.returncode == 1
    until(lambda: any(before in text for text in receiver.texts))
    assert any("run failed" in text for text in receiver.texts)
    assert f"{before}|{SECTOR}" in production.profile.console("alerts").stdout


def test_models_go_through_the_mlflow_server(production):
    registry = production.profile.platform.registry
    assert registry.versions(SECTOR) == []
    with production.connection("mlflow_db", "mlflow") as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM alembic_version")
        assert cursor.fetchone() == (1,)


def test_the_history_from_before_is_adopted_once(production, monkeypatch):
    assert "are new here; the profile has 3 sessions from before" in production.output
    assert "pairs-platform adopt" in production.output
    before = production.started.platform
    adopted = production.profile.console("adopt")
    assert adopted.returncode == 0, adopted.stderr
    assert production.profile.platform.registry.versions(SECTOR) == before.registry.versions(SECTOR)
    newest = before.registry.versions(SECTOR)[-1].version
    assert production.profile.platform.registry.load(SECTOR, newest).pairs
    variables = sourced(environment(production))
    with monkeypatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        instance = dg.DagsterInstance.from_config(variables["DAGSTER_HOME"])
    with instance:
        assert len(instance.get_materialized_partitions(dg.AssetKey("gru_models"))) == 3
    page = next(line for line in adopted.stdout.splitlines() if "/#/experiments/" in line)
    assert f"models of {SECTOR}: http://127.0.0.1:{production.settings.services.mlflow_port}/#/" in page
    again = production.profile.console("adopt").stdout
    assert "0 runs of MLflow" in again
    assert "database: nothing is missing" in again
    assert "Dagster: 0 materializations" in again


def test_each_role_enters_its_own_database_alone(production):
    for role in {role for roles in DATABASES.values() for role in roles}:
        for database in (*DATABASES, "postgres", "template1"):
            if role in DATABASES.get(database, ()):
                production.connection(database, role).close()
            else:
                with pytest.raises(psycopg2.OperationalError, match="permission denied for database"):
                    production.connection(database, role)


def test_nobody_enters_without_the_password(production):
    for password in ("", "trading_app", "postgres"):
        with pytest.raises(psycopg2.OperationalError, match="password"):
            psycopg2.connect(
                host="127.0.0.1",
                port=production.settings.services.postgres_port,
                user="trading_app",
                password=password,
                dbname="trading_system",
            )


def test_the_platform_may_not_change_tables_or_the_audit(production):
    for statement in ("DROP TABLE signals", "DELETE FROM audit_log", "CREATE TABLE mine (x int)"):
        database = production.profile.platform.database
        with (
            pytest.raises(sa.exc.ProgrammingError, match=r"permission denied|must be owner"),
            database.begin() as connection,
        ):
            connection.execute(sa.text(statement))


def secrets(production: Production) -> list[bytes]:
    return [secret.encode() for secret in (*production.passwords.values(), *PLANTED.values(), TOKEN)]


def test_no_answer_of_the_ui_holds_a_secret(production):
    """After signals, a failed run and a message: runs, their events and errors, ticks, resources, the instance."""
    answer = json.dumps(graphql(production.ui, EVERYTHING)).encode()
    assert b"RunFailureEvent" in answer
    assert b"five_minute_signals" in answer
    assert [secret for secret in secrets(production) if secret in answer] == []


def test_no_log_and_no_table_holds_a_secret(production):
    """Dagster's own tables hold run configurations, events and ticks."""
    for database, role in (("dagster", "dagster"), ("trading_system", "trading_owner"), ("mlflow_db", "mlflow")):
        with production.connection(database, role) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
            for (table,) in cursor.fetchall():
                cursor.execute(f'SELECT t::text FROM "{table}" t')
                text = "\n".join(row for (row,) in cursor.fetchall()).encode()
                assert [secret for secret in secrets(production) if secret in text] == [], table


def test_passwords_are_in_two_private_files_and_nowhere_else(production):
    private = {environment(production), production_folder(production.settings) / "postgres" / PASSWORDS_FILE}
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in private)
    for path in production.settings.profile_root.rglob("*"):
        if path.is_file() and path not in private:
            assert not any(secret in path.read_bytes() for secret in secrets(production)), path
    lines = [" ".join(process.cmdline()).encode() for process in production.started.members()]
    assert len(lines) > len(PROCESSES)
    assert not any(secret in line for secret in secrets(production) for line in lines)


def test_servers_listen_on_loopback_alone(production):
    pids = {process.pid for process in production.started.members()}
    listening = [one.laddr for one in psutil.net_connections("inet") if one.status == "LISTEN" and one.pid in pids]
    assert len(listening) >= len(PORTS)
    assert {address.ip for address in listening} <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}


def test_a_second_up_is_refused(production):
    again = production.started.console("up")
    assert again.returncode == 1
    assert "runs already" in again.stderr


def test_down_ends_everything_and_frees_the_ports(production):
    """Stops what the tests above look at."""
    down = production.started.console("down")
    assert (down.returncode, down.stdout) == (0, "stopped\n"), down.stderr
    assert production.started.members() == []
    for name in PORTS:
        with socket.socket() as again:
            again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            again.bind(("127.0.0.1", getattr(production.settings.services, name)))
    assert production.started.console("down").stdout == "nothing runs\n"


def test_a_port_that_is_taken_is_named(production):
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", production.settings.services.postgres_port))
        held.listen()
        up = production.started.console("up")
    assert up.returncode == 1
    assert f"port {production.settings.services.postgres_port} (Address already in use)" in up.stderr
    assert variable("services.postgres_port") in up.stderr
    assert production.started.members() == []
