"""`pairs-platform symbols`: which symbols of which sector are screened, and what is stored of them.

What does not belong here: the universe's file (`settings.universe_file`), the inventory (`lake.inventory`) and its
words (`views.symbol_status`).
"""

import click

from pairs_platform.cli.commands import CommandGroup
from pairs_platform.cli.profile_options import profile_options, reading_options
from pairs_platform.cli.sector_name import SECTOR
from pairs_platform.cli.show import print_frame, print_renderable, rows_option, rows_table, say
from pairs_platform.core.prices.symbols import normal_symbol
from pairs_platform.settings.model import Settings


@click.group("symbols", cls=CommandGroup)
def command() -> None:
    """List and change the universe, and see what is stored of it."""


@command.command("list")
@profile_options
@click.option("--sector", type=SECTOR, help="Only this sector.")
def list_symbols(settings: Settings, sector: str | None) -> None:
    """List the symbols of every sector of the universe."""
    rows = [
        {"sector": slug, "active": slug in settings.active_sectors, "symbols": len(names), "names": " ".join(names)}
        for slug, names in _universe(settings).items()
        if sector in (None, slug)
    ]
    print_renderable(rows_table(rows, title="Universe", columns=["sector", "active", "symbols", "names"]))


@command.command("status")
@reading_options
@click.option("--sector", type=SECTOR, help="Only this sector.")
@click.option("--each", "one_by_one", is_flag=True, help="A row for each symbol, with the kinds of its flags.")
@rows_option()
def status(settings: Settings, sector: str | None, one_by_one: bool, rows: int) -> None:
    """Show which sessions are stored of which symbols, with gaps, quarantined rows and flags."""
    from pairs_platform.lake.inventory import symbol_inventory
    from pairs_platform.platform import Platform, open_lake
    from pairs_platform.views.symbol_status import each, grouped, nothing_stored, sectors_in_words

    universe = _universe(settings)
    listed = {slug: names for slug, names in universe.items() if sector in (None, slug)}
    if not listed:
        raise click.ClickException(f"the universe has no sector {sector!r}; it has {', '.join(universe)}")
    inventory = symbol_inventory(open_lake(settings), listed, frequency=settings.frequency)
    empty = nothing_stored(inventory)
    shown = inventory[~inventory["sector"].isin(empty)]
    if len(shown):
        print_frame(each(shown) if one_by_one else grouped(shown), "Stored sessions", rows=rows)
    if empty:
        names = sectors_in_words(empty, settings.active_sectors)
        say(f"Nothing is stored in profile {settings.profile.name} of {names}.")
    if settings.source.kind == "files":
        for note in Platform(settings).universe_notes:
            click.echo(note)


@command.command("add")
@profile_options
@click.argument("symbols", nargs=-1, required=True)
@click.option("--sector", type=SECTOR, required=True, help="Slug of the sector.")
def add(settings: Settings, symbols: tuple[str, ...], sector: str) -> None:
    """Add SYMBOLS to a sector in your universe.yaml; the sector is made, inactive, when it is new."""
    from pairs_platform.settings.universe_file import edit_universe

    names = {normal_symbol(symbol) for symbol in symbols}
    before = {listing.symbol for listing in settings.listings(sector)}
    path = edit_universe(sector, sorted(before | names))
    click.echo(f"{sector}: {len(before | names)} symbols, {len(names - before)} new, in {path}")
    _tell_of_another_market(settings, sector, changed=names - before)


@command.command("remove")
@profile_options
@click.argument("symbols", nargs=-1, required=True)
@click.option("--sector", type=SECTOR, required=True, help="Slug of the sector.")
def remove(settings: Settings, symbols: tuple[str, ...], sector: str) -> None:
    """Remove SYMBOLS from a sector in your universe.yaml; stored prices stay."""
    from pairs_platform.settings.universe_file import edit_universe

    names = {normal_symbol(symbol) for symbol in symbols}
    before = {listing.symbol for listing in settings.listings(sector)}
    unknown = sorted(names - before)
    if unknown:
        raise click.ClickException(
            f"{', '.join(unknown)} not in {sector}; it has {' '.join(sorted(before)) or 'no symbols'}"
        )
    path = edit_universe(sector, sorted(before - names))
    click.echo(f"{sector}: {len(before - names)} symbols left, in {path}")
    _tell_of_another_market(settings, sector, changed=names)


def _tell_of_another_market(settings: Settings, sector: str, *, changed: set[str]) -> None:
    if changed and settings.source.kind == "simulated":
        click.echo(
            f"The simulated market follows the universe: which pairs of {sector} are planted can be others now, and "
            "so can their prices. Stored sessions keep the market before: fetch their prices again, or compare no "
            "sessions across this change."
        )


def _universe(settings: Settings) -> dict[str, list[str]]:
    if settings.universe_origin == "config":
        return {slug: [listing.symbol for listing in settings.listings(slug)] for slug in sorted(settings.universe)}
    from pairs_platform.platform import Platform

    universe: dict[str, list[str]] = {}
    for listing in Platform(settings).market_data.universe() or ():
        universe.setdefault(listing.sector, []).append(listing.symbol)
    return universe
