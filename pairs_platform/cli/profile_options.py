"""Options that choose the profile of a command; they become environment variables, so that child processes agree."""

import json
import os
from collections.abc import Callable
from typing import Any

import click

from pairs_platform.core.prices.bars import Frequency
from pairs_platform.settings.model import Settings, load_settings, variable


def profile_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--source`, `--data` and `--frequency`; call `chosen_settings` with their values."""
    for option in (
        click.option(
            "--frequency", type=click.Choice(["5min", "1h", "1d"]), help="Length of a bar; for files: theirs."
        ),
        click.option("--data", help="File, folder or glob pattern of prices; implies --source files."),
        click.option(
            "--source", type=click.Choice(["simulated", "files", "alpaca", "yahoo"]), help="Source of prices."
        ),
    ):
        command = option(command)
    return command


def chosen_settings(source: str | None, data: str | None, frequency: str | None) -> Settings:
    """Settings with the options of `profile_options` over the configuration.

    For files the frequency is the one that they hold, and the universe the one that they name, unless the options or
    the environment say otherwise.
    """
    if data is not None and source not in (None, "files"):
        raise click.UsageError(f"--data belongs to --source files, not to {source}")
    if data is not None:
        set_option("source.kind", "files")
        set_option("source.files.paths", json.dumps([data]))
    elif source is not None:
        set_option("source.kind", source)
    if frequency is not None:
        set_option("frequency", frequency)
    settings = load_settings()
    if data is not None:
        _adopt_files(settings, keep_frequency=frequency is not None)
        settings = load_settings()
    return settings


def _adopt_files(settings: Settings, *, keep_frequency: bool) -> None:
    from pairs_platform.adapters.files.history import FileMarketData

    assert settings.source.files is not None
    source = FileMarketData(settings.source.files, frequency=settings.frequency)
    stored = source.stored_frequency
    if not keep_frequency and variable("frequency") not in os.environ and stored is not Frequency.ONE_MINUTE:
        set_option("frequency", stored.value)
    if variable("universe_origin") not in os.environ and source.universe() is not None:
        set_option("universe_origin", "source")


def set_option(path: str, value: str) -> None:
    """Set one setting for this process and its children."""
    os.environ[variable(path)] = value
