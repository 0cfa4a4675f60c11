"""What asset bodies are handed: the profile that they work on, configured by four resources that the UI shows.

What does not belong here: opening what they name (`pairs_platform.platform`).
"""

from typing import Any

import dagster as dg
from pydantic import Field, SecretStr

from pairs_platform.core.errors import SettingsError
from pairs_platform.platform import Platform
from pairs_platform.settings.model import Settings
from pairs_platform.settings.secrets import usable_secret
from pairs_platform.settings.variables import FROM_FILE, secret_in_file, secret_variable, variable


class SecretResource(dg.ConfigurableResource):
    """A resource with secrets: each is a variable, whose name alone is shown, or a file, whose path is shown."""

    def secret(self, name: str, setting: str) -> SecretStr | None:
        """The secret of a field, from its variable or its file as it is now; None where neither is given.

        Raises
        ------
        SettingsError
            It cannot be used as the setting.
        """
        path, value = getattr(self, f"{name}_file"), getattr(self, name)
        try:
            return usable_secret(setting, secret_in_file(path, name) if path else value)
        except ValueError as error:
            raise SettingsError(f"{variable(setting)}{FROM_FILE if path else ''} {error}") from None


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
    """The database of performance, rankings, signals, alerts and audit."""

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
        **_secret_fields("key_id", "alpaca_key_id"),
        **_secret_fields("secret_key", "alpaca_secret_key"),
    )
    redis = RedisResource(keep_days=settings.stream.keep_days, **_secret_fields("url", "redis_url"))
    mlflow = MlflowResource(**_secret_fields("uri", "mlflow_uri"))
    postgres = PostgresResource(**_secret_fields("url", "database_url"))

    class PlatformResource(dg.ConfigurableResource[Platform]):
        """The profile that a run works on, with the stores and the vendor that the four resources name."""

        alpaca: AlpacaResource
        redis: RedisResource
        mlflow: MlflowResource
        postgres: PostgresResource

        def create_resource(self, context: dg.InitResourceContext) -> Platform:
            fields = {
                "alpaca_key_id": (self.alpaca, "key_id"),
                "alpaca_secret_key": (self.alpaca, "secret_key"),
                "redis_url": (self.redis, "url"),
                "mlflow_uri": (self.mlflow, "uri"),
                "database_url": (self.postgres, "url"),
            }
            secrets = {setting: resource.secret(field, setting) for setting, (resource, field) in fields.items()}
            return Platform(settings.model_copy(update={name: value for name, value in secrets.items() if value}))

    platform = PlatformResource(alpaca=alpaca, redis=redis, mlflow=mlflow, postgres=postgres)
    return {"platform": platform, "alpaca": alpaca, "redis": redis, "mlflow": mlflow, "postgres": postgres}


def _secret_fields(field: str, setting: str) -> dict[str, Any]:
    """The values of a secret's two fields: the name of its variable, or the path of its file."""
    name, path = secret_variable(setting)
    if path is not None:
        return {f"{field}_file": path}
    return {field: dg.EnvVar(name)} if name is not None else {}
