"""Which processes a command has, and what is done before and while they start; `e2e` has the processes themselves."""

import json
import socket

import pytest

from pairs_platform.core.errors import ConfigurationError, NotFound
from pairs_platform.core.operations.run_tags import this_process
from pairs_platform.database.revisions import note_prepared
from pairs_platform.processes.runtime.topology import (
    DagsterCalls,
    as_it_runs,
    live_processes,
    require_startable,
    ui_processes,
)
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.production import live_folder
from pairs_platform.settings.variables import variable
from pairs_platform_tests.support.postgres import free_port

NO_DAGSTER = DagsterCalls(lambda home, report: None, lambda home, since: True)


@pytest.mark.parametrize("is_new", [True, False])
def test_the_storage_of_a_home_is_made_before_another_process_opens_it(tmp_path, is_new):
    done: list[str] = []
    if not is_new:
        note_prepared(tmp_path, "dagster")
    code, webserver, daemon = ui_processes(
        tmp_path, tmp_path, host="127.0.0.1", port=1, migrate=lambda: done.append("migrated")
    )
    assert [code.name, webserver.name, daemon.name] == ["code", "webserver", "daemon"]
    code.prepare()
    assert (done == ["migrated"]) is is_new
    code.meanwhile()
    assert done == ["migrated"]
    shared = str(tmp_path / "workspace.yaml")
    assert shared in webserver.command
    assert shared in daemon.command
    assert not code.ready()


class TestSimulatedBroker:
    @pytest.fixture(autouse=True)
    def _chosen(self, monkeypatch):
        monkeypatch.setenv(variable("broker.kind"), "simulated")
        monkeypatch.setenv(variable("broker.simulated.port"), str(free_port()))
        monkeypatch.setenv(variable("stream.replay.port"), str(free_port()))

    def test_it_starts_before_the_trader_and_follows_the_stream(self, tmp_path):
        specs = live_processes(
            load_settings(), tmp_path, NO_DAGSTER, tmp_path, host="127.0.0.1", port=free_port(), fresh=True
        )
        assert [spec.name for spec in specs][-4:] == ["replay", "collector", "broker", "trader"]
        assert list(specs[-2].command[-3:]) == ["broker", "simulate", "--streamed"]
        assert not specs[-2].ready()

    def test_its_port_is_tried_before_anything_starts(self):
        settings = load_settings()
        with socket.socket() as held:
            held.bind(("127.0.0.1", settings.broker.simulated.port))
            held.listen()
            with pytest.raises(ConfigurationError, match=variable("broker.simulated.port")):
                require_startable(settings, [])

    @pytest.mark.parametrize(
        ("name", "value", "error", "said"),
        [
            ("broker.simulated.faults", "choas", NotFound, "no fault choas"),
            ("stream.replay.speed", "0", ConfigurationError, "no time to fill"),
            ("broker.kind", "alpaca", ConfigurationError, "a replay is not traded at https://paper-api"),
        ],
    )
    def test_what_cannot_be_traded_is_refused_before_anything_starts(self, monkeypatch, name, value, error, said):
        monkeypatch.setenv(variable(name), value)
        with pytest.raises(error, match=said):
            require_startable(load_settings(), [])

    def test_commands_beside_it_ask_the_broker_that_runs(self, monkeypatch):
        monkeypatch.setenv(variable("broker.kind"), "paper")
        settings = load_settings()
        assert as_it_runs(settings).broker.kind == "paper"
        live_folder(settings).mkdir(parents=True)
        running = {"broker": {"pid": 1, "process": this_process()}}
        (live_folder(settings) / "processes.json").write_text(json.dumps(running))
        assert as_it_runs(settings).broker.kind == "simulated"
