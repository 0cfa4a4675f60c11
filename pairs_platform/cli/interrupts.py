"""What Ctrl-C, a termination or a closed terminal does to a command: the first ends it in order, another one at once.

Libraries put handlers of their own in place of Python's, and some computations do not let it run for long. So a thread
reads which signals came, and ends the process where the command does not end itself in time.

What does not belong here: processes that are stopped in their order (`processes.runtime.supervisor`).
"""

import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import click

SECONDS_TO_END = 6.0
"""A command that has not ended so long after Ctrl-C is ended."""

EXIT_CODE = 130

_LAST_SECONDS = 1.0
_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
_HANGUP = getattr(signal, "SIGHUP", None)
_OUTPUTS = (1, 2)


@dataclass
class _Plan:
    """What is said and where, and what is done before the process ends at once; `errors` is None without a stream.

    `terminals` are the outputs that are one.
    """

    errors: int | None = None
    message: str = "stopped"
    seconds: float = SECONDS_TO_END
    at_once: Callable[[], None] = lambda: None
    received: int = 0
    terminals: tuple[int, ...] = ()


_plan = _Plan()


def plan_end(message: str, at_once: Callable[[], None] = lambda: None, *, seconds: float = SECONDS_TO_END) -> None:
    """State how this command ends on Ctrl-C.

    Parameters
    ----------
    message : str
        The line that is shown: what is kept, and what to type to go on.
    at_once : callable
        Called, for a second at most, before a process that does not end itself is ended.
    seconds : float
        How long it may take to end itself.
    """
    _plan.message, _plan.at_once, _plan.seconds = message, at_once, seconds


def stop_on_signals(stop: Callable[[], None]) -> None:
    """Let Ctrl-C, a termination and a closed terminal call `stop`; the last not where it is ignored, as under nohup.

    Ctrl-C is heard also where a shell has started the command in the background, which ignores it.
    """

    def handle(number: int, _: object) -> None:
        _leave_terminal(number)
        stop()

    for number in _SIGNALS:
        if number != _HANGUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handle)


def end_if_interrupted() -> None:
    """Raise KeyboardInterrupt where one came that a library has kept for itself."""
    if _plan.received:
        raise KeyboardInterrupt


def end_interrupted() -> None:
    """Show the planned line and end this process with `EXIT_CODE`; what its threads still compute is waited for."""
    for number in _SIGNALS:
        signal.signal(number, lambda *_: None)  # the watching thread is told all the same
    _show(_plan.message)
    sys.exit(EXIT_CODE)


@contextmanager
def watched() -> Iterator[None]:
    """Watch for signals while a command runs; after one came, until this process has ended.

    A signal that is ignored, as SIGINT in a job in the background of a shell and SIGHUP under nohup, stays so.
    """
    global _plan
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    terminals = tuple(output for output in _OUTPUTS if os.isatty(output))
    try:
        _plan = _Plan(errors=os.dup(2), terminals=terminals)
    except OSError:  # closed
        _plan = _Plan(terminals=terminals)
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    threading.Thread(target=_watch, args=(reader,), name="interrupts", daemon=True).start()
    held = {number: signal.getsignal(number) for number in _SIGNALS}
    held_fd = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    for number, handler in held.items():
        if handler in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _interrupt)
    try:
        yield
    finally:
        if not _plan.received:
            signal.set_wakeup_fd(held_fd)
            for number, handler in held.items():
                signal.signal(number, handler)
            writer.close()
            if _plan.errors is not None:
                os.close(_plan.errors)


def _interrupt(number: int, frame: object) -> None:
    _leave_terminal(number)
    raise KeyboardInterrupt


def _leave_terminal(number: int) -> None:
    """Write nowhere from now on what went to a terminal that is closed: a line in it would be an error."""
    if number != _HANGUP:
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for output in _plan.terminals:
        os.dup2(nowhere, output)
    os.close(nowhere)


def _watch(reader: socket.socket) -> None:
    with reader:
        while numbers := reader.recv(64):
            for number in numbers:
                # A closed terminal is told twice, by the shell and by the system.
                if number in _SIGNALS and not (_plan.received and number == _HANGUP):
                    _count()


def _count() -> None:
    _plan.received += 1
    # A statement that is interrupted leaves its connection unusable: SQLAlchemy logs that with a traceback.
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)
    if _plan.received > 1:
        _end_at_once()
    timer = threading.Timer(_plan.seconds, _end_at_once)
    timer.daemon = True
    timer.start()


def _end_at_once() -> None:
    """End the processes that this one started, then this one, whatever it is doing."""
    import psutil

    last = threading.Thread(target=_plan.at_once, daemon=True)
    last.start()
    for child in psutil.Process().children(recursive=True):
        try:
            child.kill()
        except psutil.NoSuchProcess:
            continue
    last.join(_LAST_SECONDS)
    _show_past_redirection(_plan.message)
    os._exit(EXIT_CODE)


def _show_past_redirection(message: str) -> None:
    """Show a line where this process's errors went when it began: while a step runs, Dagster sends them to its log."""
    from pairs_platform.core.masking import masked

    if _plan.errors is None:
        _show(message)
        return
    cursor = "\x1b[?25h\n" if os.isatty(_plan.errors) else ""  # a progress display hides it
    with suppress(OSError):  # the terminal is gone
        os.write(_plan.errors, f"{cursor}{masked(message)}\n".encode())


def _show(message: str) -> None:
    try:
        click.echo(message, err=True)
    except OSError:  # the terminal is gone
        return
