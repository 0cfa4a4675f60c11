"""Bars that stand out from those around them and are followed by normal ones: slips of a decimal point, wrong prints.

What does not belong here: what becomes of them (`validation`), and moves that stay (`flags.jump_flags`).
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from pairs_platform.core.prices.calendar import session_of
from pairs_platform.core.time import stamps_ns

_AROUND_BARS = 11
_LONGEST_RUN_BARS = 3


def spike_factors(bars: pd.DataFrame, *, factor: float, previous_close: Mapping[str, float]) -> np.ndarray:
    """By how much each bar stands out, where it does so by `factor` at least and prices return.

    Parameters
    ----------
    bars : DataFrame with BAR_COLUMNS, any order, shape (n, 7)
        Of each symbol and time one row.
    factor : float
        Above 1.
    previous_close : mapping of symbol to US dollars per share
        The close before the first bar.

    Returns
    -------
    ndarray of float64, shape (n,)
        The larger of high/median and median/low, the median being that of the closes of the eleven bars around, of the
        same session and the close before it; 1 where it is below `factor`. At most three bars in a row stand out: a
        longer run is a level. Normal ones must stand on both sides: the end of a session does not tell a slip from a
        move, and a later session is not asked, so that a session is judged alike whatever is fetched with it.
    """
    found = np.ones(len(bars))
    if not len(bars):
        return found
    codes, names = pd.factorize(bars["symbol"])
    order = np.lexsort((stamps_ns(bars["ts_utc"]), codes))
    high, low, close = (np.log(bars[name].to_numpy())[order] for name in ("high", "low", "close"))
    codes = codes[order]
    session = session_of(bars["ts_utc"]).to_numpy()[order]
    is_first = (np.diff(codes, prepend=-1) != 0) | (np.diff(session.astype(np.int64), prepend=0) != 0)
    starts = np.flatnonzero(is_first)
    stops = np.append(starts[1:], len(bars))
    is_wide = np.maximum.reduceat(high, starts) - np.minimum.reduceat(low, starts) >= np.log(factor)
    for start, stop in zip(starts[is_wide], stops[is_wide], strict=True):
        own = slice(start, stop)
        if start > 0 and codes[start - 1] == codes[start]:
            before = close[start - 1]
        else:
            before = np.log(previous_close.get(str(names[codes[start]]), np.nan))
        found[order[own]] = _of_session(high[own], low[own], close[own], before, np.log(factor))
    return found


def _of_session(high: np.ndarray, low: np.ndarray, close: np.ndarray, before: float, least: float) -> np.ndarray:
    earlier = [] if np.isnan(before) else [before]
    closes = pd.Series([*earlier, *close])
    median = closes.rolling(_AROUND_BARS, center=True, min_periods=1).median().to_numpy()[len(earlier) :]
    excess = np.maximum(high - median, median - low)
    outside = np.flatnonzero(excess >= least)
    found = np.ones(len(close))
    for run in np.split(outside, np.flatnonzero(np.diff(outside) > 1) + 1):
        if 0 < len(run) <= _LONGEST_RUN_BARS and (run[0] > 0 or earlier) and run[-1] < len(close) - 1:
            found[run] = np.exp(excess[run])
    return found
