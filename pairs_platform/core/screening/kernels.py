"""Compiled kernels of the screen: Engle-Granger both ways, figures of a tested spread, threads that share pairs.

What does not belong here: p-values, statuses and frames (`cointegration`). The kernels release the interpreter lock and
write only to their own rows, so that a plain thread pool shares the pairs and the results do not depend on it.
Loops stand where NumPy would take an array expression: numba compiles a broadcasting error for each of those, which
costs seconds on a cold cache.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numba
import numpy as np
from numba import njit

from pairs_platform.core.screening.outcomes import CONSTANT_LEG, IDENTICAL_LEGS, SINGULAR, TESTED, TOO_FEW_BARS

# NumPy's errors, because a division by zero in one pair must give NaN there, not an exception that loses the others.
_OPTIONS: dict[str, Any] = {
    "cache": True,
    "nogil": True,
    "fastmath": {"reassoc", "contract"},
    "error_model": "numpy",
}

COLLINEAR_R2 = 1.0 - 100.0 * np.sqrt(np.finfo(np.float64).eps)
CONSTANT_VARIANCE = 1e-18
_SINGULAR_PIVOT = 1e-13
_BLOCK = 1024  # bars whose differences stay in the first-level cache while every lag passes over them
_LAGS_AT_ONCE = 4
_ROWS_WORTH_THREADS = 64


def share_rows(work: Callable[[int, int], None], n_rows: int) -> None:
    """Call ``work(start, stop)`` over slices of `n_rows` rows, on as many threads as numba may use."""
    threads = numba.get_num_threads()
    if threads == 1 or n_rows < _ROWS_WORTH_THREADS:
        work(0, n_rows)
        return
    edges = np.linspace(0, n_rows, min(n_rows, 8 * threads) + 1).astype(int)
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(work, start, stop) for start, stop in pairwise(edges)]:
            done.result()


@njit(**_OPTIONS)
def _complete_rows(
    first: np.ndarray, second: np.ndarray, a: np.ndarray, b: np.ndarray
) -> tuple[int, float, float, float, float, float]:
    """Copy the rows where both legs are known into `a`, `b`, centred; their number, means and mean squares."""
    n = len(first)
    sum_a = 0.0
    sum_b = 0.0
    for t in range(n):
        sum_a += first[t]
        sum_b += second[t]
    if np.isfinite(sum_a + sum_b):
        for t in range(n):
            a[t] = first[t] - sum_a / n
            b[t] = second[t] - sum_b / n
    else:
        n = 0
        sum_a = 0.0
        sum_b = 0.0
        for t in range(len(first)):
            if np.isfinite(first[t]) and np.isfinite(second[t]):
                a[n] = first[t]
                b[n] = second[t]
                sum_a += a[n]
                sum_b += b[n]
                n += 1
        if n == 0:
            return 0, 0.0, 0.0, 0.0, 0.0, 0.0
        for t in range(n):
            a[t] -= sum_a / n
            b[t] -= sum_b / n
    aa = 0.0
    bb = 0.0
    ab = 0.0
    for t in range(n):
        aa += a[t] * a[t]
        bb += b[t] * b[t]
        ab += a[t] * b[t]
    return n, sum_a / n, sum_b / n, aa, bb, ab


@njit(**_OPTIONS)
def correlate_pairs(
    values: np.ndarray, first: np.ndarray, second: np.ndarray, correlation: np.ndarray, n_common: np.ndarray
) -> None:
    """Pearson correlation of pairs of rows of `values` (n, T); NaN stays for a constant row or below three columns."""
    a = np.empty(values.shape[1])
    b = np.empty(values.shape[1])
    for k in range(len(first)):
        n, _, _, aa, bb, ab = _complete_rows(values[first[k]], values[second[k]], a, b)
        n_common[k] = n
        if n >= 3 and min(aa, bb) > CONSTANT_VARIANCE * n:
            correlation[k] = max(-1.0, min(1.0, ab / np.sqrt(aa * bb)))


@njit(**_OPTIONS)
def _lag_products(d: np.ndarray, start: int, stop: int, max_lag: int, out: np.ndarray) -> None:
    """out[j] = Σ d_t d_{t−j} over start ≤ t < stop; `d` carries `_LAGS_AT_ONCE` values of padding in front."""
    for lag in range(len(out)):
        out[lag] = 0.0
    for begin in range(start, stop, _BLOCK):
        end = min(begin + _BLOCK, stop)
        for lag in range(0, max_lag + 1, _LAGS_AT_ONCE):
            p0 = 0.0
            p1 = 0.0
            p2 = 0.0
            p3 = 0.0
            now = d[_LAGS_AT_ONCE + begin : _LAGS_AT_ONCE + end]
            before = d[_LAGS_AT_ONCE + begin - lag - 3 : _LAGS_AT_ONCE + end - lag]
            for t in range(len(now)):
                p0 += now[t] * before[t + 3]
                p1 += now[t] * before[t + 2]
                p2 += now[t] * before[t + 1]
                p3 += now[t] * before[t]
            out[lag] += p0
            out[lag + 1] += p1
            out[lag + 2] += p2
            out[lag + 3] += p3


@njit(**_OPTIONS)
def _lag_gram(
    products: np.ndarray, u: np.ndarray, d: np.ndarray, n: int, start: int, k: int, gram: np.ndarray
) -> np.ndarray:
    """Fill gram[i, j] = Σ_{t=start}^{n−2} d_{t−i} d_{t−j}, i ≤ j ≤ k, from its first row, and return Σ u_t d_{t−i}.

    Every further diagonal element follows from the one before by the two terms in which their samples differ, and the
    products with the level from u_t = u_{t−i} + d_{t−i} + … + d_{t−1} and 2 u_s d_s = u²_{s+1} − u²_s − d²_s.
    """
    level = np.empty(k + 1)
    for j in range(k + 1):
        gram[0, j] = products[j]
    for i in range(k):
        head = d[_LAGS_AT_ONCE + start - 1 - i]
        tail = d[_LAGS_AT_ONCE + n - 2 - i]
        for j in range(i, k):
            gram[i + 1, j + 1] = (
                gram[i, j] + head * d[_LAGS_AT_ONCE + start - 1 - j] - tail * d[_LAGS_AT_ONCE + n - 2 - j]
            )
    for i in range(k + 1):
        total = 0.5 * (u[n - 1 - i] * u[n - 1 - i] - u[start - i] * u[start - i] - gram[i, i])
        for lag in range(1, i + 1):
            total += gram[lag, i]
        level[i] = total
    return level


@njit(**_OPTIONS)
def _cholesky(a: np.ndarray, size: int) -> int:
    """Lower Cholesky factor of the leading `size` rows of `a`, in place; the first row without a pivot, else `size`."""
    for i in range(size):
        diagonal = a[i, i]
        for j in range(i):
            total = a[i, j]
            for c in range(j):
                total -= a[i, c] * a[j, c]
            total /= a[j, j]
            a[i, j] = total
        rest = diagonal
        for c in range(i):
            rest -= a[i, c] * a[i, c]
        if not rest > _SINGULAR_PIVOT * diagonal:
            return i
        a[i, i] = np.sqrt(rest)
    return size


@njit(**_OPTIONS)
def _best_lag(gram: np.ndarray, level: np.ndarray, squares: float, rows: int, max_lag: int, a: np.ndarray) -> int:
    """Lag with the smallest AIC on one sample of `rows` rows; −1 when the regression on the longest lag is singular.

    One Cholesky factor holds all lags: its last row (the regressand) gives what each further regressor takes from the
    sum of squares.
    """
    last = max_lag + 1
    a[0, 0] = squares
    for i in range(1, max_lag + 1):
        a[i, 0] = level[i]
        a[last, i] = gram[0, i]
        for j in range(1, i + 1):
            a[i, j] = gram[j, i]
    a[last, 0] = level[0]
    a[last, last] = gram[0, 0]
    if _cholesky(a, last + 1) <= last:
        return -1
    rest = gram[0, 0] - a[last, 0] * a[last, 0]
    best = rows * np.log(rest) + 2.0
    lag = 0
    for j in range(1, max_lag + 1):
        rest -= a[last, j] * a[last, j]
        aic = rows * np.log(rest) + 2.0 * (j + 1)
        if aic < best:
            best = aic
            lag = j
    return lag


@njit(**_OPTIONS)
def _adf(
    u: np.ndarray, n: int, d: np.ndarray, products: np.ndarray, gram: np.ndarray, a: np.ndarray
) -> tuple[float, int]:
    """Dickey-Fuller t of u[:n] without constant, lag by AIC; (t, lag), (NaN, −1) when a regression is singular.

    The AIC compares all lags on the sample of the longest one; the chosen lag is fitted again on its own longer sample,
    with the level last, so that its t follows from the factor's last row.
    """
    max_lag = min(int(np.ceil(12.0 * (n / 100.0) ** 0.25)), n // 2 - 1)
    for t in range(_LAGS_AT_ONCE):
        d[t] = 0.0
    for t in range(n - 1):
        d[_LAGS_AT_ONCE + t] = u[t + 1] - u[t]
    _lag_products(d, max_lag, n - 1, max_lag, products)
    level = _lag_gram(products, u, d, n, max_lag, max_lag, gram)
    squares = 0.0
    for t in range(max_lag, n - 1):
        squares += u[t] * u[t]
    lag = _best_lag(gram, level, squares, n - 1 - max_lag, max_lag, a)
    if lag < 0:
        return np.nan, -1

    for t in range(lag, max_lag):
        squares += u[t] * u[t]
        for j in range(lag + 1):
            products[j] += d[_LAGS_AT_ONCE + t] * d[_LAGS_AT_ONCE + t - j]
    level = _lag_gram(products, u, d, n, lag, lag, gram)
    for i in range(1, lag + 1):
        a[lag, i - 1] = level[i]
        a[lag + 1, i - 1] = gram[0, i]
        for j in range(1, i + 1):
            a[i - 1, j - 1] = gram[j, i]
    a[lag, lag] = squares
    a[lag + 1, lag] = level[0]
    a[lag + 1, lag + 1] = gram[0, 0]
    if _cholesky(a, lag + 2) <= lag + 1:
        return np.nan, -1
    return a[lag + 1, lag] * np.sqrt(n - 2.0 - 2.0 * lag) / a[lag + 1, lag + 1], lag


@njit(**_OPTIONS)
def test_pairs(
    log_prices: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    min_bars: int,
    n_bars: np.ndarray,
    outcome: np.ndarray,
    t_stat: np.ndarray,
    lag: np.ndarray,
    alpha: np.ndarray,
    beta: np.ndarray,
) -> None:
    """Engle-Granger of pairs of rows of `log_prices` (n symbols, T bars), both directions.

    Column 0 of the outputs regresses row `first[k]` on row `second[k]`, column 1 the reverse. Bars that either leg
    misses are dropped. Where `outcome` is not `TESTED`, the statistics stay as they were given (NaN).
    """
    length = log_prices.shape[1]
    width = int(np.ceil(12.0 * (length / 100.0) ** 0.25)) + 2
    legs = np.empty((2, length))
    u = np.empty(length)
    d = np.empty(length + _LAGS_AT_ONCE)
    products = np.empty(width + _LAGS_AT_ONCE)
    gram = np.empty((width, width))
    a = np.empty((width, width))
    for k in range(len(first)):
        n, mean_1, mean_2, s11, s22, s12 = _complete_rows(log_prices[first[k]], log_prices[second[k]], legs[0], legs[1])
        n_bars[k] = n
        if n < min_bars:
            outcome[k] = TOO_FEW_BARS
            continue
        if min(s11, s22) <= CONSTANT_VARIANCE * n:
            outcome[k] = CONSTANT_LEG
            continue
        outcome[k] = TESTED
        for direction in range(2):
            y = legs[direction]
            x = legs[1 - direction]
            sxx = s22 if direction == 0 else s11
            syy = s11 if direction == 0 else s22
            slope = s12 / sxx
            rest = 0.0
            for t in range(n):
                u[t] = y[t] - slope * x[t]
                rest += u[t] * u[t]
            if not 1.0 - rest / syy < COLLINEAR_R2:
                outcome[k] = IDENTICAL_LEGS
                break
            t_stat[k, direction], lag[k, direction] = _adf(u, n, d, products, gram, a)
            if lag[k, direction] < 0:
                outcome[k] = SINGULAR
                break
            beta[k, direction] = slope
            mean_y = mean_1 if direction == 0 else mean_2
            mean_x = mean_2 if direction == 0 else mean_1
            alpha[k, direction] = mean_y - slope * mean_x


@njit(**_OPTIONS)
def _slope(y: np.ndarray, x: np.ndarray, start: int, stop: int) -> float:
    """Slope of y on a constant and x over start ≤ t < stop; NaN when x is constant there."""
    mean_y = 0.0
    mean_x = 0.0
    for t in range(start, stop):
        mean_y += y[t]
        mean_x += x[t]
    mean_y /= stop - start
    mean_x /= stop - start
    xx = 0.0
    xy = 0.0
    for t in range(start, stop):
        xx += (x[t] - mean_x) * (x[t] - mean_x)
        xy += (x[t] - mean_x) * (y[t] - mean_y)
    if xx <= CONSTANT_VARIANCE * (stop - start):
        return np.nan
    return xy / xx


@njit(**_OPTIONS)
def _central_moments(series: np.ndarray, rows: int) -> np.ndarray:
    """Sums of squares and products of the first `rows` columns of `series` about their means (upper triangle)."""
    moment = np.empty((len(series), len(series)))
    for i in range(len(series)):
        mean = 0.0
        for t in range(rows):
            mean += series[i, t]
        mean /= rows
        for t in range(rows):
            series[i, t] -= mean
        for j in range(i + 1):
            total = 0.0
            for t in range(rows):
                total += series[i, t] * series[j, t]
            moment[j, i] = total
    return moment


@njit(**_OPTIONS)
def _johansen_trace(p: np.ndarray, q: np.ndarray, n: int, series: np.ndarray) -> float:
    """Trace statistic of no cointegration: constant, one lagged difference, two series (centred, length n).

    With two series the eigenvalue problem has a closed form: Σ ln(1 − λ_i) = ln(1 − tr M + det M) with
    M = S_kk⁻¹ S_k0 S_00⁻¹ S_0k. `series` (6, ≥ n − 2) is scratch: differences, lagged levels, lagged differences.
    """
    rows = n - 2
    for t in range(rows):
        series[0, t] = p[t + 2] - p[t + 1]
        series[1, t] = q[t + 2] - q[t + 1]
        series[2, t] = p[t + 1]
        series[3, t] = q[t + 1]
        series[4, t] = p[t + 1] - p[t]
        series[5, t] = q[t + 1] - q[t]
    moment = _central_moments(series, rows)
    for lagged in (5, 4):
        for i in range(lagged):
            share = moment[i, lagged] / moment[lagged, lagged]
            for j in range(i, lagged):
                moment[i, j] -= share * moment[j, lagged]
    s00 = moment[0, 0] * moment[1, 1] - moment[0, 1] ** 2
    skk = moment[2, 2] * moment[3, 3] - moment[2, 3] ** 2
    if not (s00 > 0.0 and skk > 0.0):
        return np.nan
    sig = np.empty((2, 2))
    for i in range(2):
        for j in range(2):
            sig[i, j] = (
                moment[0, 2 + i] * (moment[1, 1] * moment[0, 2 + j] - moment[0, 1] * moment[1, 2 + j])
                + moment[1, 2 + i] * (moment[0, 0] * moment[1, 2 + j] - moment[0, 1] * moment[0, 2 + j])
            ) / s00
    trace = (moment[3, 3] * sig[0, 0] + moment[2, 2] * sig[1, 1] - 2.0 * moment[2, 3] * sig[0, 1]) / skk
    determinant = (sig[0, 0] * sig[1, 1] - sig[0, 1] * sig[1, 0]) / skk
    return -rows * np.log1p(determinant - trace)


@njit(**_OPTIONS)
def describe_pairs(
    log_prices: np.ndarray,
    shock_excluded: np.ndarray,
    y_row: np.ndarray,
    x_row: np.ndarray,
    alpha: np.ndarray,
    beta: np.ndarray,
    sigma: np.ndarray,
    mu: np.ndarray,
    phi: np.ndarray,
    halves: np.ndarray,
    johansen: np.ndarray,
) -> None:
    """Spread figures of pairs whose parameters are known: μ, σ (ddof 1), AR(1) φ, β of both halves, Johansen trace.

    φ is the least-squares slope of s_t on a constant and s_{t−1} over consecutive bars that both legs have; bars marked
    in `shock_excluded` (n symbols, T bars) for either leg give no such couple. The halves split the complete bars.
    """
    length = log_prices.shape[1]
    series = np.empty((6, length))
    y = np.empty(length)
    x = np.empty(length)
    now = np.empty(length)
    before = np.empty(length)
    for k in range(len(y_row)):
        raw_y = log_prices[y_row[k]]
        raw_x = log_prices[x_row[k]]
        n, mean_y, mean_x, _, _, _ = _complete_rows(raw_y, raw_x, y, x)
        total = 0.0
        squares = 0.0
        shift = mean_y - alpha[k] - beta[k] * mean_x
        for t in range(n):
            s = y[t] - beta[k] * x[t] + shift
            total += s
            squares += s * s
        mu[k] = total / n
        sigma[k] = np.sqrt((squares - n * mu[k] ** 2) / (n - 1))
        couples = 0
        previous = np.nan
        for t in range(length):
            s = raw_y[t] - alpha[k] - beta[k] * raw_x[t]
            excluded = shock_excluded[y_row[k], t] or shock_excluded[x_row[k], t]
            if np.isfinite(s) and np.isfinite(previous) and not excluded:
                now[couples] = s
                before[couples] = previous
                couples += 1
            previous = s
        phi[k] = _slope(now, before, 0, couples) if couples > 2 else np.nan
        halves[k, 0] = _slope(y, x, 0, n // 2)
        halves[k, 1] = _slope(y, x, n // 2, n)
        johansen[k] = _johansen_trace(y, x, n, series)
