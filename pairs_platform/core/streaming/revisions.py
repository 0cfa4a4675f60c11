"""Which bars of a stream count: one for each symbol and time, of everything that arrived.

What does not belong here: the bar itself (`bars`), and where bars are stored (`adapters.redis.bars`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pairs_platform.core.streaming.bars import StreamBar
from pairs_platform.core.streaming.proxies import is_proxy

if TYPE_CHECKING:
    import pandas as pd


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

    def before(self, ts_ns: int) -> "MergedBars":
        """The bars that start before a moment."""
        return self.where(self.ts_ns < ts_ns)

    def where(self, mask: np.ndarray) -> "MergedBars":
        """The rows at which a mask of shape (n,) is true."""
        return MergedBars(*(getattr(self, name)[mask] for name in StreamBar._fields))

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
    counting: dict[tuple[str, int], StreamBar] = {}
    for bar in bars:
        key = (bar.symbol, bar.ts_ns)
        earlier = counting.get(key)
        if earlier is None or _rank(bar) >= _rank(earlier):
            counting[key] = bar
    rows = [counting[key] for key in sorted(counting)]
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(StreamBar._fields)
    kinds = (object, np.int64, *[np.float64] * 5, np.int64, object)
    return MergedBars(*(np.array(column, dtype=kind) for column, kind in zip(columns, kinds, strict=True)))


def without_proxies(bars: MergedBars) -> MergedBars:
    """The bars that are a symbol's own."""
    is_own = {source: not is_proxy(source) for source in set(bars.source.tolist())}
    return (
        bars if all(is_own.values()) else bars.where(np.array([is_own[source] for source in bars.source], dtype=bool))
    )


def _rank(bar: StreamBar) -> tuple[bool, int]:
    return not is_proxy(bar.source), bar.revision
