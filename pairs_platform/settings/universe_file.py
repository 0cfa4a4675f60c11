"""The user's `universe.yaml`, which the command line edits.

What does not belong here: reading settings (`loading`).
"""

import os
from collections.abc import Sequence
from pathlib import Path

from pairs_platform.core.errors import SettingsError
from pairs_platform.settings.documents import document_text, read_document
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.shipped import UNIVERSE_FILE
from pairs_platform.settings.variables import CONFIG_VARIABLE, user_folder


def edit_universe(sector: str, symbols: Sequence[str]) -> Path:
    """Write the symbols of one sector to the user's universe.yaml; the shipped file is never edited.

    Returns
    -------
    Path of the file, rewritten as a whole only when the result is valid.

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
    new = {} if sector in load_settings().universe else {"active": False}
    document = read_document(path) if path.exists() else {}
    universe = dict(document.get("universe") or {})
    universe[sector] = {**new, **(universe.get(sector) or {}), "symbols": list(symbols)}
    document["universe"] = universe
    load_settings({"universe": universe})
    temporary = path.with_suffix(".yaml.new")
    temporary.write_text(document_text(document), encoding="utf-8")
    os.replace(temporary, path)
    return path
