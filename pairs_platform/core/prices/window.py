"""The window matrix: bars × symbols on the calendar grid, the one input of screening, volatility and backtests.

What does not belong here: reading bars from the lake, or statistics of pairs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from pairs_platform.core.errors import NotFound
from pairs_platform.core.prices.bars import Frequency


@dataclass(frozen=True)
class ExcludedSymbol:
    """A symbol that did not enter the window, and why."""

    symbol: str
    reason: str


@dataclass(frozen=True, eq=False)
class PriceWindow:
    """Adjusted log prices of one sector on the calendar grid, known at the close of the last session.

    T bars, n symbols. NaN in `log_close` marks a bar inside a gap too long to fill.

    Attributes
    ----------
    symbols : tuple of str, length n, sorted
    frequency : Frequency
    ts_utc : DatetimeIndex, shape (T,), bar starts in UTC
    session : ndarray of datetime64[D], shape (T,)
    bar_of_day : ndarray of int64, shape (T,)
    log_close, log_open : ndarray of float64, shape (T, n), ln US dollars; `log_open` is NaN where no bar arrived
    observed : ndarray of bool, shape (T, n), True where a bar arrived (False: filled or gap)
    ex_action : ndarray of bool, shape (T, n), True at a symbol's first bar on a dividend ex-date that the prices are
        NOT adjusted for; see `shock_excluded`
    excluded : tuple of ExcludedSymbol
    """

    symbols: tuple[str, ...]
    frequency: Frequency
    ts_utc: pd.DatetimeIndex
    session: np.ndarray
    bar_of_day: np.ndarray
    log_close: np.ndarray
    log_open: np.ndarray
    observed: np.ndarray
    ex_action: np.ndarray
    excluded: tuple[ExcludedSymbol, ...] = ()

    @property
    def n_bars(self) -> int:
        """Number of bars T."""
        return len(self.ts_utc)

    @property
    def n_sessions(self) -> int:
        """Number of sessions in the window."""
        return len(np.unique(self.session))

    @property
    def mean_bars_per_session(self) -> float:
        """Bars per session, averaged over the window (early closes included)."""
        return self.n_bars / self.n_sessions

    def first_bars(self, n_bars: int) -> "PriceWindow":
        """The window of its first `n_bars` bars, with the same symbols."""
        cut = {name: getattr(self, name)[:n_bars] for name in _BY_BAR}
        return replace(self, **cut)

    def shock_excluded(self, columns: Sequence[int]) -> np.ndarray:
        """Bars whose move from the bar before is no shock of one bar, shape (T, len(columns)).

        On an unadjusted ex-date; at a filled bar, whose price did not move because nobody traded; and at the bar after
        it, which holds the moves of several bars.
        """
        excluded = self.ex_action[:, columns] | ~self.observed[:, columns]
        excluded[1:] |= ~self.observed[:-1, columns]
        return excluded

    def column(self, symbol: str) -> int:
        """Column of `symbol`; NotFound naming it when it is not in the window."""
        try:
            return self.symbols.index(symbol)
        except ValueError:
            raise NotFound(f"{symbol} is not in the window; it holds {', '.join(self.symbols)}") from None


_BY_BAR = ("ts_utc", "session", "bar_of_day", "log_close", "log_open", "observed", "ex_action")
