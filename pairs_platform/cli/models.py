"""`pairs-platform models`: the registered models of a sector, and which of them gives signals."""

import getpass
from datetime import date
from typing import TYPE_CHECKING, Any

import click
import pandas as pd

from pairs_platform.settings.loading import load_settings

if TYPE_CHECKING:
    from pairs_platform.platform import Platform
    from pairs_platform.ports.model_registry import ModelVersion

_sector = click.option("--sector", help="Sector slug; the first active one if not given.")


@click.group("models")
def command() -> None:
    """List, show, compare and promote the registered models of a sector."""


def _open(sector: str | None) -> "tuple[Platform, str]":
    from pairs_platform.platform import Platform

    platform = Platform(load_settings())
    chosen = sector or next(iter(platform.settings.active_sectors), None)
    if chosen is None:
        raise click.ClickException("no sector is active: give --sector")
    return platform, chosen


def _print(frame: pd.DataFrame, title: str) -> None:
    from pairs_platform.cli.show import frame_table, print_renderable

    print_renderable(frame_table(frame, title=title))


def _newest_session(platform: "Platform", sector: str) -> date:
    """The session that decisions made by hand belong to: the newest one with a configuration or a decision."""
    from pairs_platform.database.models import read_decisions
    from pairs_platform.views.trading_config import TRADING_CONFIG

    known = platform.lake.sessions(TRADING_CONFIG, sector)
    known += [one.session for one in read_decisions(platform.database, sector)]
    if not known:
        raise click.ClickException(f"{sector} has no session yet: run the daily job first")
    return max(known)


@command.command("list")
@_sector
def list_versions(sector: str | None) -> None:
    """Every version: window, pairs, pooled skill and lift on test, aliases, size."""
    platform, sector = _open(sector)
    held = platform.registry.versions(sector)
    if not held:
        raise click.ClickException(f"{sector} has no registered model yet: materialize gru_models")
    rows = [
        {
            "version": one.version,
            "session": str(one.session),
            "pairs": one.tags.get("pairs", ""),
            "skill": _signed(one, "skill"),
            "skill interval": f"{_signed(one, 'skill_low')} to {_signed(one, 'skill_high')}",
            "lift": _signed(one, "lift"),
            "aliases": ", ".join(one.aliases),
            "MB": f"{int(one.tags.get('bytes', 0)) / 1e6:.1f}",
        }
        for one in held
    ]
    _print(pd.DataFrame(rows), f"{held[0].name} · skill and lift in nats per label, on test")
    click.echo(f"The registry holds {platform.registry.storage_bytes() / 1e6:.0f} MB.")


def _signed(version: "ModelVersion", name: str) -> str:
    value = version.tags.get(name)
    return f"{float(value):+.5f}" if value else "–"


@command.command("show")
@click.argument("version", type=int)
@_sector
def show(version: int, sector: str | None) -> None:
    """One version: its tags and every pair with its metrics on test."""
    platform, sector = _open(sector)
    found = platform.registry.version(sector, version)
    bundle = platform.registry.load(sector, version)
    for name, value in sorted(found.tags.items()):
        click.echo(f"{name:<20} {value}")
    click.echo(f"{'aliases':<20} {', '.join(found.aliases) or 'none'}")
    shown = ("lift", "lift_low", "lift_high", "skill", "f1", "f1_always", "roc_auc", "calibration_error")
    rows = [
        {
            "pair": one.pair,
            "baseline": one.baseline.kind,
            "threshold": f"{one.threshold:.3f}",
            **{name: "–" if one.metrics.get(name) is None else f"{one.metrics[name]:.4f}" for name in shown},
        }
        for one in bundle.pairs
    ]
    _print(pd.DataFrame(rows), f"{found.name} version {version} · window {bundle.first_session} to {bundle.session}")


def _change(platform: "Platform", sector: str, version: int, action: str, reason: str, figures: dict[str, Any]) -> None:
    """Let the champion alias name a version, with its row in the audit: both or neither."""
    from pairs_platform.database.models import Decision, add_decisions

    database, registry = platform.database, platform.registry
    before = registry.alias(sector, "champion")
    decision = Decision(
        sector=sector,
        session=_newest_session(platform, sector),
        action=action,
        alias="champion",
        version_before=before.version if before else None,
        version_after=version,
        reason=reason,
        figures=figures,
        actor=getpass.getuser(),
        decided_utc=platform.clock(),
    )
    with database.begin() as connection:
        add_decisions(connection, [decision])
        registry.set_alias(sector, "champion", version)
    click.echo(f"champion of {sector}: version {version} (before: {before.version if before else 'none'})")


@command.command("promote")
@click.argument("version", type=int)
@_sector
@click.option("--reason", default="promoted by hand", show_default=True, help="Kept in the audit.")
def promote(version: int, sector: str | None, reason: str) -> None:
    """Make a version champion, whatever the rules say; signals use it from their next run on."""
    platform, sector = _open(sector)
    platform.registry.version(sector, version)
    _change(platform, sector, version, "manual_promote", reason, {})


@command.command("rollback")
@_sector
@click.option("--reason", default="rolled back by hand", show_default=True, help="Kept in the audit.")
def rollback(sector: str | None, reason: str) -> None:
    """Make the champion before this one champion again."""
    from pairs_platform.database.models import read_decisions

    platform, sector = _open(sector)
    past = [one for one in read_decisions(platform.database, sector) if one.alias == "champion" and one.version_after]
    now = platform.registry.alias(sector, "champion")
    before = [one.version_after for one in past if now is None or one.version_after != now.version]
    if not before or before[-1] is None:
        raise click.ClickException(f"{sector} has had no other champion: promote a version by its number instead")
    _change(platform, sector, before[-1], "manual_rollback", reason, {"from": now.version if now else None})


@command.command("compare")
@click.argument("first", type=int)
@click.argument("second", type=int)
@_sector
def compare(first: int, second: int, sector: str | None) -> None:
    """Is the second version better than the first, on the sessions that neither had seen when it predicted them?"""
    from pairs_platform.core.models.contracts import SHADOW_LOSSES
    from pairs_platform.core.models.promotion import compare as compare_losses
    from pairs_platform.core.partition_key import keys_of

    platform, sector = _open(sector)
    for version in (first, second):
        platform.registry.version(sector, version)
    stored = platform.lake.sessions(SHADOW_LOSSES.table, sector)
    losses = platform.lake.read_many(SHADOW_LOSSES, keys_of(stored, sector), with_session=True)
    losses = losses[losses["status"] == "ok"]
    one, other = (losses[losses["version"] == version] for version in (first, second))
    found = compare_losses(one, other)
    click.echo(f"version {first} as champion, version {second} as challenger, {found.n_pairs} common pairs")
    click.echo(found.conclusion)
    if found.n_sessions >= 2:
        click.echo(
            f"skill {found.champion_skill:+.5f} and {found.challenger_skill:+.5f} nats; t {found.t:.2f}, one-sided p "
            f"{found.p:.4f} with sessions as units"
        )
