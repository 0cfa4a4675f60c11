"""Every setting of the platform, and what follows from several of them.

What does not belong here: what one setting means (it is declared beside the code that obeys it, in `core` or in its
adapter), and how settings are read (`loading`).
"""

import hashlib
import json
import os
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args, get_origin

from pydantic import AfterValidator, SecretStr, ValidationInfo, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from pairs_platform.adapters.alpaca.settings import AlpacaSettings
from pairs_platform.adapters.dask.settings import ComputeBackendSettings
from pairs_platform.adapters.files.settings import FileSourceSettings
from pairs_platform.adapters.simulated.settings import SimulatedMarketSettings
from pairs_platform.adapters.yahoo.settings import YahooSettings
from pairs_platform.core.check_result import CheckSettings
from pairs_platform.core.errors import NoSuchSector
from pairs_platform.core.folding import perhaps
from pairs_platform.core.models.settings import GruSettings
from pairs_platform.core.operations.alerts import AlertSettings
from pairs_platform.core.operations.retention import HousekeepingSettings
from pairs_platform.core.operations.scheduling import AutomationSettings
from pairs_platform.core.prices.bars import Frequency, PriceBasis
from pairs_platform.core.prices.calendar import CALENDAR_END, CALENDAR_START
from pairs_platform.core.prices.sectors import SECTORS, sector_slug
from pairs_platform.core.prices.settings import ValidationSettings, WindowSettings
from pairs_platform.core.risk.drift.settings import DriftSettings
from pairs_platform.core.risk.settings import RiskSettings
from pairs_platform.core.screening.settings import CointegrationSettings, CorrelationSettings, PlaceboSettings
from pairs_platform.core.selection.settings import FunnelSettings, ScoreSettings, SelectionSettings
from pairs_platform.core.settings import Day, SettingsGroup, setting, usable_path
from pairs_platform.core.signals.settings import SignalSettings
from pairs_platform.core.streaming.settings import StreamSettings, Symbol
from pairs_platform.core.time import SECOND_NS
from pairs_platform.core.trading.execution_settings import ExecutionSettings
from pairs_platform.core.trading.settings import CostSettings, PairSettings, TradingSettings
from pairs_platform.core.volatility.settings import GarchSettings
from pairs_platform.lake.profile import MANIFEST, Profile
from pairs_platform.ports.market_data import Listing
from pairs_platform.settings.broker import (
    BrokerSettings,
    at_speed,
    decided_by_bars,
    filled_by_bars,
    judged_at_speed,
)
from pairs_platform.settings.exports import ExportSettings
from pairs_platform.settings.file_source import earlier_source_names, found_from_anywhere, source_name
from pairs_platform.settings.processes import ServiceSettings, reached
from pairs_platform.settings.secrets import CHECKS, usable_secret
from pairs_platform.settings.shipped import UNIVERSE_FILE, shipped_document
from pairs_platform.settings.variables import PREFIX


class SourceSettings(SettingsGroup):
    """Where prices come from, and the settings of each source."""

    kind: Literal["simulated", "files", "alpaca", "yahoo"] = setting(
        "simulated",
        unit="name",
        description="Source of price history; the other blocks of `source` belong to one kind each.",
    )
    simulated: SimulatedMarketSettings = SimulatedMarketSettings()
    files: FileSourceSettings | None = None
    alpaca: AlpacaSettings = AlpacaSettings()
    yahoo: YahooSettings = YahooSettings()

    @model_validator(mode="after")
    def _files_are_named(self) -> Self:
        if self.kind == "files" and self.files is None:
            raise ValueError(
                "kind is files, and source.files.paths names no file; list files, folders or patterns there"
            )
        return self


class LookBackSettings(SettingsGroup):
    """How many sessions a window holds."""

    intraday: int = setting(60, unit="sessions", ge=20, le=504, description="Sessions in the window at 5min and 1h.")
    daily: int = setting(252, unit="sessions", ge=100, le=1512, description="Sessions in the window at 1d.")


def _known_sector(name: str) -> str:
    if name in SECTORS:
        return name
    try:
        near = f"; {sector_slug(name)} is perhaps meant"
    except NoSuchSector:
        near = perhaps(name, SECTORS)
    raise ValueError(f"one of the sectors {', '.join(SECTORS)}{near}")


Sector = Annotated[str, AfterValidator(_known_sector)]
"""Slug of a sector."""


class SectorUniverse(SettingsGroup):
    """One sector of the universe."""

    active: bool = setting(False, unit="true or false", description="Whether the schedule runs the sector.")
    symbols: tuple[Symbol, ...] = setting(
        ..., unit="symbols", min_length=2, max_length=600, description="Symbols that are screened."
    )

    @model_validator(mode="after")
    def _unique(self) -> Self:
        twice = sorted({symbol for symbol in self.symbols if self.symbols.count(symbol) > 1})
        if twice:
            raise ValueError(f"listed twice: {', '.join(twice)}; remove the repetition")
        return self


class Settings(BaseSettings):
    """Everything that a user can set. Instances are frozen; make one with `load_settings`."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, env_prefix=PREFIX, env_nested_delimiter="__"
    )

    state_root: Path = setting(
        Path(".state"), unit="path", description="Folder for all local state, one folder per profile in it."
    )
    source: SourceSettings
    frequency: Literal[Frequency.FIVE_MINUTES, Frequency.ONE_HOUR, Frequency.ONE_DAY] = setting(
        ..., unit="name", description="Length of a bar: 5min, 1h or 1d."
    )
    lookback: LookBackSettings
    backfill_start: Day = setting(
        ...,
        unit="date",
        ge=CALENDAR_START,
        le=CALENDAR_END,
        description="Prices of earlier sessions are refused, so that no backfill reaches further.",
    )
    universe_origin: Literal["config", "source"] = setting(
        ...,
        unit="name",
        description="Whether symbols come from `universe` or from the source's own list of symbols and sectors.",
    )
    universe: dict[Sector, SectorUniverse] = setting(
        ..., unit="sectors", min_length=1, description="Sectors by slug and their symbols."
    )
    validation: ValidationSettings
    window: WindowSettings
    correlation: CorrelationSettings
    cointegration: CointegrationSettings
    placebo: PlaceboSettings
    garch: GarchSettings
    costs: CostSettings
    trading: TradingSettings
    scores: ScoreSettings
    selection: SelectionSettings
    gru: GruSettings
    stream: StreamSettings
    signals: SignalSettings
    broker: BrokerSettings = BrokerSettings()
    execution: ExecutionSettings = ExecutionSettings()
    risk: RiskSettings = RiskSettings()
    drift: DriftSettings = DriftSettings()
    checks: CheckSettings
    automation: AutomationSettings
    services: ServiceSettings = ServiceSettings()
    alerts: AlertSettings = AlertSettings()
    compute: ComputeBackendSettings = ComputeBackendSettings()
    exports: ExportSettings = ExportSettings()
    housekeeping: HousekeepingSettings = HousekeepingSettings()
    alpaca_key_id: SecretStr | None = setting(None, unit="secret", description="Set by the variable APCA_API_KEY_ID.")
    alpaca_secret_key: SecretStr | None = setting(
        None, unit="secret", description="Set by the variable APCA_API_SECRET_KEY."
    )
    mlflow_uri: SecretStr | None = setting(
        None,
        unit="URI",
        description="MLflow server or database that tracks and registers models; a database in the state folder if "
        "not given. Set by the variable PAIRS_PLATFORM__MLFLOW_URI, because it may hold a password.",
    )
    database_url: SecretStr | None = setting(
        None,
        unit="URL",
        description="Database of performance, rankings, trends and decisions (postgresql+psycopg2://…); SQLite in the "
        "state folder if not given. Set by the variable PAIRS_PLATFORM__DATABASE_URL, because it may hold a password.",
    )
    database_owner_url: SecretStr | None = setting(
        None,
        unit="URL",
        description="The database for its owner, who alone makes and changes tables; database_url does both if "
        "not given. Set by the variable PAIRS_PLATFORM__DATABASE_OWNER_URL, because it may hold a password.",
    )
    dagster_url: SecretStr | None = setting(
        None,
        unit="URL",
        description="PostgreSQL database of Dagster's runs, events and schedules (postgresql+psycopg2://…); SQLite in "
        "the state folder if not given. Set by the variable PAIRS_PLATFORM__DAGSTER_URL: it may hold a password.",
    )
    code_url: str | None = setting(
        None,
        unit="URL",
        form="an address written https://host/path, without user and password",
        pattern=r"^https://[^\s@]+$",
        description="Repository of this code on GitHub or GitLab, https://github.com/name/project, to which the pages "
        "of assets link; they link to the files on this machine if not given.",
    )
    code_branch: str = setting(
        "main",
        unit="name",
        form="a name of letters, digits and . _ / -",
        pattern=r"^[A-Za-z0-9._/\-]+$",
        description="Branch of code_url to which pages link.",
    )
    lake_url: str | None = setting(
        None,
        unit="URL",
        form="an address written s3://bucket or s3://bucket/prefix, of letters, digits and . _ -",
        pattern=r"^s3://[A-Za-z0-9._\-]+(/[A-Za-z0-9._\-]+)*$",
        description="Object storage for the lake, s3://bucket/prefix of any service that speaks S3; the state folder "
        "if not given.",
    )
    lake_options: SecretStr | None = setting(
        None,
        unit="JSON",
        description="Arguments of s3fs as a JSON object, for example endpoint_url, key and secret; what is not given "
        "comes from where AWS libraries look. Set by the variable PAIRS_PLATFORM__LAKE_OPTIONS: it holds keys.",
    )
    alert_urls: SecretStr | None = setting(
        None,
        unit="URLs",
        description="Receivers of alerts as Apprise writes them, blanks between; without any, alerts are only kept. "
        "Set by the variable PAIRS_PLATFORM__ALERT_URLS, because they hold tokens.",
    )
    redis_url: SecretStr | None = setting(
        None,
        unit="URL",
        description="Redis of streamed bars (redis://, rediss://, unix://); the platform's own in the state folder if "
        "not given. Set by the variable PAIRS_PLATFORM__REDIS_URL, because it may hold a password.",
    )

    @field_validator("state_root", mode="before")
    @classmethod
    def _root_is_usable(cls, value: object) -> object:
        if not isinstance(value, str | Path):
            return value
        root = usable_path(str(value))
        if os.name != "nt" and "\\" in os.path.abspath(root):
            raise ValueError("a backslash stands in the path, which DuckDB takes for a separator: write / instead")
        return Path(root)

    @model_validator(mode="before")
    @classmethod
    def _simulated_market_pins_its_own(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Where nobody names pairs to pin, those that the simulated market never plants are pinned in it."""
        source, selection = values.get("source"), values.get("selection")
        if not isinstance(source, dict) or not isinstance(selection, dict):
            return values
        if source.get("kind") != "simulated" or "pinned_pairs" in selection:
            return values
        market = source.get("simulated")
        own = market.get("never_planted") if isinstance(market, dict) else None
        pins = SimulatedMarketSettings().never_planted if own is None else own
        return {**values, "selection": {**selection, "pinned_pairs": pins}}

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Self:
        if self.stream.mode == "alpaca" and self.source.kind != "alpaca":
            raise ValueError(
                f"stream.mode is alpaca and source.kind {self.source.kind}: history and stream must come from one "
                "vendor, set source.kind to alpaca"
            )
        return self

    @field_validator(*CHECKS, mode="before")
    @classmethod
    def _secrets_are_usable(cls, value: Any, info: ValidationInfo) -> Any:
        given = value.get_secret_value() if isinstance(value, SecretStr) else value
        return usable_secret(str(info.field_name), given) if isinstance(given, str) else value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment before the user's folder before the package; no .env file is read.

        Secrets of the environment are among the values of the call: they may be in files, too.
        """

        def public_environment() -> dict[str, Any]:
            return {name: value for name, value in env_settings().items() if name not in SECRET_FIELDS}

        return public_environment, init_settings  # type: ignore[return-value]

    @property
    def lake_arguments(self) -> dict[str, Any]:
        """Arguments of the driver of object storage, keys among them."""
        return {} if self.lake_options is None else dict(json.loads(self.lake_options.get_secret_value()))

    @property
    def ui_url(self) -> str:
        """Where this machine finds the Dagster UI."""
        return f"http://{reached(self.services.host)}:{self.services.ui_port}"

    @property
    def alert_settings(self) -> AlertSettings:
        """The settings of alerts, with the address of the UI."""
        return self.alerts.model_copy(update={"ui_url": self.alerts.ui_url or self.ui_url})

    @property
    def lookback_sessions(self) -> int:
        """Sessions in a window at the configured frequency."""
        return self.lookback.daily if self.frequency is Frequency.ONE_DAY else self.lookback.intraday

    @property
    def active_sectors(self) -> tuple[str, ...]:
        """Slugs of the sectors that the schedule runs, sorted."""
        return tuple(sorted(slug for slug, sector in self.universe.items() if sector.active))

    def public_values(self) -> dict[str, Any]:
        """Every setting by its dotted path, without secrets, as JSON has them."""
        values: dict[str, Any] = {}

        def walk(prefix: str, value: Any) -> None:
            if isinstance(value, dict):
                for name, below in value.items():
                    walk(f"{prefix}.{name}" if prefix else name, below)
            else:
                values[prefix] = value

        walk("", self.model_dump(mode="json", exclude=SECRET_FIELDS))
        return values

    def listings(self, sector: str) -> tuple[Listing, ...]:
        """Configured symbols of a sector; empty when the universe does not have it."""
        block = self.universe.get(sector)
        return tuple(Listing(symbol, sector) for symbol in sorted(block.symbols)) if block else ()

    @property
    def profile(self) -> Profile:
        """What the state folder belongs to: source (other simulated markets and other files are other sources),
        frequency and price basis.
        """
        return Profile(self._source_name, self.frequency, self.price_basis, self._choice)

    @property
    def _choice(self) -> dict[str, Any]:
        """The settings by which the profile is opened again; paths of files as they are found from any folder."""
        kind = self.source.kind
        choice: dict[str, Any] = {"source": {"kind": kind}, "frequency": self.frequency.value}
        if kind == "simulated":
            choice["source"][kind] = self.source.simulated.model_dump(mode="json")
        elif kind == "alpaca":
            choice["source"][kind] = {"feed": self.source.alpaca.feed}
        elif kind == "files" and self.source.files is not None:
            choice["source"][kind] = found_from_anywhere(self.source.files).model_dump(mode="json")
            choice["universe_origin"] = self.universe_origin
        return choice

    @property
    def pair_settings(self) -> PairSettings:
        """What a pair is fitted and traded by."""
        return PairSettings(self.garch, self.trading, self.costs)

    @property
    def streamed_bar_seconds(self) -> float:
        """Length of a streamed bar."""
        return self.stream.bar_frequency(self.frequency).length_ns / SECOND_NS

    @property
    def execution_settings(self) -> ExecutionSettings:
        """How trades are executed with the configured broker."""
        if self.broker.kind == "paper":
            return filled_by_bars(self.execution, self.streamed_bar_seconds)
        return self.execution if self._replay_speed is None else at_speed(self.execution, self._replay_speed)

    @property
    def risk_settings(self) -> RiskSettings:
        """What entries and the book must satisfy with the configured broker."""
        if self.broker.kind == "paper":
            return decided_by_bars(self.risk, self.streamed_bar_seconds)
        return self.risk if self._replay_speed is None else judged_at_speed(self.risk, self._replay_speed)

    @property
    def _replay_speed(self) -> float | None:
        """Market seconds in a second where a replay is traded with the simulated broker; None elsewhere."""
        is_replayed = self.broker.kind == "simulated" and self.stream.mode == "replay"
        return self.stream.replay.speed if is_replayed else None

    @property
    def funnel_settings(self) -> FunnelSettings:
        """What decides how far a pair comes."""
        return FunnelSettings(self.correlation, self.cointegration, self.scores, self.selection)

    @property
    def profile_root(self) -> Path:
        """Folder that holds the profile's whole state."""
        return self.state_root / self.profile.name

    @property
    def earlier_profile(self) -> tuple[Profile, Path] | None:
        """The profile under the name that an earlier version gave it, and its folder; None where there is none."""
        if self.source.kind != "files" or self.source.files is None or (self.profile_root / MANIFEST).exists():
            return None
        for name in earlier_source_names(self.source.files):
            profile = Profile(name, self.frequency, self.price_basis)
            if (self.state_root / profile.name / MANIFEST).exists():
                return profile, self.state_root / profile.name
        return None

    @property
    def _source_name(self) -> str:
        kind = self.source.kind
        if kind == "alpaca":
            return f"alpaca {self.source.alpaca.feed}"
        if kind == "yahoo":
            return kind
        if kind == "files" and self.source.files is not None:
            return source_name(self.source.files)
        content = getattr(self.source, kind).model_dump_json()
        if kind == "simulated":
            # Which pairs are planted depends on the symbols: another universe is another market.
            symbols = {slug: sorted(sector.symbols) for slug, sector in self.universe.items()}
            shipped = {
                slug: sorted(block["symbols"]) for slug, block in shipped_document(UNIVERSE_FILE)["universe"].items()
            }
            if content == SimulatedMarketSettings().model_dump_json() and symbols == shipped:
                return kind
            content += json.dumps(symbols, sort_keys=True)
        return f"{kind} {hashlib.sha256(content.encode()).hexdigest()[:8]}"

    @property
    def price_basis(self) -> PriceBasis:
        """Basis of the configured source's prices."""
        if self.source.kind == "files" and self.source.files is not None:
            return self.source.files.basis
        return PriceBasis.SPLIT_ADJUSTED if self.source.kind == "yahoo" else PriceBasis.RAW


SECRET_FIELDS = {name for name, info in Settings.model_fields.items() if SecretStr in get_args(info.annotation)}


def described_fields(
    model: type[SettingsGroup] | type[Settings] = Settings, prefix: str = ""
) -> list[tuple[str, FieldInfo]]:
    """Every leaf setting with its dotted path, in declaration order; SECTOR stands for a name in a mapping."""
    fields: list[tuple[str, FieldInfo]] = []
    for name, info in model.model_fields.items():
        below = [kind for kind in (info.annotation, *get_args(info.annotation)) if isinstance(kind, type)]
        group = next((kind for kind in below if issubclass(kind, SettingsGroup)), None)
        if group is not None:
            each = ".SECTOR" if get_origin(info.annotation) is dict else ""
            fields += described_fields(group, f"{prefix}{name}{each}.")
        else:
            fields.append((f"{prefix}{name}", info))
    return fields
