"""The half-life of an AR(1) deviation and why one is missing: the one place where it is computed.

What does not belong here: estimating φ (`kernels`, `core.volatility.garch`), and the ages derived from a half-life
(`core.trading.rule`, `core.models.labels`).
"""

import math
from typing import Literal

import numpy as np

HalfLifeStatus = Literal["ok", "phi_not_positive", "phi_not_below_one", "phi_unknown", "not_fitted"]
"""``"phi_unknown"`` for a φ that could not be estimated, ``"not_fitted"`` for the rows of pairs without a model."""


def half_life_status(phi: float) -> HalfLifeStatus:
    """Whether deviations with the AR(1) coefficient `phi` have a half-life: ``"ok"`` for 0 < φ < 1, else why not."""
    if math.isnan(phi):
        return "phi_unknown"
    if phi <= 0.0:
        return "phi_not_positive"
    return "ok" if phi < 1.0 else "phi_not_below_one"


def half_life(phi: float) -> tuple[float, HalfLifeStatus]:
    """Half-life −ln 2 / ln φ in bars, NaN where its status is not ``"ok"``; and the status."""
    status = half_life_status(phi)
    return -math.log(2.0) / math.log(phi) if status == "ok" else math.nan, status


def half_lives(phi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`half_life` of many coefficients.

    Parameters
    ----------
    phi : ndarray, shape (n,)
        AR(1) coefficients; NaN where none could be estimated.

    Returns
    -------
    bars : ndarray of float64, shape (n,)
        NaN where the status is not ``"ok"``. Equal to `half_life` but for the last digits: numpy's logarithm of an
        array rounds otherwise than the C library's, and both go into stored tables.
    status : ndarray of object, shape (n,)
    """
    phi = np.asarray(phi, dtype=np.float64)
    status = np.array([half_life_status(value) for value in phi.tolist()], dtype=object)
    inside = status == "ok"
    return np.where(inside, -np.log(2.0) / np.log(np.where(inside, phi, 0.5)), np.nan), status
