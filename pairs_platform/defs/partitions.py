"""The two dimensions of every asset: the session (as-of date) and the sector.

What does not belong here: which sectors are active and how far a backfill goes (settings).
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

import dagster as dg

from pairs_platform.core.prices.calendar import CALENDAR_END, CALENDAR_START, MARKET_TIMEZONE
from pairs_platform.core.prices.sectors import SECTORS
from pairs_platform.lake.store import PartitionKey

CLOSED_WEEKDAYS = {
    2018: "01-15 02-19 03-30 05-28 07-04 09-03 11-22 12-05 12-25",
    2019: "01-01 01-21 02-18 04-19 05-27 07-04 09-02 11-28 12-25",
    2020: "01-01 01-20 02-17 04-10 05-25 07-03 09-07 11-26 12-25",
    2021: "01-01 01-18 02-15 04-02 05-31 07-05 09-06 11-25 12-24",
    2022: "01-17 02-21 04-15 05-30 06-20 07-04 09-05 11-24 12-26",
    2023: "01-02 01-16 02-20 04-07 05-29 06-19 07-04 09-04 11-23 12-25",
    2024: "01-01 01-15 02-19 03-29 05-27 06-19 07-04 09-02 11-28 12-25",
    2025: "01-01 01-09 01-20 02-17 04-18 05-26 06-19 07-04 09-01 11-27 12-25",
    2026: "01-01 01-19 02-16 04-03 05-25 06-19 07-03 09-07 11-26 12-25",
    2027: "01-01 01-18 02-15 03-26 05-31 06-18 07-05 09-06 11-25 12-24",
    2028: "01-17 02-21 04-14 05-29 06-19 07-04 09-04 11-23 12-25",
    2029: "01-01 01-15 02-19 03-30 05-28 06-19 07-04 09-03 11-22 12-25",
    2030: "01-01 01-21 02-18 04-19 05-27 06-19 07-04 09-02 11-28 12-25",
}
"""Weekdays without trading, month and day by year. Written down because exclusions are part of a definition's identity:
a new version of the calendar library must not change it, and loading the definitions need not build a calendar. A test
holds them against the calendar."""


def closed_weekdays() -> list[datetime]:
    """`CLOSED_WEEKDAYS` as midnights in New York."""
    zone = ZoneInfo(MARKET_TIMEZONE)
    days = [(year, *map(int, day.split("-"))) for year, listed in CLOSED_WEEKDAYS.items() for day in listed.split()]
    return [datetime(year, month, day, tzinfo=zone) for year, month, day in days]


sessions_definition = dg.DailyPartitionsDefinition(
    start_date=CALENDAR_START.isoformat(),
    end_date=(CALENDAR_END + timedelta(days=1)).isoformat(),
    timezone=MARKET_TIMEZONE,
    exclusions=["0 0 * * 6", "0 0 * * 0", *closed_weekdays()],
)

session_by_sector = dg.MultiPartitionsDefinition(
    {"date": sessions_definition, "sector": dg.StaticPartitionsDefinition(list(SECTORS))}
)
"""Keys read "2023-03-08|technology": the as-of session, then the sector."""


def look_back_mapping(first_offset: int, last_offset: int = 0) -> dg.MultiPartitionMapping:
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


def lake_key(partition: str) -> PartitionKey:
    """Lake key of a partition as Dagster names it."""
    session, sector = partition.split("|")
    return PartitionKey(date.fromisoformat(session), sector)


def lake_keys(partitions: Iterable[str]) -> list[PartitionKey]:
    """Lake keys of a run's partitions, by sector, then by session."""
    return sorted((lake_key(name) for name in partitions), key=lambda key: (key.sector, key.session))


def by_sector(partitions: Iterable[str]) -> list[tuple[str, list[date]]]:
    """Sectors of a run's partitions, each with its sessions in order."""
    return [
        (sector, [key.session for key in keys])
        for sector, keys in groupby(lake_keys(partitions), key=lambda key: key.sector)
    ]
