"""The search for network settings: one study for each sector and session, its best settings a document of the lake.

What does not belong here: the search itself (`core.models.gru.tuning`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.database.sqlite_url import sqlite_url
from pairs_platform.platform import Platform

if TYPE_CHECKING:
    from pairs_platform.core.models.features import PairDataset
    from pairs_platform.core.models.gru.tuning import TuningResult
    from pairs_platform.core.models.splits import SplitPlan

TUNING = "gru_tuning"
"""Name of the document with the best settings of a study."""


@dataclass(frozen=True, eq=False, kw_only=True)
class TuningInputs:
    """What a search works on.

    Attributes
    ----------
    datasets : sequence of PairDataset
        Those with data.
    splits : SplitPlan or None
    earlier_best : sequence of mapping
        Best settings of the search before, where there was one.
    """

    datasets: "Sequence[PairDataset]"
    splits: "SplitPlan | None"
    earlier_best: Sequence[Mapping[str, Any]]


def tuned_sessions(platform: Platform, sector: str) -> list[date]:
    """Sessions with a document of tuned settings, ascending."""
    return platform.lake.document_sessions(TUNING, sector)


def best_settings(platform: Platform, key: PartitionKey) -> dict[str, Any]:
    """The best network settings that the search of a session found."""
    best: dict[str, Any] = platform.lake.read_document(TUNING, key)["best"]
    return best


def tune_partition(platform: Platform, key: PartitionKey, *, log: Callable[[str], None]) -> "TuningResult":
    """Add trials to the study of the session's window and store its best settings.

    Parameters
    ----------
    log : callable
        Takes a message about every trial.
    """
    inputs = _gather(platform, key)
    result = _search(platform, key, inputs, log)
    platform.lake.write_document(TUNING, key, result.document())
    return result


def _gather(platform: Platform, key: PartitionKey) -> TuningInputs:
    from pairs_platform.workflows.features import load_datasets

    datasets, splits = load_datasets(platform, key)
    earlier = [day for day in tuned_sessions(platform, key.sector) if day < key.session]
    return TuningInputs(
        datasets=[dataset for dataset in datasets if dataset.status == "ok"],
        splits=splits,
        earlier_best=[best_settings(platform, PartitionKey(day, key.sector)) for day in earlier[-1:]],
    )


def _search(platform: Platform, key: PartitionKey, inputs: TuningInputs, log: Callable[[str], None]) -> "TuningResult":
    from pairs_platform.core.models.gru.tuning import tune

    folder = platform.settings.profile_root / "tuning"
    folder.mkdir(parents=True, exist_ok=True)
    return tune(
        inputs.datasets,
        inputs.splits,
        settings=platform.settings.gru,
        storage=sqlite_url(folder / "optuna.db"),
        study=f"gru_{key.sector}_{key.session}",
        earlier_best=inputs.earlier_best,
        log=log,
    )
