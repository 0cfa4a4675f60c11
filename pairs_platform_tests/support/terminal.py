"""A command in a terminal of its own: what it shows, Ctrl-C typed there, and what it leaves running.

Only where there are pseudo-terminals, so not on Windows.
"""

import fcntl
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

import psutil

from pairs_platform.processes.runtime.topology import command_of
from pairs_platform.settings.variables import CONFIG_VARIABLE, variable
from pairs_platform_tests.support.waiting import WAIT_SECONDS

CTRL_C = b"\x03"
STYLE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_NOT_INHERITED = ("PAIRS_PLATFORM_", "APCA_", "DAGSTER_", "COLUMNS", "LINES", "NO_COLOR")


class Terminal:
    """A console command in a pseudo-terminal of 80 columns, with Ctrl-C as a shell's user has it.

    Parameters
    ----------
    words : str
        The command and its options.
    folder : Path
        Where it runs; its folder `state` is the state root.
    config : Path, optional
        The configuration folder.
    more : mapping of str to str, optional
        Further variables.
    command : sequence of str, optional
        What runs instead of the console command.
    """

    def __init__(
        self,
        *words: str,
        folder: Path,
        config: Path | None = None,
        more: Mapping[str, str] | None = None,
        command: Sequence[str] = (),
    ) -> None:
        self.state = folder / "state"
        self.raw = ""
        self._master, slave = pty.openpty()
        termios.tcsetwinsize(self._master, (40, 80))
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_INHERITED)}
        own = {variable("state_root"): str(self.state), "TERM": "xterm", "PYTHONWARNINGS": "ignore"}
        if config is not None:
            own[CONFIG_VARIABLE] = str(config)
        self.process = subprocess.Popen(
            command or command_of(*words),
            cwd=folder,
            env={**inherited, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **own, **(more or {})},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=_own_terminal,
        )
        os.close(slave)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in [*self.left(), self.process]:
            process.kill()
        self.process.wait(WAIT_SECONDS)
        if self._master >= 0:
            os.close(self._master)

    @property
    def text(self) -> str:
        """What has been shown, without styles."""
        return STYLE.sub("", self.raw).replace("\r\n", "\n")

    def read_until(self, seen: str | Callable[[], object], seconds: float = WAIT_SECONDS) -> None:
        """Read until the terminal shows some words, or until something else is true.

        Raises
        ------
        AssertionError
            The command ended, or the time.
        """
        until = time.monotonic() + seconds
        while not (seen in self.text if isinstance(seen, str) else seen()):
            assert time.monotonic() < until, f"no {seen!r} in {self.text}"
            assert self._read() or self.process.poll() is None, f"ended without {seen!r}: {self.text}"

    def interrupt(self) -> float:
        """Type Ctrl-C and read to the end of the command; the seconds that it took."""
        started = time.monotonic()
        os.write(self._master, CTRL_C)
        return self.read_to_end() - started

    def close(self) -> None:
        """Close the terminal, as its window does."""
        os.close(self._master)
        self._master = -1

    def read_to_end(self) -> float:
        """Read until the command has ended; when it had."""
        until = time.monotonic() + WAIT_SECONDS
        while self.process.poll() is None:
            assert time.monotonic() < until, f"does not end: {self.text}"
            self._read()
        ended = time.monotonic()
        while self._read():
            continue
        return ended

    def left(self) -> list[psutil.Process]:
        """Processes, but for the command's own, that work on its state."""
        found = []
        for process in psutil.process_iter():
            try:
                names = process.environ()
            except psutil.Error:
                continue
            if names.get(variable("state_root")) == str(self.state) and process.pid != self.process.pid:
                found.append(process)
        return found

    def _read(self) -> bool:
        if not select.select([self._master], [], [], 0.1)[0]:
            return False
        try:
            data = os.read(self._master, 65536)
        except OSError:  # Linux says so when the last process of the terminal has ended
            return False
        self.raw += data.decode(errors="replace")
        return bool(data)


def _own_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a job in the background has it ignored
