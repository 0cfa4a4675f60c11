"""Opens what the settings name: lake, ledger, model registry, source of prices, Redis. Nothing is opened by importing.

What does not belong here: how each of them speaks (`adapters`, `lake`, `ledger`).
"""

from typing import TYPE_CHECKING

from pairs_platform.adapters.ports import MarketData
from pairs_platform.lake.profile import claim_profile
from pairs_platform.settings import Settings

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from upath import UPath

    from pairs_platform.adapters.ports import ModelRegistry
    from pairs_platform.adapters.redis_bus import StreamBus
    from pairs_platform.core.blocks import Blocks
    from pairs_platform.core.streaming.rules import Feed
    from pairs_platform.lake.documents import Documents
    from pairs_platform.lake.files import LakePath
    from pairs_platform.lake.store import Lake
    from pairs_platform.ledger.store import Ledger


def open_lake(settings: Settings) -> "Lake":
    """Open the profile's Parquet store; refuses a folder that belongs to another profile."""
    from pairs_platform.lake.store import Lake

    return Lake(lake_root(settings))


def open_documents(settings: Settings) -> "Documents":
    """Open the documents of the profile's Parquet store for reading, without a Parquet library."""
    from pairs_platform.lake.documents import Documents

    return Documents(lake_root(settings))


def lake_root(settings: Settings) -> "LakePath":
    """The folder of the profile's lake, on its disk or on object storage; refuses one of another profile."""
    folder = claim_profile(settings.profile_root, settings.profile)
    lake = object_lake(settings)
    return folder / "lake" if lake is None else claim_profile(lake, settings.profile)


def object_lake(settings: Settings) -> "UPath | None":
    """Where the profile's lake is on object storage, asked nothing yet; None where it is on the disk."""
    if settings.lake_url is None:
        return None
    from pairs_platform.lake.files import object_folder

    return object_folder(settings.lake_url, settings.lake_arguments) / settings.profile.name


def open_registry(settings: Settings) -> "ModelRegistry":
    """Open the configured MLflow registry; by default a database and artifacts in the profile's folder."""
    from pairs_platform.adapters.mlflow_registry import MlflowRegistry

    folder = claim_profile(settings.profile_root, settings.profile) / "mlflow"
    if settings.mlflow_uri is None:
        return MlflowRegistry.embedded(folder)
    is_server = settings.mlflow_uri.get_secret_value().startswith(("http://", "https://"))
    return MlflowRegistry(settings.mlflow_uri, folder=None if is_server else folder)


def open_ledger(settings: Settings) -> "Ledger":
    """Open the configured ledger; by default a SQLite file in the profile's folder."""
    from pairs_platform.ledger.store import Ledger

    folder = claim_profile(settings.profile_root, settings.profile)
    url = settings.ledger_url.get_secret_value() if settings.ledger_url else f"sqlite:///{folder / 'ledger.db'}"
    owner = settings.ledger_owner_url.get_secret_value() if settings.ledger_owner_url else None
    return Ledger(url, settings.profile.name, owner_url=owner)


def open_bus(settings: Settings, feed: "Feed | None" = None) -> "StreamBus":
    """Open the streams of a feed (the configured mode's if not given) in the configured Redis; starts no server.

    Raises
    ------
    PermanentSourceError
        The URL is none, or there is none on a system without Unix sockets.
    """
    from pairs_platform.adapters.redis_bus import StreamBus, connect

    url = settings.redis_url.get_secret_value() if settings.redis_url else None
    client = connect(url, settings.profile_root / "redis")
    return StreamBus(client, profile=settings.profile.name, feed=feed or settings.stream.feed, rules=settings.stream)


def open_blocks(settings: Settings) -> "AbstractContextManager[Blocks | None]":
    """The configured engine for blocks of pairs, connected while the context is open; None for this process."""
    from pairs_platform.adapters import executor

    return executor.open_blocks(settings.executor)


def open_source(settings: Settings) -> MarketData:
    """Open the configured source of price history; imports only the adapter that is used."""
    rules, frequency = settings.source, settings.frequency
    if rules.kind == "simulated":
        from pairs_platform.adapters.simulated.market import SimulatedMarket

        universe = [listing for sector in settings.universe for listing in settings.listings(sector)]
        return SimulatedMarket(universe, frequency=frequency, rules=rules.simulated)
    if rules.kind == "files" and rules.files is not None:
        from pairs_platform.adapters.files import FileMarketData

        return FileMarketData(rules.files, frequency=frequency)
    if rules.kind == "yahoo":
        from pairs_platform.adapters.yahoo import YahooMarketData

        return YahooMarketData(frequency=frequency, rules=rules.yahoo)
    from pairs_platform.adapters.alpaca import AlpacaMarketData

    return AlpacaMarketData(
        key_id=settings.alpaca_key_id,
        secret_key=settings.alpaca_secret_key,
        frequency=frequency,
        rules=rules.alpaca,
    )
