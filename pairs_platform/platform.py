"""Opens what the settings name: lake, database, registry, source of prices, Redis. Nothing is opened by importing.

What does not belong here: how each of them speaks (`adapters`, `lake`, `database`).
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pairs_platform.core.errors import ConfigurationError, FolderReadOnly, NoSuchSector, NothingStored, ProfileOutdated
from pairs_platform.core.folding import listed
from pairs_platform.core.time import utc_now
from pairs_platform.database.read_only import is_writable
from pairs_platform.lake.profile import MANIFEST, claim_profile
from pairs_platform.ports.market_data import Listing, MarketData
from pairs_platform.settings.model import Settings

if TYPE_CHECKING:
    from upath import UPath

    from pairs_platform.adapters.alpaca.keys import Keys
    from pairs_platform.adapters.redis.streams import Streams
    from pairs_platform.core.parallel import ComputeBackend
    from pairs_platform.core.streaming.settings import RunMode
    from pairs_platform.database.store import Database
    from pairs_platform.lake.documents import Documents
    from pairs_platform.lake.files import LakePath
    from pairs_platform.lake.store import Lake
    from pairs_platform.ports.broker import Broker
    from pairs_platform.ports.live_bars import LiveSource
    from pairs_platform.ports.model_registry import ModelRegistry


DATABASE_FILE = "database.db"
"""The embedded database, in the profile's folder."""


def open_lake(settings: Settings) -> "Lake":
    """Open the profile's Parquet store; refuses a folder that belongs to another profile."""
    from pairs_platform.lake.store import Lake

    return Lake(lake_root(settings))


def open_documents(settings: Settings) -> "Documents":
    """Open the documents of the profile's Parquet store for reading, without a Parquet library."""
    from pairs_platform.lake.documents import Documents

    return Documents(lake_root(settings))


def require_current_name(settings: Settings) -> None:
    """Refuse a profile whose folder has the name that an earlier version gave it: another one would begin empty.

    Raises
    ------
    ProfileOutdated
    """
    earlier = settings.earlier_profile
    if earlier is not None:
        raise ProfileOutdated(
            f"{earlier[1]} holds this profile under the name that an earlier version gave it; it is called "
            f"{settings.profile.name} now, however the path of its files is typed"
        )


def require_writable(settings: Settings) -> None:
    """Refuse to begin what writes into a profile whose folder may only be read, or cannot be made.

    Raises
    ------
    FolderReadOnly
    """
    if not is_writable(settings.profile_root):
        raise FolderReadOnly(settings.profile_root)


def require_begun(settings: Settings) -> None:
    """Refuse to look at a profile of which nothing is stored: opening its stores would begin it.

    What lies in a database or on object storage that the settings name can be looked at from any machine.

    Raises
    ------
    NothingStored
    """
    require_current_name(settings)
    is_elsewhere = settings.database_url is not None or settings.lake_url is not None
    if not is_elsewhere and not (settings.profile_root / MANIFEST).exists():
        raise NothingStored(f"nothing is stored in profile {settings.profile.name} yet")


def _claimed_root(settings: Settings) -> Path:
    require_current_name(settings)
    return claim_profile(settings.profile_root, settings.profile)


def lake_root(settings: Settings) -> "LakePath":
    """The folder of the profile's lake, on its disk or on object storage; refuses one of another profile."""
    folder = _claimed_root(settings)
    lake = object_lake(settings)
    return folder / "lake" if lake is None else claim_profile(lake, settings.profile)


def object_lake(settings: Settings) -> "UPath | None":
    """The folder of the profile's lake on object storage, without a request yet; None where it is on the disk."""
    if settings.lake_url is None:
        return None
    from pairs_platform.lake.files import object_folder

    return object_folder(settings.lake_url, settings.lake_arguments) / settings.profile.name


def open_registry(settings: Settings) -> "ModelRegistry":
    """Open the configured MLflow registry; by default a database and artifacts in the profile's folder."""
    from pairs_platform.adapters.mlflow.registry import MlflowRegistry

    folder = _claimed_root(settings) / "mlflow"
    if settings.mlflow_uri is None:
        return MlflowRegistry.embedded(folder)
    is_server = settings.mlflow_uri.get_secret_value().startswith(("http://", "https://"))
    return MlflowRegistry(settings.mlflow_uri, folder=None if is_server else folder)


def open_database(settings: Settings) -> "Database":
    """Open the configured database; by default a SQLite file in the profile's folder."""
    return database_in(_claimed_root(settings), settings)


def database_in(folder: Path, settings: Settings) -> "Database":
    """The configured database; by default a SQLite file in `folder`, which nobody has looked at."""
    from pairs_platform.database.sqlite_url import sqlite_url
    from pairs_platform.database.store import Database

    url = settings.database_url.get_secret_value() if settings.database_url else sqlite_url(folder / DATABASE_FILE)
    owner = settings.database_owner_url.get_secret_value() if settings.database_owner_url else None
    return Database(url, settings.profile.name, owner_url=owner)


def open_streams(settings: Settings, run_mode: "RunMode | None" = None) -> "Streams":
    """Open the streams of a run mode (the configured mode's if not given) in the configured Redis; starts no server.

    Raises
    ------
    ConfigurationError
        The URL is none, or there is none on a system without Unix sockets.
    """
    from pairs_platform.adapters.redis.connection import connect
    from pairs_platform.adapters.redis.streams import Streams

    url = settings.redis_url.get_secret_value() if settings.redis_url else None
    client = connect(url, settings.profile_root / "redis")
    return Streams(
        client, profile=settings.profile.name, run_mode=run_mode or settings.stream.run_mode, settings=settings.stream
    )


def open_live_source(
    settings: Settings,
    *,
    keys: "Callable[[], Keys] | None" = None,
    stream_url: str | None = None,
    history_url: str | None = None,
) -> "LiveSource":
    """Open the configured source of live bars: Alpaca, or the replay server; connects to nothing yet.

    Parameters
    ----------
    keys : callable or None
        Alpaca's keys of the moment; those of the environment if not given.
    stream_url, history_url : str or None
        Addresses instead of Alpaca's or the replay server's own.

    Raises
    ------
    ConfigurationError
        `stream.bar` is not what Alpaca streams.
    """
    from pairs_platform.adapters.alpaca.live import AlpacaLive
    from pairs_platform.core.prices.bars import Frequency

    alpaca, frequency = settings.source.alpaca, settings.stream.bar_frequency(settings.frequency)
    if settings.stream.run_mode == "replay":
        address = f"{settings.stream.replay.host}:{settings.stream.replay.port}"
        stream_url = stream_url or f"ws://{address}/v2/{alpaca.feed}"
        history_url = history_url or f"http://{address}"
        keys = _keys_of_nobody
    elif frequency is not Frequency.ONE_MINUTE:
        raise ConfigurationError(f"Alpaca streams bars of 1min, not of {frequency.value}: unset stream.bar")
    return AlpacaLive(
        keys or _environment_keys,
        frequency=frequency,
        settings=alpaca,
        stream_url=stream_url,
        history_url=history_url,
    )


def _keys_of_nobody() -> "Keys":
    """Keys of any kind, as the servers of this machine take them: the replay's, and the simulated broker."""
    from pydantic import SecretStr

    return SecretStr("anybody"), SecretStr("anybody")


def _environment_keys() -> "Keys":
    """Alpaca's keys as the environment has them now."""
    from pairs_platform.settings.loading import load_settings

    settings = load_settings()
    return settings.alpaca_key_id, settings.alpaca_secret_key


def open_alpaca_broker(settings: Settings) -> "Broker":
    """Open the account that the settings name at Alpaca, or at the simulated broker; asks for nothing yet.

    Raises
    ------
    ConfigurationError
        A key is missing.
    """
    from pairs_platform.adapters.alpaca.trading import AlpacaBroker

    if settings.broker.kind == "simulated":
        return AlpacaBroker(_keys_of_nobody, settings.broker.simulated_account)
    return AlpacaBroker(_environment_keys, settings.broker.alpaca)


def open_compute_backend(settings: Settings) -> "AbstractContextManager[ComputeBackend]":
    """The configured compute backend for batches of pairs, connected while the context is open."""
    from pairs_platform.adapters.dask import backend

    return backend.open_backend(settings.compute)


def open_source(settings: Settings) -> MarketData:
    """Open the configured source of price history; imports only the adapter that is used."""
    source, frequency = settings.source, settings.frequency
    if source.kind == "simulated":
        from pairs_platform.adapters.simulated.market import SimulatedMarket

        universe = [listing for sector in settings.universe for listing in settings.listings(sector)]
        return SimulatedMarket(universe, frequency=frequency, settings=source.simulated)
    if source.kind == "files" and source.files is not None:
        from pairs_platform.adapters.files.history import FileMarketData

        return FileMarketData(source.files, frequency=frequency)
    if source.kind == "yahoo":
        from pairs_platform.adapters.yahoo.history import YahooMarketData

        return YahooMarketData(frequency=frequency, settings=source.yahoo)
    from pairs_platform.adapters.alpaca.history import AlpacaMarketData

    return AlpacaMarketData(
        key_id=settings.alpaca_key_id,
        secret_key=settings.alpaca_secret_key,
        frequency=frequency,
        settings=source.alpaca,
    )


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
    def database(self) -> "Database":
        """The SQL store of performance, rankings, trends and decisions; migrated and claimed by its first use."""
        return open_database(self.settings)

    @cached_property
    def streams(self) -> "Streams":
        """The streams of the configured run mode."""
        return open_streams(self.settings)

    def compute_backend(self) -> "AbstractContextManager[ComputeBackend]":
        """The configured compute backend for batches of pairs, connected while the context is open."""
        return open_compute_backend(self.settings)

    @cached_property
    def symbols_left_out(self) -> tuple[str, ...]:
        """Symbols that the source lists and the configured universe does not, sorted."""
        if self.settings.universe_origin == "source":
            return ()
        configured = {symbol for block in self.settings.universe.values() for symbol in block.symbols}
        return tuple(sorted({item.symbol for item in self.market_data.universe() or ()} - configured))

    @property
    def universe_notes(self) -> tuple[str, ...]:
        """That the configured universe leaves symbols of the source out, in words; empty where it leaves none."""
        names = self.symbols_left_out
        if not names:
            return ()
        count = "1 symbol of the source is" if len(names) == 1 else f"{len(names)} symbols of the source are"
        remedy = "set universe_origin to source to take all that it has"
        return (f"{count} in no sector of universe.yaml, and left out: {listed(names)}; {remedy}",)

    def listings(self, sector: str) -> tuple[Listing, ...]:
        """Symbols of a sector, from the configuration or from the source itself, as `universe_origin` says.

        Raises
        ------
        NoSuchSector
            When the universe has no symbol of the sector; names the sectors that it has.
        """
        if self.settings.universe_origin == "config":
            listings, sectors = self.settings.listings(sector), sorted(self.settings.universe)
            remedy = "add it to your universe.yaml"
        else:
            universe = self.market_data.universe()
            if universe is None:
                raise NoSuchSector(
                    f"{self.market_data.label} names no sectors: set universe_origin to config and use universe.yaml"
                )
            listings = tuple(listing for listing in universe if listing.sector == sector)
            sectors, remedy = sorted({listing.sector for listing in universe}), "choose one of these"
        if not listings:
            raise NoSuchSector(f"the universe has no sector {sector!r}; it has {', '.join(sectors)}: {remedy}")
        return listings
