"""What the lake holds, as materializations of a Dagster instance that has not made it.

What does not belong here: results of checks, which nobody has computed there, and copying databases.
"""

from collections.abc import Iterator

import dagster as dg

from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.core.prices.sectors import SECTORS
from pairs_platform.platform import Platform

MODEL_TABLES = ("model_performance", "model_rankings", "model_trends")
"""Assets in the database, which has them where it has the training."""


def report_materializations(instance: dg.DagsterInstance, platform: Platform) -> int:
    """Report every stored partition that the instance does not know, in the order of the data; how many there were.

    Parameters
    ----------
    instance : DagsterInstance
    platform : Platform
        Its database has the trainings already.
    """
    known: dict[str, set[str]] = {}
    reported = 0
    for asset, key, metadata in _stored(platform):
        if asset not in known:
            known[asset] = instance.get_materialized_partitions(dg.AssetKey(asset))
        if str(key) in known[asset]:
            continue
        instance.report_runless_asset_event(
            dg.AssetMaterialization(
                asset,
                partition=str(key),
                description="Stored before this history began; found in the lake by `pairs-platform adopt`.",
                metadata=metadata,
            )
        )
        reported += 1
    return reported


def _stored(platform: Platform) -> Iterator[tuple[str, PartitionKey, dict[str, int]]]:
    """Asset, partition and metadata of all that is stored."""
    from pairs_platform.database.models import read_trainings
    from pairs_platform.lake.store import row_count
    from pairs_platform.lake.tables import TABLES

    own = [contract for contract in TABLES if contract.written_by == contract.table]
    for sector in SECTORS:
        for contract in own:
            for session in platform.lake.sessions(contract.table, sector):
                key = PartitionKey(session, sector)
                n_rows = row_count(platform.lake.path(contract.table, key))
                yield contract.table, key, {"dagster/row_count": n_rows}
        trained = sorted(set(read_trainings(platform.database, sector)["session"]))
        for session in trained:
            for asset in MODEL_TABLES:
                yield asset, PartitionKey(session, sector), {}
