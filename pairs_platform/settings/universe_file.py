"""The user's `universe.yaml`, which the command line edits and whose comments and order it keeps.

What does not belong here: reading settings (`loading`).
"""

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pairs_platform.core.errors import SettingsError
from pairs_platform.settings.documents import parse_document, read_document, read_text
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.shipped import UNIVERSE_FILE
from pairs_platform.settings.variables import CONFIG_VARIABLE, user_folder


def edit_universe(sector: str, symbols: Sequence[str]) -> Path:
    """Write the symbols of one sector to the user's universe.yaml; the shipped file is never edited.

    Returns
    -------
    Path of the file. It is replaced as a whole, only when the result is valid; what is not of the sector's symbols
    stays as it was written, comments included.

    Raises
    ------
    SettingsError
        Without a user's folder, or when the new universe would not be valid.
    """
    folder = user_folder()
    if folder is None:
        raise SettingsError(
            f"{CONFIG_VARIABLE} is not set, and the shipped universe is never edited; make a copy of your own with "
            f"`pairs-platform config init FOLDER` and put {CONFIG_VARIABLE}=FOLDER into the environment"
        )
    path = folder / UNIVERSE_FILE
    new = {} if sector in load_settings().universe else {"active": "false"}
    document = read_document(path) if path.exists() else {}
    universe = dict(document.get("universe") or {})
    universe[sector] = {**new, **(universe.get(sector) or {}), "symbols": list(symbols)}
    document["universe"] = universe
    load_settings({"universe": universe})
    text = _edited(read_text(path) if path.exists() else "", sector, universe[sector])
    if parse_document(text, str(path)) != document:
        raise SettingsError(
            f"{path}: the symbols of {sector} are written together with others (an alias, & and *), which cannot be "
            "edited by a command: edit the file by hand"
        )
    temporary = path.with_suffix(".yaml.new")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)
    return path


def _edited(text: str, sector: str, group: dict[str, Any]) -> str:
    """The text of a universe with the group of a sector; every other line stays."""
    from ruamel.yaml import YAML
    from ruamel.yaml.nodes import ScalarNode
    from ruamel.yaml.resolver import VersionedResolver
    from ruamel.yaml.tag import Tag

    class _Texts(VersionedResolver):
        """Takes each scalar for the text that is written, as the settings do: `TRUE` is a symbol."""

        def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
            return Tag(suffix="tag:yaml.org,2002:str") if kind is ScalarNode else super().resolve(kind, value, implicit)

    editor = YAML()  # its round trip makes texts, lists and mappings, and runs no code
    editor.Resolver = _Texts
    editor.width, editor.preserve_quotes = 120, True
    editor.indent(mapping=2, sequence=4, offset=2)
    document = editor.load(text) or {}
    universe = document.get("universe")
    if not isinstance(universe, dict):
        universe = document["universe"] = {}
    own = universe.get(sector)
    if not isinstance(own, dict):
        universe[sector] = group
    elif isinstance(own.get("symbols"), list):
        _change(own["symbols"], group["symbols"])
    else:
        own["symbols"] = group["symbols"]
    out = io.StringIO()
    editor.dump(document, out)
    return out.getvalue()


def _change(listed: list[str], symbols: Sequence[str]) -> None:
    """Bring a list to these symbols in place, which keeps the comments of those that stay."""
    for place in range(len(listed) - 1, -1, -1):
        if listed[place] not in symbols:
            del listed[place]
    for place, symbol in enumerate(symbols):
        if place >= len(listed) or listed[place] != symbol:
            if symbol in listed:
                listed.remove(symbol)
            listed.insert(place, symbol)
