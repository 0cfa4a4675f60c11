import numpy as np
import pytest

from pairs_platform.core.risk.drift.estimation import estimated_pairs
from pairs_platform.core.risk.drift.innovations import MonitoredPair
from pairs_platform_tests.support.drifting import ESTIMATION_SESSIONS
from pairs_platform_tests.support.simulated_pairs import BARS_OF_DAY, garch_variance, planted_pairs, window_of_legs

PAIRS = 40


@pytest.fixture(scope="session")
def unchanged() -> list[MonitoredPair]:
    """Planted pairs with GARCH innovations and half-lives of 5 to 40 bars, monitored for a session without a change."""
    n_bars = (ESTIMATION_SESSIONS + 1) * BARS_OF_DAY
    window = window_of_legs(planted_pairs(PAIRS, n_bars, 20_240_308, garch_variance))
    legs = [(window.symbols[2 * i + 1], window.symbols[2 * i]) for i in range(PAIRS)]
    return estimated_pairs(window, legs, 1)


@pytest.fixture(scope="session")
def pair(unchanged) -> MonitoredPair:
    """The one whose half-life is nearest to 15 bars."""
    return min(unchanged, key=lambda each: abs(np.log(each.fit.half_life_bars / 15.0)))
