"""Maximum likelihood of one AR(1)-GARCH(1,1) series: compiled likelihood, bounded quasi-Newton, starts, recursion.

What does not belong here: frames, settings, statuses and units of results (`garch`), diurnal factors (`diurnal`).

A series is compressed to its valid shocks and standardised: with ``m`` the mean of the spread and ``k`` the root mean
square of the weighted-least-squares innovations, ``y = (s_t − m)/(k d_t)``, ``a = 1/d_t``, ``b = (s_{t−1} − m)/(k
d_t)``, so that ``u = y − c a − φ b`` has unit variance at the start. Dropping an excluded shock is the same as
carrying the variance over it. Six parameters, all of order one, in a box:

====  ======  ======================  ===========================================
 i    name    bounds                  meaning
====  ======  ======================  ===========================================
 0    c       none                    intercept of the standardised spread
 1    φ       none                    autoregression
 2    ω       [1e-8, 10]              arch's bounds on a unit variance
 3    p       [0, 1]                  persistence α₁ + β₁ (arch's constraint)
 4    r       [0, 1]                  share α₁ / p
 5    ν       ln(ν − 2), ν 2.05..500  degrees of freedom (Student t; else fixed)
====  ======  ======================  ===========================================

Inside this box ``1e-8 <= h <= 10 n + max u²``, so arch's bounds on the path of the variance have nothing to do.
A restricted model is the same optimisation with equal lower and upper bounds.
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numba as nb
import numpy as np

N_PARAMETERS = 6
OMEGA_BOUNDS = (1e-8, 10.0)
NU_BOUNDS = (2.05, 500.0)
BACKCAST_SHOCKS = 75
BACKCAST_DECAY = 0.94
LOG_TWO_PI = math.log(2.0 * math.pi)

CONVERGED, MAX_EVALUATIONS, NO_DESCENT, TOO_FEW, CONSTANT = 0, 1, 2, 3, 4
"""How a search ended (the first three), or that there was nothing to search."""

SCALE_FLOOR = 1e-12  # ln units: below it lies the rounding noise of log prices
FINE, COARSE, COARSE_EVALUATIONS, RIVAL_EVALUATIONS = 1e-7, 1e-2, 8, 300
CLEAR_GAIN = 12.0  # in log-likelihood over a constant variance: with more, one start is enough
STARTS, POLISHED, WORTH_POLISHING, SAME_POINT = 7, 2, 1.0, 0.02
GRID_ALPHA = np.repeat(np.array([0.01, 0.05, 0.1, 0.2]), 5)
GRID_PERSISTENCE = np.tile(np.array([0.25, 0.6, 0.85, 0.95, 0.99]), 4)
GRID_SIZE = len(GRID_ALPHA)
GRID_NEIGHBOURS = (np.abs(np.subtract.outer(GRID_ALPHA, GRID_ALPHA)) < 0.06) & (
    np.abs(np.subtract.outer(GRID_PERSISTENCE, GRID_PERSISTENCE)) < 0.06
)
NU_START = 8.0

_FAST = {"reassoc", "contract"}
_BLOCK = 16  # logarithms of products of 16 variances: 1e-8 <= h <= 1e7 keeps the product inside a double


@dataclass(frozen=True, kw_only=True)
class SeriesFit:
    """Parameters and likelihoods of one series on its own scale.

    `predicted_rise` is what a Newton step with the information would still add to ln L there.
    """

    code: int
    n_shocks: int
    predicted_rise: float = math.nan
    evaluations: int = 0
    c: float = math.nan
    phi: float = math.nan
    omega: float = math.nan
    alpha1: float = math.nan
    beta1: float = math.nan
    nu: float = math.nan
    backcast: float = math.nan
    log_likelihood: float = math.nan
    log_likelihood_random_walk: float = math.nan
    log_likelihood_constant_variance: float = math.nan


@nb.njit(cache=True, fastmath=_FAST, error_model="numpy", nogil=True)
def negative_log_likelihood(
    theta: np.ndarray, y: np.ndarray, a: np.ndarray, b: np.ndarray, backcast: float, student: bool, gradient: np.ndarray
) -> float:
    """−ln L of the standardised shocks, without −Σ ln d and −n ln k; its gradient is written to `gradient` (6,)."""
    c, phi, omega, p, r = theta[0], theta[1], theta[2], theta[3], theta[4]
    alpha = p * r
    beta = p - alpha
    nu_less_2 = math.exp(theta[5])
    nu_plus_1 = nu_less_2 + 3.0
    inverse_nu_less_2 = 1.0 / nu_less_2
    n = len(y)
    h = omega + p * backcast
    h_c, h_phi, h_omega, h_alpha, h_beta = 0.0, 0.0, 1.0, backcast, backcast
    g_c, g_phi, g_omega, g_alpha, g_beta, g_nu = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    log_h, squares, log_m = 0.0, 0.0, 0.0
    start = 0
    while start < n:
        stop = min(start + _BLOCK, n)
        product, product_m = 1.0, 1.0
        for t in range(start, stop):
            u = y[t] - c * a[t] - phi * b[t]
            u2 = u * u
            inverse = 1.0 / h
            z2 = u2 * inverse
            product *= h
            if student:
                x = z2 * inverse_nu_less_2
                inverse_m = 1.0 / (1.0 + x)
                product_m *= 1.0 + x
                ratio = x * inverse_m
                g_nu += ratio
                w = 0.5 * inverse * (1.0 - nu_plus_1 * ratio)
                v = nu_plus_1 * inverse_nu_less_2 * inverse_m * u * inverse
            else:
                squares += z2
                w = 0.5 * inverse * (1.0 - z2)
                v = u * inverse
            g_c += w * h_c - v * a[t]
            g_phi += w * h_phi - v * b[t]
            g_omega += w * h_omega
            g_alpha += w * h_alpha
            g_beta += w * h_beta
            slope = 2.0 * alpha * u
            h_c = beta * h_c - slope * a[t]
            h_phi = beta * h_phi - slope * b[t]
            h_omega = 1.0 + beta * h_omega
            h_alpha = u2 + beta * h_alpha
            h_beta = h + beta * h_beta
            h = omega + alpha * u2 + beta * h
        log_h += math.log(product)
        if student:
            log_m += math.log(product_m)
        start = stop
    gradient[0] = g_c
    gradient[1] = g_phi
    gradient[2] = g_omega
    gradient[3] = r * g_alpha + (1.0 - r) * g_beta
    gradient[4] = p * (g_alpha - g_beta)
    gradient[5] = 0.0
    if not student:
        return 0.5 * (n * LOG_TWO_PI + log_h + squares)
    nu = nu_less_2 + 2.0
    constant = math.lgamma(0.5 * (nu + 1.0)) - math.lgamma(0.5 * nu) - 0.5 * math.log(math.pi * nu_less_2)
    step = 1e-4 * nu
    slope_gamma = (
        math.lgamma(0.5 * (nu + 1.0 + step))
        - math.lgamma(0.5 * (nu + 1.0 - step))
        - math.lgamma(0.5 * (nu + step))
        + math.lgamma(0.5 * (nu - step))
    ) / (2.0 * step)
    slope_nu = -n * (slope_gamma - 0.5 * inverse_nu_less_2) + 0.5 * log_m - 0.5 * nu_plus_1 * inverse_nu_less_2 * g_nu
    gradient[5] = nu_less_2 * slope_nu
    return -n * constant + 0.5 * log_h + 0.5 * nu_plus_1 * log_m


@nb.njit(cache=True, fastmath=_FAST, error_model="numpy", nogil=True)
def information(
    theta: np.ndarray, y: np.ndarray, a: np.ndarray, b: np.ndarray, backcast: float, student: bool, matrix: np.ndarray
) -> None:
    """Expected information of the parameters, conditional on the path, written to `matrix` (6, 6).

    Gaussian: Σ (∂u ∂uᵀ / h + ∂h ∂hᵀ / 2h²); Student t: both sums times their information relative to the Gaussian. The
    mean's and the variance's parameters are treated as independent, which they are under symmetry.
    """
    c, phi, omega, p, r = theta[0], theta[1], theta[2], theta[3], theta[4]
    alpha = p * r
    beta = p - alpha
    nu = math.exp(theta[5]) + 2.0
    location = nu * (nu + 1.0) / ((nu - 2.0) * (nu + 3.0)) if student else 1.0
    scale = nu / (nu + 3.0) if student else 1.0
    n = len(y)
    h = omega + p * backcast
    h_c, h_phi, h_omega, h_alpha, h_beta = 0.0, 0.0, 1.0, backcast, backcast
    m00, m01, m11, m22, m23, m24, m33, m34, m44 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for t in range(n):
        u = y[t] - c * a[t] - phi * b[t]
        u2 = u * u
        inverse = 1.0 / h
        at_inverse = location * inverse * a[t]
        weight = 0.5 * scale * inverse * inverse
        m00 += at_inverse * a[t] + weight * h_c * h_c
        m01 += at_inverse * b[t] + weight * h_c * h_phi
        m11 += location * inverse * b[t] * b[t] + weight * h_phi * h_phi
        m22 += weight * h_omega * h_omega
        m23 += weight * h_omega * h_alpha
        m24 += weight * h_omega * h_beta
        m33 += weight * h_alpha * h_alpha
        m34 += weight * h_alpha * h_beta
        m44 += weight * h_beta * h_beta
        slope = 2.0 * alpha * u
        h_c = beta * h_c - slope * a[t]
        h_phi = beta * h_phi - slope * b[t]
        h_omega = 1.0 + beta * h_omega
        h_alpha = u2 + beta * h_alpha
        h_beta = h + beta * h_beta
        h = omega + alpha * u2 + beta * h
    matrix[:, :] = 0.0
    q = 1.0 - r
    matrix[0, 0], matrix[0, 1], matrix[1, 0], matrix[1, 1] = m00, m01, m01, m11
    matrix[2, 2] = m22
    matrix[2, 3] = r * m23 + q * m24
    matrix[2, 4] = p * (m23 - m24)
    matrix[3, 3] = r * r * m33 + 2.0 * r * q * m34 + q * q * m44
    matrix[3, 4] = p * (r * m33 + (q - r) * m34 - q * m44)
    matrix[4, 4] = p * p * (m33 - 2.0 * m34 + m44)
    matrix[3, 2], matrix[4, 2], matrix[4, 3] = matrix[2, 3], matrix[2, 4], matrix[3, 4]
    # The information of ln(ν − 2) falls as 1/ν²: this is its order of magnitude, and the updates refine it.
    matrix[5, 5] = n * 1.5 / (nu * nu)


@nb.njit(cache=True, error_model="numpy")
def solve_active(matrix: np.ndarray, vector: np.ndarray, active: np.ndarray, out: np.ndarray) -> bool:
    """Solve the rows and columns where `active` is False by Cholesky; the rest of `out` is 0. False if not positive."""
    n = len(vector)
    lower = np.zeros((n, n))
    for i in range(n):
        # An active row is one of the identity with nothing on the right, which keeps the loops free of cases.
        for j in range(i + 1):
            total = matrix[i, j] if not (active[i] or active[j]) else (1.0 if i == j else 0.0)
            for k in range(j):
                total -= lower[i, k] * lower[j, k]
            if i > j:
                lower[i, j] = total / lower[j, j]
            elif active[i] or total > 1e-13 * matrix[i, i]:
                lower[i, i] = math.sqrt(total)
            else:
                return False
    for i in range(n):
        total = 0.0 if active[i] else vector[i]
        for k in range(i):
            total -= lower[i, k] * out[k]
        out[i] = total / lower[i, i]
    for i in range(n - 1, -1, -1):
        total = out[i]
        for k in range(i + 1, n):
            total -= lower[k, i] * out[k]
        out[i] = total / lower[i, i]
    return True


@nb.njit(cache=True, error_model="numpy")
def newton_direction(
    theta: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    gradient: np.ndarray,
    matrix: np.ndarray,
    active: np.ndarray,
    out: np.ndarray,
) -> float:
    """Newton direction inside the box; returns the predicted fall of −ln L, gradient·direction/−2."""
    n = len(theta)
    for i in range(n):
        active[i] = (
            (theta[i] <= lower[i] and gradient[i] >= 0.0)
            or (theta[i] >= upper[i] and gradient[i] <= 0.0)
            or lower[i] == upper[i]
        )
    for _ in range(n):
        solved = solve_active(matrix, gradient, active, out)
        blocked = False
        for i in range(n):
            if active[i]:
                continue
            out[i] = -out[i] if solved else -gradient[i] / max(matrix[i, i], 1e-10)
            if (theta[i] <= lower[i] and out[i] < 0.0) or (theta[i] >= upper[i] and out[i] > 0.0):
                active[i] = True
                blocked = True
        if not blocked:
            break
    fall = 0.0
    for i in range(n):
        fall -= 0.5 * gradient[i] * out[i]
    if fall < 1e-9:
        # A parameter on its bound may be held there by the coupling alone: leave along its own axis.
        for i in range(n):
            inward = (theta[i] <= lower[i] and gradient[i] < 0.0) or (theta[i] >= upper[i] and gradient[i] > 0.0)
            if active[i] and inward and lower[i] < upper[i]:
                out[i] = -gradient[i] / max(matrix[i, i], 1e-10)
                fall -= 0.5 * gradient[i] * out[i]
    return fall


@nb.njit(cache=True, error_model="numpy")
def _update(matrix: np.ndarray, moved: np.ndarray, change: np.ndarray) -> None:
    """BFGS update, damped after Powell where the likelihood is not convex: the matrix stays positive definite."""
    n = len(moved)
    image = np.zeros(n)
    curvature, quadratic = 0.0, 0.0
    for i in range(n):
        for j in range(n):
            image[i] += matrix[i, j] * moved[j]
        curvature += moved[i] * change[i]
        quadratic += moved[i] * image[i]
    if not quadratic > 0.0:
        return
    mix = 1.0
    if curvature < 0.2 * quadratic:
        mix = 0.8 * quadratic / (quadratic - curvature)
        curvature = 0.2 * quadratic
    for i in range(n):
        for j in range(n):
            left, right = mix * change[i] + (1.0 - mix) * image[i], mix * change[j] + (1.0 - mix) * image[j]
            matrix[i, j] += left * right / curvature - image[i] * image[j] / quadratic


@nb.njit(cache=True, error_model="numpy", nogil=True)
def minimise(  # noqa: C901
    theta: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    y: np.ndarray,
    a: np.ndarray,
    b: np.ndarray,
    backcast: float,
    student: bool,
    tolerance: float,
    max_evaluations: int,
    gradient: np.ndarray,
) -> tuple[float, int, int]:
    """Minimise −ln L in the box by BFGS, the information as first matrix; one pass of the loop is one evaluation.

    `theta` (6,) holds the start; it and `gradient` (6,) are overwritten by the end point's. Ends when the predicted
    fall of −ln L is below `tolerance`. Returns (−ln L, code, evaluations).
    """
    n = N_PARAMETERS
    trial_gradient, direction = np.empty(n), np.zeros(n)
    trial, matrix, active = theta.copy(), np.empty((n, n)), np.empty(n, dtype=np.bool_)
    value, fall, step = np.inf, 0.0, 0.0
    renew, renewed, shortened = True, False, 0
    for evaluation in range(1, max_evaluations + 1):
        trial_value = negative_log_likelihood(trial, y, a, b, backcast, student, trial_gradient)
        expected = 2.0 * step * fall
        if trial_value <= value - 1e-4 * expected:
            if not renew:
                for i in range(n):
                    direction[i] = trial[i] - theta[i]
                    gradient[i] = trial_gradient[i] - gradient[i]
                _update(matrix, direction, gradient)
                renewed = False
            for i in range(n):
                theta[i], gradient[i] = trial[i], trial_gradient[i]
            value, shortened = trial_value, 0
        elif shortened < 30:
            shrink = 0.5 * expected / (trial_value - value + expected) if math.isfinite(trial_value) else 0.1
            step *= min(max(shrink, 0.1), 0.5)
            shortened += 1
        elif renewed:
            return value, NO_DESCENT, evaluation
        else:
            renew, shortened = True, 0
        if renew:
            information(theta, y, a, b, backcast, student, matrix)
            renew, renewed = False, True
        if shortened == 0:
            fall = newton_direction(theta, lower, upper, gradient, matrix, active, direction)
            if fall <= tolerance:
                return value, CONVERGED, evaluation
            step = 1.0
            for i in range(n):
                if direction[i] > 0.0:
                    step = min(step, (upper[i] - theta[i]) / direction[i])
                elif direction[i] < 0.0:
                    step = min(step, (lower[i] - theta[i]) / direction[i])
        for i in range(n):
            trial[i] = min(max(theta[i] + step * direction[i], lower[i]), upper[i])
    return value, MAX_EVALUATIONS, max_evaluations


@nb.njit(cache=True, fastmath=_FAST, error_model="numpy", nogil=True)
def _grid_values(
    c: float,
    phi: float,
    y: np.ndarray,
    a: np.ndarray,
    b: np.ndarray,
    backcast: float,
    alpha: np.ndarray,
    persistence: np.ndarray,
    out: np.ndarray,
) -> None:
    """Gaussian −2 ln L (constants dropped) at each grid point with the unconditional variance at one, to `out`."""
    m, n = len(alpha), len(y)
    omega, beta, h, product, total = np.empty(m), np.empty(m), np.empty(m), np.empty(m), np.empty(m)
    for i in range(m):
        omega[i], beta[i] = 1.0 - persistence[i], persistence[i] - alpha[i]
        h[i], total[i] = omega[i] + persistence[i] * backcast, 0.0
    start = 0
    while start < n:
        for i in range(m):
            product[i] = 1.0
        stop = min(start + _BLOCK, n)
        for t in range(start, stop):
            u = y[t] - c * a[t] - phi * b[t]
            u2 = u * u
            for i in range(m):
                old = h[i]
                total[i] += u2 / old
                product[i] *= old
                h[i] = omega[i] + alpha[i] * u2 + beta[i] * old
        for i in range(m):
            total[i] += math.log(product[i])
        start = stop
    for i in range(m):
        out[i] = total[i]


@nb.njit(cache=True)
def next_variance(variance: float, shock: float, omega: float, alpha1: float, beta1: float) -> float:
    """h of the next bar from h and the shock u = e/d of this one; a missing shock (NaN) carries h on."""
    if math.isnan(shock):
        return variance
    return omega + alpha1 * shock * shock + beta1 * variance


@nb.njit(cache=True)
def variance_path(shocks: np.ndarray, omega: float, alpha1: float, beta1: float, initial: float) -> np.ndarray:
    """h (T + 1,) for shocks (T,): h[t] is known at the close of bar t − 1; h[0] is `initial`."""
    h = np.empty(len(shocks) + 1)
    h[0] = initial
    for t in range(len(shocks)):
        h[t + 1] = next_variance(h[t], shocks[t], omega, alpha1, beta1)
    return h


def fit_series(
    spread: np.ndarray,
    inverse_d: np.ndarray,
    valid: np.ndarray,
    *,
    student: bool,
    max_evaluations: int,
    min_shocks: int,
) -> SeriesFit:
    """Maximum likelihood of one series and of its two rivals.

    Parameters
    ----------
    spread : ndarray, shape (T,)
    inverse_d : ndarray, shape (T,)
        1/d of each bar.
    valid : ndarray of bool, shape (T,)
        Shocks that count; False at bar 0.
    student : bool
        Student-t instead of Gaussian likelihood.
    max_evaluations, min_shocks : int
        Bound on the final search; fewest shocks to fit.
    """
    at = np.flatnonzero(valid)
    n = len(at)
    if n < min_shocks:
        return SeriesFit(code=TOO_FEW, n_shocks=n)
    a = inverse_d[at]
    centre = float(spread[at].mean())
    y, b = (spread[at] - centre) * a, (spread[at - 1] - centre) * a
    c, phi = _weighted_least_squares(y, a, b)
    scale = float(np.sqrt(np.mean((y - c * a - phi * b) ** 2)))
    if not scale > SCALE_FLOOR:
        return SeriesFit(code=CONSTANT, n_shocks=n)
    problem = _Problem(y / scale, a, b / scale, c / scale, phi, student)
    free = problem.solve(problem.lower, problem.upper, c / scale, phi, max_evaluations)
    lower, upper = problem.lower.copy(), problem.upper.copy()
    lower[:2], upper[:2] = (0.0, 1.0), (0.0, 1.0)
    walk = problem.solve(lower, upper, 0.0, 1.0, max(max_evaluations, RIVAL_EVALUATIONS), hint=free.theta)
    # Both rivals are special cases: a fit below one of them stopped at a lesser maximum and goes on from there.
    for rival in (walk, problem.flat):
        if rival.value < free.value - 1e-7:
            free = problem.minimise(rival.theta, problem.lower, problem.upper, FINE, max_evaluations)
    jacobian = n * math.log(scale) - float(np.sum(np.log(a)))
    theta = free.theta
    alpha1 = float(theta[3] * theta[4])
    return SeriesFit(
        code=free.code,
        n_shocks=n,
        predicted_rise=problem.predicted_rise(free),
        evaluations=problem.evaluations,
        c=float(centre * (1.0 - theta[1]) + scale * theta[0]),
        phi=float(theta[1]),
        omega=float(theta[2] * scale**2),
        alpha1=alpha1,
        beta1=float(theta[3]) - alpha1,
        nu=math.exp(theta[5]) + 2.0 if student else math.nan,
        backcast=problem.backcast * scale**2,
        log_likelihood=-free.value - jacobian,
        log_likelihood_random_walk=-walk.value - jacobian,
        log_likelihood_constant_variance=-problem.flat.value - jacobian,
    )


@dataclass(frozen=True)
class _Minimum:
    theta: np.ndarray
    gradient: np.ndarray
    value: float
    code: int


class _Problem:
    """The standardised shocks of one series and the searches over them."""

    def __init__(self, y: np.ndarray, a: np.ndarray, b: np.ndarray, c: float, phi: float, student: bool) -> None:
        self.y, self.a, self.b, self.student, self.evaluations = y, a, b, student, 0
        weights = BACKCAST_DECAY ** np.arange(min(BACKCAST_SHOCKS, len(y)))
        first = slice(0, len(weights))
        self.backcast = float(weights @ (y[first] - c * a[first] - phi * b[first]) ** 2 / weights.sum())
        log_nu = math.log(NU_START - 2.0)
        self.lower = np.array([-np.inf, -np.inf, OMEGA_BOUNDS[0], 0.0, 0.0, log_nu])
        self.upper = np.array([np.inf, np.inf, OMEGA_BOUNDS[1], 1.0, 1.0, log_nu])
        theta = np.array([c, phi, 1.0, 0.0, 0.5, log_nu])
        if student:
            self.lower[5], self.upper[5] = (math.log(nu - 2.0) for nu in NU_BOUNDS)
            lower, upper = self.lower.copy(), self.upper.copy()
            lower[3:5], upper[3:5] = (0.0, 0.5), (0.0, 0.5)
            self.flat = self.minimise(theta, lower, upper, FINE, RIVAL_EVALUATIONS)
        else:
            self.flat = _Minimum(theta, np.zeros(N_PARAMETERS), 0.5 * len(y) * (LOG_TWO_PI + 1.0), CONVERGED)

    def minimise(
        self, theta: np.ndarray, lower: np.ndarray, upper: np.ndarray, tolerance: float, max_evaluations: int
    ) -> _Minimum:
        """One search, from `theta` moved into the box."""
        theta, gradient = np.clip(theta, lower, upper), np.empty(N_PARAMETERS)
        value, code, evaluations = minimise(
            theta,
            lower,
            upper,
            self.y,
            self.a,
            self.b,
            self.backcast,
            self.student,
            tolerance,
            max_evaluations,
            gradient,
        )
        self.evaluations += evaluations
        return _Minimum(theta, gradient, value, code)

    def predicted_rise(self, minimum: _Minimum) -> float:
        """Rise of ln L that the information still predicts from a minimum of the unrestricted model."""
        matrix, direction = np.empty((N_PARAMETERS, N_PARAMETERS)), np.empty(N_PARAMETERS)
        information(minimum.theta, self.y, self.a, self.b, self.backcast, self.student, matrix)
        return newton_direction(
            minimum.theta,
            self.lower,
            self.upper,
            minimum.gradient,
            matrix,
            np.empty(N_PARAMETERS, dtype=np.bool_),
            direction,
        )

    def solve(
        self,
        lower: np.ndarray,
        upper: np.ndarray,
        c: float,
        phi: float,
        max_evaluations: int,
        hint: np.ndarray | None = None,
    ) -> _Minimum:
        """The minimum from a hint or the best grid point; from many starts where that gains little over flat variance.

        A series with hardly any clustering has many local maxima of its likelihood, one with clear clustering has one.
        """
        starts = self.starts(c, phi)
        start = next(starts) if hint is None else np.array([c, phi, *hint[2:]])
        first = self.minimise(start, lower, upper, FINE, max_evaluations)
        if self.flat.value - first.value > CLEAR_GAIN:
            return first
        few = min(COARSE_EVALUATIONS, max_evaluations)
        # The winner's variance is a good start for a rival: one more from the grid is enough.
        tried = itertools.islice(starts, 1) if hint is not None else starts
        rough = [self.minimise(start, lower, upper, COARSE, few) for start in tried]
        rough.sort(key=lambda minimum: minimum.value)
        best = first
        for minimum in rough[:POLISHED]:
            same = first.code == CONVERGED and np.abs(minimum.theta - first.theta)[2:5].max() < SAME_POINT
            if minimum.value < first.value + WORTH_POLISHING and not same:
                best = min(
                    best, self.minimise(minimum.theta, lower, upper, FINE, max_evaluations), key=lambda at: at.value
                )
        return best

    def starts(self, c: float, phi: float) -> Iterator[np.ndarray]:
        """Distant grid points from the best on, then a variance that drifts from the back-cast to an average of one."""
        values, log_nu = np.empty(GRID_SIZE), self.flat.theta[5]
        _grid_values(c, phi, self.y, self.a, self.b, self.backcast, GRID_ALPHA, GRID_PERSISTENCE, values)
        for _ in range(STARTS):
            i = int(np.argmin(values))
            if math.isinf(values[i]):
                break
            values[GRID_NEIGHBOURS[i]] = np.inf
            p, alpha1 = GRID_PERSISTENCE[i], GRID_ALPHA[i]
            yield np.array([c, phi, 1.0 - p, p, alpha1 / p, log_nu])
        yield np.array([c, phi, max(2.0 * (1.0 - self.backcast) / len(self.y), 1e-6), 1.0, 0.002, log_nu])


def _weighted_least_squares(y: np.ndarray, a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """c and φ of y = c a + φ b + u; φ = 0 where the lagged spread does not move."""
    aa, ab, bb, ay, by = float(a @ a), float(a @ b), float(b @ b), float(a @ y), float(b @ y)
    determinant = aa * bb - ab * ab
    if not determinant > 1e-14 * aa * bb:
        return ay / aa, 0.0
    return (bb * ay - ab * by) / determinant, (aa * by - ab * ay) / determinant
