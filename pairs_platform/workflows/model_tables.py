"""Performance, rankings and trends of a stored training, brought into the database.

What does not belong here: what the tables say (`core.models.trends`), and training (`training`).
"""

import json
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from pairs_platform.core.models.contracts import GRU_MODELS
from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.database.models import record_training
from pairs_platform.database.queries import best_performing_pairs, recent_pair_performance
from pairs_platform.platform import Platform


@dataclass(frozen=True, eq=False, kw_only=True)
class RecordedTraining:
    """A training that the database holds.

    Attributes
    ----------
    source : str
        Where the prices come from.
    run_id : str
        Run of the registry that tracks it.
    rows : DataFrame
        `GRU_MODELS`.
    n_recent_rows : int
        Rows of performance over the 7 sessions up to this one.
    best_pairs : DataFrame
        The best pairs over 30 sessions.
    """

    source: str
    run_id: str
    rows: pd.DataFrame
    n_recent_rows: int
    best_pairs: pd.DataFrame


def record_partition(platform: Platform, key: PartitionKey) -> RecordedTraining:
    """Bring one stored training into the database, in one transaction.

    Raises
    ------
    PartitionMissing
        The partition has no models.
    DatabaseUnavailable
    """
    rows, about = platform.lake.read(GRU_MODELS, key), platform.lake.metadata(GRU_MODELS, key)
    training = about["training"]
    record_training(
        platform.database,
        {
            **training,
            "sector": key.sector,
            "session": key.session,
            "triggers": json.dumps(training["triggers"], sort_keys=True),
            "trained_utc": datetime.fromisoformat(training["trained_utc"]),
        },
        rows,
    )
    return RecordedTraining(
        source=about["source"],
        run_id=training["run_id"],
        rows=rows,
        n_recent_rows=len(recent_pair_performance(platform.database, key.sector, as_of=key.session)),
        best_pairs=best_performing_pairs(platform.database, key.sector),
    )
