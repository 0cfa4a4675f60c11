import json
import socket

import pytest

from pairs_platform.cli import ui
from pairs_platform.core.operations.run_tags import this_process
from pairs_platform.processes.runtime.supervisor import PROCESSES_FILE
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.production import live_folder
from pairs_platform.settings.variables import variable


@pytest.fixture
def taken():
    """A port on which somebody listens: a command that obeys refuses it at once."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield str(server.getsockname()[1])


@pytest.mark.parametrize("command", [("ui",), ("live",)])
def test_the_ui_listens_where_the_settings_say(console, monkeypatch, taken, command):
    monkeypatch.setenv(variable("services.ui_port"), taken)
    assert f"cannot listen on 127.0.0.1 port {taken} " in console(*command).output


@pytest.mark.parametrize("command", [("ui",), ("live",)])
def test_an_option_goes_before_the_settings_and_links_follow_it(console, monkeypatch, taken, command):
    monkeypatch.setenv(variable("services.ui_port"), "3210")
    shown = console(*command, "--host", "127.0.0.1", "--port", taken)
    assert f"cannot listen on 127.0.0.1 port {taken} " in shown.output
    assert load_settings().alert_settings.ui_url == f"http://127.0.0.1:{taken}"


@pytest.mark.parametrize(("folder", "words"), [(".", ("ui",)), ("models-ui", ("models", "ui"))])
def test_a_port_of_what_a_killed_command_left_is_no_hindrance(console, monkeypatch, taken, folder, words):
    """The supervisor of the next command ends it, and looks at the port then."""
    monkeypatch.setattr(ui, "_serve", lambda *_: None)
    shown = console(*words, "--port", taken).output
    assert f"cannot listen on 127.0.0.1 port {taken} " in shown
    left = live_folder(load_settings()) / folder / PROCESSES_FILE
    left.parent.mkdir(parents=True, exist_ok=True)
    left.write_text(json.dumps({"webserver": {"process": this_process()}}))
    assert "cannot listen" not in console(*words, "--port", taken).output
