import dataclasses
from datetime import date

import numpy as np
import pandas as pd
import pytest

from pairs_platform.core.screening.calibration import calibrated_p
from pairs_platform.core.screening.engle_granger import engle_granger
from pairs_platform.core.selection.contracts import PAIR_SCORES
from pairs_platform.core.selection.scores import score_pairs
from pairs_platform.core.selection.settings import COMPONENTS, ScoreSettings
from pairs_platform.core.trading.backtest import backtest
from pairs_platform.core.trading.settings import CostSettings, PairSettings, TradingSettings
from pairs_platform.core.trading.sharpe import probabilistic_sharpe_ratio, sharpe_moments
from pairs_platform.core.volatility.contracts import FULL_WINDOW, IN_SAMPLE
from pairs_platform.core.volatility.forecast import volatility_skill
from pairs_platform.core.volatility.garch import GarchSettings, conditional_variance
from pairs_platform.core.volatility.parameters import fit_parameter_sets, leg_shocks_excluded
from pairs_platform.core.volatility.rows import garch_fit, spread_parameters
from pairs_platform_tests.support.simulated_pairs import (
    constant_variance,
    garch_variance,
    planted_pairs,
    random_walks,
    screened_pairs,
    u_shaped_garch,
    window_of_legs,
    with_missing_bars,
)

TODAY = date(2023, 3, 8)
GARCH = GarchSettings()


def score(window, fits, *, costs=None, **settings):
    return score_pairs(
        window,
        fits,
        session=TODAY,
        scoring=ScoreSettings(**settings),
        pair_settings=PairSettings(costs=costs or CostSettings(), garch=GARCH),
    )


@pytest.fixture(scope="module")
def planted():
    window = with_missing_bars(window_of_legs(planted_pairs(6, 1560, 11, u_shaped_garch)), 5, holes=1)
    return window, fit_parameter_sets(window, screened_pairs(window), settings=GARCH)


@pytest.fixture(scope="module")
def scores(planted):
    return score(*planted)


def test_table_holds_its_contract(scores):
    assert PAIR_SCORES.violations(scores) == []
    assert (scores["status"] == "ok").all()
    assert (scores["session"] == pd.Timestamp(TODAY)).all()


def test_every_ingredient_is_what_its_stage_says(planted, scores):
    window, fits = planted
    row = scores.iloc[2]
    part = fits[(fits["pair"] == row["pair"]) & (fits["parameter_set"] == IN_SAMPLE)].iloc[0]
    whole = fits[(fits["pair"] == row["pair"]) & (fits["parameter_set"] == FULL_WINDOW)].iloc[0]
    split = 1248
    parameters, fit = spread_parameters(part), garch_fit(part)
    log_y, log_x = (window.log_close[:, window.column(leg)] for leg in (part["y"], part["x"]))
    spread = parameters.spread(log_y, log_x)
    excluded = leg_shocks_excluded(window, part["y"], part["x"])
    skill = volatility_skill(
        spread, bar_of_day=window.bar_of_day, bars_per_session=78, shock_excluded=excluded, fit=fit, settings=GARCH
    )
    assert (row["dm_vs_ewma"], row["dm_vs_constant"], row["n_forecasts"]) == (
        skill.dm_vs_ewma,
        skill.dm_vs_constant,
        skill.n_test,
    )
    report = backtest(
        window,
        parameters,
        variance=conditional_variance(fit, spread, window.bar_of_day, excluded),
        reference_variance=fit.mean_variance,
        half_life_bars=fit.half_life_bars,
        trading=TradingSettings(),
        costs=CostSettings(),
        first_bar=split,
    )
    assert row["net_return"] == report.net_return
    assert row["n_returns"] == window.n_bars - split
    assert row["psr"] == probabilistic_sharpe_ratio(sharpe_moments(report.net_returns))
    both = [engle_granger(a[:split], b[:split]) for a, b in ((log_y, log_x), (log_x, log_y))]
    p = calibrated_p(np.array([min(test.p_value for test in both)]), both[0].n_bars)[0]
    assert row["coint_p_training"] == pytest.approx(p, rel=1e-9)
    q = 2 * (1 + np.log(whole["n_obs"]) / 2)
    assert row["e_random_walk"] == pytest.approx(whole["lr_random_walk"] - q)
    assert row["e_constant_variance"] == pytest.approx(whole["lr_constant_variance"] - q)
    assert row["arch_lm_p"] == whole["arch_lm_p"]
    weights = ScoreSettings().weights
    assert row["score"] == pytest.approx(sum(weights[name] * row[name] for name in COMPONENTS))


def test_filled_bars_neither_shorten_half_lives_nor_spoil_diagnostics():
    complete = window_of_legs(planted_pairs(12, 4680, 21, garch_variance))
    half_lives, lags = {}, {}
    for name, window in (("complete", complete), ("holed", with_missing_bars(complete, 6))):
        fits = fit_parameter_sets(window, screened_pairs(window), settings=GARCH)
        full_window = fits[fits["parameter_set"] == FULL_WINDOW].set_index("pair")
        half_lives[name], lags[name] = full_window["half_life_bars"], full_window["ljung_box_p_z"]
    ratio = (half_lives["holed"] / half_lives["complete"]).median()
    assert 0.9 < ratio < 1.1
    assert (lags["holed"] > 0.05).mean() >= 0.75


def test_rescaling_leaves_every_component_but_trading(planted, scores):
    window, _ = planted
    for factor in (0.25, 8.0):
        scaled = dataclasses.replace(window, log_close=window.log_close * factor, log_open=window.log_open * factor)
        fits = fit_parameter_sets(scaled, screened_pairs(scaled), settings=GARCH)
        other = score(scaled, fits)
        for name in ("fit", "volatility", "diagnostics"):
            np.testing.assert_allclose(other[name], scores[name], rtol=0, atol=1e-4, err_msg=name)
    assert (other["trading"] - scores["trading"]).abs().max() > 0.01


def test_costs_can_only_lower_the_trading_component(planted, scores):
    dear = score(*planted, costs=CostSettings(commission_bps=20))
    assert (dear["trading"] <= scores["trading"] + 1e-12).all()
    assert dear["trading"].mean() < scores["trading"].mean() - 0.1
    assert (dear["fit"] == scores["fit"]).all()


def test_the_training_test_does_not_see_the_last_part(planted, scores):
    window, fits = planted
    changed = window.log_close.copy()
    changed[1248:] += np.random.default_rng(1).normal(0, 0.01, changed[1248:].shape).cumsum(axis=0)
    other = score(dataclasses.replace(window, log_close=changed), fits)
    assert (other["coint_p_training"] == scores["coint_p_training"]).all()
    assert (other["net_return"] != scores["net_return"]).any()


def test_a_row_does_not_depend_on_the_other_pairs(planted, scores):
    window, fits = planted
    pair = scores["pair"].iloc[3]
    alone = score(window, fits[fits["pair"] == pair].reset_index(drop=True))
    pd.testing.assert_frame_equal(alone, scores.iloc[[3]].reset_index(drop=True))


def test_weights_are_obeyed(planted, scores):
    only = score(*planted, weight_fit=0, weight_volatility=0, weight_trading=1, weight_diagnostics=0)
    np.testing.assert_array_equal(only["score"], scores["trading"])


def test_pairs_that_cannot_be_scored_keep_their_row_and_reason():
    legs = random_walks(3, 1000, 3, constant_variance)
    legs[:, 2] = 4.0
    window = window_of_legs(legs)
    pairs = pd.DataFrame({"pair": ["S00000_S00001", "S00002_S00003", "S00004_S00005"]})
    pairs["y"], pairs["x"] = ["S00001", "S00003", None], ["S00000", "S00002", None]
    found = score(window, fit_parameter_sets(window, pairs, settings=GARCH))
    assert PAIR_SCORES.violations(found) == []
    assert found["status"].tolist() == ["ok", "not_fitted", "not_fitted"]
    assert "S00002 is constant" in found["reason"].iloc[1]
    assert "no direction" in found["reason"].iloc[2]
    assert found["score"].notna().tolist() == [True, False, False]


def test_a_leg_that_stood_still_at_first_is_not_fitted_on_training():
    legs = random_walks(1, 1000, 3, constant_variance)
    legs[:850, 0] = legs[0, 0]
    window = window_of_legs(legs)
    pairs = pd.DataFrame({"pair": ["S00000_S00001"], "y": ["S00001"], "x": ["S00000"]})
    found = score(window, fit_parameter_sets(window, pairs, settings=GARCH))
    assert found["status"].tolist() == ["not_fitted_on_training"]
    assert found["reason"].iloc[0].startswith("on the first part of the window no_direction")
    assert PAIR_SCORES.violations(found) == []


def test_without_a_half_life_there_is_nothing_to_trade(planted):
    window, fits = planted
    fits = fits.copy()
    fits.loc[fits["parameter_set"] == IN_SAMPLE, ["half_life_bars", "half_life_status"]] = [
        np.nan,
        "phi_not_below_one",
    ]
    found = score(window, fits)
    assert (found["trading_status"] == "no_half_life").all()
    assert (found["trading"] == 0).all()
    assert PAIR_SCORES.violations(found) == []


def test_a_short_window_earns_nothing_for_volatility():
    window = window_of_legs(planted_pairs(3, 252, 2, garch_variance))
    found = score(window, fit_parameter_sets(window, screened_pairs(window), settings=GARCH))
    assert (found["volatility_status"] == "short_sample").all()
    assert (found["volatility"] == 0).all()
    assert found["dm_vs_ewma"].isna().all()
    assert PAIR_SCORES.violations(found) == []


def test_no_pairs_give_an_empty_table():
    window = window_of_legs(random_walks(1, 300, 3, constant_variance))
    fits = fit_parameter_sets(window, pd.DataFrame({"pair": [], "y": [], "x": []}), settings=GARCH)
    found = score(window, fits)
    assert found.empty
    assert PAIR_SCORES.violations(found) == []
