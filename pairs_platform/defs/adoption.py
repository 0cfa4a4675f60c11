"""What a profile holds, as materializations of a Dagster instance that has not made it.

What does not belong here: results of checks, which nobody has computed there, and copying databases.
"""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.core.prices.sectors import SECTORS
from pairs_platform.platform import Platform

MODEL_TABLES = ("model_performance", "model_rankings", "model_trends")
"""Assets in the database, which has them where it has the training."""

FROM_HISTORY = ("champion_model", "gru_tuning", "exports", "session_report")
"""Assets that no table shows: a decision may change nothing, and files may be of any day. The history that made them
knows their partitions."""


def report_materializations(instance: dg.DagsterInstance, platform: Platform, earlier: Path | None = None) -> int:
    """Report every stored partition that the instance does not know, in the order of the data; how many there were.

    Parameters
    ----------
    instance : DagsterInstance
    platform : Platform
        Its database has trainings and signals already.
    earlier : Path or None
        Dagster home of the history before; without one, the assets of `FROM_HISTORY` are left out.
    """
    known: dict[str, set[str]] = {}
    reported = 0
    for asset, partition, metadata in [*_stored(platform), *_made(earlier)]:
        if asset not in known:
            known[asset] = instance.get_materialized_partitions(dg.AssetKey(asset))
        if partition in known[asset]:
            continue
        instance.report_runless_asset_event(
            dg.AssetMaterialization(
                asset,
                partition=partition,
                description="Stored before this history began; found by `adopt`.",
                metadata=metadata,
            )
        )
        reported += 1
    return reported


def _made(earlier: Path | None) -> Iterator[tuple[str, str, dict[str, int]]]:
    """Asset and partition of what an earlier history made and no table shows."""
    if earlier is None or not (earlier / "dagster.yaml").is_file():
        return
    with dg.DagsterInstance.from_config(str(earlier)) as instance:
        for asset in FROM_HISTORY:
            for partition in sorted(instance.get_materialized_partitions(dg.AssetKey(asset))):
                yield asset, partition, {}


def _stored(platform: Platform) -> Iterator[tuple[str, str, dict[str, int]]]:
    """Asset, partition and metadata of all that a table shows."""
    from pairs_platform.database.models import read_trainings
    from pairs_platform.database.signals import signals_by_session
    from pairs_platform.lake.tables import TABLES

    own = [contract for contract in TABLES if contract.written_by == contract.table]
    for sector in SECTORS:
        for contract in own:
            for session in platform.lake.sessions(contract.table, sector):
                key = PartitionKey(session, sector)
                n_rows = platform.lake.row_count(contract, key)
                yield contract.table, str(key), {"dagster/row_count": n_rows}
        trained = sorted(set(read_trainings(platform.database, sector)["session"]))
        for session in trained:
            for asset in MODEL_TABLES:
                yield asset, str(PartitionKey(session, sector)), {}
        for session, n_rows in signals_by_session(platform.database, sector).items():
            yield "signals", str(PartitionKey(session, sector)), {"dagster/row_count": n_rows}
