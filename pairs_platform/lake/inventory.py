"""What the lake holds of each symbol: range, gaps, quarantined rows, flags.

What does not belong here: which symbols the universe has (settings) and judging a single partition (`core.prices`).
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date

import pandas as pd

from pairs_platform.core.partition_key import keys_of
from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.prices.calendar import bar_grid, sessions_between
from pairs_platform.core.prices.contracts import PRICE_FLAGS, PRICE_HISTORY, PRICE_QUARANTINE
from pairs_platform.lake.store import Lake

INVENTORY_COLUMNS = (
    "sector", "symbol", "first_session", "last_session", "sessions", "sessions_missing", "gaps", "coverage",
    "bars_missing", "rows_quarantined", "n_flags", "flags",
)  # fmt: skip


def symbol_inventory(lake: Lake, universe: Mapping[str, Sequence[str]], *, frequency: Frequency) -> pd.DataFrame:
    """One row per symbol of the universe and per symbol that is stored without being in it.

    Returns
    -------
    DataFrame
        sector, symbol, first_session, last_session (null without bars), sessions stored with at least one bar,
        sessions_missing between the sector's first and last stored session, gaps (these sessions as ranges, in words),
        coverage (share of the calendar's bars over the symbol's own sessions), bars_missing in them,
        rows_quarantined, n_flags, flags (kinds with their count).
    """
    frames = [_sector_inventory(lake, sector, symbols, frequency) for sector, symbols in sorted(universe.items())]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(INVENTORY_COLUMNS))


def _gaps(calendar: Sequence[date], stored: Collection[date]) -> str:
    """Runs of sessions that are not stored, as "2023-02-01 to 2023-02-03 (3), 2023-02-10"; "none" without one."""
    runs: list[list[date]] = []
    for day, before in zip(calendar, [None, *calendar], strict=False):
        if day in stored:
            continue
        if runs and runs[-1][-1] == before:
            runs[-1].append(day)
        else:
            runs.append([day])
    words = [f"{run[0]} to {run[-1]} ({len(run)})" if len(run) > 1 else str(run[0]) for run in runs]
    return ", ".join(words) or "none"


def _sector_inventory(lake: Lake, sector: str, symbols: Sequence[str], frequency: Frequency) -> pd.DataFrame:
    stored = lake.sessions(PRICE_HISTORY.table, sector)
    keys = keys_of(stored, sector)
    bars = lake.read_many(PRICE_HISTORY, keys, ["symbol"], with_session=True)
    quarantined = lake.read_many(PRICE_QUARANTINE, keys, ["symbol"])["symbol"].value_counts()
    flags = lake.read_many(PRICE_FLAGS, keys, ["symbol", "kind"])
    per_session = bars.groupby(["symbol", "session"]).size()
    calendar = sessions_between(stored[0], stored[-1]) if stored else []
    expected = pd.Series(bar_grid(calendar, frequency).session).value_counts() if calendar else pd.Series(dtype="int64")
    rows = []
    for symbol in sorted({*symbols, *bars["symbol"].unique()}):
        counts = (
            per_session.loc[symbol] if symbol in per_session.index.get_level_values(0) else pd.Series(dtype="int64")
        )
        due = int(expected.reindex(pd.DatetimeIndex(counts.index)).sum()) if len(counts) else 0
        kinds = flags.loc[flags["symbol"] == symbol, "kind"].value_counts()
        rows.append(
            {
                "sector": sector,
                "symbol": symbol,
                "first_session": counts.index.min() if len(counts) else pd.NaT,
                "last_session": counts.index.max() if len(counts) else pd.NaT,
                "sessions": len(counts),
                "sessions_missing": len(calendar) - len(counts),
                "gaps": _gaps(calendar, {stamp.date() for stamp in counts.index}) if len(counts) else "none",
                "coverage": int(counts.sum()) / due if due else float("nan"),
                "bars_missing": max(0, due - int(counts.sum())),
                "rows_quarantined": int(quarantined.get(symbol, 0)),
                "n_flags": int(kinds.sum()),
                "flags": ", ".join(f"{kind} {count}" for kind, count in kinds.items()) or "none",
            }
        )
    return pd.DataFrame(rows, columns=list(INVENTORY_COLUMNS))
