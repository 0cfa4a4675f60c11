"""The XNYS session calendar: which days trade, from when to when, and where their bars start.

The sessions are data of the package: `xnys_sessions.csv`, made by `benchmarks/make_calendar_table.py`.
What does not belong here: time zones of data files (`adapters`) and partition definitions (`defs.partitions`).
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

from pairs_platform.core.errors import NotFound
from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.time import MARKET_TIMEZONE, moment_utc

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

TABLE_NAME = "xnys_sessions.csv"

CALENDAR_START = date(2018, 1, 2)
CALENDAR_END = date(2030, 12, 31)
"""Fixed in code: the partition definition's identity follows from them."""


@lru_cache(maxsize=1)
def all_sessions() -> tuple[date, ...]:
    """Every session between `CALENDAR_START` and `CALENDAR_END`, in order."""
    return tuple(session_table().day.tolist())


@lru_cache(maxsize=1)
def _positions() -> dict[date, int]:
    return {day: i for i, day in enumerate(all_sessions())}


def is_session(day: date) -> bool:
    """Whether the exchange trades on `day`; False outside the calendar."""
    return day in _positions()


def require_session(day: date) -> date:
    """Return `day`, or raise `NotFound` with the nearest earlier session as the remedy."""
    if is_session(day):
        return day
    if not CALENDAR_START <= day <= CALENDAR_END:
        raise NotFound(f"{day} is outside the calendar, which spans {CALENDAR_START} to {CALENDAR_END}")
    raise NotFound(f"{day} is not an XNYS session ({day:%A}); the session before it is {last_session_before(day)}")


def last_session_before(day: date) -> date:
    """The newest session strictly before `day`."""
    import numpy as np

    position = int(np.searchsorted(session_table().day, np.datetime64(day, "D"))) - 1
    if position < 0:
        raise NotFound(f"no session before {day}: the calendar starts at {CALENDAR_START}")
    return all_sessions()[position]


def session_offset(session: date, n: int) -> date:
    """The session `n` sessions after (before, if negative) `session`."""
    position = _positions()[require_session(session)] + n
    if not 0 <= position < len(all_sessions()):
        raise NotFound(f"{n} sessions from {session} is outside the calendar")
    return all_sessions()[position]


def sessions_ending(session: date, count: int) -> list[date]:
    """The `count` sessions that end with `session`, in order."""
    first = session_offset(session, 1 - count)
    return sessions_between(first, session)


def sessions_between(first: date, last: date) -> list[date]:
    """The sessions from `first` to `last`, both included when they trade."""
    import numpy as np

    days = session_table().day
    start = np.searchsorted(days, np.datetime64(first, "D"))
    stop = np.searchsorted(days, np.datetime64(last, "D"), side="right")
    return list(all_sessions()[start:stop])


def closed_weekdays() -> list[date]:
    """The days from Monday to Friday of the calendar on which the exchange is closed, in order."""
    span = (CALENDAR_START + timedelta(days=n) for n in range((CALENDAR_END - CALENDAR_START).days + 1))
    return [day for day in span if day.weekday() < 5 and not is_session(day)]


def longest_pause() -> timedelta:
    """The longest time from the morning of one session to the morning of the next, in the whole calendar."""
    import numpy as np

    return timedelta(days=int(np.diff(session_table().day).max().astype(np.int64)))


def session_open(session: date) -> datetime:
    """Open of the session, aware, in UTC."""
    return moment_utc(int(session_table().open_ns[_positions()[require_session(session)]]))


def session_close(session: date) -> datetime:
    """Close of the session (13:00 New York on early closes), aware, in UTC."""
    return moment_utc(int(session_table().close_ns[_positions()[require_session(session)]]))


@dataclass(frozen=True, eq=False)
class SessionTable:
    """Every session of the calendar as arrays, for work on many bars at once; N sessions.

    Attributes
    ----------
    day : ndarray of datetime64[D], shape (N,)
    open_ns, close_ns : ndarray of int64, shape (N,)
        Open and close in nanoseconds since 1970-01-01 UTC.
    """

    day: "np.ndarray"
    open_ns: "np.ndarray"
    close_ns: "np.ndarray"


@lru_cache(maxsize=1)
def session_table() -> SessionTable:
    """The calendar as arrays; position i is the i-th of `all_sessions`."""
    import numpy as np

    lines = files(__package__).joinpath(TABLE_NAME).read_text(encoding="utf-8").splitlines()
    moments = np.array([line.split(",") for line in lines[1:]], dtype="datetime64[m]")
    table = SessionTable(
        day=moments[:, 0].astype("datetime64[D]"),
        open_ns=moments[:, 1].astype("datetime64[ns]").astype(np.int64),
        close_ns=moments[:, 2].astype("datetime64[ns]").astype(np.int64),
    )
    for column in (table.day, table.open_ns, table.close_ns):
        column.setflags(write=False)
    return table


def session_positions(ts_ns: "np.ndarray") -> "np.ndarray":
    """Position in `session_table` of the session in which each stamp falls, −1 outside regular trading hours.

    Parameters
    ----------
    ts_ns : ndarray of int64, shape (n,)
        Nanoseconds since 1970-01-01 UTC; the open belongs to the session, the close does not.
    """
    import numpy as np

    table = session_table()
    position = np.searchsorted(table.open_ns, ts_ns, side="right") - 1
    return np.where((position >= 0) & (ts_ns < table.close_ns[position]), position, -1)


@dataclass(frozen=True)
class BarGrid:
    """Where the bars of consecutive sessions start.

    Attributes
    ----------
    ts_utc : DatetimeIndex, shape (T,), UTC
        Start of each bar.
    session : ndarray of datetime64[D], shape (T,)
        Session of each bar.
    bar_of_day : ndarray of int64, shape (T,)
        Position of the bar in its session, from 0.
    """

    ts_utc: "pd.DatetimeIndex"
    session: "np.ndarray"
    bar_of_day: "np.ndarray"


def bar_grid(sessions: list[date], frequency: Frequency) -> BarGrid:
    """The complete grid of bar starts of `sessions` (42 five-minute bars on an early close, 78 otherwise).

    Raises
    ------
    ValueError
        Without a session.
    NotFound
        With a day that is no session.
    """
    import numpy as np
    import pandas as pd

    if not sessions:
        raise ValueError("a bar grid needs at least one session")
    table = session_table()
    at = np.array([_positions()[require_session(session)] for session in sessions])
    step_ns = frequency.length_ns
    if frequency is Frequency.ONE_DAY:
        counts = np.ones(len(at), dtype=np.int64)
    else:
        counts = -(-(table.close_ns[at] - table.open_ns[at]) // step_ns)
    first = np.cumsum(counts) - counts
    bar_of_day = np.arange(counts.sum()) - np.repeat(first, counts)
    starts = np.repeat(table.open_ns[at], counts) + bar_of_day * step_ns
    return BarGrid(pd.DatetimeIndex(starts, tz="UTC"), np.repeat(table.day[at], counts), bar_of_day)


def session_of(ts_utc: "pd.Series") -> "pd.Series":
    """Session date of each UTC bar start: its date in New York. dtype datetime64[ns], midnight, no zone."""
    return ts_utc.dt.tz_convert(MARKET_TIMEZONE).dt.normalize().dt.tz_localize(None)
