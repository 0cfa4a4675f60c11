import math

import numpy as np
import pytest

from pairs_platform.core.volatility import likelihood as kernel
from pairs_platform_tests.support.garch_simulation import simulate


def _problem(n_bars: int, seed: int = 1, *, diurnal: bool = True, **parameters: float) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    s = simulate(rng, n_bars, **parameters, scale=1.0)[:, 0]
    a = 1.0 / rng.uniform(0.5, 2.0, n_bars - 1) if diurnal else np.ones(n_bars - 1)
    return s[1:] * a, a, s[:-1] * a


POINTS = [
    [0.01, 0.9, 0.05, 0.95, 0.1, math.log(6.0)],
    [-0.2, 0.99, 0.5, 0.4, 0.9, math.log(1.0)],
    [0.0, 1.0, 0.001, 1.0, 0.02, math.log(60.0)],
    [0.3, 0.2, 2.0, 0.0, 0.5, math.log(3.0)],
]


@pytest.mark.parametrize("student", [False, True])
@pytest.mark.parametrize("point", POINTS)
def test_gradient_equals_finite_differences(point: list[float], student: bool) -> None:
    y, a, b = _problem(301)
    theta, gradient, unused = np.array(point), np.empty(6), np.empty(6)

    def value(at: np.ndarray) -> float:
        return kernel.negative_log_likelihood(at, y, a, b, 0.8, student, unused)

    kernel.negative_log_likelihood(theta, y, a, b, 0.8, student, gradient)
    for i in range(6):
        step = np.zeros(6)
        step[i] = 1e-6
        numeric = (value(theta + step) - value(theta - step)) / 2e-6
        assert gradient[i] == pytest.approx(numeric, rel=1e-5, abs=1e-4), i


@pytest.mark.parametrize("student", [False, True])
def test_value_equals_the_density_written_out(student: bool) -> None:
    from scipy import stats

    y, a, b = _problem(400)
    c, phi, omega, alpha1, beta1, nu, backcast = 0.01, 0.93, 0.04, 0.1, 0.85, 7.0, 1.3
    u, h, total = y - c * a - phi * b, omega + (alpha1 + beta1) * backcast, 0.0
    for shock in u:
        z = shock / math.sqrt(h)
        density = (
            stats.t.pdf(z * math.sqrt(nu / (nu - 2)), nu) * math.sqrt(nu / (nu - 2)) if student else stats.norm.pdf(z)
        )
        total -= math.log(density / math.sqrt(h))
        h = omega + alpha1 * shock**2 + beta1 * h
    theta = np.array([c, phi, omega, alpha1 + beta1, alpha1 / (alpha1 + beta1), math.log(nu - 2)])
    assert kernel.negative_log_likelihood(theta, y, a, b, backcast, student, np.empty(6)) == pytest.approx(
        total, rel=1e-12
    )


def test_information_is_the_mean_curvature_at_the_truth() -> None:
    spreads = simulate(np.random.default_rng(1), 1500, 60, omega=0.1, alpha1=0.1, beta1=0.8, scale=1.0)
    theta, high, low = np.array([0.0, 0.95, 0.1, 0.9, 0.1 / 0.9, math.log(6.0)]), np.empty(6), np.empty(6)
    expected, curvature, matrix = np.zeros((5, 5)), np.zeros((5, 5)), np.empty((6, 6))
    for s in spreads.T:
        y, a, b = s[1:], np.ones(1499), s[:-1]
        kernel.information(theta, y, a, b, 1.0, False, matrix)
        expected += matrix[:5, :5]
        for i in range(5):
            step = np.zeros(6)
            step[i] = 1e-5
            kernel.negative_log_likelihood(theta + step, y, a, b, 1.0, False, high)
            kernel.negative_log_likelihood(theta - step, y, a, b, 1.0, False, low)
            curvature[i] += (high[:5] - low[:5]) / 2e-5
    scale = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    np.testing.assert_allclose(expected / scale, curvature / scale, atol=0.1)


def test_solve_leaves_active_rows_out() -> None:
    rng = np.random.default_rng(0)
    root = rng.standard_normal((6, 6))
    matrix, vector = root @ root.T, rng.standard_normal(6)
    active, out = np.array([False, True, False, False, True, False]), np.empty(6)
    assert kernel.solve_active(matrix, vector, active, out)
    free = ~active
    np.testing.assert_allclose(out[free], np.linalg.solve(matrix[np.ix_(free, free)], vector[free]), rtol=1e-9)
    assert not out[active].any()
    assert not kernel.solve_active(np.ones((6, 6)), vector, np.zeros(6, dtype=bool), out)


def test_minimum_stays_in_the_box_and_is_one() -> None:
    y, a, b = _problem(1000, diurnal=False)
    lower = np.array([-np.inf, -np.inf, 1e-8, 0.0, 0.0, 1.0])
    upper = np.array([np.inf, np.inf, 10.0, 0.6, 1.0, 1.0])
    theta, gradient = np.array([0.0, 0.5, 1.0, 0.3, 0.5, 1.0]), np.empty(6)
    value, code, evaluations = kernel.minimise(theta, lower, upper, y, a, b, 1.0, False, 1e-10, 300, gradient)
    assert code == kernel.CONVERGED
    assert evaluations < 60
    assert np.all(theta >= lower)
    assert np.all(theta <= upper)
    assert theta[3] == 0.6
    assert gradient[3] < 0
    rng = np.random.default_rng(3)
    for _ in range(200):
        other = np.clip(theta + rng.standard_normal(6) * [0.02, 0.02, 0.05, 0.05, 0.05, 0], lower, upper)
        assert kernel.negative_log_likelihood(other, y, a, b, 1.0, False, np.empty(6)) >= value - 1e-9


def test_missing_shock_carries_the_variance() -> None:
    u = np.array([0.5, np.nan, -1.0, 2.0])
    h = kernel.variance_path(u, 0.1, 0.2, 0.7, 1.5)
    expected = [1.5, 0.1 + 0.2 * 0.25 + 0.7 * 1.5]
    expected += [expected[1], 0.1 + 0.2 + 0.7 * expected[1]]
    expected.append(0.1 + 0.2 * 4.0 + 0.7 * expected[3])
    np.testing.assert_allclose(h, expected, rtol=1e-14)
