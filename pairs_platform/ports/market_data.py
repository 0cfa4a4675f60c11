"""What the platform asks of a source of market data and of a model registry, and the words in which these answer.

What does not belong here: any particular source or registry, retries (each adapter that needs them has them),
validation of bars.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Literal, Protocol

from pairs_platform.core.prices.bars import ACTION_COLUMNS, BAR_COLUMNS, Frequency, PriceBasis

if TYPE_CHECKING:
    import pandas as pd

    from pairs_platform.core.models.bundle import SectorBundle


class TransientSourceError(Exception):
    """The source failed in a way that may pass by itself (network, rate limit): asking again later makes sense."""


class PermanentSourceError(Exception):
    """The source failed in a way that will not pass by itself (bad key, bad file, bad setting): somebody has to act."""


@dataclass(frozen=True)
class Listing:
    """A symbol and the slug of its sector."""

    symbol: str
    sector: str


@dataclass(frozen=True)
class Unavailable:
    """A symbol for which the source has no bars in the range that was asked for, and why."""

    symbol: str
    reason: str


@dataclass(frozen=True, eq=False)
class BarsReply:
    """Answer to `MarketData.fetch_bars`.

    Attributes
    ----------
    bars : DataFrame with the columns of `BAR_COLUMNS`
        Sorted by symbol and time where the source allows it. Wrong rows (no price, duplicates) are in it as the source
        gave them: to judge them is the business of `core.prices.validation`. `volume` is float64 when a row has none.
    unavailable : tuple of Unavailable
        Every requested symbol without a single row in `bars`, exactly once.
    """

    bars: "pd.DataFrame"
    unavailable: tuple[Unavailable, ...] = ()


class MarketData(Protocol):
    """A source of bars and corporate actions.

    Attributes
    ----------
    label : str
        Name of the source as a person should read it beside every result.
    basis : PriceBasis
        Which corporate actions the prices already include.
    frequency : Frequency
        Frequency of the bars that `fetch_bars` returns.
    """

    @property
    def label(self) -> str: ...  # noqa: D102 - the class documents its attributes

    @property
    def basis(self) -> PriceBasis: ...  # noqa: D102

    @property
    def frequency(self) -> Frequency: ...  # noqa: D102

    def fetch_bars(self, symbols: Sequence[str], first: date, last: date) -> BarsReply:
        """Bars of `symbols` in the sessions from `first` to `last`, both included.

        Raises
        ------
        TransientSourceError
            When retrying inside the adapter did not help, but later may.
        PermanentSourceError
            When the whole request cannot be served; a single symbol without data is an `Unavailable` instead.
        """
        ...

    def fetch_actions(self, symbols: Sequence[str], first: date, last: date) -> "pd.DataFrame":
        """Corporate actions with an ex-date from `first` to `last`: columns `ACTION_COLUMNS`, perhaps empty.

        Raises
        ------
        TransientSourceError, PermanentSourceError
            As `fetch_bars`.
        """
        ...

    def universe(self) -> tuple[Listing, ...] | None:
        """Symbols and sectors that the source itself knows, sorted by sector and symbol; None when it cannot tell."""
        ...

    def sessions_available(self) -> tuple[date, date] | None:
        """First and last session for which the source can have bars; None when it cannot tell."""
        ...


def empty_bars() -> "pd.DataFrame":
    """No bars, with the columns and types of bars."""
    import pandas as pd

    return pd.DataFrame(
        {
            "symbol": pd.Series(dtype="object"),
            "ts_utc": pd.Series(dtype="datetime64[ns, UTC]"),
            **{name: pd.Series(dtype="float64") for name in ("open", "high", "low", "close")},
            "volume": pd.Series(dtype="int64"),
        }
    )[list(BAR_COLUMNS)]


def empty_actions() -> "pd.DataFrame":
    """No corporate actions, with the columns and types of actions."""
    import pandas as pd

    return pd.DataFrame(
        {
            "symbol": pd.Series(dtype="object"),
            "ex_date": pd.Series(dtype="datetime64[ns]"),
            "kind": pd.Series(dtype="object"),
            "value": pd.Series(dtype="float64"),
            "known_ts_utc": pd.Series(dtype="datetime64[ns, UTC]"),
        }
    )[list(ACTION_COLUMNS)]


class RegistryUnavailable(Exception):
    """The model registry cannot be reached or failed in a way that may pass: asking again later makes sense."""


class NoSuchModelError(LookupError):
    """A model version that the registry does not have; the message names those that it has."""


Alias = Literal["champion", "challenger"]


@dataclass(frozen=True, kw_only=True)
class ModelVersion:
    """One version of a sector's registered model.

    Attributes
    ----------
    sector, name : str
    version : int
    session : date
        Last session of the window that it was trained on.
    run_id : str
        Run of the training.
    tags : mapping of str to str
    aliases : tuple of str
    """

    sector: str
    name: str
    version: int
    session: date
    run_id: str
    tags: Mapping[str, str]
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingRecord:
    """What is tracked of one training of a sector-day.

    Attributes
    ----------
    sector : str
    session : date
    dagster_run_id : str
    trained_utc : datetime
    params : mapping
        Settings of the training.
    pooled : mapping of str to float
        Figures of the whole sector.
    pairs : DataFrame
        One row for each candidate: pair, status, reason and metrics.
    tables : mapping of str to DataFrame
        Stored as Parquet by name: curves, forecasts, GARCH fits, scores.
    pictures : mapping of str to bytes
        PNG by name.
    bundle : SectorBundle or None
        Registered as a version; None where no pair could be trained.
    """

    sector: str
    session: date
    dagster_run_id: str
    trained_utc: datetime
    params: Mapping[str, object]
    pooled: Mapping[str, float]
    pairs: "pd.DataFrame"
    tables: "Mapping[str, pd.DataFrame]" = field(default_factory=dict)
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    bundle: "SectorBundle | None" = None


@dataclass(frozen=True, kw_only=True)
class TrackedTraining:
    """Where a training was tracked.

    Attributes
    ----------
    run_id, run_name : str
        Run of the whole training.
    pair_runs : mapping of pair to (run id, run name)
        Of every pair whose training was tried.
    version : ModelVersion or None
    """

    run_id: str
    run_name: str
    pair_runs: Mapping[str, tuple[str, str]]
    version: ModelVersion | None


class ModelRegistry(Protocol):
    """Tracks trainings and keeps every version of every model. Every method may raise `RegistryUnavailable`."""

    def log_training(self, record: TrainingRecord) -> TrackedTraining:
        """Track a training and register its bundle. No run stays open, whatever fails."""

    def versions(self, sector: str) -> list[ModelVersion]:
        """Every version of a sector's model, oldest first."""

    def version(self, sector: str, number: int) -> ModelVersion:
        """One version; NoSuchModelError names those that there are."""

    def alias(self, sector: str, alias: Alias) -> ModelVersion | None:
        """The version that an alias names, None where it names none."""

    def set_alias(self, sector: str, alias: Alias, version: int | None) -> None:
        """Let an alias name a version, or none."""

    def load(self, sector: str, version: int) -> "SectorBundle":
        """The models of a version; nothing in it is executed."""

    def close_orphans(self, is_alive: Callable[[str], bool]) -> int:
        """End the open runs whose Dagster run (by id) is not alive; how many there were."""

    def storage_bytes(self) -> int:
        """Bytes that the registry holds."""
