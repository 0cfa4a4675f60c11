"""SQLite files that may only be read: whether a file is one, and how it is opened and copied.

What does not belong here: the database of a profile (`store`), and the URL of a file that may be written
(`sqlite_url`).
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

_COMPANIONS = ("-wal", "-journal")


def is_writable(path: Path) -> bool:
    """Whether this process may change a file or folder, or make it where it is missing."""
    existing = next(each for each in (path, *path.parents) if each.exists())
    return os.access(existing, os.W_OK)


def may_be_written(file: Path) -> bool:
    """Whether this process may write into a SQLite file, which also takes files next to it."""
    return is_writable(file) and is_writable(file.parent)


def connect_to_read(file: Path, *, timeout: float = 5.0, check_same_thread: bool = True) -> sqlite3.Connection:
    """A connection that changes nothing, to a file in a folder that may only be read.

    Parameters
    ----------
    file : Path
    timeout : float
        Seconds for which a lock is waited for.
    check_same_thread : bool
        As of `sqlite3.connect`.

    Raises
    ------
    sqlite3.OperationalError
        There is no such file, or a log beside it holds changes that cannot be read without writing.

    Notes
    -----
    A file in WAL mode needs a log beside it, which cannot be made there. Without one no process has the file open, and
    all that was committed is in it: it is read as one that does not change (https://sqlite.org/uri.html#uriimmutable).
    With one SQLite reads both, with its locks.
    """
    is_whole = not any(file.with_name(file.name + suffix).exists() for suffix in _COMPANIONS)
    uri = f"{file.absolute().as_uri()}?mode=ro{'&immutable=1' if is_whole else ''}"
    return sqlite3.connect(uri, uri=True, timeout=timeout, check_same_thread=check_same_thread)


def copy_database(file: Path, target: Path) -> None:
    """Copy a SQLite file as it is at this moment, with what its log holds; `target` is made.

    Raises
    ------
    sqlite3.OperationalError
        The file cannot be read.
    """
    opened = sqlite3.connect(file) if may_be_written(file) else connect_to_read(file)
    with closing(opened) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)
