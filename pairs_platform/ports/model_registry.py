"""What the platform asks of a model registry, and what such a registry answers.

What does not belong here: any particular registry (`adapters`), what a model is (`core.models.bundle`), when a model is
promoted (`core.models.promotion`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    import pandas as pd

    from pairs_platform.core.models.bundle import SectorBundle


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
        Stored by name: curves (pair, epoch, losses), forecasts, GARCH fits, scores.
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
        """One version; NoSuchModel names those that there are."""

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
