"""Which sector and which sessions `demo` takes where nobody names them.

What does not belong here: running them (`defs.in_process`), what the source holds (`adapters`).
"""

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

SESSIONS = 3


def default_sector(platform: Platform) -> str:
    """The first active sector that the source has, else the one of most symbols.

    Raises
    ------
    ConfigurationError
        The universe is that of the configuration, and no sector of it is active.
    """
    active = platform.settings.active_sectors
    if platform.settings.universe_origin == "config":
        if not active:
            raise ConfigurationError(
                "no sector is active; set `active: true` for one in universe.yaml, or give --sector"
            )
        return active[0]
    sectors = [listing.sector for listing in platform.market_data.universe() or ()]
    preferred = [sector for sector in active if sector in sectors]
    return preferred[0] if preferred else max(sorted(set(sectors)), key=sectors.count)


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
