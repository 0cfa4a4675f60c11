"""Which bars are complete: a state machine over arriving bars and the market clock.

What does not belong here: Redis, sockets, and what time the market has (`clock`).
"""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Literal

from pairs_platform.core.errors import ConfigurationError
from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.streaming.intervals import BarInterval, bar_intervals
from pairs_platform.core.time import SECOND_NS


@dataclass(frozen=True)
class CompleteBar:
    """A bar that is complete, why, and how many symbols have its last bar of how many that were waited for."""

    interval: BarInterval
    reason: Literal["all_in", "grace"]
    symbols_in: int
    symbols_expected: int


class BarBuilder:
    """Says of each bar of a session once, in order, that it is complete.

    A bar is complete when every symbol that is waited for has its last streamed bar, or when the market clock has
    passed its end by the grace time. A symbol is waited for unless it had no bar for `silent_bars` bars; those
    before the open count in its favour. A streamed bar that comes later announces nothing.

    Parameters
    ----------
    frequency : Frequency
        Of the bars that are built.
    streamed : Frequency
        Of the streamed bars, at most as long.
    grace_seconds : float
    silent_bars : int

    Raises
    ------
    ValueError
        Streamed bars are longer than those that are built.
    """

    def __init__(self, frequency: Frequency, streamed: Frequency, *, grace_seconds: float, silent_bars: int) -> None:
        if streamed.minutes > frequency.minutes:
            raise ConfigurationError(
                f"streamed bars of {streamed.value} cannot fill bars of {frequency.value}; set stream.bar to "
                f"{frequency.value} or shorter"
            )
        self._frequency, self._bar_ns = frequency, streamed.length_ns
        self._grace_ns, self._silent = round(grace_seconds * SECOND_NS), silent_bars
        self.session: date | None = None
        self._symbols: frozenset[str] = frozenset()
        self._clear([])

    def _clear(self, intervals: list[BarInterval]) -> None:
        self._intervals, self._next = intervals, 0
        self._starts = [interval.start_ns for interval in intervals]
        self._arrived: dict[int, set[str]] = {}
        self._newest: dict[str, int] = {}

    def begin(self, session: date, announced: Iterable[int] = ()) -> None:
        """Turn to a session, of which bars with the starts `announced` (nanoseconds) are known to be announced.

        Raises
        ------
        NotFound
            The day is no session.
        """
        self.session = session
        self._clear(bar_intervals(session, self._frequency))
        self._next = max((bisect_right(self._starts, start) for start in announced), default=0)

    def watch(self, symbols: Iterable[str]) -> None:
        """Wait for these symbols from now on."""
        self._symbols = frozenset(symbols)

    def add(self, symbol: str, ts_ns: int) -> None:
        """A bar of `symbol` that starts at `ts_ns` is stored; one of another session is left alone."""
        if not self._intervals or not self._starts[0] <= ts_ns < self._intervals[-1].end_ns:
            return
        if ts_ns > self._newest.get(symbol, 0):
            self._newest[symbol] = ts_ns
        place = bisect_right(self._starts, ts_ns) - 1
        if place >= self._next and ts_ns + self._bar_ns >= self._intervals[place].end_ns:
            self._arrived.setdefault(place, set()).add(symbol)

    def complete(self, market_ns: int | None) -> list[CompleteBar]:
        """The bars that are complete now and were not before, in order.

        Parameters
        ----------
        market_ns : int or None
            Market time; None where it is unknown, and no grace ends.
        """
        bars = []
        while self._next < len(self._intervals):
            interval = self._intervals[self._next]
            expected = self._waited_for(self._next)
            arrived = self._arrived.get(self._next, set()) & self._symbols
            all_in = bool(expected) and expected <= arrived
            if not all_in and (market_ns is None or market_ns < interval.end_ns + self._grace_ns):
                break
            bars.append(CompleteBar(interval, "all_in" if all_in else "grace", len(arrived), len(expected)))
            self._arrived.pop(self._next, None)
            self._next += 1
        return bars

    def _waited_for(self, place: int) -> frozenset[str]:
        if place < self._silent:
            return self._symbols
        since = self._starts[place - self._silent]
        return frozenset(symbol for symbol in self._symbols if self._newest.get(symbol, 0) >= since)
