"""A streamed bar, and how its revisions merge into one.

What does not belong here: Redis (`adapters.redis.bus`), and when a bar is complete (`builder`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pairs_platform.core.time import DAY_NS, utc_day

if TYPE_CHECKING:
    import pandas as pd

PROXY = "proxy:"
"""Beginning of the source of a bar that stands in for a symbol without bars of its own; the proxy's symbol follows."""

FIRST, BACKFILLED, UPDATED = 0, 1, 2
"""Revisions: as first streamed, as fetched after a gap, as corrected by the vendor."""


class StreamBar(NamedTuple):
    """One bar as it arrived.

    Attributes
    ----------
    symbol : str
    ts_ns : int
        Start, nanoseconds since 1970-01-01 UTC.
    open, high, low, close : float
        US dollars per share.
    volume : int
    revision : int
        `FIRST`, `BACKFILLED` or `UPDATED`.
    source : str
        "feed", "backfill", or `PROXY` with a symbol.
    """

    symbol: str
    ts_ns: int
    open: float
    high: float
    low: float
    close: float
    volume: int
    revision: int = FIRST
    source: str = "feed"

    @property
    def session(self) -> date:
        """New York date of the bar, which is the UTC date of every stamp of the regular session."""
        return utc_day(self.ts_ns // DAY_NS)


@dataclass(frozen=True, eq=False)
class MergedBars:
    """One bar for each symbol and time, sorted by symbol and time; arrays of n rows as in `StreamBar`."""

    symbol: np.ndarray
    ts_ns: np.ndarray
    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    volume: np.ndarray
    revision: np.ndarray
    source: np.ndarray

    def __len__(self) -> int:
        return len(self.ts_ns)

    @property
    def is_proxy(self) -> np.ndarray:
        """Which rows are a proxy's, shape (n,)."""
        proxies = [source for source in set(self.source.tolist()) if source.startswith(PROXY)]
        found = np.zeros(len(self), dtype=bool)
        for source in proxies:
            found |= self.source == source
        return found

    def before(self, ts_ns: int) -> "MergedBars":
        """The bars that start before a moment."""
        return self.where(self.ts_ns < ts_ns)

    def where(self, chosen: np.ndarray) -> "MergedBars":
        """The chosen rows (n,)."""
        return MergedBars(*(getattr(self, name)[chosen] for name in StreamBar._fields))

    def frame(self) -> "pd.DataFrame":
        """The bars with `BAR_COLUMNS` of `core.prices.bars`, then revision and source."""
        import pandas as pd

        columns = {name: getattr(self, name) for name in StreamBar._fields}
        stamps = pd.DatetimeIndex(columns.pop("ts_ns"), tz="UTC")
        frame = pd.DataFrame(columns)
        frame.insert(1, "ts_utc", stamps)
        return frame


def merge_revisions(bars: Iterable[StreamBar]) -> MergedBars:
    """The bars that count, of bars in the order of their arrival.

    A symbol's own bar beats a proxy's; of several the highest revision counts, of equal ones the last to arrive.
    """
    kept: dict[tuple[str, int], StreamBar] = {}
    for bar in bars:
        place = (bar.symbol, bar.ts_ns)
        held = kept.get(place)
        if held is None or _rank(bar) >= _rank(held):
            kept[place] = bar
    rows = [kept[place] for place in sorted(kept)]
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(StreamBar._fields)
    kinds = (object, np.int64, *[np.float64] * 4, np.int64, np.int64, object)
    return MergedBars(*(np.array(column, dtype=kind) for column, kind in zip(columns, kinds, strict=True)))


def _rank(bar: StreamBar) -> tuple[bool, int]:
    return not bar.source.startswith(PROXY), bar.revision
