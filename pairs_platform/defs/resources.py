"""What asset bodies are handed: the profile that they work on, configured by four resources that the UI shows.

What does not belong here: opening lake, ledger, registry and source (`pairs_platform.stores`).
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field, SecretStr

from pairs_platform.adapters.ports import Listing, MarketData
from pairs_platform.core.automation import utc_now
from pairs_platform.settings import NoSuchSectorError, Settings, secret_in_file, secret_variable
from pairs_platform.stores import (
    open_blocks,
    open_bus,
    open_documents,
    open_lake,
    open_ledger,
    open_registry,
    open_source,
)

if TYPE_CHECKING:
    from pairs_platform.adapters.ports import ModelRegistry
    from pairs_platform.adapters.redis_bus import StreamBus
    from pairs_platform.core.blocks import Blocks
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

    def blocks(self) -> "AbstractContextManager[Blocks | None]":
        """Where blocks of pairs are worked on, while the context is open; None for the threads of this process."""
        return open_blocks(self.settings)

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


class SecretResource(dg.ConfigurableResource):
    """A resource with secrets: each is a variable, whose name alone is shown, or a file, whose path is shown."""

    def secret(self, name: str) -> SecretStr | None:
        """The secret of a field, from its variable or its file as it is now; None where neither is given."""
        path, value = getattr(self, f"{name}_file"), getattr(self, name)
        if path:
            return SecretStr(secret_in_file(path, name))
        return SecretStr(value) if value else None


class AlpacaResource(SecretResource):
    """Alpaca, which gives prices where `source.kind` is alpaca."""

    feed: str = Field(description="iex or sip.")
    requests_per_minute: int = Field(description="Bound of requests to the historical API.")
    key_id: str = Field("", description="APCA_API_KEY_ID; empty without one.")
    key_id_file: str = Field("", description="File that holds it instead.")
    secret_key: str = Field("", description="APCA_API_SECRET_KEY; empty without one.")
    secret_key_file: str = Field("", description="File that holds it instead.")


class RedisResource(SecretResource):
    """Redis, through which streamed bars go."""

    url: str = Field("", description="Empty: the platform's own server in the profile's folder.")
    url_file: str = Field("", description="File that holds the URL instead.")
    keep_days: int = Field(description="Days after which streamed bars expire.")


class MlflowResource(SecretResource):
    """MLflow, which tracks and registers models."""

    uri: str = Field("", description="Server or database; empty: a database in the profile's folder.")
    uri_file: str = Field("", description="File that holds the URI instead.")


class PostgresResource(SecretResource):
    """The ledger's database."""

    url: str = Field("", description="postgresql+psycopg2://…; empty: SQLite in the profile's folder.")
    url_file: str = Field("", description="File that holds the URL instead.")


def resources(settings: Settings) -> dict[str, Any]:
    """The resources of the definitions by key: the four that name stores and vendor, and `platform` over them.

    Parameters
    ----------
    settings : Settings
        Everything else that a run works with.
    """
    alpaca = AlpacaResource(
        feed=settings.source.alpaca.feed,
        requests_per_minute=settings.source.alpaca.requests_per_minute,
        **_given("key_id", "alpaca_key_id"),
        **_given("secret_key", "alpaca_secret_key"),
    )
    redis = RedisResource(keep_days=settings.stream.keep_days, **_given("url", "redis_url"))
    mlflow = MlflowResource(**_given("uri", "mlflow_uri"))
    postgres = PostgresResource(**_given("url", "ledger_url"))

    class PlatformResource(dg.ConfigurableResource[Platform]):
        """The profile that a run works on, with the stores and the vendor that the four resources name."""

        alpaca: AlpacaResource
        redis: RedisResource
        mlflow: MlflowResource
        postgres: PostgresResource

        def create_resource(self, context: dg.InitResourceContext) -> Platform:
            found = {
                "alpaca_key_id": self.alpaca.secret("key_id"),
                "alpaca_secret_key": self.alpaca.secret("secret_key"),
                "redis_url": self.redis.secret("url"),
                "mlflow_uri": self.mlflow.secret("uri"),
                "ledger_url": self.postgres.secret("url"),
            }
            return Platform(settings.model_copy(update={name: value for name, value in found.items() if value}))

    platform = PlatformResource(alpaca=alpaca, redis=redis, mlflow=mlflow, postgres=postgres)
    return {"platform": platform, "alpaca": alpaca, "redis": redis, "mlflow": mlflow, "postgres": postgres}


def _given(field: str, setting: str) -> dict[str, Any]:
    """The values of a secret's two fields: the name of its variable, or the path of its file."""
    name, path = secret_variable(setting)
    if path is not None:
        return {f"{field}_file": path}
    return {field: dg.EnvVar(name)} if name is not None else {}
