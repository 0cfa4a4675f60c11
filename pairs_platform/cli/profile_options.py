"""Options that choose the profile of a command, and hints that repeat them.

They become environment variables, so that child processes agree.

What does not belong here: what a profile is (`lake.profile`) and options of a single command.
"""

import json
import os
import shlex
from collections.abc import Callable
from functools import wraps
from subprocess import list2cmdline
from typing import Any

import click

from pairs_platform.core.prices.bars import Frequency
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.model import Settings
from pairs_platform.settings.variables import is_set, set_variable

_given: dict[str, str] = {}
"""The options of the command that runs, by name."""


def profile_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--source`, `--data` and `--frequency`, and the settings that they ask for as `settings`."""

    @wraps(command)
    def with_settings(*words: Any, source: str | None, data: str | None, frequency: str | None, **more: Any) -> Any:
        return command(*words, settings=profile_settings(source, data, frequency), **more)

    decorated: Callable[..., Any] = with_settings
    for option in (
        click.option(
            "--frequency",
            type=click.Choice(["5min", "1h", "1d"]),
            help="Length of a bar; for files, theirs is the default.",
        ),
        click.option("--data", help="File, folder or glob pattern of prices; implies --source files."),
        click.option(
            "--source", type=click.Choice(["simulated", "files", "alpaca", "yahoo"]), help="Source of prices."
        ),
    ):
        decorated = option(decorated)
    return decorated


def hint(words: str) -> str:
    """A command to type next, for the profile of the command that runs: `words` and the options in effect."""
    options = " ".join(f"--{name} {_quoted(value)}" for name, value in _given.items())
    return f"pairs-platform {words} {options}".rstrip()


def _quoted(value: str) -> str:
    return list2cmdline([value]) if os.name == "nt" else shlex.quote(value)


def profile_settings(source: str | None, data: str | None, frequency: str | None) -> Settings:
    """Settings with the options of `profile_options` over the configuration.

    For files the frequency is the one that they hold, and the universe the one that they name, unless the options or
    the environment say otherwise.
    """
    if data is not None and source not in (None, "files"):
        raise click.UsageError(f"--data belongs to --source files, not to {source}")
    given = {"source": source, "data": data, "frequency": frequency}
    _given.clear()
    _given.update({name: value for name, value in given.items() if value is not None})
    if data is not None:
        set_variable("source.kind", "files")
        set_variable("source.files.paths", json.dumps([data]))
    elif source is not None:
        set_variable("source.kind", source)
    if frequency is not None:
        set_variable("frequency", frequency)
    settings = load_settings()
    if data is not None:
        _adopt_files(settings)
        settings = load_settings()
    return settings


def _adopt_files(settings: Settings) -> None:
    from pairs_platform.adapters.files.history import FileMarketData

    assert settings.source.files is not None
    stored = FileMarketData(settings.source.files, frequency=settings.frequency).stored_frequency
    if not is_set("frequency") and stored is not Frequency.ONE_MINUTE:
        set_variable("frequency", stored.value)
    if not is_set("universe_origin"):
        set_variable("universe_origin", "source")
