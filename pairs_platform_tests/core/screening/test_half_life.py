import math

import numpy as np
import pytest

from pairs_platform.core.screening.contracts import HALF_LIFE_STATUSES
from pairs_platform.core.screening.half_life import half_life, half_lives


@pytest.mark.parametrize(
    ("phi", "bars", "status"),
    [
        (0.5, 1.0, "ok"),
        (0.0, math.nan, "phi_not_positive"),
        (-0.3, math.nan, "phi_not_positive"),
        (1.0, math.nan, "phi_not_below_one"),
        (1.01, math.nan, "phi_not_below_one"),
        (math.nan, math.nan, "phi_unknown"),
    ],
)
def test_half_life_is_null_with_a_status_outside_zero_and_one(phi: float, bars: float, status: str) -> None:
    found, found_status = half_life(phi)
    assert found == pytest.approx(bars, nan_ok=True)
    assert found_status == status


def test_half_lives_and_their_statuses():
    bars, status = half_lives(np.array([0.5, 0.9, 0.0, -0.2, 1.0, 1.01, np.nan]))
    np.testing.assert_allclose(bars[:2], [1.0, np.log(0.5) / np.log(0.9)])
    assert np.isnan(bars[2:]).all()
    assert status.tolist() == ["ok", "ok", *["phi_not_positive"] * 2, *["phi_not_below_one"] * 2, "phi_unknown"]
    assert set(status) == set(HALF_LIFE_STATUSES)


def test_many_half_lives_are_those_of_each():
    phi = np.linspace(-0.1, 1.1, 200)
    bars, status = half_lives(phi)
    each = [half_life(value) for value in phi]
    np.testing.assert_allclose(bars, [own for own, _ in each], rtol=1e-14)
    assert status.tolist() == [own for _, own in each]
