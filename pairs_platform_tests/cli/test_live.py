"""`pairs-platform live`, where nothing starts; `e2e/test_live.py` has the processes."""

import pytest

from pairs_platform.cli.live import _with_broker
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.variables import variable


@pytest.mark.parametrize(
    ("chosen", "broker"),
    [
        ({}, "simulated"),
        ({"broker.kind": "paper"}, "paper"),
        ({"stream.replay.speed": "0"}, "paper"),
        ({"stream.mode": "alpaca", "source.kind": "alpaca"}, "paper"),
    ],
)
def test_a_replay_is_traded_with_the_simulated_broker_unless_another_is_chosen(monkeypatch, chosen, broker):
    for name, value in chosen.items():
        monkeypatch.setenv(variable(name), value)
    assert _with_broker(load_settings()).broker.kind == broker
    assert load_settings().broker.kind == broker  # what its processes read


def test_faults_belong_to_the_simulated_broker(console, monkeypatch):
    monkeypatch.setenv(variable("broker.kind"), "paper")
    refused = console("live", "--faults", "chaos")
    assert refused.exit_code == 2
    assert "broker.kind is paper" in " ".join(refused.output.split())
