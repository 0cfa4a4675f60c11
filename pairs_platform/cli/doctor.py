"""`pairs-platform doctor`: checks of this installation, its configuration and its state, each with a remedy.

What does not belong here: checks of data (asset checks in `defs`).
"""

import shutil
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import click

from pairs_platform.cli.profile_options import profile_options
from pairs_platform.core.errors import FolderReadOnly, PlatformError
from pairs_platform.database.read_only import is_writable
from pairs_platform.settings.model import Settings
from pairs_platform.settings.production import ENVIRONMENT_FILE, dagster_home, production_folder
from pairs_platform.settings.variables import value_of
from pairs_platform.views.remedies import remedy_of, with_remedy

NEEDED_BYTES = 2 * 1024**3

Finding = tuple[bool, str, str]


@click.command("doctor")
@profile_options
def command(settings: Settings) -> None:
    """Check machine, configuration, state folder and source.

    The exit code is 1 when something is wrong.
    """
    from pairs_platform.cli.show import say

    wrong = 0
    for check in (_python, _versions, _configuration, _home, _disk, _profile, _source, _redis):
        for good, finding, remedy in _guarded(check, settings):
            say(f"{'ok   ' if good else 'WRONG'} {finding}", fg=None if good else "red")
            if not good:
                wrong += 1
                say(f"      {remedy}")
    if wrong:
        raise click.exceptions.Exit(1)


def _guarded(check: Callable[[Settings], Iterator[Finding]], settings: Settings) -> Iterator[Finding]:
    try:
        yield from check(settings)
    except PlatformError as error:
        yield False, with_remedy(error), "repair what the message names"


def _python(settings: Settings) -> Iterator[Finding]:
    good = (3, 11) <= sys.version_info[:2] < (3, 13)
    yield good, f"Python {sys.version.split()[0]}", "install Python 3.11 or 3.12"


def _versions(settings: Settings) -> Iterator[Finding]:
    names = ("dagster", "pandas", "numpy", "numba", "duckdb", "statsmodels", "arch")
    yield True, ", ".join(f"{name} {version(name)}" for name in names), ""


def _configuration(settings: Settings) -> Iterator[Finding]:
    sectors = settings.active_sectors
    yield (
        bool(sectors),
        f"active sectors: {', '.join(sectors) or 'none'}",
        "set `active: true` for one in universe.yaml",
    )
    if settings.source.kind == "alpaca":
        good = settings.alpaca_key_id is not None and settings.alpaca_secret_key is not None
        yield good, "Alpaca keys in the environment", "set APCA_API_KEY_ID and APCA_API_SECRET_KEY"


def _home(settings: Settings) -> Iterator[Finding]:
    expected = dagster_home(settings).resolve()
    named = value_of("DAGSTER_HOME")
    if named:
        good = Path(named).resolve() in (expected, Path.cwd())
        yield good, f"DAGSTER_HOME is {named}", f"`dagster` commands use another instance; set it to {expected}"
        return
    environment = production_folder(settings) / ENVIRONMENT_FILE
    if settings.dagster_url is not None:  # dagster.yaml of this folder knows the embedded history alone
        how = f"`. {environment}`" if environment.is_file() else f"`export DAGSTER_HOME={expected}`"
        yield True, f"`dagster` commands work on production's history after {how}", ""
        return
    is_present = Path("dagster.yaml").exists()
    yield (
        is_present,
        "dagster.yaml of this folder serves `dagster` commands",
        f"go to its folder, or set DAGSTER_HOME={expected}",
    )
    if is_present:
        default = settings.profile.name in Path("dagster.yaml").read_text(encoding="utf-8")
        yield (
            default,
            f"profile {settings.profile.name}",
            f"dagster.yaml belongs to another profile; set DAGSTER_HOME={expected}",
        )


def _disk(settings: Settings) -> Iterator[Finding]:
    folder = settings.state_root.resolve()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    yield free > NEEDED_BYTES, f"{free / 1e9:.0f} GB free at {existing}", "free some space: 2 GB are needed at least"
    root = settings.profile_root if settings.profile_root.exists() else existing
    good = is_writable(root)
    yield (
        good,
        f"{root} {'is writable' if good else 'may only be read'}",
        f"{remedy_of(FolderReadOnly(root))}; commands that only read work here",
    )


def _profile(settings: Settings) -> Iterator[Finding]:
    from pairs_platform.platform import open_documents

    if not settings.profile_root.exists():  # to look for it makes nothing: a profile begins with its first run
        yield True, f"profile {settings.profile.name}: nothing is stored yet", ""
        return
    lake = open_documents(settings)
    counts = [f"{sector} {len(lake.sessions('trading_config', sector))}" for sector in settings.active_sectors]
    yield True, f"profile {settings.profile.name}; sessions with a configuration: {', '.join(counts)}", ""


def _source(settings: Settings) -> Iterator[Finding]:
    from pairs_platform.platform import Platform

    platform = Platform(settings)
    available = platform.market_data.sessions_available()
    span = f", sessions {available[0]} to {available[1]}" if available else ""
    yield True, f"source {platform.market_data.label}{span}", ""
    for sector in settings.active_sectors:
        if settings.universe_origin == "config":
            yield True, f"{sector}: {len(platform.listings(sector))} symbols", ""
    for note in platform.universe_notes:
        yield True, note, ""


def _redis(settings: Settings) -> Iterator[Finding]:
    from pairs_platform.adapters.redis.socket_file import socket_path
    from pairs_platform.platform import open_streams

    if settings.redis_url is None and not socket_path(settings.profile_root / "redis").exists():
        return
    connection = open_streams(settings).connection
    risk = connection.eviction()
    yield not risk, risk or f"Redis at {connection.address} keeps what it holds", "otherwise bars are lost unnoticed"
