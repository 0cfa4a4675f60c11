"""The session and the start of each row of a file, from its time stamp and from how the file is written.

A daily row is a date; a row dated one day early would be known before it happened, so where its date is not clear the
row has none. What does not belong here: reading the stamps (`stamps`), judging whether a day is a session
(`core.prices.validation`).
"""

from dataclasses import dataclass, replace

import numpy as np

from pairs_platform.adapters.files.settings import BarEnd
from pairs_platform.adapters.files.stamps import Fault, Stamps, utc_of_wall, wall_clock
from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.prices.calendar import session_table
from pairs_platform.core.time import HOUR_NS, MARKET_TIMEZONE, MINUTE_NS

_DAY = "datetime64[D]"
_NAT = np.datetime64("NaT", "ns")
_OPEN, _CLOSE = 9 * HOUR_NS + 30 * MINUTE_NS, 16 * HOUR_NS
_NO_MIDNIGHT_BEFORE = 5 * HOUR_NS
_EVENING = 18 * HOUR_NS
_NEW_YORK_NAMES = (MARKET_TIMEZONE, "US/Eastern", "EST5EDT")
_LATEST_NEW_YORK_MIDNIGHT, _FIRST_EASTERN_MIDNIGHT = 4 * HOUR_NS, 10 * HOUR_NS


@dataclass(frozen=True)
class SessionRule:
    """How the rows of a file become bars; the same for every row.

    Attributes
    ----------
    frequency : Frequency
    timezone : str or None
        Zone that the settings state, for time stamps without one.
    label : BarEnd
        Which end of an intraday bar its time stamp names.
    no_closes : bool
        Whether times of day at the open or the close in New York are another zone's midnights, see `are_midnights`.
    """

    frequency: Frequency
    timezone: str | None = None
    label: BarEnd = "start"
    no_closes: bool = False


@dataclass(frozen=True, eq=False)
class PlacedRows:
    """Sessions of n time stamps.

    Attributes
    ----------
    session : ndarray of datetime64[D], shape (n,)
        NaT where there is a fault.
    start : ndarray of datetime64[ns], shape (n,)
        Start of the bar in UTC; of a daily bar 09:30 in New York.
    fault : ndarray of int8, shape (n,)
        `Fault`.
    """

    session: np.ndarray
    start: np.ndarray
    fault: np.ndarray


def placed(stamps: Stamps, rule: SessionRule) -> PlacedRows:
    """Session and start of every row, each from its own time stamp."""
    if rule.frequency is Frequency.ONE_DAY:
        return _daily(stamps, rule)
    utc, fault = instants(stamps, rule.timezone)
    if rule.label == "end":
        utc = _starts_of_ends(utc, rule.frequency)
    return PlacedRows(wall_clock(utc, MARKET_TIMEZONE).astype(_DAY), utc, fault)


def dates(stamps: Stamps, rule: SessionRule) -> tuple[np.ndarray, np.ndarray]:
    """Date that each time stamp means, datetime64[D], NaT where that is not clear, and the fault.

    Midnight as written, or in the zone that the settings state, is the date as written. Another time of day is the date
    of its instant in New York: before 18:00, and not when it may as well be midnight in a zone further east, which
    would be the date after it. Open and close of New York's session are taken as such. A time without offset that would
    be midnight in the stated zone if it were in UTC is in doubt too.
    """
    written = stamps.wall.astype(_DAY)
    is_date = stamps.wall == written
    utc, _ = instants(stamps, rule.timezone)
    in_zone = wall_clock(utc, rule.timezone) if rule.timezone else np.full(len(utc), _NAT)
    is_date_there = in_zone == in_zone.astype(_DAY)
    in_market = wall_clock(utc, MARKET_TIMEZONE)
    market_day, clock = in_market.astype(_DAY), _time_of_day(in_market)
    may_be_midnight = _on_the_mark(clock)
    at_edge = may_be_midnight & ((clock == _OPEN) | _is_close(utc, clock)) & (not rule.no_closes)
    in_doubt = may_be_midnight & _is_midnight_of_utc(stamps, rule.timezone)
    has_market_day = ((clock < _NO_MIDNIGHT_BEFORE) & ~in_doubt) | ((clock < _EVENING) & ~may_be_midnight) | at_edge
    if stamps.zone in _NEW_YORK_NAMES:
        has_market_day |= ~np.isnat(utc)
    elif rule.timezone in _NEW_YORK_NAMES:
        has_market_day |= np.isnat(stamps.utc)
    of_wall = np.isnat(utc) & _is_clear_without_zone(stamps, no_closes=rule.no_closes)
    day = np.select(
        [is_date, is_date_there, ~np.isnat(utc) & has_market_day, of_wall],
        [written, in_zone.astype(_DAY), market_day, written],
        np.datetime64("NaT", "D"),
    )
    fault = np.where((stamps.fault == 0) & np.isnat(day), Fault.UNCLEAR_DATE, stamps.fault).astype(np.int8)
    return day, fault


def are_midnights(stamps: Stamps, rule: SessionRule) -> bool:
    """Whether daily times at New York's open or close are another zone's midnights: on Sundays, not on Fridays."""
    without_edges, fault = dates(stamps, replace(rule, no_closes=True))
    utc, _ = instants(stamps, rule.timezone)
    market = np.where(np.isnat(utc), stamps.wall, wall_clock(utc, MARKET_TIMEZONE)).astype(_DAY)
    days = np.unique(market[np.isnat(without_edges) & (fault == Fault.UNCLEAR_DATE)])
    weekday = (days.astype(np.int64) + 3) % 7
    return bool(np.count_nonzero(weekday == 6) > np.count_nonzero(weekday == 4))


def edge_counts(utc: np.ndarray, rows: np.ndarray) -> tuple[int, int, int]:
    """Rows at an open, rows at a close, and sessions with a row at either.

    Parameters
    ----------
    utc : ndarray of datetime64[ns], shape (n,)
        Distinct time stamps.
    rows : ndarray of int64, shape (n,)
        Rows with each of them.
    """
    table = session_table()
    moment = utc.astype(np.int64)
    at_open, at_close = np.isin(moment, table.open_ns), np.isin(moment, table.close_ns)
    sessions = np.unique(utc[at_open | at_close].astype(_DAY))
    return int(rows[at_open].sum()), int(rows[at_close].sum()), len(sessions)


def _daily(stamps: Stamps, rule: SessionRule) -> PlacedRows:
    day, fault = dates(stamps, rule)
    opens = day.astype("datetime64[ns]") + np.timedelta64(_OPEN, "ns")
    return PlacedRows(day, utc_of_wall(opens, MARKET_TIMEZONE), fault)


def instants(stamps: Stamps, timezone: str | None) -> tuple[np.ndarray, np.ndarray]:
    """The instant of each stamp, NaT where it has none, and the fault."""
    naive = np.isnat(stamps.utc) & ~np.isnat(stamps.wall)
    if not naive.any():
        return stamps.utc, stamps.fault
    if timezone is None:
        return stamps.utc, np.where(naive, Fault.NO_ZONE, stamps.fault).astype(np.int8)
    utc = np.where(naive, utc_of_wall(np.where(naive, stamps.wall, _NAT), timezone), stamps.utc)
    return utc, np.where(naive & np.isnat(utc), Fault.CLOCK_CHANGE, stamps.fault).astype(np.int8)


def _time_of_day(wall: np.ndarray) -> np.ndarray:
    return np.where(np.isnat(wall), -1, (wall - wall.astype(_DAY)).astype(np.int64))


def _on_the_mark(clock: np.ndarray) -> np.ndarray:
    """Whether a time of day in New York may be midnight elsewhere: on the half hour, before 16:00 on the quarter."""
    quarter = 15 * MINUTE_NS
    return np.asarray((clock % (2 * quarter) == 0) | ((clock % quarter == 0) & (clock < _CLOSE)), bool)


def _is_midnight_of_utc(stamps: Stamps, timezone: str | None) -> np.ndarray:
    """Whether a time without offset, taken as UTC, is midnight in the stated zone."""
    if timezone is None:
        return np.zeros(len(stamps.wall), bool)
    there = wall_clock(stamps.wall, timezone)
    return np.asarray(np.isnat(stamps.utc) & (there == there.astype(_DAY)))


def _is_close(utc: np.ndarray, clock: np.ndarray) -> np.ndarray:
    """Whether it is 16:00 in New York, or the close of a short session."""
    return (clock == _CLOSE) | np.isin(utc.astype(np.int64), session_table().close_ns)


def _is_clear_without_zone(stamps: Stamps, *, no_closes: bool) -> np.ndarray:
    """Whether a time of day without a zone leaves no doubt about the date, be it in New York or in UTC."""
    clock = _time_of_day(stamps.wall)
    day_time = (clock >= _LATEST_NEW_YORK_MIDNIGHT) & (clock < _EVENING)
    eastern = (clock >= _FIRST_EASTERN_MIDNIGHT) & _on_the_mark(clock)
    is_close = _is_close(instants(stamps, MARKET_TIMEZONE)[0], clock) & (not no_closes)
    return np.asarray(day_time & (~eastern | is_close), bool)


def _starts_of_ends(utc: np.ndarray, frequency: Frequency) -> np.ndarray:
    """Start of the bar that ends at each instant; the bar that ends at a close may be shorter than the others."""
    table, length = session_table(), frequency.length_ns
    moment = utc.astype(np.int64)
    at = np.searchsorted(table.close_ns, moment).clip(max=len(table.close_ns) - 1)
    of_session = table.close_ns[at] - table.open_ns[at]
    last = table.open_ns[at] + (-(-of_session // length) - 1) * length
    start = np.where(table.close_ns[at] == moment, last, moment - length)
    return np.where(np.isnat(utc), _NAT, np.where(np.isnat(utc), 0, start).astype("datetime64[ns]"))
