"""What the market does, as the desk sees it: newest prices from the stream, and what was known before the open.

What does not belong here: the account, and what follows from a price (`core`).
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.core.signals.session_state import SessionState
from pairs_platform.core.streaming.bars import StreamBar
from pairs_platform.core.streaming.sessions import newest_session
from pairs_platform.core.time import moment_ns, moment_utc
from pairs_platform.core.trading.legging import Quote
from pairs_platform.core.trading.settings import BASIS_POINT
from pairs_platform.platform import Platform
from pairs_platform.workflows.session_state import session_state
from pairs_platform.workflows.trading_inputs import MorningFacts, morning_facts

GATHER_SECONDS = 300.0
"""Before what could not be known of a session is asked for again."""


@dataclass(frozen=True)
class NewestPrice:
    """The close of a symbol's newest bar, dollars a share, and when that bar ended."""

    close: float
    end_utc: datetime


class Market(Protocol):
    """What the desk asks of the market; everything may raise `Unavailable`."""

    def refresh(self, now: datetime) -> bool:
        """Take the bars that have arrived; whether there were any."""
        ...

    def price(self, symbol: str) -> NewestPrice | None:
        """The newest price of a symbol; None before its first bar."""
        ...

    def prices(self) -> dict[str, float]:
        """Newest prices by symbol."""
        ...

    def facts(self, session: date) -> MorningFacts:
        """What was known before a session's open."""
        ...

    def session_state(self, sector: str, session: date) -> SessionState:
        """What the signals of a sector rest on, as it is now.

        Raises
        ------
        PartitionMissing
        """
        ...


def quote_of(price: NewestPrice | None, half_spread_bps: float) -> Quote | None:
    """A quote around the close of the newest bar, of the spread that costs assume: the stream has no quotes."""
    if price is None:
        return None
    half = half_spread_bps * BASIS_POINT * price.close
    return Quote(bid=price.close - half, ask=price.close + half, quoted_utc=price.end_utc)


class StreamedMarket:
    """A `Market` of a profile, from Redis and the lake.

    Parameters
    ----------
    platform : Platform

    Attributes
    ----------
    receive : callable
        Takes the bars that arrive: a broker that fills by them.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self.receive: Callable[[Sequence[StreamBar]], None] = lambda _: None
        settings = platform.settings
        self._bar_ns = settings.stream.bar_frequency(settings.frequency).length_ns
        self._session: date | None = None
        self._entry = ""
        self._newest: dict[str, tuple[int, float]] = {}
        self._facts: MorningFacts | None = None
        self._gather_at = 0.0

    def refresh(self, now: datetime) -> bool:
        """See `Market`; bars that could not be handed on come again."""
        session = newest_session(moment_ns(now))
        if session is None:
            return False
        if session != self._session:
            self._session, self._entry = session, ""
        bars, entry = self._platform.streams.bars.after(session, self._entry)
        if bars:
            self.receive(bars)
        for bar in bars:
            before = self._newest.get(bar.symbol)
            if before is None or bar.ts_ns >= before[0]:
                self._newest[bar.symbol] = (bar.ts_ns, bar.close)
        self._entry = entry
        return bool(bars)

    def price(self, symbol: str) -> NewestPrice | None:
        """See `Market`."""
        found = self._newest.get(symbol)
        return None if found is None else NewestPrice(found[1], moment_utc(found[0] + self._bar_ns))

    def prices(self) -> dict[str, float]:
        """See `Market`."""
        return {symbol: close for symbol, (_, close) in self._newest.items()}

    def facts(self, session: date) -> MorningFacts:
        """See `Market`; gathered once a session, and again after a while where something could not be known."""
        now = time.monotonic()
        facts = self._facts
        if facts is None or facts.session != session or (facts.notes and now >= self._gather_at):
            facts = self._facts = morning_facts(self._platform, session)
            self._gather_at = now + GATHER_SECONDS
        return facts

    def session_state(self, sector: str, session: date) -> SessionState:
        """See `Market`."""
        return session_state(self._platform, PartitionKey(session, sector))
