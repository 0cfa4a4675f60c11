"""Series with known parameters for the tests of this folder."""

import numpy as np


def simulate(
    rng: np.random.Generator,
    n_bars: int,
    k: int = 1,
    *,
    phi: float = 0.95,
    omega: float = 0.02,
    alpha1: float = 0.08,
    beta1: float = 0.90,
    d: np.ndarray | float = 1.0,
    degrees_of_freedom: float | None = None,
    scale: float = 1e-3,
) -> np.ndarray:
    """AR(1)-GARCH(1,1) spreads (n_bars, k), burnt in; `d` (n_bars,) multiplies the innovations."""
    burn = 300
    shape = (n_bars + burn, k)
    if degrees_of_freedom is None:
        z = rng.standard_normal(shape)
    else:
        z = rng.standard_t(degrees_of_freedom, shape) * np.sqrt((degrees_of_freedom - 2) / degrees_of_freedom)
    factor = np.concatenate([np.ones(burn), np.broadcast_to(d, n_bars)])
    persistence = alpha1 + beta1
    h = np.full(k, omega / (1 - persistence) if persistence < 1 else 20 * omega)
    s, out = np.zeros(k), np.empty(shape)
    for t in range(n_bars + burn):
        u = np.sqrt(h) * z[t]
        s = phi * s + factor[t] * u
        h = omega + alpha1 * u**2 + beta1 * h
        out[t] = s
    return out[burn:] * scale


def day(n_sessions: int, bars: int = 78) -> np.ndarray:
    """Bar of day of complete sessions."""
    return np.tile(np.arange(bars), n_sessions)


def u_shape(bars: int = 78, overnight: float = 8.0) -> np.ndarray:
    """Factors of a U-shaped day whose first bar has `overnight` times the mean variance, mean d² = 1."""
    x = np.linspace(-1, 1, bars)
    d = 0.7 + 0.8 * x**2
    d[0] = np.sqrt(overnight)
    return d / np.sqrt(np.mean(d**2))
