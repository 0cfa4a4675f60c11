"""The market of the simulated broker: the last price of each symbol, what time it is, and when it trades.

What does not belong here: what orders make of it (`account`, `server`), and real bars (`processes.replay`).
"""

import random
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from pairs_platform.core.errors import ConfigurationError
from pairs_platform.core.prices.calendar import (
    CALENDAR_END,
    is_session,
    session_close,
    session_open,
    sessions_between,
)
from pairs_platform.core.time import MARKET_TIMEZONE, utc_now
from pairs_platform.ports.broker import SessionHours

EARLY_CLOSE = time(13)
"""Of a half day, in New York."""

NEW_YORK = ZoneInfo(MARKET_TIMEZONE)

CENT = Decimal("0.01")
"""Steps of a price, and the smallest one."""

_LOOKAHEAD = timedelta(days=10)


class Prices:
    """Last price of each symbol in dollars, which may wander at random; the seed fixes the way.

    Parameters
    ----------
    last : mapping of symbol to Decimal
    noise_bp : float
        Standard deviation of one step, basis points.
    seed : int
    """

    def __init__(self, last: Mapping[str, Decimal], *, noise_bp: float = 0.0, seed: int = 1) -> None:
        self._last = dict(last)
        self._noise = noise_bp * 1e-4
        self._chance = random.Random(f"{seed}/prices")

    def __call__(self, symbol: str) -> Decimal:
        """The last price of a symbol."""
        return self._last[symbol]

    def all(self) -> dict[str, Decimal]:
        """Every last price."""
        return dict(self._last)

    def set(self, prices: Mapping[str, object]) -> None:
        """Take last prices from outside.

        Raises
        ------
        ConfigurationError
            A symbol that there is not, or a price that is none.
        """
        for symbol, value in prices.items():
            price = Decimal(str(value))
            if symbol not in self._last or not price.is_finite() or price <= 0:
                raise ConfigurationError(f"{symbol}: {value} is no price of a symbol that the simulated broker has")
            self._last[symbol] = price

    def step(self) -> None:
        """Let every price wander once."""
        if self._noise:
            for symbol, last in self._last.items():
                moved = last * Decimal(1 + self._chance.gauss(0.0, self._noise))
                self._last[symbol] = max(moved.quantize(CENT), CENT)


class MarketTime:
    """The time of the market, and the hours in which it trades.

    Parameters
    ----------
    start : datetime or None
        Time at the start, aware, which goes on from there; the real one if not given.
    wall : callable
        Returns the aware time.
    """

    def __init__(self, start: datetime | None = None, *, wall: Callable[[], datetime] = utc_now) -> None:
        self._wall = wall
        self._ahead, self._set_at, self._rate = timedelta(0), wall(), 1.0
        self._early: set[date] = set()
        if start is not None:
            self.set(start)

    def now(self) -> datetime:
        """The time, aware."""
        wall = self._wall()
        return wall + self._ahead + (self._rate - 1.0) * (wall - self._set_at)

    def set(self, moment: datetime, rate: float = 1.0) -> None:
        """Set the time, which goes on from there by `rate` seconds in a second."""
        self._set_at = self._wall()
        self._ahead, self._rate = moment - self._set_at, rate

    def close_early(self, session: date) -> None:
        """Make a session a half day."""
        self._early.add(session)

    def close_as_usual(self) -> None:
        """Make no session a half day but those of the calendar."""
        self._early.clear()

    def hours(self, session: date) -> SessionHours:
        """Open and close of a session."""
        close = session_close(session)
        if session in self._early:
            close = min(close, datetime.combine(session, EARLY_CLOSE, NEW_YORK).astimezone(UTC))
        return SessionHours(session=session, open_utc=session_open(session), close_utc=close)

    def sessions(self, first: date, last: date) -> list[SessionHours]:
        """The sessions from `first` to `last`."""
        return [self.hours(day) for day in sessions_between(first, min(last, CALENDAR_END))]

    def today(self) -> date:
        """This day in New York."""
        return self.now().astimezone(NEW_YORK).date()

    def is_open(self) -> bool:
        """Whether the market trades now."""
        day, now = self.today(), self.now()
        hours = self.hours(day) if is_session(day) else None
        return hours is not None and hours.open_utc <= now < hours.close_utc

    def next_open(self) -> datetime:
        """The next opening after now."""
        return next(hours.open_utc for hours in self._coming() if hours.open_utc > self.now())

    def next_close(self) -> datetime:
        """The next close after now."""
        return next(hours.close_utc for hours in self._coming() if hours.close_utc > self.now())

    def _coming(self) -> list[SessionHours]:
        day = self.today()
        return self.sessions(day, day + _LOOKAHEAD)
