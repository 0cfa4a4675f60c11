"""Correlation of every pair, on log prices and on log returns, and the gate on the configured one.

What does not belong here: tests of cointegration (`cointegration`), and choosing the basis for a user (settings).
"""

from typing import Literal

import numpy as np
import pandas as pd

from pairs_platform.core.prices.window import PriceWindow
from pairs_platform.core.rules import Rules, rule
from pairs_platform.core.screening.spread import pair_rows, pair_table

_ROUNDING = 1e-13


class CorrelationRules(Rules):
    """When two symbols are correlated enough for their pair to go on."""

    gate: float = rule(0.8, unit="1", description="Smallest correlation of a pair that goes on.", ge=-1.0, lt=1.0)
    basis: Literal["log_price", "log_return"] = rule(
        "log_price",
        unit="name",
        description="What the gate looks at: log prices over the window, or log returns bar by bar. On unrelated "
        "random walks a gate on log prices raises the rate of false cointegrated pairs behind it about fourfold.",
    )


def pair_correlations(window: PriceWindow, rules: CorrelationRules) -> pd.DataFrame:
    """Both correlations of every pair of the window.

    Parameters
    ----------
    window : PriceWindow
        T bars, n symbols; everything in it is known at the close of its last bar.
    rules : CorrelationRules

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
    price = correlation_matrix(window.log_close)[first, second]
    log_return = correlation_matrix(log_returns(window))[first, second]
    known = np.isfinite(window.log_close).astype(np.float64)
    frame = pair_table(window.symbols)
    frame["n_bars"] = (known.T @ known)[first, second].astype(np.int64)
    frame["corr_log_price"] = price
    frame["corr_log_return"] = log_return
    frame["passes_correlation"] = (price if rules.basis == "log_price" else log_return) >= rules.gate
    return frame


def log_returns(window: PriceWindow) -> np.ndarray:
    """Log returns, shape (T − 1, n); NaN across a gap and at a bar whose dividend the prices are not adjusted for."""
    returns = np.diff(window.log_close, axis=0)
    returns[window.ex_action[1:]] = np.nan
    return returns


def correlation_matrix(values: np.ndarray) -> np.ndarray:
    """Pearson correlation of the columns of `values` (T, n) over pairwise-complete rows, shape (n, n).

    NaN where fewer than three rows are common or a column is constant on them. Must equal ``numpy.corrcoef`` where
    nothing is missing, and ``pandas.DataFrame.corr`` otherwise.
    """
    known = np.isfinite(values)
    count = known.sum(axis=0)
    filled = np.where(known, values, 0.0)
    # Centred and scaled by its own column first, so that the pairwise sums below hardly cancel.
    filled = np.where(known, filled - filled.sum(axis=0) / np.maximum(count, 1), 0.0)
    scale = np.sqrt((filled**2).sum(axis=0) / np.maximum(count, 1))
    moving = scale > 1e-9
    filled = np.divide(filled, scale, out=np.zeros_like(filled), where=moving)
    product = filled.T @ filled
    if known.all():
        common = np.full_like(product, len(values))
        variance = np.broadcast_to(np.diag(product), product.shape)
        covariance = product
    else:
        mask = known.astype(np.float64)
        common = mask.T @ mask
        total = mask.T @ filled  # [i, j]: sum of column j over the rows that it shares with column i
        safe = np.maximum(common, 1.0)
        variance = mask.T @ filled**2 - total**2 / safe
        covariance = product - total * total.T / safe
    varies = variance > _ROUNDING * common
    defined = (common >= 3) & varies & varies.T
    norm = np.sqrt(np.where(defined, variance * variance.T, 1.0))
    return np.where(defined, np.clip(covariance / norm, -1.0, 1.0), np.nan)
