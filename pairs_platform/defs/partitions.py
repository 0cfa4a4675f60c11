"""The two dimensions of every asset: the session (as-of date) and the sector.

What does not belong here: which sectors are active and how far a backfill goes (settings).
"""

from collections.abc import Iterable
from datetime import date, timedelta
from itertools import groupby

import dagster as dg

from pairs_platform.core.partition_key import PartitionKey, key_of
from pairs_platform.core.prices.calendar import CALENDAR_END, CALENDAR_START, closed_weekdays
from pairs_platform.core.prices.sectors import SECTORS
from pairs_platform.core.time import MARKET_TIMEZONE, market_midnight

sessions_definition = dg.DailyPartitionsDefinition(
    start_date=CALENDAR_START.isoformat(),
    end_date=(CALENDAR_END + timedelta(days=1)).isoformat(),
    timezone=MARKET_TIMEZONE,
    exclusions=["0 0 * * 6", "0 0 * * 0", *map(market_midnight, closed_weekdays())],
)
"""Exclusions are part of a definition's identity: they come from the calendar's file, which only a release changes."""

session_by_sector = dg.MultiPartitionsDefinition(
    {"date": sessions_definition, "sector": dg.StaticPartitionsDefinition(list(SECTORS))}
)
"""Keys read "2023-03-08|technology": the as-of session, then the sector."""

live_sessions_definition = dg.DailyPartitionsDefinition(
    start_date=CALENDAR_START.isoformat(),
    end_date=(CALENDAR_END + timedelta(days=1)).isoformat(),
    timezone=MARKET_TIMEZONE,
    end_offset=1,
    exclusions=["0 0 * * 6", "0 0 * * 0", *map(market_midnight, closed_weekdays())],
)
"""The same sessions with the one under way; on a week-end it shows the coming one too."""

live_session_by_sector = dg.MultiPartitionsDefinition(
    {"date": live_sessions_definition, "sector": dg.StaticPartitionsDefinition(list(SECTORS))}
)


def lookback_mapping(first_offset: int, last_offset: int = 0) -> dg.MultiPartitionMapping:
    """Map a session to the sessions from `first_offset` to `last_offset` before it (both ≤ 0), same sector."""
    return dg.MultiPartitionMapping(
        {
            "date": dg.DimensionPartitionMapping(
                "date",
                dg.TimeWindowPartitionMapping(
                    start_offset=first_offset, end_offset=last_offset, allow_nonexistent_upstream_partitions=True
                ),
            ),
            "sector": dg.DimensionPartitionMapping("sector", dg.IdentityPartitionMapping()),
        }
    )


def lake_keys(partitions: Iterable[str]) -> list[PartitionKey]:
    """Lake keys of a run's partitions, by sector, then by session."""
    return sorted((key_of(name) for name in partitions), key=lambda key: (key.sector, key.session))


def by_sector(partitions: Iterable[str]) -> list[tuple[str, list[date]]]:
    """Sectors of a run's partitions, each with its sessions in order."""
    return [
        (sector, [key.session for key in keys])
        for sector, keys in groupby(lake_keys(partitions), key=lambda key: key.sector)
    ]
