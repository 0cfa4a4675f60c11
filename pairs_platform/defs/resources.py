"""What asset bodies are handed: the profile that they work on.

What does not belong here: opening lake, ledger, registry and source (`pairs_platform.stores`).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from pairs_platform.adapters.ports import Listing, MarketData
from pairs_platform.core.automation import utc_now
from pairs_platform.settings import NoSuchSectorError, Settings
from pairs_platform.stores import open_bus, open_documents, open_lake, open_ledger, open_registry, open_source

if TYPE_CHECKING:
    from pairs_platform.adapters.ports import ModelRegistry
    from pairs_platform.adapters.redis_bus import StreamBus
    from pairs_platform.lake.documents import Documents
    from pairs_platform.lake.store import Lake
    from pairs_platform.ledger.store import Ledger


@dataclass(frozen=True)
class Platform:
    """The profile that a run works on; opens nothing before it is used.

    Attributes
    ----------
    settings : Settings
        The resolved settings.
    source : MarketData or None
        A source to use instead of the configured one.
    models : ModelRegistry or None
        A registry to use instead of the configured one.
    clock : callable
        The present moment, aware.
    """

    settings: Settings
    source: MarketData | None = field(default=None)
    models: "ModelRegistry | None" = field(default=None)
    clock: Callable[[], datetime] = field(default=utc_now)

    @cached_property
    def lake(self) -> "Lake":
        """The profile's Parquet store; refuses a folder that belongs to another profile."""
        return open_lake(self.settings)

    @cached_property
    def documents(self) -> "Documents":
        """The documents of `lake`, to be read by processes that read nothing else of it."""
        return open_documents(self.settings)

    @cached_property
    def market_data(self) -> MarketData:
        """The source of price history."""
        return self.source or open_source(self.settings)

    @cached_property
    def registry(self) -> "ModelRegistry":
        """Where models are tracked and registered."""
        return self.models or open_registry(self.settings)

    @cached_property
    def ledger(self) -> "Ledger":
        """The SQL store of performance, rankings, trends and decisions; migrated and claimed by its first use."""
        return open_ledger(self.settings)

    @cached_property
    def bus(self) -> "StreamBus":
        """The streams of the configured mode's feed."""
        return open_bus(self.settings)

    def listings(self, sector: str) -> tuple[Listing, ...]:
        """Symbols of a sector, from the configuration or from the source itself, as `universe_origin` says.

        Raises
        ------
        NoSuchSectorError
            When the universe has no symbol of the sector; names the sectors that it has.
        """
        if self.settings.universe_origin == "config":
            found, known = self.settings.listings(sector), sorted(self.settings.universe)
            remedy = "add it to your universe.yaml"
        else:
            universe = self.market_data.universe()
            if universe is None:
                raise NoSuchSectorError(
                    f"{self.market_data.label} names no sectors: set universe_origin to config and use universe.yaml"
                )
            found = tuple(listing for listing in universe if listing.sector == sector)
            known, remedy = sorted({listing.sector for listing in universe}), "choose one of these"
        if not found:
            raise NoSuchSectorError(f"the universe has no sector {sector!r}; it has {', '.join(known)}: {remedy}")
        return found
