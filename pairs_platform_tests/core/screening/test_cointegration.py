"""The screen's table: statuses, reference values of its figures, facts of the real file, no look-ahead."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from scipy.stats import false_discovery_control
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.multitest import multipletests
from statsmodels.tools import add_constant
from statsmodels.tsa.vector_ar.vecm import coint_johansen

from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.screening.bootstrap import wild_bootstrap_p
from pairs_platform.core.screening.calibration import calibrated_p
from pairs_platform.core.screening.cointegration import (
    JOHANSEN_TRACE_CRIT_95,
    benjamini_hochberg,
    engle_granger,
    screen_pairs,
)
from pairs_platform.core.screening.contracts import COINTEGRATED_PAIRS
from pairs_platform.core.screening.correlation import pair_correlations
from pairs_platform.core.screening.settings import CointegrationSettings, CorrelationSettings
from pairs_platform.core.screening.spread import estimate_spread
from pairs_platform_tests.support.windows import (
    make_window,
    needs_real_data,
    planted_pair,
    random_walks,
    real_window,
)

NO_FINALIST = object()


def screen(window, *, correlated=NO_FINALIST, **settings):
    """Screen with usual thresholds and costs; the bootstrap is left out unless `correlated` is given."""
    if correlated is NO_FINALIST:
        correlated = np.zeros(len(window.symbols) * (len(window.symbols) - 1) // 2, dtype=bool)
    frame = screen_pairs(
        window,
        settings=CointegrationSettings(**settings),
        entry_z=2.0,
        exit_z=0.5,
        round_trip_cost_bps=10.0,
        correlated=correlated,
    )
    return COINTEGRATED_PAIRS.require(frame).set_index("pair", drop=False)


@pytest.fixture(scope="module")
def market():
    legs = [random_walks(300, 4, seed=1), planted_pair(300, seed=2), planted_pair(300, seed=3, beta=0.7, phi=0.9)]
    return np.concatenate(legs, axis=1)


@pytest.fixture(scope="module")
def screened(market):
    return screen(make_window(market))


def test_the_better_direction_is_repeated_in_front(screened):
    ok = screened[screened["status"] == "ok"]
    twelve = ok["t_stat_12"] <= ok["t_stat_21"]
    assert 0 < twelve.sum() < len(ok)
    assert (ok["y"] == ok["symbol_1"].where(twelve, ok["symbol_2"])).all()
    assert (ok["x"] == ok["symbol_2"].where(twelve, ok["symbol_1"])).all()
    for name in ("t_stat", "lag", "p_value"):
        assert (ok[name] == ok[f"{name}_12"].where(twelve, ok[f"{name}_21"])).all()
    assert (ok["p_value"] == ok[["p_value_12", "p_value_21"]].min(axis=1)).all()
    assert (ok["p_cal"] == calibrated_p(ok["p_value"].to_numpy(), 300)).all()


def test_parameters_are_those_of_the_one_spread_definition(screened, market):
    window = make_window(market)
    for row in screened.itertuples():
        expected = estimate_spread(row.y, row.x, market[:, window.column(row.y)], market[:, window.column(row.x)])
        assert [row.alpha, row.beta, row.mu, row.sigma] == pytest.approx(
            [expected.alpha, expected.beta, expected.mu, expected.sigma], rel=1e-9, abs=1e-12
        )
        single = engle_granger(market[:, window.column(row.y)], market[:, window.column(row.x)])
        assert (single.t_stat, single.lag, single.p_value) == (row.t_stat, row.lag, row.p_value)


def test_descriptive_figures_equal_statsmodels(screened, market):
    window = make_window(market)
    for row in screened.itertuples():
        y, x = market[:, window.column(row.y)], market[:, window.column(row.x)]
        spread = y - row.alpha - row.beta * x
        assert row.phi == pytest.approx(OLS(spread[1:], add_constant(spread[:-1])).fit().params[1], abs=1e-9)
        assert row.half_life_bars == pytest.approx(-np.log(2.0) / np.log(row.phi))
        assert row.half_life_days == pytest.approx(row.half_life_bars)
        halves = [OLS(y[part], add_constant(x[part])).fit().params[1] for part in (slice(150), slice(150, 300))]
        assert [row.beta_first_half, row.beta_second_half] == pytest.approx(halves, abs=1e-9)
        johansen = coint_johansen(np.stack([y, x], axis=1), 0, 1)
        assert row.johansen_trace == pytest.approx(johansen.trace_stat[0], abs=1e-7)
        assert johansen.trace_stat_crit_vals[0, 1] == JOHANSEN_TRACE_CRIT_95 == row.johansen_trace_crit_95


def test_planted_pairs_are_found_with_their_parameters(screened):
    for pair, beta in {"S004_S005": 1.2, "S006_S007": 0.7}.items():
        row = screened.loc[pair]
        assert row["passes_cointegration"]
        assert {row["y"], row["x"]} == set(pair.split("_"))
        assert row["beta"] == pytest.approx(beta if row["y"] < row["x"] else 1.0 / beta, rel=0.2)
        assert row["johansen_trace"] > row["johansen_trace_crit_95"]
    assert screened.loc["S004_S005", "half_life_bars"] == pytest.approx(np.log(0.5) / np.log(0.8), rel=0.4)


def test_q_values_equal_scipy_and_statsmodels_over_all_pairs(screened):
    np.testing.assert_array_equal(screened["q_value"], false_discovery_control(screened["p_cal"]))
    np.testing.assert_allclose(screened["q_value"], multipletests(screened["p_cal"], method="fdr_bh")[1], rtol=1e-12)
    with_missing = benjamini_hochberg(np.array([0.01, np.nan, 0.04]))
    assert with_missing == pytest.approx([0.02, np.nan, 0.04], nan_ok=True)
    assert np.isnan(benjamini_hochberg(np.array([np.nan]))).all()


def test_the_expected_move_is_in_basis_points_of_gross(screened, market):
    row = screened.loc["S004_S005"]
    expected = 1.5 * row["sigma"] / (1.0 + abs(row["beta"])) * 1e4
    assert row["expected_move_bps"] == pytest.approx(expected)
    window = make_window(market)
    for multiple, passes in ((expected / 10.0 * 0.999, True), (expected / 10.0 * 1.001, False)):
        assert screen(window, min_amplitude_multiple=multiple).loc["S004_S005", "passes_amplitude"] == passes


def test_only_pairs_past_both_gates_are_bootstrapped(market):
    window = make_window(market)
    correlated = pair_correlations(window, CorrelationSettings())["passes_correlation"].to_numpy()
    frame = screen(window, correlated=correlated, bootstrap_draws=99)
    finalist = frame["passes_cointegration"] & correlated
    assert 2 <= finalist.sum() < correlated.sum()
    assert (frame["wild_bootstrap_p"].notna() == finalist).all()
    p = wild_bootstrap_p(window, "S004", "S005", n_draws=99, seed=CointegrationSettings().bootstrap_seed)
    assert frame.loc["S004_S005", "wild_bootstrap_p"] == p <= 0.02
    everyone = screen(window, correlated=None, bootstrap_draws=99)
    assert (everyone["wild_bootstrap_p"].notna() == everyone["passes_cointegration"]).all()


def test_degenerate_symbols_get_a_status_and_leave_the_others_alone(market, screened):
    rng = np.random.default_rng(9)
    bad = {
        "CONSTANT": np.full(300, np.log(12.0)),
        "COPY": market[:, 0] + 0.1,
        "SHORT": np.where(np.arange(300) >= 290, market[:, 1], np.nan),
        "NEGATIVE": 5.0 - market[:, 5] + 0.004 * rng.standard_normal(300),
        "TINY": 0.01 * market[:, 5] + 1e-5 * rng.standard_normal(300),
        "MISSING": np.full(300, np.nan),
    }
    names = (*(f"S{i:03d}" for i in range(8)), *bad)
    order = np.argsort(names)
    columns = np.column_stack([market, *bad.values()])[:, order]
    frame = screen(make_window(columns, symbols=tuple(np.array(names)[order])), min_bars=60)
    assert len(frame) == 14 * 13 // 2

    assert frame.loc["COPY_S000", "status"] == "identical_legs"
    assert frame.loc["CONSTANT_S003", "status"] == "constant_leg"
    assert frame.loc["CONSTANT_S003", "reason"] == "CONSTANT does not move over the 300 common bars"
    assert frame.loc["S002_SHORT", "status"] == frame.loc["MISSING_S002", "status"] == "too_few_bars"
    assert frame.loc["S002_SHORT", "reason"] == "10 common bars, at least 60 are needed"
    assert frame.loc["NEGATIVE_S005", "status"] == "beta_not_positive"
    assert frame.loc["NEGATIVE_S005", "p_cal"] < 0.01
    assert frame.loc["S005_TINY", "status"] == "beta_out_of_range"
    assert "outside 0.1 to 10.0" in frame.loc["S005_TINY", "reason"]
    assert not frame.loc[frame["status"] != "ok", "passes_cointegration"].any()
    untested = frame["status"].isin(["identical_legs", "constant_leg", "too_few_bars"])
    figures = ["alpha", "beta", "sigma", "t_stat_12", "p_value_21", "p_cal", "q_value", "phi", "half_life_bars"]
    assert frame.loc[untested, figures].isna().all().all()

    same = [name for name in screened.columns if name != "q_value"]
    pd.testing.assert_frame_equal(frame.loc[screened.index, same], screened[same])


def test_a_gap_is_tested_on_the_complete_bars_and_gives_no_shock():
    legs = planted_pair(400, seed=5, phi=0.7)
    legs[200:210, 0] = np.nan
    legs[210:, 0] += 0.5
    row = screen(make_window(legs)).iloc[0]
    known = np.isfinite(legs[:, 0])
    reference = engle_granger(legs[known, 0], legs[known, 1])
    assert row["n_bars"] == 390
    assert row["t_stat_12"] == pytest.approx(reference.t_stat, abs=1e-9)
    spread = pd.Series(legs[:, 0] if row["y"] == "S000" else legs[:, 1]) - row["alpha"]
    spread -= row["beta"] * (legs[:, 1] if row["x"] == "S001" else legs[:, 0])
    couples = pd.DataFrame({"now": spread, "before": spread.shift()}).dropna()
    assert len(couples) == 388
    assert row["phi"] == pytest.approx(OLS(couples["now"], add_constant(couples["before"])).fit().params["before"])


def test_a_shock_on_an_ex_date_is_left_out_of_phi():
    legs = planted_pair(400, seed=6, phi=0.7)
    legs[200:, 0] -= 0.02
    ex_action = np.zeros(legs.shape, dtype=bool)
    ex_action[200, 0] = True
    row = screen(make_window(legs, ex_action=ex_action)).iloc[0]
    spread = legs[:, 0] if row["y"] == "S000" else legs[:, 1]
    spread = spread - row["alpha"] - row["beta"] * (legs[:, 1] if row["x"] == "S001" else legs[:, 0])
    kept = np.delete(np.arange(1, 400), 199)
    assert row["phi"] == pytest.approx(OLS(spread[kept], add_constant(spread[kept - 1])).fit().params[1], abs=1e-10)


def test_half_life_days_use_the_mean_session():
    window = make_window(
        np.random.default_rng(1).standard_normal((500, 2)).cumsum(axis=0), frequency=Frequency.ONE_HOUR
    )
    row = screen(window).iloc[0]
    assert window.mean_bars_per_session != 7.0
    assert row["half_life_days"] == pytest.approx(row["half_life_bars"] / window.mean_bars_per_session)


def test_a_half_life_that_does_not_exist_is_null_with_its_status():
    legs = planted_pair(300, seed=8, phi=-0.6)
    row = screen(make_window(legs)).iloc[0]
    assert row["half_life_status"] == "phi_not_positive"
    assert np.isnan(row["half_life_bars"])
    assert np.isnan(row["half_life_days"])


def test_what_comes_after_the_window_changes_nothing(market):
    future = market.copy()
    future[260:] += np.random.default_rng(3).standard_normal((40, market.shape[1]))
    for n_bars in (200, 260):
        pd.testing.assert_frame_equal(
            screen(make_window(market[:n_bars]), correlated=None, bootstrap_draws=99),
            screen(make_window(future[:n_bars]), correlated=None, bootstrap_draws=99),
            check_exact=True,
        )


def test_a_row_does_not_depend_on_the_other_symbols(market, screened):
    fewer = screen(make_window(market[:, :6]))
    same = [name for name in fewer.columns if name != "q_value"]
    pd.testing.assert_frame_equal(fewer[same], screened.loc[fewer.index, same], check_exact=True)


@pytest.mark.parametrize("n_symbols", [0, 1])
def test_a_window_without_a_pair_gives_an_empty_table(n_symbols):
    window = make_window(random_walks(200, n_symbols, seed=1))
    assert screen(window).empty
    assert pair_correlations(window, CorrelationSettings()).empty


@needs_real_data
def test_the_technology_sector_of_the_daily_file():
    window = real_window("real_daily.parquet", "Information Technology", date(2023, 3, 8), 252, Frequency.ONE_DAY)
    correlated = pair_correlations(window, CorrelationSettings())["passes_correlation"].to_numpy()
    frame = screen(window)
    assert len(window.symbols) == 48
    assert correlated.sum() == 138
    candidates = frame[correlated]
    assert (candidates["p_value_12"] < 0.05).sum() == 16
    assert (candidates["p_value"] < 0.05).sum() == 29
    assert (candidates["p_cal"] < 0.05).sum() == 7
    assert candidates["passes_cointegration"].sum() == 7
    assert candidates["q_value"].min() > 0.5


@needs_real_data
def test_johansen_on_real_prices_equals_statsmodels():
    window = real_window("real_daily.parquet", "Utilities", date(2023, 3, 8), 252, Frequency.ONE_DAY)
    frame = screen(window)
    for row in frame.sample(20, random_state=1).itertuples():
        legs = window.log_close[:, [window.column(row.symbol_1), window.column(row.symbol_2)]]
        assert row.johansen_trace == pytest.approx(coint_johansen(legs, 0, 1).trace_stat[0], abs=1e-7)
