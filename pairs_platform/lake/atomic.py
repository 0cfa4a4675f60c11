"""Replacing a file as a whole: readers see the previous content or the new one, after a crash too.

What does not belong here: what the files hold (`store`, `profile`).
"""

import os
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

TEMPORARY_SUFFIX = ".tmp"
ABANDONED_AFTER_SECONDS = 900.0
"""A temporary file that nobody touched for so long belongs to a writer that was killed: a write takes seconds."""

_BINARY = getattr(os, "O_BINARY", 0)  # Windows alone
_LOCKED_ATTEMPTS = 9
_LOCKED_FIRST_PAUSE_SECONDS = 0.005

_Result = TypeVar("_Result")


def replace_file(path: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Publish `content` at `path`, atomically and durably; of two writers at once the last one wins whole.

    Parameters
    ----------
    path : Path
        Its folder is made when missing.
    content : bytes
    mode : int
        Rights of the file before the umask.

    Raises
    ------
    OSError
        The disk is full, or the folder cannot be written: `path` is as it was, and no temporary file stays.

    Notes
    -----
    The temporary file lies in the same folder, because a rename across file systems is not atomic. Files that killed
    writers left behind for `path` are removed too.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_abandoned(path)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}{TEMPORARY_SUFFIX}")
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, mode), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        while_locked(lambda: os.replace(temporary, path))
    except OSError as error:
        error.filename = str(path)
        error.add_note(f"{path} was not written; what it held before is unchanged")
        raise
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(path.parent)


def remove_abandoned(path: Path) -> None:
    """Remove the temporary files for `path` that killed writers left behind."""
    oldest_alive = time.time() - ABANDONED_AFTER_SECONDS
    with os.scandir(path.parent) as entries:
        candidates = [
            entry
            for entry in entries
            if entry.name.startswith(f".{path.name}.") and entry.name.endswith(TEMPORARY_SUFFIX)
        ]
    for entry in candidates:
        try:
            if entry.stat().st_mtime < oldest_alive:
                os.unlink(entry.path)
        except (FileNotFoundError, PermissionError):
            # Another writer removed it first, or Windows still holds it open: the next write tries again.
            continue


def while_locked(action: Callable[[], _Result]) -> _Result:
    """Run `action`, again after a short pause while Windows refuses because another process has the file open.

    Raises
    ------
    PermissionError
        The file stayed locked for about 2.5 s, or access is refused for good.
    """
    pause = _LOCKED_FIRST_PAUSE_SECONDS
    for _ in range(_LOCKED_ATTEMPTS):
        try:
            return action()
        except PermissionError:
            time.sleep(pause)
            pause *= 2
    return action()


def _sync_folder(folder: Path) -> None:
    """Make a rename durable; Windows cannot open folders and needs no such step."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
