"""Tests of what a fitted model leaves: Ljung–Box on z, Li–Mak on z², Engle's ARCH-LM on z.

What does not belong here: scoring the p-values (`core.selection.scores`).
"""

import math
from dataclasses import dataclass

import numba as nb
import numpy as np
from scipy.special import chdtrc

from pairs_platform.core.volatility.likelihood import solve_active

PORTMANTEAU_LAGS = 10
ARCH_LM_LAGS = 5


@dataclass(frozen=True)
class ResidualDiagnostics:
    """p-values of one fit; NaN where a test is not defined. A HIGH p is what an adequate model gives.

    Attributes
    ----------
    ljung_box_p_z : float
        No autocorrelation of z up to lag 10; 9 degrees of freedom, one being spent on φ.
    ljung_box_p_z2 : float
        No autocorrelation of z² up to lag 10, after Li & Mak; 10 degrees of freedom.
    arch_lm_p : float
        No ARCH in z up to lag 5.
    """

    ljung_box_p_z: float
    ljung_box_p_z2: float
    arch_lm_p: float


def ljung_box_p(z: np.ndarray) -> float:
    """Ljung–Box p-value of z at 10 lags with 9 degrees of freedom.

    References
    ----------
    Must equal ``statsmodels.stats.diagnostic.acorr_ljungbox(z, lags=[10], model_df=1)``; NaN where z does not vary, of
    which rounding alone would give autocorrelations.
    """
    if not np.ptp(z) > 1e-12 * np.max(np.abs(z)):
        return math.nan
    return float(chdtrc(PORTMANTEAU_LAGS - 1, _ljung_box(np.ascontiguousarray(z, dtype=float), PORTMANTEAU_LAGS)))


def arch_lm_p(z: np.ndarray) -> float:
    """p-value of Engle's Lagrange-multiplier test for ARCH in z at 5 lags.

    References
    ----------
    Engle (1982); must equal ``statsmodels.stats.diagnostic.het_arch(z, nlags=5)[1]``.
    """
    return float(chdtrc(ARCH_LM_LAGS, _arch_lm(np.ascontiguousarray(z, dtype=float), ARCH_LM_LAGS)))


def li_mak_p(
    shocks: np.ndarray, omega: float, alpha1: float, beta1: float, backcast: float, nu: float = math.nan
) -> float:
    """Li–Mak p-value of the squared standardised residuals of a GARCH(1,1) at 10 lags.

    The autocorrelations r of z² of a FITTED model vary less than 1/n. With ``g_t = z_t² − 1``, ``γ = mean g²``,
    ``D_t = ∂ln h_t/∂(ω, α₁, β₁)``, ``K = mean D Dᵀ`` and ``X_k = −mean D_t g_{t−k}``,

        Q = n rᵀ V⁻¹ r,   V = E/γ − X K⁻¹ Xᵀ / γ,   E_{kj} = mean g_{t−k} g_{t−j}.

    With E/γ and γ at their limits for Gaussian shocks, the identity and 2, this is the paper's V = I − X G⁻¹ Xᵀ / 4, G
    being K/2. That plug-in fails to be positive definite for some 9 % of correct fits at n = 250; E in place of the
    identity makes V a second moment, hence never indefinite, and γ from the sample keeps the size right when the
    Gaussian likelihood is fitted to fat tails. For a Student-t likelihood (`nu` given) the estimate's own information
    takes the place of one γ: V = E/γ − 2 (ν + 3)/(ν γ²) X K⁻¹ Xᵀ.

    Parameters
    ----------
    shocks : ndarray, shape (n,)
        u = e/d in time order, without NaN.
    omega, alpha1, beta1, backcast : float
        The fit, on the shocks' scale.
    nu : float
        Degrees of freedom of a Student-t fit; NaN for a Gaussian one.

    References
    ----------
    Li & Mak (1994), On the squared residual autocorrelations in non-linear time series with conditional
    heteroskedasticity, Journal of Time Series Analysis 15(6), 627–636.
    """
    statistic = _li_mak(np.ascontiguousarray(shocks, dtype=float), omega, alpha1, beta1, backcast, nu, PORTMANTEAU_LAGS)
    return float(chdtrc(PORTMANTEAU_LAGS, statistic))


def residual_diagnostics(
    shocks: np.ndarray,
    variance: np.ndarray,
    *,
    omega: float,
    alpha1: float,
    beta1: float,
    backcast: float,
    nu: float = math.nan,
) -> ResidualDiagnostics:
    """All three tests of one fit.

    Parameters
    ----------
    shocks, variance : ndarray, shape (n,)
        u and its h in time order, without NaN; shocks on both sides of a gap count as neighbours.
    omega, alpha1, beta1, backcast, nu : float
        The fit, as in `li_mak_p`.
    """
    z = shocks / np.sqrt(variance)
    return ResidualDiagnostics(ljung_box_p(z), li_mak_p(shocks, omega, alpha1, beta1, backcast, nu), arch_lm_p(z))


@nb.njit(cache=True, error_model="numpy", fastmath={"reassoc", "contract"})
def _product(x: np.ndarray, i: int, y: np.ndarray, j: int, n: int) -> float:
    """Σ x[i + t] y[j + t] over t < n."""
    total = 0.0
    for t in range(n):
        total += x[i + t] * y[j + t]
    return total


@nb.njit(cache=True, error_model="numpy")
def _autocorrelations(x: np.ndarray, lags: int) -> np.ndarray:
    """Autocorrelations of x at 1..lags; x is centred in place."""
    n = len(x)
    total = 0.0
    for t in range(n):
        total += x[t]
    mean = total / n
    for t in range(n):
        x[t] -= mean
    out = np.empty(lags)
    total = _product(x, 0, x, 0, n)
    for k in range(1, lags + 1):
        out[k - 1] = _product(x, k, x, 0, n - k) / total
    return out


@nb.njit(cache=True, error_model="numpy", nogil=True)
def _ljung_box(z: np.ndarray, lags: int) -> float:
    n = len(z)
    r = _autocorrelations(z.copy(), lags)
    total = 0.0
    for k in range(1, lags + 1):
        total += r[k - 1] * r[k - 1] / (n - k)
    return n * (n + 2.0) * total


@nb.njit(cache=True, error_model="numpy", nogil=True)
def _arch_lm(z: np.ndarray, lags: int) -> float:
    """n R² of z² on a constant and its lags; the constant is concentrated out."""
    n = len(z) - lags
    z2, means, gram, cross = np.empty(len(z)), np.empty(lags + 1), np.empty((lags, lags)), np.empty(lags)
    for t in range(len(z)):
        z2[t] = z[t] * z[t] - 1.0
    for i in range(lags + 1):
        total = 0.0
        for t in range(n):
            total += z2[lags - i + t]
        means[i] = total / n
    total = _product(z2, lags, z2, lags, n) - n * means[0] * means[0]
    for i in range(1, lags + 1):
        cross[i - 1] = _product(z2, lags - i, z2, lags, n) - n * means[i] * means[0]
        for j in range(1, i + 1):
            gram[i - 1, j - 1] = _product(z2, lags - i, z2, lags - j, n) - n * means[i] * means[j]
            gram[j - 1, i - 1] = gram[i - 1, j - 1]
    solution = np.empty(lags)
    if not solve_active(gram, cross, np.zeros(lags, dtype=np.bool_), solution):
        return np.nan
    return n * _product(solution, 0, cross, 0, lags) / total


@nb.njit(cache=True, error_model="numpy")
def _add_second_moments(x: np.ndarray, factor: float, matrix: np.ndarray) -> None:
    """Add factor · Σ_t x[t − 1 − k] x[t − 1 − j] over t > max(k, j) to matrix[k, j]."""
    n, lags = len(x), len(matrix)
    for lag in range(lags):
        # Each further row sums one product less.
        total = _product(x, lag, x, 0, n - 1 - lag)
        for k in range(lags - lag):
            matrix[k, k + lag] += factor * total
            if lag > 0:
                matrix[k + lag, k] += factor * total
            last = n - 2 - lag - k
            total -= x[last + lag] * x[last]


@nb.njit(cache=True, error_model="numpy", nogil=True)
def _li_mak(
    shocks: np.ndarray, omega: float, alpha1: float, beta1: float, backcast: float, nu: float, lags: int
) -> float:
    n = len(shocks)
    slopes, excess = np.empty((3, n)), np.empty(n)
    h = omega + (alpha1 + beta1) * backcast
    h_omega, h_alpha, h_beta = 1.0, backcast, backcast
    for t in range(n):
        u2 = shocks[t] * shocks[t]
        inverse = 1.0 / h
        slopes[0, t], slopes[1, t], slopes[2, t] = h_omega * inverse, h_alpha * inverse, h_beta * inverse
        excess[t] = u2 * inverse - 1.0
        h_omega = 1.0 + beta1 * h_omega
        h_alpha = u2 + beta1 * h_alpha
        h_beta = h + beta1 * h_beta
        h = omega + alpha1 * u2 + beta1 * h
    gamma = _product(excess, 0, excess, 0, n) / n
    weight = 1.0 / gamma
    if not math.isnan(nu):
        weight = min(weight, 2.0 * (nu + 3.0) / (nu * gamma * gamma))
    k_matrix, x, solved = np.empty((3, 3)), np.empty((lags, 3)), np.empty(3)
    for i in range(3):
        for j in range(3):
            k_matrix[i, j] = _product(slopes[i], 0, slopes[j], 0, n) / n
        for k in range(1, lags + 1):
            x[k - 1, i] = -_product(slopes[i], k, excess, 0, n - k) / n
    # A parameter on its bound solves no first-order condition, and β₁ means nothing without α₁: neither is estimated.
    active = np.zeros(3, dtype=np.bool_)
    active[1] = alpha1 <= 0.0
    active[2] = alpha1 <= 0.0 or beta1 <= 0.0
    for i in range(2, 0, -1):
        if not solve_active(k_matrix, x[0], active, solved):
            active[i] = True
    v, solution = np.empty((lags, lags)), np.empty(lags)
    for k in range(lags):
        solve_active(k_matrix, x[k], active, solved)
        for j in range(lags):
            v[k, j] = -weight * _product(solved, 0, x[j], 0, 3)
    _add_second_moments(excess, 1.0 / (n * gamma), v)
    r = _autocorrelations(excess, lags)
    if not solve_active(v, r, np.zeros(lags, dtype=np.bool_), solution):
        return np.nan
    return n * _product(r, 0, solution, 0, lags)
