"""Correlations against numpy and pandas, and the gate."""

import numpy as np
import pandas as pd
import pytest

from pairs_platform.core.screening.contracts import CORRELATION_MATRIX
from pairs_platform.core.screening.correlation import pair_correlations, pairwise_correlation
from pairs_platform.core.screening.settings import CorrelationSettings
from pairs_platform.core.screening.spread import pair_rows
from pairs_platform_tests.support.windows import make_window, planted_pair, random_walks


def test_both_bases_equal_numpy():
    log_close = random_walks(200, 7, seed=1)
    frame = CORRELATION_MATRIX.require(pair_correlations(make_window(log_close), CorrelationSettings()))
    rows = pair_rows(7)
    np.testing.assert_allclose(frame["corr_log_price"], np.corrcoef(log_close.T)[rows], atol=1e-12)
    np.testing.assert_allclose(frame["corr_log_return"], np.corrcoef(np.diff(log_close, axis=0).T)[rows], atol=1e-12)
    assert (frame["n_bars"] == 200).all()


def test_gaps_are_left_out_pair_by_pair_and_no_return_spans_one():
    log_close = random_walks(120, 5, seed=2)
    log_close[30:45, 1] = np.nan
    log_close[40:60, 3] = np.nan
    log_close[:20, 4] = np.nan
    frame = pair_correlations(make_window(log_close), CorrelationSettings())
    rows = pair_rows(5)
    prices = pd.DataFrame(log_close)
    np.testing.assert_allclose(frame["corr_log_price"], prices.corr().to_numpy()[rows], atol=1e-12)
    np.testing.assert_allclose(frame["corr_log_return"], prices.diff().corr().to_numpy()[rows], atol=1e-12)
    assert frame.set_index("pair").loc["S001_S003", "n_bars"] == 120 - 30


def test_the_return_of_an_ex_date_is_left_out():
    log_close = planted_pair(100, seed=3, noise=0.001)
    jump = log_close.copy()
    jump[50:, 0] -= 0.3
    ex_action = np.zeros(log_close.shape, dtype=bool)
    ex_action[50, 0] = True
    flagged = pair_correlations(make_window(jump, ex_action=ex_action), CorrelationSettings())["corr_log_return"].item()
    plain = pair_correlations(make_window(log_close), CorrelationSettings())["corr_log_return"].item()
    ignored = pair_correlations(make_window(jump), CorrelationSettings())["corr_log_return"].item()
    assert flagged == pytest.approx(plain, abs=0.02)
    assert ignored < plain - 0.3


@pytest.mark.parametrize("missing", [False, True])
def test_a_constant_leg_has_no_correlation_and_does_not_pass(missing):
    log_close = random_walks(100, 3, seed=4)
    log_close[:, 1] = np.log(3.7)
    if missing:
        log_close[10:20, 1] = np.nan
    frame = pair_correlations(make_window(log_close), CorrelationSettings(gate=-1.0)).set_index("pair")
    assert frame.loc[["S000_S001", "S001_S002"], ["corr_log_price", "corr_log_return"]].isna().all().all()
    assert frame["passes_correlation"].tolist() == [False, True, False]


def test_a_leg_that_moves_only_where_the_other_is_missing_is_constant():
    log_close = random_walks(100, 2, seed=5)
    log_close[:50, 0] = 4.0
    log_close[50:, 1] = np.nan
    assert np.isnan(pairwise_correlation(log_close.T, *pair_rows(2))[0]).all()


def test_fewer_than_three_common_bars_have_no_correlation():
    log_close = random_walks(10, 2, seed=6)
    log_close[:6, 0] = np.nan
    log_close[8:, 1] = np.nan
    assert np.isnan(pairwise_correlation(log_close.T, *pair_rows(2))[0]).all()


def test_the_gate_looks_at_the_configured_basis():
    rng = np.random.default_rng(7)
    common = rng.standard_normal((500, 1)).cumsum(axis=0)
    window = make_window(0.01 * common + 0.02 * rng.standard_normal((500, 2)))
    price = pair_correlations(window, CorrelationSettings(basis="log_price"))
    log_return = pair_correlations(window, CorrelationSettings(basis="log_return"))
    assert price["corr_log_price"].item() > 0.8 > log_return["corr_log_return"].item()
    assert price["passes_correlation"].item()
    assert not log_return["passes_correlation"].item()
