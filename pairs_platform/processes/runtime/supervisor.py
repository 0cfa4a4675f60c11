"""Starts the processes of the live part in order, restarts what ends, and stops them in reverse.

What does not belong here: what any of them does, and which processes there are (`topology`).
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from pairs_platform.core.errors import ConfigurationError, Unavailable
from pairs_platform.core.operations.run_tags import is_alive_here, tag_of
from pairs_platform.lake.atomic import replace_file
from pairs_platform.settings.production import served_processes

PROCESSES_FILE, LOCK_FILE, OWNER_FILE = "processes.json", "processes.lock", "processes.owner"
READY_SECONDS = 90.0
STOP_SECONDS = 20.0
LONGEST_LOG_BYTES = 50_000_000
"""A longer log is overwritten when its process starts."""
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.5, 30.0
STEADY_SECONDS = 60.0
"""A process that has run for this long is restarted without a wait."""


@dataclass(frozen=True)
class ProcessSpec:
    """One process.

    Attributes
    ----------
    name : str
    command : sequence of str
    environment : mapping of str to str
        In addition to the caller's.
    ready : callable
        Whether the next processes may start.
    prepare : callable
        Called once, before its first start.
    meanwhile : callable
        Called once, while it starts: what needs as long as it does and does not need it.
    stop_signal : int
        Asks it to end.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    ready: Callable[[], bool] = lambda: True
    prepare: Callable[[], None] = lambda: None
    meanwhile: Callable[[], None] = lambda: None
    stop_signal: int = signal.SIGTERM


@dataclass
class _Running:
    spec: ProcessSpec
    process: subprocess.Popen[bytes]
    started: float
    tag: str
    restarts: int = 0
    wait: float = FIRST_WAIT_SECONDS
    again_at: float | None = None


class Supervisor:
    """Keeps processes running until `stop`.

    Parameters
    ----------
    specs : sequence of ProcessSpec
        In the order in which they start.
    folder : Path
        Gets a log of each process, and `PROCESSES_FILE` with their pids.
    report : callable
        Called with a message when a process ends or starts again.
    command : str
        The command that runs them, as another one of the same profile is told that it is refused.
    around_stop : callable
        Of the processes that the supervised ones have started; what it gives is open while everything is stopped.
    """

    def __init__(
        self,
        specs: Sequence[ProcessSpec],
        folder: Path,
        report: Callable[[str], None],
        command: str = "live",
        around_stop: Callable[[Sequence[psutil.Process]], AbstractContextManager[None]] = lambda _: nullcontext(),
    ) -> None:
        self._specs, self._folder, self._report, self._command = specs, folder, report, command
        self._around_stop = around_stop
        self._running: dict[str, _Running] = {}
        self._stopping = threading.Event()

    def run(self, started: Callable[[], None] = lambda: None, ending: Callable[[], None] = lambda: None) -> bool:
        """Start everything, call `started`, and watch until `stop` or Ctrl-C; call `ending`, and stop everything.

        Returns
        -------
        bool
            Whether everything was started before `stop`.

        Raises
        ------
        ConfigurationError
            Another supervisor has the folder.
        Unavailable
            A process ended before it was ready; the message has the last lines of its log.
        """
        with the_only_one(self._folder, self._command):
            try:
                self._stop_leftovers()
                for spec in self._specs:
                    spec.prepare()
                    process = self._launch(spec)
                    self._running[spec.name] = _Running(spec, process, time.monotonic(), tag_of(process.pid))
                    self._write_pids()
                    spec.meanwhile()
                    self._await_ready(spec)
                    if self._stopping.is_set():
                        return False
                started()
                while not self._stopping.wait(0.2):
                    for running in self._running.values():
                        self._look_after(running)
                ending()
                return True
            finally:
                self._stop_all()

    @property
    def names(self) -> list[str]:
        """Names of the processes, in the order in which they start."""
        return [spec.name for spec in self._specs]

    def stop(self) -> None:
        """Let `run` end; safe in a signal handler."""
        self._stopping.set()

    def _launch(self, spec: ProcessSpec) -> subprocess.Popen[bytes]:
        path = self._folder / f"{spec.name}.log"
        is_long = path.is_file() and path.stat().st_size > LONGEST_LOG_BYTES
        with path.open("wb" if is_long else "ab") as log:
            # Of its own group: Ctrl-C reaches the supervisor alone, which stops the others in order.
            return subprocess.Popen(
                list(spec.command),
                env={**os.environ, **spec.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=sys.platform != "win32",
            )

    def _await_ready(self, spec: ProcessSpec) -> None:
        until = time.monotonic() + READY_SECONDS
        process = self._running[spec.name].process
        # Asked after `ready` too: another program may answer where this process could not.
        while not self._stopping.is_set() and (not spec.ready() or process.poll() is not None):
            if process.poll() is not None:
                raise Unavailable(f"{spec.name} ended with status {process.returncode}:\n{self._last_lines(spec)}")
            if time.monotonic() > until:
                raise Unavailable(f"{spec.name} is not ready after {READY_SECONDS:.0f} s; see its log")
            self._stopping.wait(0.1)

    def _last_lines(self, spec: ProcessSpec) -> str:
        path = self._folder / f"{spec.name}.log"
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-5:]) + f"\n(more in {path})"

    def _look_after(self, running: _Running) -> None:
        now = time.monotonic()
        if running.again_at is not None:
            if now >= running.again_at:
                running.process, running.started, running.again_at = self._launch(running.spec), now, None
                running.tag = tag_of(running.process.pid)
                running.restarts += 1
                self._write_pids()
                self._report(f"{running.spec.name} runs again (pid {running.process.pid})")
            return
        code = running.process.poll()
        if code is None:
            return
        running.wait = FIRST_WAIT_SECONDS if now - running.started > STEADY_SECONDS else running.wait
        running.again_at = now + running.wait
        self._report(f"{running.spec.name} ended with status {code}; it is started again in {running.wait:.1f} s")
        running.wait = min(2 * running.wait, LONGEST_WAIT_SECONDS)

    def _write_pids(self) -> None:
        processes = {
            name: {
                "pid": running.process.pid,
                "process": running.tag,
                "restarts": running.restarts,
                "command": [*running.spec.command],
                "stop_signal": int(running.spec.stop_signal),
            }
            for name, running in self._running.items()
        }
        replace_file(self._folder / PROCESSES_FILE, json.dumps(processes, indent=2).encode())

    def _stop_leftovers(self) -> None:
        """End what a supervisor left behind that was killed itself."""
        for name, leftover in running_processes(self._folder).items():
            if leftover["alive"]:
                self._report(f"{name} (pid {leftover['pid']}) was left behind; it is ended")
                stop_family(int(str(leftover["pid"])), int(str(leftover["stop_signal"])))

    def _stop_all(self) -> None:
        with self._around_stop(self._children()):
            for running in reversed(self._running.values()):
                if running.process.poll() is None:
                    stop_family(running.process.pid, running.spec.stop_signal)
                    running.process.wait()
        (self._folder / PROCESSES_FILE).unlink(missing_ok=True)

    def _children(self) -> list[psutil.Process]:
        """What the supervised processes have started."""
        children = []
        for running in self._running.values():
            with suppress(psutil.NoSuchProcess):
                children += psutil.Process(running.process.pid).children(recursive=True)
        return children


def stop_family(pid: int, stop_signal: int) -> None:
    """End a process and its children: asked at first, then made to."""
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
        process.send_signal(stop_signal)
    except psutil.NoSuchProcess:
        return
    _, alive = psutil.wait_procs(family, timeout=STOP_SECONDS)
    for member in alive:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue


@contextmanager
def the_only_one(folder: Path, command: str) -> Iterator[None]:
    """Hold a profile's processes for a command; the lock of one that was killed is free.

    Parameters
    ----------
    folder : Path
        Of the profile's processes; made if missing.
    command : str
        Its name, for a person whose other command is refused.

    Raises
    ------
    ConfigurationError
        Another command holds them: the message names it and its process.
    """
    _require_none_served(folder)
    folder.mkdir(parents=True, exist_ok=True)
    lock, owner = FileLock(folder / LOCK_FILE), folder / OWNER_FILE
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ConfigurationError(_held_by(_owner(folder))) from None
    try:
        replace_file(owner, f"`{command}` (pid {os.getpid()})".encode())
        yield
    finally:
        owner.unlink(missing_ok=True)
        lock.release()


def require_idle(folder: Path) -> None:
    """Raise ConfigurationError where a command, or a process manager by `serve`, runs the processes of a profile."""
    require_no_supervisor(folder)
    _require_none_served(folder)


def require_no_supervisor(folder: Path) -> None:
    """Raise ConfigurationError where a command runs the processes of a profile."""
    holder = holder_of(folder)
    if holder:
        raise ConfigurationError(_held_by(holder))


def holder_of(folder: Path) -> str:
    """The command that runs the processes of a profile, with its process; empty where none does."""
    if not folder.is_dir():
        return ""
    try:
        FileLock(folder / LOCK_FILE).acquire(timeout=0).lock.release()
    except Timeout:
        return _owner(folder)
    return ""


def _require_none_served(folder: Path) -> None:
    served = served_processes(folder)
    if served:
        raise ConfigurationError(
            f"`serve` runs already with this profile ({', '.join(served)}): stop its process manager first"
        )


def _owner(folder: Path) -> str:
    path = folder / OWNER_FILE
    return path.read_text(encoding="utf-8") if path.is_file() else "another command"


def _held_by(holder: str) -> str:
    return f"{holder} runs already with this profile, and its processes with it: stop it first"


def running_processes(folder: Path) -> dict[str, dict[str, object]]:
    """The entries of `PROCESSES_FILE`, each with whether its process is alive; empty where nothing was started."""
    path = folder / PROCESSES_FILE
    if not path.is_file():
        return {}
    processes: dict[str, dict[str, object]] = json.loads(path.read_text(encoding="utf-8"))
    return {name: {**process, "alive": is_alive_here(str(process["process"]))} for name, process in processes.items()}
