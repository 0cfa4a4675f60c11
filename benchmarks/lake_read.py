"""Read time of a lookback from the lake: alone in it, and among five years of eleven sectors.

`python -m benchmarks.lake_read [--quick]`. The reference, pandas.read_parquet on the same list of files, runs in turn
with ours; results are compared on every run. Required: 60 sessions × 23 symbols × 78 bars in 0.2 s, in both lakes.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from pairs_platform.core.partition_key import PartitionKey, keys_of
from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.prices.calendar import bar_grid, sessions_ending
from pairs_platform.core.prices.contracts import PRICE_HISTORY
from pairs_platform.core.prices.sectors import SECTORS
from pairs_platform.lake.sql import query
from pairs_platform.lake.store import Lake

LIMIT_SECONDS = 0.2
SYMBOLS = [f"S{i:02d}" for i in range(23)]
SECTOR = "technology"


def make_session(session: date, rng: np.random.Generator) -> pd.DataFrame:
    ts_utc = bar_grid([session], Frequency.FIVE_MINUTES).ts_utc
    n = len(ts_utc) * len(SYMBOLS)
    path = np.exp(rng.normal(4.0, 0.3, (n, 4))).round(2)
    return pd.DataFrame(
        {
            "symbol": np.repeat(SYMBOLS, len(ts_utc)),
            "ts_utc": ts_utc.append([ts_utc] * (len(SYMBOLS) - 1)),
            "open": path[:, 0],
            "high": path.max(axis=1),
            "low": path.min(axis=1),
            "close": path[:, 3],
            "volume": rng.integers(0, 100_000, n),
        }
    )


def fill(lake: Lake, sessions: list[date], years_sessions: list[date]) -> None:
    """Store the lookback, and copies of its first file as the rest of the history."""
    rng = np.random.default_rng(1)
    for session in sessions:
        lake.write(PRICE_HISTORY, PartitionKey(session, SECTOR), make_session(session, rng), {"source": "benchmark"})
    content = lake.path(PRICE_HISTORY.table, PartitionKey(sessions[0], SECTOR)).read_bytes()
    stored = set(sessions)
    for sector in SECTORS:
        for session in years_sessions:
            path = lake.path(PRICE_HISTORY.table, PartitionKey(session, sector))
            if sector != SECTOR or session not in stored:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)


def seconds(action: Callable[[], pd.DataFrame]) -> tuple[float, pd.DataFrame]:
    start = time.perf_counter()
    result = action()
    return time.perf_counter() - start, result


def measure(name: str, lake: Lake, sessions: list[date], repeats: int) -> float:
    keys = keys_of(sessions, SECTOR)
    files = [lake.path(PRICE_HISTORY.table, key) for key in keys]
    ours, reference = [], []
    for _ in range(repeats):
        mine, frame = seconds(lambda: lake.read_many(PRICE_HISTORY, keys))
        # The folder name sector=… would become a column of the reference alone.
        theirs, expected = seconds(lambda: pd.read_parquet(files, partitioning=None))
        pd.testing.assert_frame_equal(frame, expected)
        ours.append(mine)
        reference.append(theirs)
    stored = sum(1 for _ in lake.root.rglob("*.parquet"))
    print(f"{name}: {len(keys)} sessions, {len(frame):,} rows, {stored:,} files stored")
    for label, times in (("read_many          ", ours), ("pandas.read_parquet", reference)):
        raw = " ".join(f"{value * 1000:.0f}" for value in times)
        print(f"  {label} first {times[0] * 1000:4.0f} ms, median {np.median(times) * 1000:4.0f} ms; all: {raw}")
    statement = f"SELECT count(*) AS n FROM price_history WHERE sector = '{SECTOR}' AND session >= '{sessions[0]}'"
    took, counted = seconds(lambda: query(lake, [PRICE_HISTORY], statement))
    assert counted["n"][0] == len(frame)
    print(f"  `sql` count over the same sessions, connection included: {took * 1000:.0f} ms")
    return float(np.median(ours))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one year instead of five, fewer repeats")
    quick = parser.parse_args().quick
    last = date(2024, 12, 31)
    sessions = sessions_ending(last, 60)
    history = sessions_ending(last, 251 if quick else 1255)
    repeats = 5 if quick else 15
    medians = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, years_sessions in (
            ("empty lake", []),
            (f"{len(history)} sessions × {len(SECTORS)} sectors", history),
        ):
            lake = Lake(Path(folder) / name.split()[0])
            fill(lake, sessions, years_sessions)
            medians[name] = measure(name, lake, sessions, repeats)
    late = {name: value for name, value in medians.items() if value >= LIMIT_SECONDS}
    print(f"limit {LIMIT_SECONDS * 1000:.0f} ms: {'missed by ' + ', '.join(late) if late else 'kept in both lakes'}")
    return 1 if late else 0


if __name__ == "__main__":
    sys.exit(main())
