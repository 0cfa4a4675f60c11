"""`pairs-platform profiles`: the profiles in the state folder, and the one that commands take.

What does not belong here: what a profile is (`lake.profile`) and what its name means (`settings.profiles`).
"""

from datetime import date
from pathlib import Path

import click

from pairs_platform.cli.commands import CommandGroup
from pairs_platform.cli.profile_options import profile_settings
from pairs_platform.settings.hints import hint
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.profiles import (
    IN_USE_FILE,
    StoredProfile,
    no_such_profile,
    profile_in_use,
    stored_profiles,
    use_profile,
)
from pairs_platform.settings.variables import name_profile, unset_choosing_variables

RANKED_TABLE = "composite_rankings"
"""The table of rankings, whose sessions are listed; its contract imports pandas."""


@click.group("profiles", cls=CommandGroup)
def command() -> None:
    """List the profiles, and choose the one that commands work on."""


@command.command("list")
def list_profiles() -> None:
    """Name, source, frequency, newest ranked session and size of every profile, and which is current."""

    from pairs_platform.cli.show import print_renderable, rows_table, say

    settings = profile_settings(None, None, None)
    stored = stored_profiles(settings.state_root)
    if not stored:
        say(f"no profile is stored in {settings.state_root}: `{hint('demo')}` makes one")
        return
    current, in_use = settings.profile.name, profile_in_use(settings.state_root)
    rows = [
        {
            "name": each.name,
            "current": "yes" if each.name == current else "",
            "frequency": each.profile.frequency.value if each.profile else "",
            "newest session": str(_newest_session(each.folder) or "none"),
            "MB": f"{_size(each.folder) / 1e6:.1f}",
            "source": _source(each),
        }
        for each in stored
    ]
    print_renderable(rows_table(rows, title=f"Profiles in {settings.state_root}"))
    say(
        f"{in_use} is in use; `pairs-platform profiles use --none` gives it up"
        if in_use
        else f"{current} is the configured one; `pairs-platform profiles use NAME` takes another"
    )


@command.command("use")
@click.argument("name", required=False)
@click.option("--none", "nothing", is_flag=True, help="Take the configured profile again.")
def use(name: str | None, nothing: bool) -> None:
    """Take profile NAME in every later command of any shell, where nothing else is chosen.

    --profile, --source, --data, --frequency and the variables of the environment still choose another.
    """
    if (name is None) != nothing:
        raise click.UsageError("give the NAME of a profile, or --none")
    unset_choosing_variables()
    name_profile(name)
    settings = load_settings()
    if name is not None and not settings.profile_root.is_dir():
        raise no_such_profile(settings.state_root, name)
    use_profile(settings.state_root, name)
    said = f"profile {name} is in use" if name else f"the configured profile, {settings.profile.name}, is taken"
    click.echo(f"{said} ({settings.state_root / IN_USE_FILE})")


def _source(stored: StoredProfile) -> str:
    if stored.profile is None:
        return "its manifest is damaged"
    source = stored.profile.settings.get("source", {})
    paths = source.get("files", {}).get("paths", []) if source.get("kind") == "files" else []
    return ", ".join(paths) or stored.profile.source.replace("simulated", "SIMULATED")


def _newest_session(folder: Path) -> date | None:
    """The newest session of which the profile's folder has a ranking."""
    from pairs_platform.core.prices.sectors import SECTORS
    from pairs_platform.lake.documents import Documents

    lake = Documents(folder / "lake")
    return max((day for slug in SECTORS for day in lake.sessions(RANKED_TABLE, slug)), default=None)


def _size(folder: Path) -> int:
    from pairs_platform.lake.files import sizes_below

    return sum(sizes_below(folder).values())
