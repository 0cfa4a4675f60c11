"""Which symbols a set stands for.

What does not belong here: which set is streamed (`adapters.redis.streams`), and validation of symbols.
"""

from datetime import date

from pairs_platform.core.errors import ConfigurationError
from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.core.streaming.settings import SymbolSet
from pairs_platform.platform import Platform, open_source
from pairs_platform.settings.model import Settings
from pairs_platform.views.trading_config import TRADING_CONFIG, trading_document


def streamed_symbols(settings: Settings, name: SymbolSet, session: date | None) -> tuple[str, ...]:
    """Symbols of a set, sorted.

    Parameters
    ----------
    settings : Settings
    name : "universe", "pairs" or "testing"
        Symbols of the active sectors; legs of the newest configurations; the configured short list.
    session : date or None
        Session in which the configurations are used; None for the newest ones.

    Raises
    ------
    ConfigurationError
        The universe is the source's own, and the source knows none.
    """
    if name == "testing":
        return tuple(sorted(settings.stream.testing))
    if name == "pairs":
        return _legs(settings, session)
    if settings.universe_origin == "config":
        symbols = {listing.symbol for sector in settings.active_sectors for listing in settings.listings(sector)}
        return tuple(sorted(symbols))
    source = open_source(settings)
    listings = source.universe()
    if listings is None:
        raise ConfigurationError(f"{source.label} names no sectors: set universe_origin to config")
    return tuple(sorted(listing.symbol for listing in listings if listing.sector in settings.active_sectors))


def _legs(settings: Settings, session: date | None) -> tuple[str, ...]:
    platform = Platform(settings)
    legs: set[str] = set()
    for sector in settings.active_sectors:
        stored = [day for day in platform.lake.sessions(TRADING_CONFIG, sector) if session is None or day < session]
        if stored:
            document = trading_document(platform, PartitionKey(stored[-1], sector))
            legs.update(leg for pair in document["pairs"] for leg in (pair["symbol_1"], pair["symbol_2"]))
    return tuple(sorted(legs))
