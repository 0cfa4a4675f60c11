"""By what price files are known as a source: what they are, not how their path was typed.

What does not belong here: other sources (`model`), reading the files (`adapters.files`).
"""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

from pairs_platform.adapters.files.settings import FileSourceSettings

_PATHS = ("paths", "actions_path")


def source_name(files: FileSourceSettings) -> str:
    """Name of the source: of the resolved paths in their order, and of the options that differ from their defaults.

    The folder from which a relative path is meant, ``~``, ``..``, a slash at the end, links
    and a path that is named twice make no difference.
    """
    options = files.model_dump(mode="json", exclude_defaults=True, exclude=set(_PATHS))
    found = found_from_anywhere(files)
    content = json.dumps({"paths": found.paths, "actions_path": found.actions_path, **options})
    return _name(content)


def found_from_anywhere(files: FileSourceSettings) -> FileSourceSettings:
    """The same files by paths that do not depend on the current folder."""
    actions = None if files.actions_path is None else _resolved(files.actions_path)
    paths = tuple(dict.fromkeys(map(_resolved, files.paths)))
    return files.model_copy(update={"paths": paths, "actions_path": actions})


def earlier_source_names(files: FileSourceSettings) -> tuple[str, ...]:
    """The names by which earlier versions knew the files, which hashed the path as it was typed: one for each way."""
    home, here = Path.home(), Path.cwd()

    def relative(path: str) -> str:
        return os.path.relpath(_resolved(path), here)

    def below_home(path: str) -> str:
        return f"~{os.sep}{os.path.relpath(path, home)}"

    ways: tuple[Callable[[str], str], ...] = (str, _resolved, os.path.abspath, relative, below_home)
    names: dict[str, None] = {}
    for way in ways:
        for begin, end in (("", ""), ("", "/"), ("./", ""), ("./", "/")):
            actions = None if files.actions_path is None else way(files.actions_path)
            content = {
                "paths": [f"{begin}{way(path)}{end}" for path in files.paths],
                "basis": files.basis.value,
                "timezone": files.timezone,
                "actions_path": actions,
            }
            names[_name(json.dumps(content, separators=(",", ":"), ensure_ascii=False))] = None
    return tuple(names)


def _resolved(path: str) -> str:
    return str(Path(path).resolve())


def _name(content: str) -> str:
    return f"files {hashlib.sha256(content.encode()).hexdigest()[:8]}"
