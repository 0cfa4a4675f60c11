"""Moments and durations: units of time, and how a moment is written in one form or another.

A moment is an aware datetime, or nanoseconds since 1970-01-01 UTC (names end in `_ns`). What does not belong here: the
trading calendar (`core.prices.calendar`), and clocks of the market (`core.streaming.clock`).
"""

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

SECOND_NS = 10**9
MINUTE_NS = 60 * SECOND_NS
HOUR_NS = 60 * MINUTE_NS
DAY_NS = 24 * HOUR_NS
DAY_SECONDS = DAY_NS // SECOND_NS

MARKET_TIMEZONE = "America/New_York"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = _EPOCH.toordinal()


def utc_now() -> datetime:
    """The present moment, aware, in UTC."""
    return datetime.now(UTC)


def moment_ns(moment: datetime) -> int:
    """A moment in nanoseconds since 1970-01-01 UTC, exact to the microsecond.

    Raises
    ------
    ValueError
        The moment has no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone")
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000


def moment_utc(ns: int) -> datetime:
    """Nanoseconds since 1970-01-01 UTC as an aware datetime in UTC, rounded down to the microsecond."""
    return _EPOCH + timedelta(microseconds=ns // 1000)


def market_moment(ns: int) -> datetime:
    """Nanoseconds since 1970-01-01 UTC as an aware datetime in New York, rounded down to the microsecond."""
    return moment_utc(ns).astimezone(ZoneInfo(MARKET_TIMEZONE))


def market_day(ns: int) -> date:
    """Date in New York of a moment, nanoseconds since 1970-01-01 UTC."""
    return market_moment(ns).date()


def market_time(moment: datetime) -> str:
    """Time of day in New York of an aware moment, as 09:35."""
    return f"{market_moment(moment_ns(moment)):%H:%M}"


def market_midnight(day: date) -> datetime:
    """Beginning of a day in New York, aware."""
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(MARKET_TIMEZONE))


def utc_day(days: int) -> date:
    """Date of a number of days since 1970-01-01 UTC."""
    return date.fromordinal(_EPOCH_DAY + days)


def stamps_ns(stamps: "pd.Series | pd.DatetimeIndex") -> "np.ndarray":
    """Time stamps as nanoseconds since 1970-01-01 UTC.

    Parameters
    ----------
    stamps : Series or DatetimeIndex, shape (n,)
        Of any unit; in UTC or any other zone, stamps without a zone count as UTC.

    Returns
    -------
    ndarray of int64, shape (n,)
        The smallest int64 where a stamp is missing.
    """
    import pandas as pd

    return pd.DatetimeIndex(stamps).as_unit("ns").asi8
