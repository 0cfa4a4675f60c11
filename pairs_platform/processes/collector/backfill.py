"""Fetches the bars that a connection missed, and the corporate actions of the session, through the historical API.

What does not belong here: when bars may be missing (`collector`, `recorder`), and how the vendor is asked
(`adapters`).
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, Protocol

import numpy as np
import pandas as pd

from pairs_platform.adapters.redis.streams import Streams
from pairs_platform.core.errors import PlatformError
from pairs_platform.core.prices.calendar import session_close, session_open
from pairs_platform.core.streaming.bars import BACKFILLED, UPDATED, StreamBar
from pairs_platform.core.streaming.sessions import session_at
from pairs_platform.core.time import moment_ns, moment_utc, stamps_ns
from pairs_platform.ports.live_bars import MissedBars
from pairs_platform.processes.collector.health import Health
from pairs_platform.processes.collector.incoming import judge_frame
from pairs_platform.views.remedies import with_remedy

log = logging.getLogger(__name__)

_RETRY_SECONDS, _POLL_SECONDS = 60.0, 0.1
_NEVER = float("inf")


class Gap:
    """From when bars may be missing; shared by threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._since_ns: int | None = None
        self._filling_ns: int | None = None
        self._asked_at, self._due_at = -_NEVER, _NEVER

    def widen(self, since_ns: int | None) -> None:
        """Bars that start at `since_ns` or later may be missing; None: since the session's open."""
        with self._lock:
            self._merge(since_ns or 0)
            self._asked_at = self._due_at = time.monotonic()

    def is_open(self, longest_seconds: float) -> bool:
        """Whether a back-fill is awaited that was asked for at most this long ago and has not failed."""
        with self._lock:
            is_awaited = self._since_ns is not None or self._filling_ns is not None
            return is_awaited and time.monotonic() - self._asked_at < longest_seconds

    def begin(self) -> int | None:
        """Take the gap in order to fill it; None where there is none, or where it is too early to try again."""
        with self._lock:
            if self._since_ns is None or time.monotonic() < self._due_at:
                return None
            self._filling_ns, self._since_ns = self._since_ns, None
            return self._filling_ns

    def end(self, *, is_filled: bool) -> None:
        """The gap that was taken is filled, or still there; bars do not wait for a second attempt."""
        with self._lock:
            if not is_filled and self._filling_ns is not None:
                if self._since_ns is None:
                    self._asked_at, self._due_at = -_NEVER, time.monotonic() + _RETRY_SECONDS
                self._merge(self._filling_ns)
            self._filling_ns = None

    def _merge(self, since_ns: int) -> None:
        self._since_ns = since_ns if self._since_ns is None else min(since_ns, self._since_ns)


class Receiver(Protocol):
    """Who takes what was fetched, and knows what is streamed and what time it is."""

    @property
    def symbols(self) -> tuple[str, ...]: ...  # noqa: D102 - the class says it

    @property
    def market_ns(self) -> int | None: ...  # noqa: D102

    def add_fetched(self, bars: list[StreamBar]) -> None: ...  # noqa: D102


class Backfill:
    """Fills gaps, one at a time, in a thread of its own.

    Parameters
    ----------
    streams : Streams
    gap : Gap
    health : Health
        Gets the reason of an attempt that failed.
    receiver : Receiver
    source : callable
        Opens the historical API with the keys of the moment.
    actions : callable
        Takes a session and its symbols; returns the corporate actions that fall ex in it.
    """

    def __init__(
        self,
        streams: Streams,
        *,
        gap: Gap,
        health: Health,
        receiver: Receiver,
        source: Callable[[], MissedBars],
        actions: Callable[[date, tuple[str, ...]], list[dict[str, Any]]],
    ) -> None:
        self._streams, self._gap, self._health, self._receiver = streams, gap, health, receiver
        self._source, self._actions = source, actions

    def run(self, stopping: threading.Event) -> None:
        """Fill each gap when it opens, and again a minute after an attempt that failed, until `stopping` is set."""
        while not stopping.wait(_POLL_SECONDS):
            self._fill()

    def _fill(self) -> None:
        market_ns, symbols = self._receiver.market_ns, self._receiver.symbols
        if market_ns is None or not symbols:
            return
        since_ns, session = self._gap.begin(), session_at(market_ns)
        if since_ns is None:
            return
        try:
            if session is not None:
                # Each time: the symbols may be others by now, and Redis may have lost what it held.
                self._streams.actions.replace(session, self._actions(session, symbols))
                self._fetch(session, symbols, since_ns, market_ns)
        except PlatformError as error:
            failure = with_remedy(error, stored=True)
            log.warning("the back-fill failed: %s", failure)
            self._health.backfill_detail = f"back-fill failed: {failure}"
            self._gap.end(is_filled=False)
        else:
            self._health.backfill_detail = ""
            self._gap.end(is_filled=True)

    def _fetch(self, session: date, symbols: tuple[str, ...], since_ns: int, market_ns: int) -> None:
        source = self._source()
        open_ns, close_ns = (moment_ns(moment) for moment in (session_open(session), session_close(session)))
        bar_ns = source.frequency.length_ns
        since_ns = max(since_ns - (since_ns - open_ns) % bar_ns, open_ns)
        bars = source.fetch_since(symbols, session, moment_utc(since_ns))
        starts = stamps_ns(bars["ts_utc"])
        held = self._held(session, since_ns)
        places = zip(bars["symbol"], starts.tolist(), strict=True)
        prices = bars[["open", "high", "low", "close"]].itertuples(index=False, name=None)
        # A bar that is held with other prices was corrected while nobody listened.
        is_new = np.array(
            [held.get(place, ()) not in (None, own) for place, own in zip(places, prices, strict=True)], dtype=bool
        )
        is_due = is_new & (starts >= since_ns) & (np.minimum(starts + bar_ns, close_ns) <= market_ns)
        fresh = bars[is_due].reset_index(drop=True)
        sources = [mark if isinstance(mark, str) else "backfill" for mark in fresh["mark"]]
        judged = judge_frame(fresh, [BACKFILLED] * len(fresh), sources, symbols, source.frequency)
        if judged.refused:
            self._streams.quarantine.add(judged.refused, session)
        if judged.bars:
            log.info("%d bars fetched from %s on", len(judged.bars), moment_utc(since_ns))
            self._receiver.add_fetched(judged.bars)

    def _held(self, session: date, since_ns: int) -> dict[tuple[str, int], tuple[float, ...] | None]:
        """Prices of the bars that Redis holds from `since_ns` on, by place; None for one that was corrected."""
        held = self._streams.bars.merged(session)
        held = held.where(held.ts_ns >= since_ns)
        columns = zip(
            held.symbol, held.ts_ns.tolist(), held.open, held.high, held.low, held.close, held.revision, strict=True
        )
        return {
            (symbol, start): None if revision >= UPDATED else tuple(prices)
            for symbol, start, *prices, revision in columns
        }


def action_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Corporate actions as Redis holds them, of a frame with ACTION_COLUMNS."""
    rows: list[Mapping[str, Any]] = frame[["symbol", "kind", "value"]].to_dict("records")  # type: ignore[assignment]
    return [{"symbol": str(row["symbol"]), "kind": str(row["kind"]), "value": float(row["value"])} for row in rows]
