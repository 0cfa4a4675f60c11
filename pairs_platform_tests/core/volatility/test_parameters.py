import json
import math
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pairs_platform.core.errors import ContractViolation, NotFound
from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.prices.calendar import bar_grid, sessions_ending
from pairs_platform.core.prices.window import PriceWindow
from pairs_platform.core.screening.engle_granger import engle_granger
from pairs_platform.core.screening.spread import estimate_spread
from pairs_platform.core.volatility.contracts import FULL_WINDOW, GARCH_FITS, IN_SAMPLE
from pairs_platform.core.volatility.garch import GarchSettings, conditional_variance, fit_ar_garch
from pairs_platform.core.volatility.parameters import fit_parameter_sets, leg_shocks_excluded
from pairs_platform.core.volatility.rows import garch_fit, spread_parameters
from pairs_platform_tests.support.garch_simulation import simulate, u_shape

SYMBOLS = ("AA", "BB", "CC", "DD", "EE")
PAIRS = pd.DataFrame(
    [
        ("AA_BB", "BB", "AA"),
        ("AA_CC", "AA", "CC"),
        ("BB_CC", "BB", "CC"),
        ("AA_DD", "AA", "DD"),
        ("CC_EE", "CC", "EE"),
        ("BB_EE", None, None),
    ],
    columns=["pair", "y", "x"],
)


def _window(sessions: int = 30, frequency: Frequency = Frequency.ONE_HOUR, seed: int = 1) -> PriceWindow:
    """AA a random walk, BB and CC tied to it by AR(1)-GARCH spreads, DD constant, EE equal to CC."""
    grid = bar_grid(sessions_ending(date(2023, 12, 1), sessions), frequency)
    rng = np.random.default_rng(seed)
    n = len(grid.bar_of_day)
    d = u_shape(7)[grid.bar_of_day] if frequency is Frequency.ONE_HOUR else 1.0
    spreads = simulate(rng, n, 2, phi=0.9, d=d)
    walk = 4.0 + np.cumsum(rng.standard_normal(n) * 2e-3)
    cc = 0.5 + 0.8 * walk + spreads[:, 1]
    log_close = np.column_stack([walk, 1.0 + 1.2 * walk + spreads[:, 0], cc, np.full(n, 3.0), cc])
    nothing = np.zeros(log_close.shape, dtype=bool)
    return PriceWindow(
        symbols=SYMBOLS,
        frequency=frequency,
        ts_utc=grid.ts_utc,
        session=grid.session,
        bar_of_day=grid.bar_of_day,
        log_close=log_close,
        log_open=log_close,
        observed=~nothing,
        ex_action=nothing,
    )


@pytest.fixture(scope="module")
def fits() -> pd.DataFrame:
    return fit_parameter_sets(_window(), PAIRS)


def test_two_rows_a_pair_that_satisfy_the_contract(fits: pd.DataFrame) -> None:
    GARCH_FITS.require(fits)
    assert fits["pair"].tolist() == [pair for pair in PAIRS["pair"] for _ in range(2)]
    assert fits["parameter_set"].tolist() == [IN_SAMPLE, FULL_WINDOW] * len(PAIRS)
    status = fits.set_index(["pair", "parameter_set"])["status"]
    assert status.xs(FULL_WINDOW, level=1).to_dict() == {
        "AA_BB": "ok",
        "AA_CC": "ok",
        "BB_CC": "ok",
        "AA_DD": "no_spread",
        "CC_EE": "constant_spread",
        "BB_EE": "no_direction",
    }
    assert (fits.loc[fits["status"] != "ok", "reason"] != "").all()


def test_rows_equal_the_functions_that_they_come_from(fits: pd.DataFrame) -> None:
    window = _window()
    n_train = math.floor(0.8 * window.n_bars)
    assert window.bar_of_day[n_train - 1] != window.bar_of_day[-1] or n_train % 7
    for name, n in ((IN_SAMPLE, n_train), (FULL_WINDOW, window.n_bars)):
        row = fits[(fits["pair"] == "AA_BB") & (fits["parameter_set"] == name)].iloc[0]
        y, x = (window.log_close[:, window.column(leg)] for leg in (row["y"], row["x"]))
        expected = estimate_spread(row["y"], row["x"], y[:n], x[:n])
        assert spread_parameters(row) == expected
        spread = expected.spread(y, x)
        fit = fit_ar_garch(
            spread[:n],
            bar_of_day=window.bar_of_day[:n],
            bars_per_session=7,
            next_bar_of_day=int(window.bar_of_day[n]) if n < window.n_bars else 0,
        )
        stored = garch_fit(row)
        assert stored.log_likelihood == pytest.approx(fit.log_likelihood, abs=1e-7)
        assert stored.next_volatility == pytest.approx(fit.next_volatility, rel=1e-5)
        assert conditional_variance(stored, spread, window.bar_of_day)[n] == stored.last_variance


def test_each_set_has_the_direction_that_its_own_bars_prefer(fits: pd.DataFrame) -> None:
    window = _window()
    n_train = math.floor(0.8 * window.n_bars)
    for pair in ("AA_BB", "AA_CC", "BB_CC"):
        legs = pair.split("_")
        t_stats = {}
        for y, x in (legs, legs[::-1]):
            log_y, log_x = (window.log_close[:n_train, window.column(leg)] for leg in (y, x))
            t_stats[y, x] = engle_granger(log_y, log_x).t_stat
        rows = fits[fits["pair"] == pair].set_index("parameter_set")
        assert tuple(rows.loc[IN_SAMPLE, ["y", "x"]]) == min(t_stats, key=t_stats.get)
        assert tuple(rows.loc[FULL_WINDOW, ["y", "x"]]) == tuple(PAIRS.set_index("pair").loc[pair])


def test_in_sample_rows_do_not_see_the_last_part(fits: pd.DataFrame) -> None:
    window = _window()
    n_train = math.floor(0.8 * window.n_bars)
    changed = window.log_close.copy()
    changed[n_train:] += np.random.default_rng(9).standard_normal(changed[n_train:].shape)
    later = fit_parameter_sets(replace(window, log_close=changed, log_open=changed), PAIRS)
    chosen = fits["parameter_set"] == IN_SAMPLE
    pd.testing.assert_frame_equal(fits[chosen], later[chosen], check_exact=True)
    assert (fits.loc[~chosen, "sigma"].dropna() != later.loc[~chosen, "sigma"].loc[fits["sigma"].notna()]).all()


def test_ex_dates_of_either_leg_and_gaps_do_not_count(fits: pd.DataFrame) -> None:
    window = _window()
    ex_action, log_close = window.ex_action.copy(), window.log_close.copy()
    ex_action[70, 0] = True
    ex_action[105, 1] = True
    log_close[90:100, 1] = np.nan
    window = replace(window, ex_action=ex_action, log_close=log_close)
    assert np.flatnonzero(leg_shocks_excluded(window, "BB", "AA")).tolist() == [70, 105]
    frame = fit_parameter_sets(window, PAIRS.iloc[:2]).set_index(["pair", "parameter_set"])
    plain = fits.set_index(["pair", "parameter_set"])
    assert frame.loc[("AA_BB", FULL_WINDOW), "n_obs"] == plain.loc[("AA_BB", FULL_WINDOW), "n_obs"] - 2 - 11
    assert frame.loc[("AA_CC", FULL_WINDOW), "n_obs"] == plain.loc[("AA_CC", FULL_WINDOW), "n_obs"] - 1


def test_daily_bars_and_student_t() -> None:
    frame = fit_parameter_sets(_window(252, Frequency.ONE_DAY), PAIRS, settings=GarchSettings(distribution="t"))
    GARCH_FITS.require(frame)
    assert set(frame.loc[frame["status"] == "ok", "diurnal"]) == {"[1.0]"}
    assert set(frame["distribution"]) == {"t"}
    assert frame.loc[frame["status"] == "ok", "nu"].notna().all()


def test_no_pairs_is_an_empty_valid_table() -> None:
    frame = fit_parameter_sets(_window(), PAIRS.iloc[:0])
    GARCH_FITS.require(frame)
    assert frame.empty


def test_symbol_outside_the_window_is_named() -> None:
    with pytest.raises(NotFound, match="ZZ"):
        fit_parameter_sets(_window(), pd.DataFrame([("AA_ZZ", "AA", "ZZ")], columns=["pair", "y", "x"]))


def test_rows_survive_parquet_and_rebuild_the_fit(fits: pd.DataFrame, tmp_path: Path) -> None:
    fits.to_parquet(tmp_path / "fits.parquet")
    back = pd.read_parquet(tmp_path / "fits.parquet")
    GARCH_FITS.require(back)
    pd.testing.assert_frame_equal(fits, back, check_exact=True)
    for (_, row), (_, again) in zip(fits.iterrows(), back.iterrows(), strict=True):
        assert repr(garch_fit(row)) == repr(garch_fit(again))
    with pytest.raises(ValueError, match="no_direction"):
        spread_parameters(back[back["pair"] == "BB_EE"].iloc[0])


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("beta1", -0.1, "beta1"),
        ("persistence", 1.5, "persistence"),
        ("omega", np.nan, "every number"),
        ("status", "fine", "status"),
        ("ljung_box_p_z", 1.2, "ljung_box_p_z"),
        ("lr_random_walk", -5.0, "rivals"),
        ("half_life_status", "phi_not_positive", "half-life"),
        ("diurnal", json.dumps([1.0, -1.0]), "JSON list"),
        ("diurnal", "no list", "JSON list"),
        ("parameter_set", FULL_WINDOW, "unique"),
        ("n_obs", 1.5, "int64"),
    ],
)
def test_contract_refuses(fits: pd.DataFrame, column: str, value: object, said: str) -> None:
    broken = fits.copy()
    broken[column] = broken[column].astype(object)
    broken.loc[0, column] = value
    if column not in ("n_obs", "status", "half_life_status", "diurnal", "parameter_set"):
        broken[column] = broken[column].astype(float)
    with pytest.raises(ContractViolation, match=said):
        GARCH_FITS.require(broken)


def test_contract_refuses_other_columns_and_a_failure_without_reason(fits: pd.DataFrame) -> None:
    with pytest.raises(ContractViolation):
        GARCH_FITS.require(fits.drop(columns="c"))
    with pytest.raises(ContractViolation):
        GARCH_FITS.require(fits.assign(extra=1))
    silent = fits.assign(reason="")
    with pytest.raises(ContractViolation, match="reason"):
        GARCH_FITS.require(silent)
