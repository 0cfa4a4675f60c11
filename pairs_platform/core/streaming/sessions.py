"""Which session a moment belongs to, for processes that follow the market clock.

What does not belong here: the calendar (`core.prices.calendar`), and what time it is (`clock`).
"""

from datetime import date

import numpy as np

from pairs_platform.core.prices.calendar import is_session, session_close, session_open, session_table
from pairs_platform.core.time import market_day, moment_ns


def session_at(market_ns: int) -> date | None:
    """The session of that day in New York, from its open to midnight; None at other times."""
    day = market_day(market_ns)
    return day if is_session(day) and market_ns >= moment_ns(session_open(day)) else None


def newest_session(market_ns: int) -> date | None:
    """The newest session that has opened; None before the calendar."""
    table = session_table()
    at = int(np.searchsorted(table.open_ns, market_ns, side="right")) - 1
    return None if at < 0 else table.day[at].astype(object)


def is_open(market_ns: int) -> bool:
    """Whether the market trades at a moment."""
    session = session_at(market_ns)
    return session is not None and market_ns < moment_ns(session_close(session))
