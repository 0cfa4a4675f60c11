"""`pairs-platform models`: the registered models of a sector, and which of them gives signals.

What is shown is what the database knows of trainings and decisions; the registry is opened to change an alias.
What does not belong here: the promotion test (`core.models.promotion`) and the registry (`ports.model_registry`).
"""

import getpass
import sys
from datetime import date
from typing import TYPE_CHECKING, Any

import click

from pairs_platform.cli.commands import CommandGroup
from pairs_platform.cli.interrupts import EXIT_CODE, plan_end, stop_on_signals
from pairs_platform.cli.profile_options import profile_options, reading_options, say_profile
from pairs_platform.cli.sector_name import SECTOR
from pairs_platform.cli.show import print_rows, rows_option, say
from pairs_platform.settings.hints import hint
from pairs_platform.settings.model import Settings
from pairs_platform.settings.processes import reached
from pairs_platform.settings.production import live_folder
from pairs_platform.views.drawing.cells import cell
from pairs_platform.views.drawing.model_figures import MODELS_UNIT

if TYPE_CHECKING:
    from pairs_platform.platform import Platform

_sector = click.option("--sector", type=SECTOR, help="Sector slug; the first active one if not given.")


@click.group("models", cls=CommandGroup)
def command() -> None:
    """List, compare and promote models, and see them in MLflow."""


def _open(settings: Settings, sector: str | None) -> "tuple[Platform, str]":
    from pairs_platform.platform import Platform

    platform = Platform(settings)
    slug = sector or next(iter(platform.settings.active_sectors), None)
    if slug is None:
        raise click.ClickException("no sector is active: give --sector")
    return platform, slug


def _newest_session(platform: "Platform", sector: str) -> date:
    """The session that decisions made by hand belong to: the newest one with a configuration or a decision."""
    from pairs_platform.database.models import read_decisions
    from pairs_platform.views.trading_config import TRADING_CONFIG

    sessions = platform.lake.sessions(TRADING_CONFIG, sector)
    sessions += [decision.session for decision in read_decisions(platform.database, sector)]
    if not sessions:
        raise click.ClickException(f"{sector} has no session yet: run the daily job first")
    return max(sessions)


@command.command("list")
@reading_options
@_sector
@rows_option()
def list_versions(settings: Settings, sector: str | None, rows: int) -> None:
    """Every version, the newest first: session, pairs, pooled skill and lift on test, aliases."""
    from pairs_platform.database.models import trained_versions

    platform, sector = _open(settings, sector)
    versions = trained_versions(platform.database, sector)
    if not versions:
        made = hint(f"demo --sector {sector}")
        raise click.ClickException(
            f"{sector} has no registered model yet: materialize gru_models, or make one with `{made}`"
        )
    lines = [
        {
            "version": version.version,
            "session": str(version.training["session"]),
            "pairs": version.training["n_pairs"],
            "skill": _signed(version.training["skill"]),
            "skill, 95 %": f"{_signed(version.training['skill_low'])} to {_signed(version.training['skill_high'])}",
            "lift": _signed(version.training["lift"]),
            "aliases": ", ".join(version.aliases),
        }
        for version in reversed(versions)
    ]
    print_rows(lines, f"Models of {sector} · skill and lift in {MODELS_UNIT}", rows=rows)
    megabytes = (versions[-1].training["registry_bytes"] or 0) / 1e6
    click.echo(f"The registry held {megabytes:.0f} MB after version {versions[-1].version}.")


def _signed(value: float | None) -> str:
    return "–" if value is None else f"{1e3 * value:+.2f}"


@command.command("show")
@reading_options
@click.argument("version", type=int)
@_sector
@rows_option()
def show(settings: Settings, version: int, sector: str | None, rows: int) -> None:
    """One version: its training and every pair with its metrics on test."""
    from pairs_platform.database.models import models_of_run, trained_version

    platform, sector = _open(settings, sector)
    registered = trained_version(platform.database, sector, version)
    for name, value in registered.training.items():
        click.echo(f"{name:<20} {_figure(name, value)}")
    click.echo(f"{'aliases':<20} {', '.join(registered.aliases) or 'none'}")
    in_nats, shares = ("lift", "lift_low", "lift_high", "skill"), ("f1", "f1_always", "roc_auc", "calibration_error")
    lines = [
        {
            "pair": model["pair"],
            "baseline": model["baseline"],
            "threshold": _share(model["threshold"]),
            **{name: _signed(model[name]) for name in in_nats},
            **{name: _share(model[name]) for name in shares},
        }
        for model in models_of_run(platform.database, registered.training["run_id"])
    ]
    title = f"Version {version} of {sector} · window up to {registered.training['session']}"
    print_rows(lines, f"{title} · lift and skill in {MODELS_UNIT}", rows=rows)


def _figure(name: str, value: object) -> str:
    """A figure of a training: skill and lift in the unit of the tables, which is a thousandth of what is stored."""
    if isinstance(value, float) and name.startswith(("skill", "lift")) and not name.endswith("_p"):
        return f"{_signed(value)} · {MODELS_UNIT}"
    return value if isinstance(value, str) else cell(value)


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _change(platform: "Platform", sector: str, version: int, action: str, reason: str, figures: dict[str, Any]) -> None:
    """Set the champion alias to a version and add the decision's row, both or neither."""
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
    say_profile()
    click.echo(f"champion of {sector}: version {version} (before: {before.version if before else 'none'})")


@command.command("promote")
@profile_options
@click.argument("version", type=int)
@_sector
@click.option("--reason", default="promoted by hand", show_default=True, help="Kept in the audit.")
def promote(settings: Settings, version: int, sector: str | None, reason: str) -> None:
    """Make a version champion, whatever the promotion tests say; signals use it from their next run on."""
    platform, sector = _open(settings, sector)
    platform.registry.version(sector, version)
    _change(platform, sector, version, "manual_promote", reason, {})


@command.command("rollback")
@profile_options
@_sector
@click.option("--reason", default="rolled back by hand", show_default=True, help="Kept in the audit.")
def rollback(settings: Settings, sector: str | None, reason: str) -> None:
    """Make the champion before this one champion again."""
    from pairs_platform.database.models import read_decisions

    platform, sector = _open(settings, sector)
    decisions = [
        decision
        for decision in read_decisions(platform.database, sector)
        if decision.alias == "champion" and decision.version_after
    ]
    now = platform.registry.alias(sector, "champion")
    before = [decision.version_after for decision in decisions if now is None or decision.version_after != now.version]
    if not before or before[-1] is None:
        raise click.ClickException(f"{sector} has had no other champion: promote a version by its number instead")
    _change(platform, sector, before[-1], "manual_rollback", reason, {"from": now.version if now else None})


@command.command("compare")
@reading_options
@click.argument("first", type=int)
@click.argument("second", type=int)
@_sector
def compare(settings: Settings, first: int, second: int, sector: str | None) -> None:
    """Compare two versions on the sessions that both predicted before training on them: is the second one better?"""
    from pairs_platform.core.models.contracts import SHADOW_LOSSES
    from pairs_platform.core.models.promotion import compare as compare_losses
    from pairs_platform.core.partition_key import keys_of
    from pairs_platform.database.models import pairs_of_run, trained_version

    platform, sector = _open(settings, sector)
    runs = [trained_version(platform.database, sector, version).training["run_id"] for version in (first, second)]
    held = [set(pairs_of_run(platform.database, run)) for run in runs]
    stored = platform.lake.sessions(SHADOW_LOSSES.table, sector)
    losses = platform.lake.read_many(SHADOW_LOSSES, keys_of(stored, sector), with_session=True)
    losses = losses[losses["status"] == "ok"]
    first_losses, second_losses = (losses[losses["version"] == version] for version in (first, second))
    comparison = compare_losses(first_losses, second_losses)
    say_profile()
    say(
        f"version {first} ({len(held[0])} pairs) as champion, version {second} ({len(held[1])} pairs) as challenger: "
        f"{len(held[0] & held[1])} pairs in common, {comparison.n_pairs} of them predicted by both on sessions after "
        "both trainings"
    )
    say(comparison.conclusion)
    if comparison.n_sessions >= 2:
        say(
            f"skill {comparison.champion_skill:+.5f} and {comparison.challenger_skill:+.5f} nats; "
            f"t {comparison.t:.2f}, one-sided p {comparison.p:.4f} with sessions as units"
        )


@command.command("ui")
@profile_options
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=5000, show_default=True, type=click.IntRange(1, 65535))
def ui(settings: Settings, host: str, port: int) -> None:
    """Serve MLflow's pages of the models, until Ctrl-C.

    Where an MLflow server has them already (production's, or one that mlflow_uri names), its address is shown.
    """
    from pairs_platform.views.mlflow_pages import is_served, served_pages

    if is_served(settings):
        say_profile()
        click.echo("\n".join(served_pages(settings)))
    else:
        _serve_pages(settings, host, port)


def _serve_pages(settings: Settings, host: str, port: int) -> None:
    from pairs_platform.platform import require_writable
    from pairs_platform.processes.runtime.migrations import migrate_stores
    from pairs_platform.processes.runtime.supervisor import STOP_SECONDS, Supervisor
    from pairs_platform.processes.runtime.topology import mlflow_pages, require_free_ports
    from pairs_platform.views.mlflow_pages import pages_of_sectors

    require_writable(settings)
    folder = live_folder(settings) / "models-ui"
    require_free_ports(folder, [(host, port, "port")])
    spec = mlflow_pages(settings, host=host, port=port)
    migrate_stores(settings, click.echo)
    supervisor = Supervisor([spec], folder, click.echo, "models ui")
    plan_end("stopped", seconds=STOP_SECONDS + 5.0)
    stop_on_signals(supervisor.stop)
    click.echo(f"profile {settings.profile.name}: starting MLflow")

    def say_where() -> None:
        pages = pages_of_sectors(settings, f"http://{reached(host)}:{port}")
        click.echo("\n".join([*pages, "Ctrl-C stops it"]))

    all_started = supervisor.run(say_where)
    click.echo("stopped")
    if not all_started:
        sys.exit(EXIT_CODE)
