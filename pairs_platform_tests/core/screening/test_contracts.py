"""Every clause of the contracts refuses what breaks it."""

import numpy as np
import pytest

from pairs_platform.core.errors import ContractViolation
from pairs_platform.core.screening.cointegration import screen_pairs
from pairs_platform.core.screening.contracts import COINTEGRATED_PAIRS, CORRELATION_MATRIX
from pairs_platform.core.screening.correlation import pair_correlations
from pairs_platform.core.screening.settings import CointegrationSettings, CorrelationSettings
from pairs_platform_tests.support.windows import make_window, random_walks


@pytest.fixture
def window():
    log_close = random_walks(150, 4, seed=1)
    log_close[:, 3] = 4.0
    return make_window(log_close)


@pytest.fixture
def screened(window):
    return screen_pairs(window, settings=CointegrationSettings(), entry_z=2.0, exit_z=0.5, round_trip_cost_bps=8.0)


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("pair", "S000_S002", "unique"),
        ("pair", "S001_S000", "alphabetical"),
        ("p_cal", 1.5, "p_cal"),
        ("p_cal", np.nan, "only where, the pair was tested"),
        ("t_stat", np.inf, "finite"),
        ("sigma", -1.0, "sigma"),
        ("status", "fine", "status"),
        ("status", "constant_leg", "only where, the pair was tested"),
        ("reason", "odd", "reason"),
        ("half_life_status", "phi_unknown", "half-life"),
        ("round_trip_cost_bps", np.nan, "round_trip_cost_bps"),
    ],
)
def test_cointegrated_pairs_refuses(screened, column, value, words):
    COINTEGRATED_PAIRS.require(screened)
    screened.loc[0, column] = value
    with pytest.raises(ContractViolation, match=words):
        COINTEGRATED_PAIRS.require(screened)


def test_an_unknown_and_a_missing_column_are_refused(screened):
    with pytest.raises(ContractViolation):
        COINTEGRATED_PAIRS.require(screened.assign(extra=1.0))
    with pytest.raises(ContractViolation):
        COINTEGRATED_PAIRS.require(screened.drop(columns="q_value"))


@pytest.mark.parametrize(("column", "value"), [("corr_log_price", 1.1), ("n_bars", -1), ("pair", "S000_S002")])
def test_correlation_matrix_refuses(window, column, value):
    frame = pair_correlations(window, CorrelationSettings())
    CORRELATION_MATRIX.require(frame)
    frame.loc[0, column] = value
    with pytest.raises(ContractViolation):
        CORRELATION_MATRIX.require(frame)
