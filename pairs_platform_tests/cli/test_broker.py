"""`pairs-platform broker`, where nothing is served; `processes/broker/test_simulation.py` has the process."""

import socket


def test_a_port_in_use_and_a_wrong_fault_are_said_before_anything_is_served(console):
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        port = str(held.getsockname()[1])
        refused = console("broker", "simulate", "--port", port)
    assert refused.exit_code == 1
    assert f"the simulated broker cannot listen on 127.0.0.1:{port}" in refused.output
    assert "choose another one with --port" in " ".join(refused.output.split())
    wrong = console("broker", "simulate", "--faults", "choas")
    assert wrong.exit_code == 1
    assert "there is no fault choas" in wrong.output


def test_the_time_is_that_of_the_bars_or_is_given(console):
    refused = console("broker", "simulate", "--streamed", "--at", "2026-11-24 10:00")
    assert refused.exit_code == 2
    assert "give --streamed or --at" in refused.output
