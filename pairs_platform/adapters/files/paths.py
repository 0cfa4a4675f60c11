"""Which files a path, folder or pattern of the settings names, and which of them are no price files by their names.

What does not belong here: what is in a file (`price_file`), which files go together (`history`).
"""

import glob
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pairs_platform.adapters.files.overview import FileLeftOut
from pairs_platform.adapters.files.tables import TABLE_NAMES, is_table_name
from pairs_platform.core.errors import ConfigurationError, NotFound


@dataclass(frozen=True)
class NamedFiles:
    """What one path of the settings leads to.

    Attributes
    ----------
    paths : tuple of Path
        Files that hold prices by their names, sorted.
    left_out : tuple of FileLeftOut
        What else there is, each with the reason.
    by_name : bool
        Whether a person named the one file itself, so that leaving it out is no option.
    """

    paths: tuple[Path, ...]
    left_out: tuple[FileLeftOut, ...]
    by_name: bool


def named_files(pattern: str) -> NamedFiles:
    """Files of a path as the user typed it: a file, a folder's files, or a pattern's matches.

    Raises
    ------
    NotFound
        When it leads to nothing.
    ConfigurationError
        When a folder cannot be listed, or a named file is no price file by its name.
    """
    path = Path(pattern)
    try:
        if path.is_dir():
            return _judged(_entries(path))
        if path.exists():
            reason = _why_not(path)
            if reason is not None and not path.name.startswith("."):
                raise ConfigurationError(f"{path} {reason}")
            return NamedFiles((path,), (), by_name=True)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror or type(error).__name__}") from error
    if path.is_symlink():
        raise NotFound(f"{path} is a link to a file that does not exist")
    matches = [match for match in map(Path, glob.glob(str(path), recursive=True)) if not match.is_dir()]
    if not matches:
        raise NotFound(f"{path} does not exist; give a Parquet or CSV file, a folder of them, or a glob pattern")
    return _judged(iter(sorted(matches)))


def _entries(folder: Path) -> Iterator[Path]:
    """What is in a folder, and in its folders that are named `column=value`, sorted."""
    for entry in sorted(folder.iterdir()):
        if "=" in entry.name and entry.is_dir():
            yield from _entries(entry)
        else:
            yield entry


def _judged(entries: Iterator[Path]) -> NamedFiles:
    paths, left_out = [], []
    for entry in entries:
        reason = _why_not(entry)
        if reason is None:
            paths.append(entry)
        else:
            left_out.append(FileLeftOut(entry, reason))
    return NamedFiles(tuple(paths), tuple(left_out), by_name=False)


def _why_not(path: Path) -> str | None:
    """Why an entry of a folder is no price file; None when it may be one."""
    if path.name.startswith("~$"):
        return "is a lock file of an office program"
    if path.name.startswith("."):
        return "is hidden: its name begins with a dot"
    if path.is_dir():
        return "is a folder; name it as a path of its own, or give a pattern such as FOLDER/**/*.csv"
    if not path.exists():
        return "is a link to a file that does not exist"
    if not is_table_name(path):
        return f"is neither Parquet nor CSV by its name; it must end with {TABLE_NAMES}"
    return None if path.is_file() else "is no regular file"
