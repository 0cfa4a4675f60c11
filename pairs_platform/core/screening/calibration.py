"""Calibrated p of the better direction: how often unrelated random walks do at least as well.

What does not belong here: the simulation that made the table (`benchmarks/make_calibration_table.py`).
"""

from functools import lru_cache
from importlib.resources import files

import numpy as np

TABLE_NAME = "better_direction_quantiles.csv"


@lru_cache(maxsize=1)
def _table() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """ln T of the columns, ln probability of the rows, ln quantiles of the smaller raw p, shape (rows, columns)."""
    lines = files(__package__).joinpath(TABLE_NAME).read_text(encoding="utf-8").splitlines()
    header, body = lines[0].split(","), np.loadtxt(lines[1:], delimiter=",")
    return np.log([float(name) for name in header[1:]]), np.log(body[:, 0]), np.log(body[:, 1:])


def calibrated_p(min_p: np.ndarray, n_bars: np.ndarray | int) -> np.ndarray:
    """Probability that the smaller of both directions' p is at most `min_p` on independent Gaussian random walks.

    Parameters
    ----------
    min_p : ndarray
        The smaller raw p of each pair; NaN stays NaN.
    n_bars : ndarray of int or int
        Bars of the window. Quantiles are interpolated in ln T; below the first and above the last column of the table
        (126 and 4,680 bars) that column is used, so p is slightly too small on windows below 126 bars.

    Returns
    -------
    ndarray
        Monotone in `min_p`, 0 at 0 and 1 at 1. Below the table's smallest quantile it falls in proportion to `min_p`.
    """
    log_bars, log_level, log_quantile = _table()
    p, bars = np.broadcast_arrays(np.asarray(min_p, dtype=np.float64), np.asarray(n_bars))
    result = np.full(p.shape, np.nan)
    for length in np.unique(bars):
        of_length = (bars == length) & ~np.isnan(p)
        if not of_length.any():
            continue
        column = np.interp(np.log(max(length, 1)), log_bars, np.arange(len(log_bars)))
        left = min(int(column), len(log_bars) - 2)
        quantiles = log_quantile[:, left] + (column - left) * np.diff(log_quantile, axis=1)[:, left]
        with np.errstate(divide="ignore"):
            log_p = np.log(p[of_length])
        inside = np.interp(log_p, quantiles, log_level)
        below = log_level[0] + log_p - quantiles[0]
        result[of_length] = np.exp(np.where(log_p < quantiles[0], below, inside))
    return result
