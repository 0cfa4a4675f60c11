"""The Engle-Granger test with MacKinnon's p-value, for two series and for many pairs at once.

What does not belong here: gates, calibration of the better direction, and tables (`cointegration`, `calibration`).
"""

from dataclasses import dataclass, fields
from functools import partial

import numpy as np
from scipy.special import ndtr

from pairs_platform.core.parallel import LOCAL, ComputeBackend, concatenated
from pairs_platform.core.screening import kernels
from pairs_platform.core.screening.outcomes import TEST_STATUSES, TESTED

LEAST_BARS = 22
"""Fewest bars that leave the regression with the longest lag a residual, which its AIC needs."""

# MacKinnon (1994; response surfaces of 2010), two I(1) series, constant: as in statsmodels.tsa.adfvalues.
_TAU_MIN, _TAU_STAR, _TAU_MAX = -18.86, -2.62, 0.92
_LOWER_TAIL = (0.039796, 1.5012, 2.92)
_UPPER_TAIL = (-0.042377, -0.29198, 0.64695, 2.1945)


@dataclass(frozen=True, kw_only=True)
class EngleGranger:
    """One direction of the test: p_y = α + β p_x + u, and whether u has a unit root.

    Attributes
    ----------
    status : str
        ``"ok"``, ``"too_few_bars"``, ``"constant_leg"``, ``"identical_legs"`` or ``"singular_regression"``.
    n_bars : int
        Bars that both series have.
    alpha, beta : float
        Intercept and slope of the levels.
    t_stat : float
        Dickey-Fuller t of u.
    lag : int or None
        Lagged differences in that regression, chosen by AIC.
    p_value : float
        MacKinnon's p. All figures are NaN, and `lag` None, unless the status is ``"ok"``.
    """

    status: str
    n_bars: int
    alpha: float
    beta: float
    t_stat: float
    lag: int | None
    p_value: float


@dataclass(frozen=True, eq=False)
class PairTests:
    """Both directions of k pairs. Column 0: the first row of the pair regressed on the second; column 1: the reverse.

    Attributes
    ----------
    n_bars : ndarray of int64, shape (k,)
    outcome : ndarray of int8, shape (k,)
        Codes of `outcomes`; `TEST_STATUSES` names them.
    t_stat, alpha, beta, p_value : ndarray of float64, shape (k, 2)
        NaN unless the outcome is ``TESTED``.
    lag : ndarray of int64, shape (k, 2)
        −1 unless the outcome is ``TESTED``.
    """

    n_bars: np.ndarray
    outcome: np.ndarray
    t_stat: np.ndarray
    lag: np.ndarray
    alpha: np.ndarray
    beta: np.ndarray
    p_value: np.ndarray

    @property
    def better(self) -> np.ndarray:
        """Direction with the smaller p of each pair, shape (k,): 0 or 1, 0 on a tie and where nothing was tested."""
        return (self.t_stat[:, 1] < self.t_stat[:, 0]).astype(np.int64)


def mackinnon_p(t_stat: np.ndarray) -> np.ndarray:
    """P-value of the Engle-Granger t with a constant and two series; NaN stays NaN.

    References
    ----------
    ``statsmodels.tsa.adfvalues.mackinnonp(t, regression="c", N=2)``.
    """
    t = np.asarray(t_stat, dtype=np.float64)
    inside = np.clip(t, _TAU_MIN, _TAU_MAX)
    p = ndtr(np.where(inside <= _TAU_STAR, np.polyval(_LOWER_TAIL, inside), np.polyval(_UPPER_TAIL, inside)))
    return np.where(t > _TAU_MAX, 1.0, np.where(t < _TAU_MIN, 0.0, p))


def run_tests(
    log_prices: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    *,
    min_bars: int = LEAST_BARS,
    backend: ComputeBackend = LOCAL,
) -> PairTests:
    """Test the pairs (first[k], second[k]) of rows of `log_prices` in both directions.

    Parameters
    ----------
    log_prices : ndarray of float64, shape (n, T), C-contiguous
        One row per symbol. NaN policy: bars that either leg misses are dropped.
    first, second : ndarray of int64, shape (k,)
        Rows of both legs.
    min_bars : int
        Pairs with fewer common bars are not tested.
    backend : ComputeBackend, optional
        Where the work is done; in the threads of this process if not given.

    References
    ----------
    ``statsmodels.tsa.stattools.coint(y, x)`` with its defaults (trend ``c``, autolag ``aic``), to |Δt| ≤ 1e-8; Engle &
    Granger (1987).
    """
    prices = np.ascontiguousarray(log_prices, dtype=np.float64)
    batches = [(first[part], second[part]) for part in backend.split(len(first), "tests")]
    parts = backend.map(partial(_run_batch, min_bars=min_bars), batches, shared=(prices,))
    return PairTests(*(concatenated([getattr(part, column.name) for part in parts]) for column in fields(PairTests)))


def _run_batch(prices: np.ndarray, first: np.ndarray, second: np.ndarray, *, min_bars: int) -> PairTests:
    k = len(first)
    n_bars, outcome = np.zeros(k, np.int64), np.zeros(k, np.int8)
    t_stat, alpha, beta = np.full((3, k, 2), np.nan)
    lag = np.full((k, 2), -1, np.int64)

    def work(a: int, b: int) -> None:
        results = (column[a:b] for column in (n_bars, outcome, t_stat, lag, alpha, beta))
        kernels.test_pairs(prices, first[a:b], second[a:b], max(min_bars, LEAST_BARS), *results)

    kernels.share_rows(work, k)
    failed = outcome != TESTED
    for values in (t_stat, alpha, beta):
        values[failed] = np.nan
    lag[failed] = -1
    return PairTests(n_bars, outcome, t_stat, lag, alpha, beta, mackinnon_p(t_stat))


def engle_granger(log_y: np.ndarray, log_x: np.ndarray) -> EngleGranger:
    """Test of `log_y` regressed on `log_x`, both of shape (T,); bars with a NaN in either are dropped.

    References
    ----------
    ``statsmodels.tsa.stattools.coint(log_y, log_x)``, which instead of ``identical_legs`` reports t = −inf.
    """
    tests = run_tests(np.stack([log_y, log_x]), np.array([0]), np.array([1]))
    tested = tests.outcome[0] == TESTED
    return EngleGranger(
        status=TEST_STATUSES[int(tests.outcome[0])],
        n_bars=int(tests.n_bars[0]),
        alpha=float(tests.alpha[0, 0]),
        beta=float(tests.beta[0, 0]),
        t_stat=float(tests.t_stat[0, 0]),
        lag=int(tests.lag[0, 0]) if tested else None,
        p_value=float(tests.p_value[0, 0]),
    )
