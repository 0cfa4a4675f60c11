"""The one spread definition of the platform: s = ln y − α − β ln x. What is tested is what is modelled and traded.

What does not belong here: choosing α and β's direction (`cointegration`) or modelling s (`core.volatility`).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pairs_platform.core.errors import DataError
from pairs_platform.core.screening.pair_names import pair_name

if TYPE_CHECKING:
    import pandas as pd

SPREAD_DEFINITION = "log-engle-granger-1"
"""Version of the formula; stored wherever a spread is stored, compared wherever one is read."""


@dataclass(frozen=True, kw_only=True)
class SpreadParameters:
    """Spread of leg `y` against leg `x`, estimated on one sample.

    Attributes
    ----------
    y, x : str
        Dependent and explanatory leg.
    alpha, beta : float
        Intercept [ln US dollars] and hedge ratio [1] of p_y = α + β p_x + u.
    mu, sigma : float
        Mean and standard deviation (ddof 1) of s over the estimation sample [ln units].
    n_bars : int
        Bars of the estimation sample.
    """

    y: str
    x: str
    alpha: float
    beta: float
    mu: float
    sigma: float
    n_bars: int

    def spread(self, log_y: np.ndarray, log_x: np.ndarray) -> np.ndarray:
        """s_t for log prices of equal shape (T,); NaN where either leg is NaN."""
        return log_y - self.alpha - self.beta * log_x

    def z(self, spread: np.ndarray) -> np.ndarray:
        """Standardised spread (s − μ)/σ, shape (T,)."""
        return (spread - self.mu) / self.sigma


def expected_move_bps(sigma: Any, beta: Any, *, entry_z: float, exit_z: float) -> Any:
    """Move of the spread from entry to exit, basis points of a pair's gross value, for numbers or arrays of one shape.

    The gross value of a position that is long one dollar of y is 1 + |β| dollars.
    """
    return 1e4 * (entry_z - exit_z) * sigma / (1.0 + np.abs(beta))


def estimate_spread(y: str, x: str, log_y: np.ndarray, log_x: np.ndarray) -> SpreadParameters:
    """Ordinary least squares of `log_y` on a constant and `log_x` over the bars where both are known.

    Parameters
    ----------
    log_y, log_x : ndarray, shape (T,)
        Log prices; rows with a NaN in either leg are dropped.

    Raises
    ------
    DataError
        With fewer than three complete bars or a constant `log_x`.

    References
    ----------
    Engle & Granger (1987), first step; must equal ``statsmodels.OLS``.
    """
    complete = np.isfinite(log_y) & np.isfinite(log_x)
    a, b = log_y[complete], log_x[complete]
    if len(a) < 3:
        raise DataError(f"spread of {y} on {x}: {len(a)} complete bars, at least 3 are needed")
    centred = b - b.mean()
    variance = float(centred @ centred)
    if variance <= 1e-18 * len(b):
        raise DataError(f"spread of {y} on {x}: {x} is constant over the {len(b)} bars")
    beta = float(centred @ (a - a.mean())) / variance
    alpha = float(a.mean() - beta * b.mean())
    residual = a - alpha - beta * b
    return SpreadParameters(
        y=y, x=x, alpha=alpha, beta=beta, mu=float(residual.mean()), sigma=float(residual.std(ddof=1)), n_bars=len(a)
    )


def pair_table(symbols: tuple[str, ...]) -> "pd.DataFrame":
    """All pairs of `symbols` (sorted), rows in the order of `pair_rows`: columns pair, symbol_1, symbol_2."""
    import pandas as pd

    first, second = pair_rows(len(symbols))
    names = np.asarray(symbols, dtype=object)
    pairs = [pair_name(symbols[i], symbols[j]) for i, j in zip(first, second, strict=True)]
    return pd.DataFrame({"pair": pd.Series(pairs, dtype=object), "symbol_1": names[first], "symbol_2": names[second]})


def pair_rows(n_symbols: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions of both symbols of every pair, (0, 1), (0, 2), …: the order in which tables of pairs are written."""
    return np.triu_indices(n_symbols, 1)
