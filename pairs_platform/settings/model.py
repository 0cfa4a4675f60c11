"""The platform's settings: the only reader of environment variables and of the YAML configuration.

Later sources override earlier ones: the YAML shipped in the package, the user's folder named by
``PAIRS_PLATFORM_CONFIG`` (``platform.yaml`` and ``universe.yaml``, each optional), then variables such as
``PAIRS_PLATFORM__SOURCE__KIND``. What does not belong here: what a rule means (it is declared beside the code that
obeys it, in `core` or in its adapter).
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from datetime import date
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any, Literal, Self, get_args

import yaml
from pydantic import SecretStr, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableVariableError

from pairs_platform.adapters.alpaca.settings import AlpacaSettings
from pairs_platform.adapters.dask.settings import ExecutorSettings
from pairs_platform.adapters.files.settings import FileSourceSettings
from pairs_platform.adapters.simulated.settings import SimulatedMarketSettings
from pairs_platform.adapters.yahoo.settings import YahooSettings
from pairs_platform.core.check_result import CheckSettings
from pairs_platform.core.models.settings import GruSettings
from pairs_platform.core.operations.alerts import AlertSettings
from pairs_platform.core.operations.retention import HousekeepingSettings
from pairs_platform.core.operations.scheduling import AutomationSettings
from pairs_platform.core.prices.bars import Frequency, PriceBasis
from pairs_platform.core.prices.calendar import CALENDAR_END, CALENDAR_START
from pairs_platform.core.prices.sectors import SECTORS
from pairs_platform.core.prices.settings import ValidationSettings, WindowSettings
from pairs_platform.core.screening.settings import CointegrationSettings, CorrelationSettings, PlaceboSettings
from pairs_platform.core.selection.settings import CostSettings, ScoreSettings, SelectionSettings, TradingSettings
from pairs_platform.core.settings import SettingsGroup, setting
from pairs_platform.core.signals.settings import SignalSettings
from pairs_platform.core.streaming.settings import StreamSettings, Symbol
from pairs_platform.core.volatility.settings import GarchSettings
from pairs_platform.lake.profile import Profile
from pairs_platform.ports.market_data import Listing
from pairs_platform.settings.exports import ExportSettings
from pairs_platform.settings.processes import ServiceSettings, reached

CONFIG_VARIABLE = "PAIRS_PLATFORM_CONFIG"
PLATFORM_FILE = "platform.yaml"
UNIVERSE_FILE = "universe.yaml"
_PREFIX = "PAIRS_PLATFORM__"
_ALPACA = {"alpaca_key_id": "APCA_API_KEY_ID", "alpaca_secret_key": "APCA_API_SECRET_KEY"}
FROM_FILE = "_FILE"


class SettingsError(ValueError):
    """A configuration that cannot be used; the message names the file, the path in it, the value and what is valid."""


class NoSuchSectorError(ValueError):
    """A sector without symbols in the universe."""


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

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix=_PREFIX, env_nested_delimiter="__")

    state_root: Path = setting(
        Path(".state"), unit="path", description="Folder for all local state, one folder per profile in it."
    )
    source: SourceSettings
    frequency: Frequency = setting(..., unit="name", description="Length of a bar: 5min, 1h or 1d.")
    lookback: LookBackSettings
    backfill_start: date = setting(
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
    universe: dict[str, SectorUniverse] = setting(
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
    checks: CheckSettings
    automation: AutomationSettings
    services: ServiceSettings = ServiceSettings()
    alerts: AlertSettings = AlertSettings()
    executor: ExecutorSettings = ExecutorSettings()
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
    lake_url: str | None = setting(
        None,
        unit="URL",
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

    @model_validator(mode="after")
    def _known_sectors(self) -> Self:
        unknown = sorted(set(self.universe) - set(SECTORS))
        if unknown:
            raise ValueError(f"universe: unknown sector {', '.join(unknown)}; valid: {', '.join(SECTORS)}")
        if self.frequency is Frequency.ONE_MINUTE:
            raise ValueError("frequency: 1min bars are only read from a source and aggregated; valid: 5min, 1h, 1d")
        if self.stream.mode == "alpaca" and self.source.kind != "alpaca":
            raise ValueError(
                f"stream.mode is alpaca and source.kind {self.source.kind}: history and stream must come from one "
                "vendor, set source.kind to alpaca"
            )
        return self

    @field_validator("lake_options")
    @classmethod
    def _options_are_an_object(cls, value: SecretStr | None) -> SecretStr | None:
        try:
            good = value is None or isinstance(json.loads(value.get_secret_value()), dict)
        except ValueError:
            good = False
        if not good:
            raise ValueError('no JSON object; write it like {"endpoint_url": "https://…"}')
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment before the user's folder before the package; no .env file is read."""
        return env_settings, init_settings

    @property
    def lake_arguments(self) -> dict[str, Any]:
        """Arguments of the driver of object storage, keys among them."""
        return {} if self.lake_options is None else dict(json.loads(self.lake_options.get_secret_value()))

    @property
    def alert_settings(self) -> AlertSettings:
        """The rules of alerts, with the address of the UI."""
        url = self.alerts.ui_url or f"http://{reached(self.services.host)}:{self.services.ui_port}"
        return self.alerts.model_copy(update={"ui_url": url})

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
        found: dict[str, Any] = {}

        def walk(prefix: str, value: Any) -> None:
            if isinstance(value, dict):
                for name, below in value.items():
                    walk(f"{prefix}.{name}" if prefix else name, below)
            else:
                found[prefix] = value

        walk("", self.model_dump(mode="json", exclude=SECRET_FIELDS))
        return found

    def listings(self, sector: str) -> tuple[Listing, ...]:
        """Configured symbols of a sector; empty when the universe does not have it."""
        block = self.universe.get(sector)
        return tuple(Listing(symbol, sector) for symbol in sorted(block.symbols)) if block else ()

    @property
    def profile(self) -> Profile:
        """What the state folder belongs to: source (other simulated markets and other files are other sources),
        frequency and price basis.
        """
        return Profile(self._source_name, self.frequency, self.price_basis)

    @property
    def profile_root(self) -> Path:
        """Folder that holds the profile's whole state."""
        return self.state_root / self.profile.name

    @property
    def _source_name(self) -> str:
        kind = self.source.kind
        if kind == "alpaca":
            return f"alpaca {self.source.alpaca.feed}"
        if kind == "yahoo":
            return kind
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


def variable(path: str) -> str:
    """Name of the environment variable that sets a setting, for example of ``source.kind``."""
    return _ALPACA.get(path) or _PREFIX + path.replace(".", "__").upper()


def secrets_from_environment() -> dict[str, SecretStr]:
    """Every secret setting that a variable holds, or that is in the file that the variable with ``_FILE`` names.

    Raises
    ------
    SettingsError
        Both are set, or the file cannot be read, is empty, or can be read by everybody.
    """
    found = {}
    for field in sorted(SECRET_FIELDS):
        name = variable(field)
        path = os.environ.get(name + FROM_FILE)
        value = os.environ.get(name)
        if path and value:
            raise SettingsError(f"{name} and {name}{FROM_FILE} are both set: remove one of them")
        if path:
            value = secret_in_file(path, name + FROM_FILE)
        if value:
            found[field] = SecretStr(value)
    return found


def secret_variable(setting: str) -> tuple[str | None, str | None]:
    """Name of the variable that holds a secret setting, and the path of the file that holds it; None where unset."""
    name = variable(setting)
    return (name if os.environ.get(name) else None), os.environ.get(name + FROM_FILE) or None


def secret_in_file(path: str, name: str) -> str:
    """The secret in a file.

    Parameters
    ----------
    path : str
    name : str
        Of the variable or field that names the file, for the message.

    Raises
    ------
    SettingsError
        The file cannot be read, is empty, or can be read by everybody.
    """
    try:
        text = Path(path).read_text(encoding="utf-8").strip()
        mode = Path(path).stat().st_mode
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{name}={path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if os.name != "nt" and mode & 0o007:
        raise SettingsError(f"{name}={path} can be used by everybody (mode {mode & 0o777:o}): chmod 600 {path}")
    if not text:
        raise SettingsError(f"{name}={path} is empty: write the secret into it")
    return text


def user_folder() -> Path | None:
    """The user's configuration folder from the environment; None when none is named.

    Raises
    ------
    SettingsError
        When the variable names something that is not a folder.
    """
    named = os.environ.get(CONFIG_VARIABLE)
    if not named:
        return None
    folder = Path(named).expanduser()
    if not folder.is_dir():
        raise SettingsError(
            f"{CONFIG_VARIABLE}={named} is not a folder; make one with `pairs-platform config init {named}`"
        )
    return folder


def load_settings(overrides: Mapping[str, Any] | None = None) -> Settings:
    """Read the packaged YAML, the user's folder, the environment and `overrides` (which win over the files).

    Raises
    ------
    SettingsError
        With one line per wrong field: its path, where it was set, the value and what is valid.
    """
    folder = user_folder()
    names = (PLATFORM_FILE, UNIVERSE_FILE)
    layers = [(f"package {name}", shipped_document(name)) for name in names]
    if folder:
        layers += [(str(folder / name), read_yaml(folder / name)) for name in names if (folder / name).exists()]
    layers += [("environment", secrets_from_environment()), ("call", dict(overrides or {}))]
    merged: dict[str, Any] = {}
    for _, layer in layers:
        merged = _merged(merged, layer)
    _refuse_unknown_variables()
    try:
        return Settings(**merged)
    except ValidationError as error:
        raise SettingsError(_explain(error, layers)) from None
    except UnreadableVariableError as error:
        raise SettingsError(
            f"{error}: a variable that sets a list or a group of settings holds JSON, for example "
            f"""{variable("source.files.paths")}='["prices.parquet"]'"""
        ) from None


def _refuse_unknown_variables() -> None:
    groups = {variable(name) for name in Settings.model_fields}
    for name in sorted(os.environ):
        head = _PREFIX + name.upper().removeprefix(_PREFIX).split("__")[0]
        is_secret_file = name.upper().removesuffix(FROM_FILE) in {variable(field) for field in SECRET_FIELDS}
        if name.upper().startswith(_PREFIX) and head not in groups and not is_secret_file:
            raise SettingsError(f"variable {name} sets nothing; the settings begin with {', '.join(sorted(groups))}")


def shipped_document(name: str) -> dict[str, Any]:
    """Content of a YAML file of the package."""
    return dict(yaml.safe_load(shipped_text(name)))


def shipped_text(name: str) -> str:
    """Text of a file of the package's `config` folder, comments included."""
    return (package_files("pairs_platform.config") / name).read_text(encoding="utf-8")


def read_yaml(path: Path) -> dict[str, Any]:
    """Content of a YAML mapping.

    Raises
    ------
    SettingsError
        When the file is no YAML mapping; names the file and line.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise SettingsError(f"{path} is not valid YAML: {error}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise SettingsError(f"{path} must hold a mapping of settings, not {type(content).__name__}")
    return content


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for name, value in over.items():
        below = result.get(name)
        result[name] = _merged(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return result


def _explain(error: ValidationError, layers: list[tuple[str, dict[str, Any]]]) -> str:
    lines = []
    for problem in error.errors(include_url=False):
        path = tuple(str(part) for part in problem["loc"])
        shown = f" (value {problem['input']!r})" if isinstance(problem["input"], str | int | float | bool) else ""
        if path and path[0] in SECRET_FIELDS:
            shown = ""
        lines.append(f"{'.'.join(path) or 'settings'}: {problem['msg']}{shown}, set in {_origin(path, layers)}")
    return "\n".join(lines)


def _origin(path: tuple[str, ...], layers: list[tuple[str, dict[str, Any]]]) -> str:
    names = [variable(".".join(path[:n])) for n in range(len(path), 0, -1)]
    for name in names:
        if name in os.environ:
            return f"variable {name}"
    for name, layer in reversed(layers):
        node: Any = layer
        for part in path:
            if not isinstance(node, Mapping) or part not in node:
                break
            node = node[part]
        else:
            return name
        if path and path[0] in layer:
            return name
    return "no file"


def described_fields(
    model: type[SettingsGroup] | type[Settings] = Settings, prefix: str = ""
) -> list[tuple[str, FieldInfo]]:
    """Every leaf setting with its dotted path, in declaration order."""
    found: list[tuple[str, FieldInfo]] = []
    for name, info in model.model_fields.items():
        below = [kind for kind in (info.annotation, *get_args(info.annotation)) if isinstance(kind, type)]
        group = next((kind for kind in below if issubclass(kind, SettingsGroup)), None)
        if group is not None:
            found += described_fields(group, f"{prefix}{name}.")
        else:
            found.append((f"{prefix}{name}", info))
    return found


def edit_universe(sector: str, symbols: Sequence[str]) -> Path:
    """Write the symbols of one sector to the user's universe.yaml; the shipped file is never edited.

    Returns
    -------
    Path of the file, rewritten as a whole only when the result is valid.

    Raises
    ------
    SettingsError
        Without a user's folder, or when the new universe would not be valid.
    """
    folder = user_folder()
    if folder is None:
        raise SettingsError(
            f"{CONFIG_VARIABLE} is not set, and the shipped universe is never edited; make a copy of your own with "
            f"`pairs-platform config init FOLDER` and put {CONFIG_VARIABLE}=FOLDER into the environment"
        )
    path = folder / UNIVERSE_FILE
    document = read_yaml(path) if path.exists() else {}
    universe = dict(document.get("universe") or {})
    new = {} if sector in load_settings().universe else {"active": False}
    universe[sector] = {**new, **(universe.get(sector) or {}), "symbols": list(symbols)}
    document["universe"] = universe
    load_settings({"universe": universe})
    temporary = path.with_suffix(".yaml.new")
    temporary.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    os.replace(temporary, path)
    return path
