"""What the market does, as the desk sees it: newest prices from the stream, and what was known before the open.

What does not belong here: the account, and what follows from a price (`core`).
"""

import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from pairs_platform.core.errors import DataError, NotFound, PartitionMissing, StreamUnavailable
from pairs_platform.core.partition_key import PartitionKey
from pairs_platform.core.risk.drift.session import BookDrift, Results, book_drift
from pairs_platform.core.signals.session_state import SessionState
from pairs_platform.core.streaming.bars import StreamBar
from pairs_platform.core.streaming.intervals import BarInterval, bar_intervals
from pairs_platform.core.streaming.sessions import newest_session
from pairs_platform.core.time import moment_ns, moment_utc
from pairs_platform.core.trading.legging import Quote
from pairs_platform.core.trading.settings import BASIS_POINT
from pairs_platform.platform import Platform
from pairs_platform.workflows.pair_drift import DriftBaseline, drift_after, drift_baseline
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

    def is_complete(self, session: date, end: datetime) -> bool:
        """Whether the bars that end at a moment of a session have been said to be there: the next look takes them."""
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

    def drift(self, now: datetime, held: Collection[str]) -> BookDrift | None:
        """What drift says of the pairs that are traded or `held`; None before the session's first complete bar."""
        ...


def quote_of(price: NewestPrice | None, half_spread_bps: float) -> Quote | None:
    """A quote around the close of the newest bar, of the spread that costs assume: the stream has no quotes."""
    if price is None:
        return None
    half = half_spread_bps * BASIS_POINT * price.close
    return Quote(bid=price.close - half, ask=price.close + half, quoted_utc=price.end_utc)


@dataclass
class ClosedBars:
    """The newest bar-close event that was read, and the start of the newest bar that one announced."""

    entry: str = "0-0"
    newest_ns: int = 0


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
        self._bars: list[StreamBar] = []
        self._closed = ClosedBars()
        self._baselines: dict[str, DriftBaseline] = {}
        self._drift: BookDrift | None = None

    def refresh(self, now: datetime) -> bool:
        """See `Market`; bars that could not be handed on come again."""
        session = newest_session(moment_ns(now))
        if session is None:
            return False
        if session != self._session:
            self._session, self._entry = session, ""
            self._bars, self._drift = [], None
            self._baselines.clear()
        bars, entry = self._platform.streams.bars.after(session, self._entry)
        if bars:
            self.receive(bars)
        for bar in bars:
            before = self._newest.get(bar.symbol)
            if before is None or bar.ts_ns >= before[0]:
                self._newest[bar.symbol] = (bar.ts_ns, bar.close)
        self._bars += bars
        self._entry = entry
        return bool(bars)

    def is_complete(self, session: date, end: datetime) -> bool:
        """See `Market`."""
        announced = self._platform.streams.bar_closes.of_session(session)
        return any(one.interval.end_ns == moment_ns(end) for one in announced)

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

    def drift(self, now: datetime, held: Collection[str]) -> BookDrift | None:
        """See `Market`; computed once for each complete bar, from the bars up to it alone."""
        session = self._session
        if session is None:
            return None
        grid = bar_intervals(session, self._platform.settings.frequency)
        done = 0 if self._drift is None else self._drift.n_bars
        if done == len(grid) or moment_ns(now) < grid[done].end_ns:
            return self._drift
        with suppress(StreamUnavailable):
            n_complete = self._complete(grid)
            if n_complete > done:
                self._drift = self._drift_after(session, grid[:n_complete], held)
        return self._drift

    def _complete(self, grid: Sequence[BarInterval]) -> int:
        """Bars of the session up to the newest one that was announced as complete."""
        closes = self._platform.streams.bar_closes
        while events := closes.after(self._closed.entry):
            self._closed.entry = events[-1].id
            self._closed.newest_ns = max(self._closed.newest_ns, *(event.interval.start_ns for event in events))
        return sum(interval.start_ns <= self._closed.newest_ns for interval in grid)

    def _drift_after(self, session: date, complete: Sequence[BarInterval], held: Collection[str]) -> BookDrift:
        platform, results, unknown = self._platform, dict[str, Results](), []
        actions = {str(action["symbol"]) for action in platform.streams.actions.of_session(session)}
        for sector in platform.settings.active_sectors:
            try:
                baseline = drift_baseline(platform, PartitionKey(session, sector), self._baselines.get(sector))
                if baseline is not None:
                    self._baselines[sector] = baseline
                    results |= drift_after(platform, baseline, self._bars, complete, actions=actions, held=held)
            except (DataError, NotFound, PartitionMissing) as error:
                unknown.append(f"drift in {sector} is not known: {error}")
        return book_drift(len(complete), results, platform.settings.drift, tuple(unknown))
