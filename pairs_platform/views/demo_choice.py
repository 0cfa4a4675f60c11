"""Which sectors and which sessions `demo` takes where nobody names them, and what it says of that.

What does not belong here: running them (`defs.in_process`), what the source holds (`adapters`).
"""

from collections import Counter
from collections.abc import Sequence
from datetime import date
from zoneinfo import ZoneInfo

from pairs_platform.core.errors import ConfigurationError, NotFound
from pairs_platform.core.prices.calendar import (
    CALENDAR_START,
    last_session_before,
    require_session,
    session_offset,
    sessions_between,
    sessions_ending,
)
from pairs_platform.core.time import MARKET_TIMEZONE
from pairs_platform.platform import Platform
from pairs_platform.views.symbol_status import sectors_in_words

SESSIONS = 3


def sector_sizes(platform: Platform) -> dict[str, int]:
    """Symbols of each sector that has some, by slug."""
    settings = platform.settings
    if settings.universe_origin == "config":
        sizes = {slug: len(settings.listings(slug)) for slug in sorted(settings.universe)}
        return {slug: size for slug, size in sizes.items() if size}
    return dict(sorted(Counter(listing.sector for listing in platform.market_data.universe() or ()).items()))


def demo_sectors(platform: Platform) -> list[str]:
    """The active sectors that have symbols; where a source with sectors of its own has none of these, all with a pair.

    Raises
    ------
    ConfigurationError
        The universe is that of the configuration, and no sector of it is active.
    """
    sizes, settings = sector_sizes(platform), platform.settings
    active = [slug for slug in settings.active_sectors if slug in sizes]
    if not active and settings.universe_origin == "config":
        raise ConfigurationError("no sector is active; set `active: true` for one in universe.yaml, or give --sector")
    return active or [slug for slug, size in sizes.items() if size > 1] or list(sizes)


def default_sector(platform: Platform) -> str:
    """The first active sector that the source has, else the one of most symbols.

    Raises
    ------
    ConfigurationError
        The universe is that of the configuration, and no sector of it is active.
    """
    sectors = demo_sectors(platform)
    if set(sectors) <= set(platform.settings.active_sectors):
        return sectors[0]
    sizes = sector_sizes(platform)
    return max(sectors, key=lambda slug: sizes[slug])


def sector_lines(platform: Platform, taken: Sequence[str]) -> tuple[str, str]:
    """Which sectors a demo takes, and which others there are; empty where there are none."""
    sizes = sector_sizes(platform)
    others = {slug: size for slug, size in sizes.items() if slug not in taken}
    return (
        sectors_in_words({slug: sizes[slug] for slug in taken}, taken),
        sectors_in_words(others, platform.settings.active_sectors),
    )


def newest_session(platform: Platform, sector: str) -> date:
    """The newest session that is complete and that the source has of most symbols of the sector."""
    newest = last_session_before(platform.clock().astimezone(ZoneInfo(MARKET_TIMEZONE)).date())
    available = _available(platform, sector)
    return min(newest, available[1]) if available else newest


def _available(platform: Platform, sector: str) -> tuple[date, date] | None:
    return platform.market_data.sessions_available([listing.symbol for listing in platform.listings(sector)])


def demo_sessions(platform: Platform, sector: str, last: date | None) -> list[date]:
    """The `SESSIONS` sessions that end with `last`, the newest one of the sector if not given.

    Raises
    ------
    NotFound
        `last` is no session, or the source does not have it, or not the lookback before it.
    """
    newest, available = newest_session(platform, sector), _available(platform, sector)
    last = require_session(last) if last else newest
    if last > newest:
        raise NotFound(f"session {last} is not complete or not in the source; the newest is {newest}")
    lookback = platform.settings.lookback_sessions
    needed = lookback + SESSIONS - 1
    if available:
        stored = sessions_between(available[0], last)
        if len(stored) < needed:
            begins = " (where the calendar begins)" if available[0] == CALENDAR_START else ""
            raise NotFound(
                f"{platform.market_data.label}: from {available[0]}{begins}, the first session that most symbols of "
                f"{sector} have, to {last} there are {len(stored)} sessions; {SESSIONS} sessions with a lookback of "
                f"{lookback} need {needed}: choose a later --session, or a smaller lookback in the configuration"
            )
    session_offset(last, 1 - needed)
    return sessions_ending(last, SESSIONS)
