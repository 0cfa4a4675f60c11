"""What is wrong in how drawn price files and folders of settings are read, by the number of each.

What does not belong here: the forms and what is right (`price_files`, `settings_files`).
"""

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from pairs_platform_tests.support.price_files import FileForm, drawn_form, findings, write_file
from pairs_platform_tests.support.settings_files import SettingsForm, drawn_settings, settings_findings

Form = TypeVar("Form", FileForm, SettingsForm)


def wrong_price_files(seeds: Iterable[int]) -> dict[int, list[Any]]:
    """How the file of each number differs from the plainest, and its findings; empty where all is well."""
    return _wrong(seeds, drawn_form, lambda form, folder: findings(write_file(form, folder)))


def wrong_settings(seeds: Iterable[int]) -> dict[int, list[Any]]:
    """The same of folders of settings."""
    return _wrong(seeds, drawn_settings, settings_findings)


def _wrong(
    seeds: Iterable[int], draw: Callable[[int], Form], findings_of: Callable[[Form, Path], list[str]]
) -> dict[int, list[Any]]:
    found: dict[int, list[Any]] = {}
    for seed in seeds:
        form = draw(seed)
        with tempfile.TemporaryDirectory() as folder:
            problems = findings_of(form, Path(folder))
        if problems:
            found[seed] = [form.differences(), *problems]
    return found
