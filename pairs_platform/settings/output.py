"""What this process says: masked in log records of every library and in errors that nobody caught, and in any encoding.

What does not belong here: the secrets and their forms (`core.masking`), and Dagster's events (`defs.masking`).
"""

import io
import logging
import os
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any

from pairs_platform.core.masking import masked

_FORMATTER = logging.Formatter()


def mask_output() -> None:
    """Mask secrets in log records and in uncaught errors of this process from now on; called again, change nothing."""
    logging.setLogRecordFactory(MaskedRecord)
    if not isinstance(sys.excepthook, _Uncaught):
        sys.excepthook = _Uncaught(sys.excepthook, "")
    if not isinstance(threading.excepthook, _Uncaught):
        threading.excepthook = _Uncaught(threading.excepthook, "Exception in a thread:\n")


def show_any_text() -> None:
    """Let this process and its children show what their terminal, pipe or file can hold, and ``?`` for the rest."""
    encoding, _, errors = os.environ.get("PYTHONIOENCODING", "").partition(":")
    os.environ["PYTHONIOENCODING"] = f"{encoding}:{errors or 'replace'}"
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def colors() -> bool | None:
    """Whether texts have colours: False where NO_COLOR asks for none; else None, so that a terminal gets them alone."""
    return False if os.environ.get("NO_COLOR") else None


def end_output() -> None:
    """Hand over what is still to be shown; a reader that has gone, as ``head`` does, is no error."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class MaskedRecord(logging.LogRecord):
    """A record that shows no secret to any handler, whoever adds it and whenever."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if isinstance(self.msg, str):
            self.msg = masked(self.msg)
        if self.exc_info and self.exc_info[0] is not None:
            text = _FORMATTER.formatException(self.exc_info)
            shown = masked(text)
            if shown != text:
                self.exc_info, self.exc_text = None, shown

    def getMessage(self) -> str:  # noqa: N802 - the name that logging has
        """The message with its arguments, masked."""
        return masked(super().getMessage())


class _Uncaught:
    """Shows an error that nobody caught, masked; one without a secret is left to the hook that was there before."""

    def __init__(self, otherwise: Callable[..., Any], title: str) -> None:
        self._otherwise, self._title = otherwise, title

    def __call__(self, *given: Any) -> None:
        kind, error, trace = given if len(given) == 3 else given[0][:3]  # `threading` hands over one tuple
        text = "".join(traceback.format_exception(kind, error, trace))
        shown = masked(text)
        if shown == text or sys.stderr is None:
            self._otherwise(*given)
        else:
            sys.stderr.write(self._title + shown)
