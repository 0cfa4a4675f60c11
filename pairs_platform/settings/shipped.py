"""YAML files: those that are shipped in the package, and how one is read.

What does not belong here: what overrides what (`loading`).
"""

from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

import yaml

from pairs_platform.core.errors import SettingsError

PLATFORM_FILE = "platform.yaml"
UNIVERSE_FILE = "universe.yaml"


def shipped_document(name: str) -> dict[str, Any]:
    """Content of a YAML file of the package."""
    return dict(yaml.safe_load(shipped_text(name)))


def shipped_text(name: str) -> str:
    """Text of a file of the package's `config` folder, comments included."""
    return (package_files("pairs_platform.config") / name).read_text(encoding="utf-8")


def read_yaml(path: Path) -> dict[str, Any]:
    """Content of a YAML mapping.

    Raises
    ------
    SettingsError
        When the file is no YAML mapping; names the file and line.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise SettingsError(f"{path} is not valid YAML: {error}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise SettingsError(f"{path} must hold a mapping of settings, not {type(content).__name__}")
    return content
