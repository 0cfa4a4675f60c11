"""Prices and time of the simulated broker from the bars that a profile streams, live or in a replay.

At the close of a bar every symbol has its close; between two bars prices stand. What does not belong here: which orders
meet them (`server`).
"""

import logging
import threading
import time
from collections.abc import Callable
from decimal import Decimal
from functools import partial

from pairs_platform.adapters.redis.streams import Streams
from pairs_platform.core.errors import ClockUnknown, StreamUnavailable
from pairs_platform.core.streaming.intervals import BarClose
from pairs_platform.core.time import moment_utc
from pairs_platform.processes.broker.server import BrokerServer

log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.1


class StreamedMarket:
    """Moves a server with the market clock and the bar-close events of a profile.

    Parameters
    ----------
    streams : Streams
    server : BrokerServer
    begin_again : callable
        Takes the generation of a replay that has begun again: its account is a new one. Called in the server's loop.
    generation : int or None
        That the server's account is of; the first that is seen if not given.
    """

    def __init__(
        self,
        streams: Streams,
        server: BrokerServer,
        begin_again: Callable[[int], None] = lambda _: None,
        *,
        generation: int | None = None,
    ) -> None:
        self._streams, self._server = streams, server
        self._begin_again, self._generation = begin_again, generation
        self._newest = "0-0"
        self._is_away = False

    def run(self, stopping: threading.Event) -> None:
        """Go on until `stopping` is set; while Redis does not answer, time goes on and prices stand."""
        while not stopping.wait(_LOOK_SECONDS):
            try:
                self.look()
                self._is_away = False
            except ClockUnknown:
                continue  # no replay has begun
            except StreamUnavailable as error:
                if not self._is_away:
                    log.warning("prices stand: %s", error)
                self._is_away = True

    def look(self) -> None:
        """Take the time, and the prices of the newest bar that closed since the last look.

        Raises
        ------
        ClockUnknown, StreamUnavailable
        """
        generation = self._streams.replay.generation()
        if self._generation not in (None, generation):
            self._server.do(partial(self._begin_again, generation))
        self._generation = generation
        now_ns, rate = self._streams.clock.read()
        read_ns = time.monotonic_ns()
        events = self._streams.bar_closes.after(self._newest)
        prices = self._closes(events[-1]) if events else {}
        self._server.do(partial(self._set_time, now_ns, rate, read_ns))
        if prices:
            self._server.do(partial(self._server.set_prices, prices))
        self._newest = events[-1].id if events else self._newest

    def _set_time(self, now_ns: int, rate: float, read_ns: int) -> None:
        """Set the time that was read a moment ago: meanwhile a fast market has gone on by seconds."""
        self._server.set_time(moment_utc(now_ns + round(rate * (time.monotonic_ns() - read_ns))), rate)

    def _closes(self, event: BarClose) -> dict[str, object]:
        """Closes of the bar of an event, of the symbols that the server has."""
        bars = self._streams.bars.merged(event.interval.session)
        bars = bars.where((bars.ts_ns >= event.interval.start_ns) & (bars.ts_ns < event.interval.end_ns))
        traded = self._server.prices.all()
        return {
            str(symbol): Decimal(f"{close:.4f}")
            for symbol, close in zip(bars.symbol.tolist(), bars.close.tolist(), strict=True)
            if symbol in traded and close >= 0.0001
        }
