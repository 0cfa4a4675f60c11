"""Prices of a session by symbol and moment, from its bars as they were streamed.

What does not belong here: reading bars, and windows of many sessions (`core.prices.window`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from pairs_platform.core.time import moment_ns, stamps_ns

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class BarPrices:
    """Opens and closes of the bars of some symbols.

    Attributes
    ----------
    length_ns : int
        Length of a bar, nanoseconds.
    starts, opens, closes : mapping of symbol to ndarray
        By start of the bar, ascending; nanoseconds since 1970-01-01 UTC, and dollars a share.
    """

    length_ns: int
    starts: Mapping[str, np.ndarray]
    opens: Mapping[str, np.ndarray]
    closes: Mapping[str, np.ndarray]

    def open_at(self, symbol: str, moment: datetime, within: timedelta) -> float | None:
        """The open of the bar that is under way at a moment, or of the next one that begins less than `within` later.

        None where the symbol has neither.
        """
        at = moment_ns(moment)
        starts = self.starts.get(symbol, np.zeros(0, dtype=np.int64))
        k = int(np.searchsorted(starts, at - self.length_ns, side="right"))
        latest = at + within // timedelta(microseconds=1) * 1000
        if k < len(starts) and (starts[k] <= at or starts[k] < latest):
            return float(self.opens[symbol][k])
        return None

    def close_at(self, symbol: str, moment: datetime) -> float | None:
        """The close of the newest bar that has ended by a moment; None where the symbol has none."""
        ends = self.starts.get(symbol, np.zeros(0, dtype=np.int64)) + self.length_ns
        k = int(np.searchsorted(ends, moment_ns(moment), side="right")) - 1
        return float(self.closes[symbol][k]) if k >= 0 else None


def bar_prices(bars: "pd.DataFrame", length_ns: int) -> BarPrices:
    """Prices of bars of one length, in any order.

    Parameters
    ----------
    bars : DataFrame
        Columns symbol, ts_utc, open, close; a symbol has one bar at a time.
    length_ns : int
        Nanoseconds.
    """
    starts, opens, closes = {}, {}, {}
    for name, own in bars.sort_values("ts_utc").groupby("symbol"):
        symbol = str(name)
        starts[symbol] = stamps_ns(own["ts_utc"])
        opens[symbol] = own["open"].to_numpy(dtype=np.float64)
        closes[symbol] = own["close"].to_numpy(dtype=np.float64)
    return BarPrices(length_ns, starts, opens, closes)
