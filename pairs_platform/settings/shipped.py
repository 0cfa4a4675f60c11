"""The files that are shipped in the package's `config` folder.

What does not belong here: how a document is read (`documents`), and what overrides what (`loading`).
"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files as package_files
from typing import Any

from pairs_platform.settings.documents import parse_document

PLATFORM_FILE = "platform.yaml"
UNIVERSE_FILE = "universe.yaml"


@cache
def shipped_document(name: str) -> Mapping[str, Any]:
    """Content of a YAML file of the package, which is read once; nobody changes it."""
    return parse_document(shipped_text(name), f"package {name}", is_shipped=True)


def shipped_text(name: str) -> str:
    """Text of a file of the package's `config` folder, comments included."""
    return (package_files("pairs_platform.config") / name).read_text(encoding="utf-8")
