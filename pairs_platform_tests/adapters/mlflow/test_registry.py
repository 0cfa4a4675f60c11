"""The registry over real MLflow stores: SQLite in a folder, PostgreSQL, and a server in a process of its own."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import date
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient
from pydantic import SecretStr

from pairs_platform.adapters.mlflow.registry import (
    CURVE_POINTS,
    MlflowRegistry,
    database_of,
    experiment_tags,
    model_name,
    move_artifacts,
    served_experiment,
)
from pairs_platform.core.errors import ConfigurationError, NoSuchModel, RegistryUnavailable
from pairs_platform.core.models import bundle as bundles
from pairs_platform.core.models.bundle import bundle_files
from pairs_platform.core.models.gru.inference import predict
from pairs_platform.processes.runtime.postgres_server import SUPERUSER
from pairs_platform_tests.support.bundles import EPOCHS, LENGTH, PAIRS, SECTOR, SESSION, bundle, record
from pairs_platform_tests.support.odd_names import EVERY_CHARACTER
from pairs_platform_tests.support.postgres import free_port, new_database
from pairs_platform_tests.support.waiting import WAIT_SECONDS
from pairs_platform_tests.support.web_servers import running_mlflow


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """Starts servers of MLflow by the words of `running_mlflow`."""
    with ExitStack() as servers:
        yield lambda *given, **variables: servers.enter_context(running_mlflow(*given, **variables))


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a registry that holds nothing, to be copied: MLflow makes its tables in many steps."""
    folder = tmp_path_factory.mktemp("empty") / "mlflow"
    MlflowRegistry.embedded(folder).versions(SECTOR)
    return folder


@pytest.fixture(params=["sqlite", "postgresql"])
def opening(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The expression that opens an empty registry, with its files below `tmp_path`."""
    odd = tmp_path / EVERY_CHARACTER / "mlflow"
    folders = {"sqlite from nothing": odd, "sqlite": odd, "sqlite in a plain folder": tmp_path / "mlflow"}
    if request.param in folders:
        folder = folders[request.param]
        if request.param != "sqlite from nothing":
            shutil.copytree(request.getfixturevalue("empty"), folder)
        yield f"MlflowRegistry.embedded(Path({str(folder)!r}))"
        return
    server = request.getfixturevalue("postgres")
    monkeypatch.chdir(tmp_path)
    with new_database(server) as name:
        url = server.url(name, SUPERUSER).get_secret_value()
        yield f"MlflowRegistry(SecretStr({url!r}), folder=Path({str(tmp_path / 'mlflow')!r}))"


@pytest.fixture
def registry(opening: str) -> MlflowRegistry:
    return eval(opening)


def client_of(registry: MlflowRegistry) -> MlflowClient:
    return registry._client


def runs(registry: MlflowRegistry) -> dict[str, tuple[str, dict]]:
    client = client_of(registry)
    experiment = client.get_experiment_by_name(f"pairs_trading/{SECTOR}")
    found = client.search_runs([experiment.experiment_id])
    return {run.info.run_name: (run.info.status, run.data.tags) for run in found}


def contract(registry: MlflowRegistry) -> None:
    """What every registry does, whatever stores it."""
    assert registry.versions(SECTOR) == []
    assert registry.alias(SECTOR, "champion") is None
    first = registry.log_training(record())
    second = registry.log_training(record(date(2023, 3, 9)))
    assert [one.version for one in registry.versions(SECTOR)] == [1, 2]
    assert first.version.session == SESSION
    assert first.version.run_id == first.run_id
    assert float(first.version.tags["skill_low"]) == 0.001
    for number in (1, 2, 1):
        registry.set_alias(SECTOR, "champion", number)
        assert registry.alias(SECTOR, "champion").version == number
    assert registry.version(SECTOR, 1).aliases == ("champion",)
    registry.set_alias(SECTOR, "champion", None)
    assert registry.alias(SECTOR, "champion") is None
    assert bundle_files(registry.load(SECTOR, 2)) == bundle_files(bundle(date(2023, 3, 9)))
    with pytest.raises(NoSuchModel, match="has no version 7; it has 1, 2"):
        registry.set_alias(SECTOR, "champion", 7)
    assert set(second.pair_runs) == set(PAIRS)
    assert registry.storage_bytes() > 1000
    assert registry.close_orphans(lambda run: False) == 0


class TestBothDatabases:
    @pytest.mark.parametrize("opening", ["sqlite from nothing", "postgresql"], indirect=True)
    def test_contract(self, registry):
        contract(registry)

    def test_one_parent_a_child_for_each_pair_and_all_are_ended(self, registry):
        tracked = registry.log_training(record())
        found = runs(registry)
        assert {name: status for name, (status, _) in found.items()} == {
            f"{SESSION}_GRU_Training_{SECTOR}_20230309T110000Z_v1": "FINISHED",
            f"GRU_Training_{PAIRS[0]}_20230309T110000Z_v1": "FINISHED",
            f"GRU_Training_{PAIRS[1]}_20230309T110000Z_v1": "FAILED",
        }
        _, tags = found[f"GRU_Training_{PAIRS[1]}_20230309T110000Z_v1"]
        assert tags["mlflow.parentRunId"] == tracked.run_id
        assert tags["reason"] == "the loss is not finite"
        assert tags["dagster_run_id"] == "dagster"
        names = {one.path for one in client_of(registry).list_artifacts(tracked.run_id, "report")}
        assert names == {"report/pairs.json", "report/curves.json", "report/lift.png"}
        child = client_of(registry).get_run(tracked.pair_runs[PAIRS[0]][0])
        assert child.data.metrics == {"lift": 0.001, "train_loss": 0.63, "validation_loss": 0.64}
        assert child.data.params == {"network.hidden_1": "4", "baseline": "ar1_logit"}
        curve = client_of(registry).get_metric_history(tracked.pair_runs[PAIRS[0]][0], "train_loss")
        steps = [point.step for point in curve]
        assert (len(steps), steps[0], steps[-1]) == (CURVE_POINTS, 1, EPOCHS)
        assert child.data.tags["pair"] == PAIRS[0]
        assert (child.data.tags["session"], child.data.tags["sector"]) == (str(SESSION), SECTOR)

    def test_an_experiment_of_an_earlier_version_is_described_by_the_next_training(self, registry, tmp_path):
        client, place = client_of(registry), (tmp_path / "artifacts").as_uri()
        made = client.create_experiment(f"pairs_trading/{SECTOR}", place, tags={"sector": "named by hand"})
        registry.log_training(record(with_bundle=False))
        tags = client.get_experiment(made).tags
        assert tags == {**experiment_tags(SECTOR), "sector": "named by hand"}

    def test_a_training_without_a_model_is_tracked_and_registers_nothing(self, registry):
        assert registry.log_training(record(with_bundle=False)).version is None
        assert registry.versions(SECTOR) == []

    @pytest.mark.parametrize(
        ("error", "status"), [(OSError("no space left on the device"), "FAILED"), (KeyboardInterrupt(), "KILLED")]
    )
    def test_a_failure_in_the_middle_leaves_no_run_open(self, registry, monkeypatch, error, status):
        def fails(*_: object) -> None:
            raise error

        monkeypatch.setattr(bundles, "bundle_files", fails)
        with pytest.raises(type(error)):
            registry.log_training(record())
        statuses = {name: status for name, (status, _) in runs(registry).items()}
        assert statuses[f"{SESSION}_GRU_Training_{SECTOR}_20230309T110000Z_v1"] == status
        assert "RUNNING" not in statuses.values()

    def test_what_a_killed_process_left_open_is_closed(self, registry, opening, tmp_path):
        registry.versions(SECTOR)
        code = (
            "import os, signal\n"
            "from pathlib import Path\n"
            "from pydantic import SecretStr\n"
            "from pairs_platform.adapters.mlflow.registry import MlflowRegistry\n"
            "from pairs_platform.core.models import bundle\n"
            "from pairs_platform_tests.support.bundles import record\n"
            "bundle.bundle_files = lambda _: os.kill(os.getpid(), signal.SIGKILL)\n"
            f"{opening}.log_training(record(owner='dead'))\n"
        )
        root = Path(__file__).resolve().parents[3]
        killed = subprocess.run(
            [sys.executable, "-c", code],
            check=False,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(root)},
            capture_output=True,
        )
        assert killed.returncode == -signal.SIGKILL
        registry.log_training(record())
        name = f"{SESSION}_GRU_Training_{SECTOR}_20230309T110000Z_v1"
        assert registry.close_orphans(lambda run: run == "dead") == 0
        assert registry.close_orphans(lambda run: run != "dead") == 1
        found = client_of(registry).search_runs(
            [client_of(registry).get_experiment_by_name(f"pairs_trading/{SECTOR}").experiment_id],
            filter_string=f"attributes.run_name = '{name}'",
        )
        assert sorted(run.info.status for run in found) == ["FINISHED", "KILLED"]

    def test_three_processes_that_come_first_at_once(self, tmp_path):
        code = (
            "from pathlib import Path\n"
            "from pairs_platform.adapters.mlflow.registry import MlflowRegistry\n"
            f"print(MlflowRegistry.embedded(Path({str(tmp_path / 'mlflow')!r})).versions('technology'))\n"
        )
        started = [
            subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            for _ in range(3)
        ]
        assert [(one.communicate(timeout=WAIT_SECONDS)[0].strip(), one.returncode) for one in started] == [
            ("[]", 0)
        ] * 3

    def test_a_damaged_model_is_refused_with_its_version(self, registry, tmp_path):
        registry.log_training(record())
        (weights,) = tmp_path.rglob("weights.safetensors")
        weights.write_bytes(b"\x80\x04")
        with pytest.raises(NoSuchModel, match="version 1 cannot be read: the model's files are damaged"):
            registry.load(SECTOR, 1)
        weights.unlink()
        with pytest.raises(NoSuchModel, match=r"files of .* version 1 are gone"):
            registry.load(SECTOR, 1)

    @pytest.mark.parametrize("opening", ["postgresql"], indirect=True)
    def test_a_place_that_is_too_long_for_its_tables_is_named(self, registry, tmp_path):
        registry.log_training(record(with_bundle=False))
        far = tmp_path / ("a long name" * 20)
        with pytest.raises(ConfigurationError, match=f"below {far}: use a state_root with a shorter path"):
            move_artifacts(registry._uri, far)


class TestServer:
    def test_contract_over_a_server(self, serve, postgres, tmp_path):
        where = ["--artifacts-destination", str(tmp_path / "a"), "--workers", "1"]
        with new_database(postgres) as name:
            store = postgres.url(name, SUPERUSER).get_secret_value()
            url = serve(["server", *where], tmp_path, "/health", MLFLOW_BACKEND_STORE_URI=store)
            contract(MlflowRegistry(SecretStr(url)))

    def test_a_server_that_is_away(self, monkeypatch):
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        registry = MlflowRegistry(SecretStr(f"http://trader:s3cret@127.0.0.1:{free_port()}"))
        with pytest.raises(RegistryUnavailable, match="does not answer") as raised:
            registry.versions(SECTOR)
        assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize("opening", ["sqlite in a plain folder"], indirect=True)
class TestServing:
    """`mlflow models serve` without conda, which hands the folder of the model to a shell."""

    def ask(self, url: str, rows: list[dict]) -> tuple[int, dict]:
        body = json.dumps({"dataframe_records": rows}).encode()
        request = urllib.request.Request(f"{url}/invocations", body, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=WAIT_SECONDS) as reply:
                return reply.status, json.load(reply)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def test_a_named_pair_is_answered_and_what_is_wrong_is_told(self, registry, serve, tmp_path):
        tracked = registry.log_training(record())
        registry.set_alias(SECTOR, "champion", tracked.version.version)
        url = serve(
            ["models", "serve", "-m", f"models:/{model_name(SECTOR)}@champion", "--env-manager", "local"],
            tmp_path,
            "/ping",
            MLFLOW_TRACKING_URI=database_of(tmp_path / "mlflow").get_secret_value(),
        )
        features = np.random.default_rng(1).standard_normal((LENGTH, 13))
        status, reply = self.ask(url, [{"pair": PAIRS[1], "features": features.tolist()}])
        assert status == 200, reply
        model = bundle().pair(PAIRS[1])
        expected = predict(model.weights, model.baseline, model.scaling, features.astype(np.float32), LENGTH)[-1]
        (answer,) = reply["predictions"]
        assert answer["probability"] == pytest.approx(expected, abs=1e-6)
        assert answer["reverts"] == (expected >= 0.5)
        status, reply = self.ask(url, [{"pair": "X_Y", "features": features.tolist()}])
        assert (status, "does not hold X_Y; it holds AAPL_ADI, PDFS_ROG" in reply["message"]) == (400, True)
        status, reply = self.ask(url, [{"pair": PAIRS[0], "features": features[:3].tolist()}])
        assert (status, "shape (3, 13), (5, 13) is needed" in reply["message"]) == (400, True)


@pytest.mark.parametrize("answer", [b"<html>a proxy</html>", b'["a list"]', b'{"experiment": null}', b"\xff\xfe"])
def test_what_answers_in_the_place_of_a_server_has_no_experiment(answer):
    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        assert served_experiment(f"http://127.0.0.1:{server.server_port}", SECTOR) is None
        thread.join(WAIT_SECONDS)


def test_what_does_not_speak_http_has_no_experiment():
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(100)
                connection.sendall(b"SSH-2.0\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        assert served_experiment(f"http://127.0.0.1:{server.getsockname()[1]}", SECTOR) is None
        thread.join(WAIT_SECONDS)
