"""Profiles as the version before the glossary's names made them: a database with schema 0005, and a lake."""

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy as sa
from alembic import command

from pairs_platform.core.contract import Contract
from pairs_platform.core.models.contracts import GRU_MODELS
from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.core.prices.contracts import PRICE_HISTORY
from pairs_platform.core.streaming.bars import StreamBar
from pairs_platform.core.streaming.contracts import STREAMED_BARS
from pairs_platform.core.streaming.revisions import merge_revisions
from pairs_platform.core.volatility.contracts import GARCH_FITS
from pairs_platform.database.store import Database
from pairs_platform.lake.files import LakePath
from pairs_platform.lake.profile import MANIFEST, Profile
from pairs_platform.lake.store import Lake
from pairs_platform_tests.support.price_samples import make_bars
from pairs_platform_tests.support.selection_tables import fits_of

SCHEMA = "0005"
ROLES = ("selected", "pinned", "watched", "left")

_TRAINING_ROW = """
INSERT INTO model_training (run_id, run_name, dagster_run_id, sector, session, model_version, strategy, strategy_reason,
    full_baseline, n_candidates, n_trained, n_failed, n_pairs, seconds, triggers, trained_utc)
VALUES ('run', 'name', 'dagster', 'technology', '2023-03-08', 1, 'all', 'by default', TRUE, 2, 1, 1, 1, 12.5, '{}',
    '2023-03-09 11:00:00.000000')
"""
_PERFORMANCE = """
INSERT INTO model_performance (run_id, pair, sector, session, status, lift)
VALUES ('run', 'A_B', 'technology', '2023-03-08', 'ok', 0.002)
"""
_RANKING = """
INSERT INTO model_rankings (session, sector, pair, rank_by_lift, rank_by_f1, lift, run_id)
VALUES ('2023-03-08', 'technology', 'A_B', 1, 1, 0.002, 'run')
"""
_DECISION = """
INSERT INTO model_decisions (decided_utc, sector, session, action, reason, figures, actor)
VALUES ('2023-03-09 11:00:00.000000', 'technology', '2023-03-08', 'keep', 'no better one', '{}', 'test')
"""
_SIGNAL = """
INSERT INTO signals (feed, sector, session, bucket_utc, pair, role, action, reason, y, x, z, position, bars_held,
    blocked, late, config_session, config_hash, decided_market_utc, decided_utc, run_id)
VALUES ('replay', 'technology', '2023-03-09', '2023-03-09 14:30:00.000000', :pair, :role, 'hold', '', 'A', 'B', 1.5, 0,
    0, FALSE, FALSE, '2023-03-08', 'hash', '2023-03-09 14:35:00.000000', '2023-03-09 14:35:00.000000', 'run')
"""
_ALERT = """
INSERT INTO alerts (key, kind, severity, what, remedy, path, opened_utc, seen_utc, times, told, told_over)
VALUES ('key', 'silent', 'error', 'what', 'remedy', '/path', '2023-03-09 11:00:00.000000',
    '2023-03-09 11:00:00.000000', 2, TRUE, FALSE)
"""
_SIZE = """
INSERT INTO storage_sizes (session, part, bytes, measured_utc)
VALUES ('2023-03-08', :part, 7, '2023-03-09 11:00:00.000000')
"""


def make_earlier_database(database: Database) -> None:
    """Make the tables of schema 0005, with a row or two in each that changes its names."""
    with database._migrating() as config:
        command.upgrade(config, SCHEMA)
    engine = sa.create_engine(database._url)
    with engine.begin() as connection:
        connection.execute(sa.text("INSERT INTO ledger_profile VALUES (:profile)"), {"profile": database.profile})
        for statement in (_TRAINING_ROW, _PERFORMANCE, _RANKING, _DECISION, _ALERT):
            connection.execute(sa.text(statement))
        for role in ROLES:
            connection.execute(sa.text(_SIGNAL), {"pair": f"{role}_X", "role": role})
        for part in ("ledger.db", "ledger/signals", "lake/garch_fits"):
            connection.execute(sa.text(_SIZE), {"part": part})
    engine.dispose()
    database._engine.dispose()


KEYS = [PartitionKey(date(2023, 3, day), "technology") for day in (7, 8)]
_SETS = {"in_sample": "evaluation", "full_window": "production"}
_TRAINING = {"run_id": "run", "strategy": "all", "strategy_reason": "by default", "full_baseline": True}


def streamed_frame(day: int) -> pd.DataFrame:
    """Streamed bars of a replay, as this version has them."""
    opened = pd.Timestamp(f"2023-03-{day:02d} 14:30", tz="UTC").value
    frame = merge_revisions([StreamBar("AAPL", opened, 10.0, 11.0, 9.0, 10.5, 100)]).frame()
    frame.insert(0, "run_mode", "replay")
    return frame


def make_earlier_lake(root: LakePath) -> dict[str, dict[PartitionKey, pd.DataFrame]]:
    """Write two partitions of each table whose names change; the frames that this version must read there."""
    lake = Lake(root)
    tables = ("garch_fits", "price_history", "streamed_bars", "gru_models")
    frames: dict[str, dict[PartitionKey, pd.DataFrame]] = {table: {} for table in tables}
    for key in KEYS:
        frames["price_history"][key] = make_bars([key.session])
        _write(lake, PRICE_HISTORY, key, frames["price_history"][key], {"source": "a test"}, _whole_volumes)
        frames["garch_fits"][key] = fits_of(["A_B", "A_C"])
        frames["streamed_bars"][key] = streamed_frame(key.session.day)
        frames["gru_models"][key] = GRU_MODELS.empty()
        _write(lake, GARCH_FITS, key, frames["garch_fits"][key], {"source": "a test"}, _earlier_sets)
        _write(lake, STREAMED_BARS, key, frames["streamed_bars"][key], {"feed": "replay", "bar": "5min"}, _earlier_feed)
        _write(lake, GRU_MODELS, key, frames["gru_models"][key], {"training": _TRAINING}, lambda table: table)
    return frames


def make_lake_of_whole_volumes(root: LakePath) -> dict[str, dict[PartitionKey, pd.DataFrame]]:
    """Write a partition of each table as a lake of format 2 has it, with volumes of int64; what must be read there."""
    lake, key = Lake(root), KEYS[0]
    frames = {"price_history": {key: make_bars([key.session])}, "streamed_bars": {key: streamed_frame(key.session.day)}}
    _write(lake, PRICE_HISTORY, key, frames["price_history"][key], {}, _whole_volumes)
    _write(lake, STREAMED_BARS, key, frames["streamed_bars"][key], {"run_mode": "replay"}, _whole_volumes, version=2)
    return frames


def make_earlier_profile(folder: Path, profile: Profile) -> dict[str, dict[PartitionKey, pd.DataFrame]]:
    """Make the folder of a profile of format 1: manifest, SQLite database, lake; the frames as `make_earlier_lake`."""
    folder.mkdir(parents=True)
    manifest = {"source": profile.source, "frequency": profile.frequency.value, "basis": profile.basis.value}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")
    make_earlier_database(Database(f"sqlite:///{folder / 'ledger.db'}", profile.name))
    return make_earlier_lake(folder / "lake")


def _write(
    lake: Lake,
    contract: Contract,
    key: PartitionKey,
    frame: pd.DataFrame,
    metadata: dict[str, Any],
    earlier: Callable[[pa.Table], pa.Table],
    *,
    version: int = 1,
) -> None:
    path = lake.write(contract, key, frame, metadata)
    with path.open("rb") as file:
        table = pq.read_table(file)
    about = dict(table.schema.metadata)
    facts = json.loads(about[b"pairs_platform"]) | {"contract_version": version}
    about[b"pairs_platform"] = json.dumps(facts).encode()
    if version == 1:
        about[b"pandas"] = about[b"pandas"].replace(b'"run_mode"', b'"feed"')
    with path.open("wb") as file:
        pq.write_table(earlier(table).replace_schema_metadata(about), file)


def _earlier_sets(table: pa.Table) -> pa.Table:
    values = pa.array([_SETS[name] for name in table["parameter_set"].to_pylist()])
    return table.set_column(table.schema.get_field_index("parameter_set"), "parameter_set", values)


def _whole_volumes(table: pa.Table) -> pa.Table:
    return table.set_column(table.schema.get_field_index("volume"), "volume", table["volume"].cast(pa.int64()))


def _earlier_feed(table: pa.Table) -> pa.Table:
    return _whole_volumes(table).rename_columns(["feed" if name == "run_mode" else name for name in table.column_names])
