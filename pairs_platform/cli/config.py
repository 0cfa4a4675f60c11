"""`pairs-platform config`: show the resolved settings, copy the defaults for editing.

What does not belong here: reading and describing settings (`settings`).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from pydantic_core import to_jsonable_python

from pairs_platform.cli.commands import CommandGroup
from pairs_platform.cli.profile_options import profile_options, say_profile
from pairs_platform.settings.model import Settings, described_fields
from pairs_platform.settings.shipped import PLATFORM_FILE, UNIVERSE_FILE, shipped_text
from pairs_platform.settings.valid_values import unit_of, valid_values
from pairs_platform.settings.variables import CONFIG_VARIABLE

_NOTHING = object()


@click.group("config", cls=CommandGroup)
def command() -> None:
    """Show the settings in force, or copy the defaults to edit."""


@command.command("show")
@profile_options
@click.option("--describe", is_flag=True, help="Show the meaning, unit, bounds and default of each setting.")
def show(settings: Settings, describe: bool) -> None:
    """Print the resolved settings; secrets are masked.

    Comments at the end name those that are not the defaults.
    """
    import yaml

    if not describe:
        say_profile()
        content = settings.model_dump(mode="json")
        click.echo(yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=10**9), nl=False)
        for line in _differences(content):
            click.echo(line)
        return
    for path, info in described_fields():
        default = "" if info.is_required() or info.default is None else f" Default: {_written(info.default)}."
        click.echo(f"{path} [{unit_of(info)}] {info.description} Valid: {valid_values(path.split('.'))}.{default}")


def _differences(content: Mapping[str, Any]) -> Iterator[str]:
    """A comment of YAML for each setting that is not what the platform ships."""
    import yaml

    shipped = yaml.safe_load(shipped_text(PLATFORM_FILE))
    for path, info in described_fields():
        keys = path.split(".")
        value = _at(content, keys)
        if value is _NOTHING:
            continue
        default = _at(shipped, keys)
        if default is _NOTHING:
            default = None if info.is_required() else info.get_default(call_default_factory=True)
        if value != to_jsonable_python(default):
            yield f"# not the default: {path} is {json.dumps(value)}, the default is {_written(default)}"


def _at(content: Any, keys: Sequence[str]) -> Any:
    """The value below `keys`; nothing where a group has no such name."""
    for key in keys:
        if not isinstance(content, Mapping) or key not in content:
            return _NOTHING
        content = content[key]
    return content


def _written(value: object) -> str:
    """A value as a person writes it in YAML."""
    plain = to_jsonable_python(value)
    return plain if isinstance(plain, str) and plain else json.dumps(plain)


@command.command("init")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def init(folder: Path) -> None:
    """Copy the shipped platform.yaml and universe.yaml to FOLDER for editing."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in (PLATFORM_FILE, UNIVERSE_FILE):
        target = folder / name
        if target.exists():
            raise click.ClickException(f"{target} exists already; it is left as it is")
        target.write_text(shipped_text(name), encoding="utf-8")
    click.echo(f"wrote {PLATFORM_FILE} and {UNIVERSE_FILE}; put {CONFIG_VARIABLE}={folder} into the environment")
