"""Correlation of every pair, on log prices and on log returns, and the gate on the configured one.

What does not belong here: tests of cointegration (`cointegration`), and choosing the basis for a user (settings).
"""

import numpy as np
import pandas as pd

from pairs_platform.core.parallel import LOCAL, ComputeBackend, concatenated
from pairs_platform.core.prices.window import PriceWindow
from pairs_platform.core.screening import kernels
from pairs_platform.core.screening.settings import CorrelationSettings
from pairs_platform.core.screening.spread import pair_rows, pair_table


def pair_correlations(
    window: PriceWindow, settings: CorrelationSettings, *, backend: ComputeBackend = LOCAL
) -> pd.DataFrame:
    """Both correlations of every pair of the window.

    Parameters
    ----------
    window : PriceWindow
        T bars, n symbols; everything in it is known at the close of its last bar.
    settings : CorrelationSettings
    backend : ComputeBackend, optional
        Where the work is done; in the threads of this process if not given.

    Returns
    -------
    DataFrame
        All n(n−1)/2 pairs in the order of `pair_rows`: pair, symbol_1, symbol_2, n_bars (bars that both symbols have),
        corr_log_price, corr_log_return, passes_correlation. A correlation is NaN, and does not pass, where a leg is
        constant or fewer than three bars are common.

    Notes
    -----
    NaN policy: pairwise-complete bars. No return spans a gap; the return of a bar in ``ex_action`` is left out.
    """
    first, second = pair_rows(len(window.symbols))
    price, n_bars = pairwise_correlation(window.log_close.T, first, second, backend=backend)
    log_return, _ = pairwise_correlation(log_returns(window).T, first, second, backend=backend)
    frame = pair_table(window.symbols)
    frame["n_bars"] = n_bars
    frame["corr_log_price"] = price
    frame["corr_log_return"] = log_return
    frame["passes_correlation"] = (price if settings.basis == "log_price" else log_return) >= settings.gate
    return frame


def log_returns(window: PriceWindow) -> np.ndarray:
    """Log returns, shape (T − 1, n); NaN across a gap and at a bar whose dividend the prices are not adjusted for."""
    returns = np.diff(window.log_close, axis=0)
    returns[window.ex_action[1:]] = np.nan
    return returns


def pairwise_correlation(
    values: np.ndarray, first: np.ndarray, second: np.ndarray, *, backend: ComputeBackend = LOCAL
) -> tuple[np.ndarray, np.ndarray]:
    """Pearson correlation of the pairs (first[k], second[k]) of rows of `values` (n, T) over pairwise-complete columns.

    Returns
    -------
    correlation : ndarray of float64, shape (k,)
        NaN where fewer than three columns are common or a row is constant on them.
    n_common : ndarray of int64, shape (k,)

    References
    ----------
    Must equal ``numpy.corrcoef`` where nothing is missing, and ``pandas.DataFrame.corr`` otherwise.
    """
    batches = [(first[part], second[part]) for part in backend.split(len(first), "tests")]
    parts = backend.map(_correlate, batches, shared=(np.ascontiguousarray(values),))
    correlation, n_common = zip(*parts, strict=True)
    return concatenated(correlation), concatenated(n_common)


def _correlate(rows: np.ndarray, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    # Not a matrix product: BLAS threads wait for each other when several sectors share the cores, a hundredfold slower.
    correlation, n_common = np.full(len(first), np.nan), np.zeros(len(first), np.int64)

    def work(a: int, b: int) -> None:
        kernels.correlate_pairs(rows, first[a:b], second[a:b], correlation[a:b], n_common[a:b])

    kernels.share_rows(work, len(first))
    return correlation, n_common
