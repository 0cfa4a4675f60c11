"""Options that choose the profile of a command, and what is said of the profile that it works on.

They become environment variables, so that child processes agree.

What does not belong here: what a profile is (`lake.profile`), which profile a name means (`settings.profiles`), and
options of a single command.
"""

import json
from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from pairs_platform.cli import PROFILE_OPTION
from pairs_platform.core.prices.bars import Frequency
from pairs_platform.platform import require_begun
from pairs_platform.settings.hints import hint
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.model import Settings
from pairs_platform.settings.production import (
    ENVIRONMENT_FILE,
    STORES,
    own_stores_of,
    production_folder,
    running_production,
    state_of,
)
from pairs_platform.settings.profiles import profile_in_use
from pairs_platform.settings.variables import (
    choosing_variables,
    is_set,
    name_profile,
    named_profile,
    secret_variable,
    set_variable,
    unset_choosing_variables,
    variable,
)

SHOWN_PROFILE, IS_SAID = "pairs_platform.profile", "pairs_platform.profile_is_said"
"""Under which the context of a command holds the name of its profile, and whether it was said already."""


def profile_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--profile`, `--source`, `--data` and `--frequency`, and the settings that they ask for."""
    return _with_options(command)


def reading_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`profile_options` of a command that only looks at what is stored: a profile is not begun by looking at it."""
    return _with_options(command, only_reads=True)


def profile_options_of_production(command: Callable[..., Any]) -> Callable[..., Any]:
    """`profile_options` of a command that starts the databases itself, on which the others work while it runs."""
    return _with_options(command, on_running_stores=False)


def _with_options(
    command: Callable[..., Any], *, on_running_stores: bool = True, only_reads: bool = False
) -> Callable[..., Any]:
    @wraps(command)
    def with_settings(
        *words: Any, profile: str | None, source: str | None, data: str | None, frequency: str | None, **more: Any
    ) -> Any:
        settings = profile_settings(source, data, frequency, profile=profile, on_running_stores=on_running_stores)
        if only_reads:
            require_begun(settings)
        return command(*words, settings=settings, **more)

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
        PROFILE_OPTION,
    ):
        decorated = option(decorated)
    return decorated


def profile_settings(
    source: str | None,
    data: str | None,
    frequency: str | None,
    *,
    profile: str | None = None,
    on_running_stores: bool = True,
) -> Settings:
    """Settings with the options of `profile_options` over the configuration.

    A profile that is named decides alone; else the other options and the variables of the environment do, and where
    there is none of them the profile in use. For files the frequency is the one that they hold, and the universe the
    one that they name, unless the options or the environment say otherwise. While `up` or `serve` runs the profile's
    production, its databases are those of the settings, unless `on_running_stores` is False.
    """
    profile = profile or _profile_of_the_console()
    given = [f"--{name}" for name, value in (("source", source), ("data", data), ("frequency", frequency)) if value]
    if profile and given:
        raise click.UsageError(f"give --profile or {', '.join(given)}: a profile has its source and frequency")
    if data is not None and source not in (None, "files"):
        raise click.UsageError(f"--data belongs to --source files, not to {source}")
    if profile:
        unset_choosing_variables()
    if profile or given:
        name_profile(profile)
    if data is not None:
        set_variable("source.kind", "files")
        set_variable("source.files.paths", json.dumps([data]))
    elif source is not None:
        set_variable("source.kind", source)
    if frequency is not None:
        set_variable("frequency", frequency)
    settings = _in_use(load_settings())
    if data is not None:
        _adopt_files(settings)
        settings = load_settings()
    if on_running_stores:
        settings = _on_running_stores(settings)
    context = click.get_current_context(silent=True)
    if context is not None:
        context.meta[SHOWN_PROFILE] = settings.profile.name
    return settings


def say_profile() -> None:
    """Say on standard error which profile the command works on, where no title of a table says it."""
    context = click.get_current_context(silent=True)
    if context is not None and SHOWN_PROFILE in context.meta and not context.meta.get(IS_SAID):
        _say(f"profile {context.meta[SHOWN_PROFILE]}")


def _say(note: str) -> None:
    """Say something on standard error that begins with the profile."""
    click.echo(note, err=True)
    context = click.get_current_context(silent=True)
    if context is not None:
        context.meta[IS_SAID] = True


def _profile_of_the_console() -> str | None:
    """What `--profile` before the command's name says."""
    context = click.get_current_context(silent=True)
    return context.find_root().params.get("profile") if context else None


def _in_use(settings: Settings) -> Settings:
    """The settings of the profile in use where nobody chooses one; child processes keep it when another is taken."""
    if named_profile() or choosing_variables():
        return settings
    name = profile_in_use(settings.state_root)
    if name is None:
        return settings
    name_profile(name)
    _say(f"profile {name} (in use: `pairs-platform profiles list`)")
    return load_settings()


def _on_running_stores(settings: Settings) -> Settings:
    """The settings on the databases of the production that runs, or of the environment; it is said which they are.

    Those that the environment names stay as they are named. Child processes have the same.
    """
    missing = [name for name in STORES if not any(secret_variable(name))]
    own = {name: url for name, url in own_stores_of(settings).items() if name in missing}
    production, profile = running_production(settings), settings.profile.name
    if production is not None and set(production.named) & set(missing):
        names = ", ".join(variable(name) for name in missing if name in production.named)
        _say(
            f"profile {profile}: `{production.command}` runs on databases that this environment does not name: what is "
            f"in them is not shown (set {names})"
        )
        return settings
    if not own:
        return settings
    if production is None and state_of(settings):
        _say(f"profile {profile}: `up` is starting: what is in its databases is not shown yet")
        return settings
    if production is None:
        path = production_folder(settings) / ENVIRONMENT_FILE
        _say(
            f"profile {profile}: its production does not run: what is in its databases is not shown (start it with "
            f"`{hint('up')}`, or source {path})"
        )
        return settings
    for name, url in own.items():
        set_variable(name, url)
    _say(f"profile {profile}: `{production.command}` runs, its databases are used")
    return load_settings()


def _adopt_files(settings: Settings) -> None:
    from pairs_platform.adapters.files.history import FileMarketData

    assert settings.source.files is not None
    stored = FileMarketData(settings.source.files, frequency=settings.frequency).stored_frequency
    if not is_set("frequency") and stored is not Frequency.ONE_MINUTE:
        set_variable("frequency", stored.value)
    if not is_set("universe_origin"):
        set_variable("universe_origin", "source")
