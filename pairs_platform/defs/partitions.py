"""The two dimensions of every asset: the session (as-of date) and the sector.

What does not belong here: which sectors the universe has and where prices begin (settings).
"""

from collections.abc import Iterable
from datetime import date, timedelta
from functools import cache
from itertools import groupby

import dagster as dg

from pairs_platform.core.errors import ConfigurationError, NotFound
from pairs_platform.core.partition_key import PartitionKey, key_of
from pairs_platform.core.prices.calendar import (
    CALENDAR_END,
    CALENDAR_START,
    closed_weekdays,
    require_session,
    sessions_between,
)
from pairs_platform.core.prices.sectors import SECTORS
from pairs_platform.core.time import MARKET_TIMEZONE, market_midnight
from pairs_platform.settings.model import Settings


class SessionBySector(dg.MultiPartitionsDefinition):
    """Sessions from a first day on, by sector; keys read "2023-03-08|technology".

    Equal settings give a definition of the same identity: the exclusions come from the calendar's file, which only a
    release changes, and the order of the sectors is theirs.

    Parameters
    ----------
    first : date
        No session before it is a partition.
    sectors : iterable of str
        Slugs.
    end_offset : int
        1 adds the session under way; on a week-end the coming one too.
    """

    def __init__(self, first: date, sectors: Iterable[str], *, end_offset: int = 0) -> None:
        self.first, self.sectors, self.end_offset = first, tuple(sorted(sectors)), end_offset
        days = dg.DailyPartitionsDefinition(
            start_date=first.isoformat(),
            end_date=(CALENDAR_END + timedelta(days=1)).isoformat(),
            timezone=MARKET_TIMEZONE,
            end_offset=end_offset,
            exclusions=["0 0 * * 6", "0 0 * * 0", *map(market_midnight, closed_weekdays())],
        )
        super().__init__({"date": days, "sector": dg.StaticPartitionsDefinition(list(self.sectors))})

    def validate_partition_key(self, partition_key: str, context: object = None) -> None:
        """Refuse a key that is none before a run starts, and say what there is.

        Dagster asks it wherever somebody names a partition; `context` is Dagster's and changes nothing.

        Raises
        ------
        ConfigurationError
        """
        if self.has_partition_key(partition_key):
            return
        session = "over or under way" if self.end_offset else "over"
        example = PartitionKey(sessions_between(self.first, CALENDAR_END)[0], self.sectors[0])
        raise ConfigurationError(
            f"{partition_key!r} is no partition: {self._wrong_part(partition_key)}. A key is a session that is "
            f"{session} and a sector of the universe, like {example}. The universe has {', '.join(self.sectors)} "
            f"(universe.yaml); sessions begin at backfill_start {self.first} (platform.yaml)"
        )

    def _wrong_part(self, partition_key: str) -> str:
        """Which part of a key that is none is wrong, and why."""
        day, _, sector = partition_key.partition("|")
        try:
            session = require_session(date.fromisoformat(day))
        except ValueError:
            return f"{day!r} is no day written YYYY-MM-DD"
        except NotFound as reason:
            return str(reason)
        if session < self.first:
            return f"{session} is before the first session"
        if sector not in self.sectors:
            return f"{sector!r} is no sector of the universe"
        return f"{session} is still to come" if self.end_offset else f"{session} is not over"


session_by_sector = SessionBySector(CALENDAR_START, SECTORS)
"""Everything that a partition can be; `of_settings` leaves what the settings say."""

live_session_by_sector = SessionBySector(CALENDAR_START, SECTORS, end_offset=1)
"""The same with the session under way."""


def of_settings(definition: SessionBySector, settings: Settings) -> SessionBySector:
    """The partitions of a profile: sessions from `backfill_start`, sectors in which the universe has symbols.

    Where the source names the sectors (`universe_origin: source`), all of them: its files are not read to find out.
    """
    sectors = (slug for slug in SECTORS if settings.universe_origin == "source" or settings.listings(slug))
    return _shared(settings.backfill_start, tuple(sectors), definition.end_offset)


@cache
def _shared(first: date, sectors: tuple[str, ...], end_offset: int) -> SessionBySector:
    """One definition for all assets: making it walks the whole calendar."""
    return SessionBySector(first, sectors, end_offset=end_offset)


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
