from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.trading.backtest import BacktestReport, backtest
from pairs_platform.core.trading.rule import (
    TradeAction,
    TradeState,
    after_fill,
    at_close,
    max_hold_bars,
    stop_band,
)
from pairs_platform.core.trading.settings import CostSettings, TradingSettings
from pairs_platform_tests.support.markets import parameters_of, window_of, window_of_spread

FREE = CostSettings(commission_bps=0, half_spread_bps=0, slippage_bps=0, borrow_bps_per_year=0)
COSTLY = CostSettings(commission_bps=1, half_spread_bps=2, slippage_bps=3, borrow_bps_per_year=365)
NAN = float("nan")
E = np.exp


def run(
    window, *, beta=1.0, costs=FREE, trading=None, variance=None, half_life=1000.0, sigma=0.01, **options
) -> BacktestReport:
    return backtest(
        window,
        parameters_of(beta=beta, sigma=sigma),
        variance=np.ones(window.n_bars + 1) if variance is None else np.asarray(variance, float),
        reference_variance=1.0,
        half_life_bars=half_life,
        trading=trading or TradingSettings(),
        costs=costs,
        **options,
    )


def fills(report: BacktestReport) -> list[tuple[int, int, int, str]]:
    return [(t.side, t.entry_bar, t.exit_bar, t.exit_reason) for t in report.trades]


# --- money, by hand -------------------------------------------------------------------------------------------------


def test_long_trade_is_filled_at_the_next_opens_and_pays_for_both_legs_twice():
    # close of bar 1: z = −2.5 -> bought at bar 2's open; close of bar 3: z = 0.2 -> sold at bar 4's open
    y_close, y_open = [100, 97.531, 98.0, 100.2, 101.0], [100, 100, 97.6, 98.1, 100.4]
    x_close, x_open = [100, 100, 99.5, 100, 100.5], [100, 100, 99.9, 99.6, 100.3]
    window = window_of(
        np.log(np.column_stack([x_close, y_close])),
        log_open=np.log(np.column_stack([x_open, y_open])),
        symbols=("X", "Y"),
    )
    report = run(window, costs=COSTLY)
    assert fills(report) == [(1, 2, 4, "exit")]
    # half the gross value in each leg: shares per unit of gross value at entry
    y_shares, x_shares = 0.5 / 97.6, -0.5 / 99.9
    gross = [
        0,
        0,
        y_shares * (98.0 - 97.6) + x_shares * (99.5 - 99.9),
        y_shares * (100.2 - 98.0) + x_shares * (100 - 99.5),
        y_shares * (100.4 - 100.2) + x_shares * (100.3 - 100),
    ]
    value_out = y_shares * 100.4 - x_shares * 100.3
    cost = [0, 0, 6e-4, 0, 6e-4 * value_out]
    np.testing.assert_allclose(report.bars["gross_return"], gross, rtol=0, atol=1e-12)
    np.testing.assert_allclose(report.bars["fill_cost"], cost, rtol=0, atol=1e-12)
    np.testing.assert_allclose(report.net_returns, np.subtract(gross, cost), rtol=0, atol=1e-12)
    assert report.gross_return == pytest.approx(0.5 * (100.4 / 97.6 - 1) - 0.5 * (100.3 / 99.9 - 1), abs=1e-12)
    assert report.net_return == pytest.approx(report.gross_return - 6e-4 * (1 + value_out), abs=1e-12)
    assert report.trades[0].net_return == pytest.approx(report.net_return, abs=1e-15)
    assert report.turnover == pytest.approx(1 + value_out, abs=1e-12)
    assert report.break_even_cost_multiple == pytest.approx(report.gross_return / (6e-4 * (1 + value_out)), abs=1e-9)
    assert report.bars["action"].tolist() == [
        TradeAction.HOLD,
        TradeAction.ENTER_LONG,
        TradeAction.HOLD,
        TradeAction.EXIT,
        TradeAction.HOLD,
    ]
    assert report.bars["position"].tolist() == [0, 0, 1, 1, 0]


def test_short_trade_with_a_hedge_ratio_weighs_the_legs_one_to_beta():
    # x doubles its weight: β = 2, weights 1/3 and 2/3
    window = window_of_spread([0, 2.2, 1.5, 0.3, 0.1], beta=2.0)
    report = run(window, beta=2.0, costs=COSTLY)
    y = [100**2 * E(0.01 * z) for z in (0, 2.2, 1.5, 0.3, 0.1)]
    # opens equal the closes before: sold at bar 2's open (2.2), bought back at bar 4's open (0.3)
    gross = -(y[3] / y[1] - 1) / 3
    value_out = y[3] / y[1] / 3 + 2 / 3
    assert fills(report) == [(-1, 2, 4, "exit")]
    assert report.gross_return == pytest.approx(gross, abs=1e-12)
    assert report.net_return == pytest.approx(gross - 6e-4 - 6e-4 * value_out, abs=1e-12)


def test_without_opens_the_fill_is_at_the_next_close():
    window = window_of_spread([0, -2.5, -2.1, 0.2, 0.4, 0.4], log_open=np.full((6, 2), np.nan))
    report = run(window)
    assert fills(report) == [(1, 2, 4, "exit")]
    assert report.gross_return == pytest.approx(0.5 * (E(0.025) - 1) - 0, abs=1e-12)
    assert report.bars["gross_return"].iloc[2] == 0


def test_open_position_is_closed_at_the_windows_end_at_cost():
    window = window_of_spread([0, -2.5, -2.0, -1.0])
    report = run(window, costs=COSTLY)
    value_out = 0.5 * E(0.015) + 0.5
    assert fills(report) == [(1, 2, 3, "window_end")]
    assert report.trades[0].holding_bars == 2
    assert report.bars["closing_cost"].tolist() == [0, 0, 0, pytest.approx(6e-4 * value_out, abs=1e-12)]
    assert report.net_return == pytest.approx(0.5 * (E(0.015) - 1) - 6e-4 * (1 + value_out), abs=1e-12)
    assert report.turnover == pytest.approx(1 + value_out, abs=1e-12)


def test_borrow_is_charged_by_calendar_nights_on_the_short_legs_value():
    # daily bars: Thursday decides, Friday's open fills; held over the week-end; Monday decides, Tuesday's open sells
    z = [0.0, -2.5, -1.5, 0.2, 0.1]
    window = window_of_spread(z, frequency=Frequency.ONE_DAY, last_session=date(2022, 11, 1))
    assert np.diff(window.session).astype(int).tolist() == [1, 1, 3, 1]
    report = run(window, costs=COSTLY)  # 365 bp a year = 1 bp a night
    assert fills(report) == [(1, 2, 4, "exit")]
    # the short leg X stands still: half the gross value; three nights to Monday, one to Tuesday
    np.testing.assert_allclose(report.bars["borrow_cost"], [0, 0, 0, 3 * 0.5e-4, 0.5e-4], rtol=0, atol=1e-15)
    short = run(
        window_of_spread([-v for v in z], frequency=Frequency.ONE_DAY, last_session=date(2022, 11, 1)),
        costs=COSTLY,
    )
    # now Y is short: its value at the last close counts
    shares = 0.5 / E(0.025)
    expected = [0, 0, 0, shares * E(0.015) * 3e-4, shares * E(-0.002) * 1e-4]
    np.testing.assert_allclose(short.bars["borrow_cost"], expected, rtol=0, atol=1e-15)


def test_dividend_that_the_prices_do_not_show_is_left_out_of_the_position():
    z = [0.0, -2.5, -2.0, -3.0, -1.0, 0.2, 0.0]
    ex_action = np.zeros((7, 2), bool)
    ex_action[3, 1] = True
    window = window_of_spread(z, ex_action=ex_action)
    log_open = window.log_open.copy()
    log_open[3, 1] = window.log_close[3, 1] + 0.004  # ex-date: opens 0.6 % lower, then falls by 0.4 %
    window = window_of_spread(z, ex_action=ex_action, log_open=log_open)
    report = run(window)
    shares = 0.5 / E(-0.025)
    held = [0, 0, shares * (E(-0.02) - E(-0.025)), shares * (E(-0.03) - E(-0.026)), shares * (E(-0.01) - E(-0.03)),
            shares * (E(0.002) - E(-0.01)), 0]  # fmt: skip
    np.testing.assert_allclose(report.bars["gross_return"], held, rtol=0, atol=1e-12)


# --- every rule -----------------------------------------------------------------------------------------------------


def test_entry_needs_the_band_and_exit_the_inner_band():
    z = [0, -1.99, -2.0, -2.4, -0.51, -0.5, 0, 1.99, 2.0, 0.51, 0.5, 0]
    report = run(window_of_spread(z, sigma=2.0**-7), sigma=2.0**-7)
    assert fills(report) == [(1, 3, 6, "exit"), (-1, 9, 11, "exit")]


def test_a_jump_past_the_mean_is_an_exit_too():
    report = run(window_of_spread([0, -2.5, -2.2, 1.4, 1.4, 1.0]))
    assert fills(report) == [(1, 2, 4, "exit")]


def test_no_entry_beyond_the_stop():
    assert fills(run(window_of_spread([0, -4.5, -4.2, -4.1, -0.1]))) == []
    assert fills(run(window_of_spread([0, -4.5, -3.9, -3.5, -0.1, 0]))) == [(1, 3, 5, "exit")]


def test_stop_closes_on_the_entry_side_and_blocks_until_the_inner_band_is_seen():
    z = [0, -2.5, -3.0, -4.1, -3.0, -2.5, -0.6, -2.5, -0.4, -2.5, -2.0, 0.0, 0.0]
    report = run(window_of_spread(z))
    assert fills(report) == [(1, 2, 4, "stop"), (1, 10, 12, "exit")]


def test_stop_band_follows_the_variance_of_the_next_bar():
    # h_{t+1}: quarter of the reference at the close of bar 3 halves the band: 4 bands = 2 σ
    z = [0, -2.5, -2.4, -2.4, -2.4, -2.4]
    variance = np.ones(7)
    variance[4] = 0.25
    assert fills(run(window_of_spread(z), variance=variance)) == [(1, 2, 4, "stop")]
    assert fills(run(window_of_spread(z))) == [(1, 2, 5, "window_end")]
    # and four times the reference moves it out to 8 σ
    assert fills(run(window_of_spread([0, -2.5, -5.0, 0, 0]), variance=np.full(6, 4.0))) == [(1, 2, 4, "exit")]


def test_time_stop_at_three_half_lives_blocks_as_well():
    z = [0, *[-2.5] * 8, -0.4, -2.5, -2.4, -2.4]
    report = run(window_of_spread(z), half_life=1.0)
    # filled at 2; closes 2, 3, 4 are the third: decided at 4, filled at 5; unblocked by the close of bar 9
    assert fills(report) == [(1, 2, 5, "time_stop"), (1, 11, 12, "window_end")]
    assert report.trades[0].holding_bars == 3


def test_exit_clears_nothing_because_nothing_is_blocked():
    report = run(window_of_spread([0, -2.5, -0.4, -2.5, -2.4, -0.1, 0]))
    assert fills(report) == [(1, 2, 3, "exit"), (1, 4, 6, "exit")]


@pytest.mark.parametrize(("first", "expected"), [(0, [(1, 2, 4, "exit")]), (76, []), (77, [(1, 2, 4, "exit")])])
def test_decision_on_a_sessions_last_bar_is_not_executed(first, expected):
    # with first = 76 the grid's second bar is the session's last, and its entry lapses; the close after it is too near
    window = window_of_spread([0, -2.5, -1.9, -0.4, -0.4], first_bar_of_grid=first)
    assert fills(run(window)) == expected


def test_stop_on_a_sessions_last_bar_waits_for_the_next_close():
    window = window_of_spread([0, -2.5, -2.5, -4.5, -4.6, -4.5], first_bar_of_grid=74)
    assert window.bar_of_day.tolist() == [74, 75, 76, 77, 0, 1]
    report = run(window)
    assert fills(report) == [(1, 2, 5, "stop")]


def test_no_fill_on_a_bar_that_either_leg_misses_and_the_decision_lapses():
    observed = np.ones((7, 2), bool)
    observed[2, 0] = False
    window = window_of_spread([0, -2.5, -2.4, -2.3, -0.4, 0, 0], observed=observed)
    assert fills(run(window)) == [(1, 3, 5, "exit")]
    window = window_of_spread([0, -2.5, -1.9, -1.9, -0.4, 0, 0], observed=observed)
    assert fills(run(window)) == []
    observed = np.ones((7, 2), bool)
    observed[4, 1] = False  # the exit decided at bar 3 cannot be filled at bar 4
    window = window_of_spread([0, -2.5, -2.4, -0.4, -0.3, -0.2, 0], observed=observed)
    assert fills(run(window)) == [(1, 2, 5, "exit")]


def test_no_decision_on_prices_that_are_too_old():
    observed = np.ones((8, 2), bool)
    observed[1:5, 0] = False
    z = [0, -2.5, -2.5, -2.5, -2.5, -2.4, -2.4, 0]
    report = run(window_of_spread(z, observed=observed))
    assert report.bars["action"].tolist()[:6] == [0, 1, 1, 0, 0, 1]
    assert fills(report) == [(1, 6, 7, "window_end")]


def test_a_gap_is_neither_traded_nor_marked_and_its_move_comes_with_the_next_price():
    z = [0, -2.5, -2.0, NAN, NAN, -1.0, 0.2, 0.1]
    window = window_of_spread(z, observed=np.column_stack([np.ones(8, bool), np.isfinite(z)]))
    log_open = window.log_open.copy()
    log_open[5] = window.log_close[5]
    window = window_of_spread(z, observed=window.observed, log_open=log_open)
    report = run(window)
    assert fills(report) == [(1, 2, 7, "exit")]
    shares = 0.5 / E(-0.025)
    expected = [
        0,
        0,
        shares * (E(-0.02) - E(-0.025)),
        0,
        0,
        shares * (E(-0.01) - E(-0.02)),
        shares * (E(0.002) - E(-0.01)),
        0,
    ]
    np.testing.assert_allclose(report.bars["gross_return"], expected, rtol=0, atol=1e-12)


def test_a_model_may_forbid_an_entry_but_never_an_exit():
    z = [0, -2.5, -2.4, -2.4, -0.4, 0]
    allowed = np.array([True, False, True, False, False, False])
    assert fills(run(window_of_spread(z), may_enter=allowed)) == [(1, 3, 5, "exit")]


def test_first_bar_starts_flat_and_counts_bars_of_the_window():
    z = [0, -2.5, -2.4, -2.4, -0.4, 0]
    report = run(window_of_spread(z), first_bar=2)
    assert fills(report) == [(1, 3, 5, "exit")]
    assert len(report.bars) == 4


# --- report ---------------------------------------------------------------------------------------------------------


def test_report_of_two_trades_by_hand():
    z = [0, -2.5, -2.5, 0.0, 0.0, 2.5, 2.5, 3.0, 0.1, 0.1]
    window = window_of_spread(z)
    opens = window.log_open.copy()
    opens[9, 1] = window.log_close[9, 1] + 0.04  # the second trade is bought back dearer than it was sold
    report = run(window_of_spread(z, log_open=opens), costs=COSTLY)
    first, second = report.trades
    assert fills(report) == [(1, 2, 4, "exit"), (-1, 6, 9, "exit")]
    assert first.net_return > 0 > second.net_return
    net = report.net_returns
    equity = np.cumsum(net)
    assert report.win_rate == 0.5
    assert report.profit_factor == pytest.approx(first.net_return / -second.net_return, abs=1e-12)
    assert report.mean_holding_bars == 2.5
    assert report.max_drawdown == pytest.approx(
        max(0, *(max([0, *equity[: i + 1]]) - equity[i] for i in range(10))), abs=1e-12
    )
    per_year = 252 * window.mean_bars_per_session
    assert report.bars_per_year == per_year
    assert report.sharpe_ann == pytest.approx(net.mean() / net.std(ddof=1) * np.sqrt(per_year), abs=1e-9)
    assert report.calmar == pytest.approx(net.mean() * per_year / report.max_drawdown, rel=1e-12)
    assert sum(trade.net_return for trade in report.trades) == pytest.approx(report.net_return, abs=1e-14)


def test_sharpe_uses_the_true_number_of_bars_with_early_closes():
    z = np.zeros((42 + 78, 2)) + 4.6
    window = window_of(z, symbols=("X", "Y"), last_session=date(2023, 12, 8))
    closes = np.unique(window.session, return_counts=True)[1]
    assert 42 in closes
    report = backtest(
        window,
        parameters_of(),
        variance=np.ones(121),
        reference_variance=1.0,
        half_life_bars=5.0,
        trading=TradingSettings(),
        costs=FREE,
    )
    assert report.bars_per_year == pytest.approx(252 * 120 / len(closes))


def test_no_trade_is_a_report_without_ratios():
    report = run(window_of_spread([0.0] * 6))
    assert (report.n_entries, report.net_return, report.turnover, report.max_drawdown) == (0, 0.0, 0.0, 0.0)
    assert (report.sharpe_ann, report.calmar, report.win_rate, report.profit_factor) == (None, None, None, None)
    assert report.break_even_cost_multiple is None


@pytest.mark.parametrize("wrong", [{"reference_variance": 0.0}, {"half_life_bars": NAN}, {"variance": np.ones(3)}])
def test_wrong_input_is_refused(wrong):
    window = window_of_spread([0.0] * 6)
    given_ = {"variance": np.ones(7), "reference_variance": 1.0, "half_life_bars": 3.0} | wrong
    with pytest.raises(ValueError, match=r"must be positive|7 are needed"):
        backtest(window, parameters_of(), trading=TradingSettings(), costs=FREE, **given_)


def test_settings_are_bounded_and_described():
    with pytest.raises(ValidationError, match="must be below entry_z"):
        TradingSettings(entry_z=0.4)
    with pytest.raises(ValidationError):
        CostSettings(slippage_bps=-1)
    for settings in (CostSettings, TradingSettings):
        for name, field in settings.model_fields.items():
            assert field.description, name
            assert "unit" in field.json_schema_extra, name
    assert COSTLY.fill_bps == 6
    assert COSTLY.round_trip_bps == 12


# --- properties -----------------------------------------------------------------------------------------------------


def random_pair(seed: int, n_bars: int):
    rng = np.random.default_rng(seed)
    x = 4.6 + np.cumsum(rng.normal(0, 1e-3, n_bars))
    s = np.zeros(n_bars)
    for t in range(1, n_bars):
        s[t] = 0.85 * s[t - 1] + rng.normal(0, 5e-3)
    close = np.column_stack([x, x + s])
    observed = rng.random((n_bars, 2)) > 0.05
    gap = rng.integers(0, n_bars, 4)
    for start in gap:
        close[start : start + 5, 1] = np.nan
        observed[start : start + 5, 1] = False
    open_ = np.vstack([close[:1], close[:-1]]) + rng.normal(0, 5e-4, (n_bars, 2))
    open_[~observed] = np.nan
    window = window_of(
        close, log_open=open_, observed=observed, symbols=("X", "Y"), first_bar_of_grid=int(rng.integers(78))
    )
    return window, rng.lognormal(0, 0.5, n_bars + 1)


@hypothesis_settings(max_examples=25)
@given(seed=st.integers(0, 10_000), cut=st.integers(3, 299))
def test_rows_do_not_change_when_the_future_is_cut_off(seed, cut):
    window, variance = random_pair(seed, 300)
    whole = run(window, costs=COSTLY, variance=variance, half_life=6.0).bars
    part = run(window.first_bars(cut), costs=COSTLY, variance=variance[: cut + 1], half_life=6.0).bars
    assert (part["closing_cost"].iloc[:-1] == 0).all()
    own = whole.columns.drop(["ts_utc", "closing_cost", "net_return"])
    np.testing.assert_array_equal(whole[own].iloc[:cut], part[own])
    np.testing.assert_array_equal(whole["net_return"].iloc[: cut - 1], part["net_return"].iloc[:-1])


@hypothesis_settings(max_examples=10)
@given(seed=st.integers(0, 10_000))
def test_batch_is_the_step_taken_bar_by_bar(seed):
    window, variance = random_pair(seed, 300)
    parameters, settings = parameters_of(), TradingSettings()
    bars = run(window, variance=variance, half_life=6.0).bars
    band = stop_band(parameters.sigma, variance[1:], 1.0)
    state, pending, age = TradeState(), TradeAction.HOLD, [99, 99]
    for t in range(window.n_bars):
        if pending and window.session[t] == window.session[t - 1] and window.observed[t].all():
            state = after_fill(state, pending)
        age = [0 if seen else old + 1 for seen, old in zip(window.observed[t], age, strict=True)]
        pending, state = at_close(
            state,
            spread=float(bars["spread"].iloc[t]) if max(age) <= settings.max_stale_bars else NAN,
            mu=parameters.mu,
            sigma=parameters.sigma,
            band=float(band[t]),
            max_hold=max_hold_bars(6.0, settings),
            settings=settings,
        )
        assert (pending, state.position) == (bars["action"].iloc[t], bars["position"].iloc[t]), t


@hypothesis_settings(max_examples=25)
@given(seed=st.integers(0, 10_000), multiple=st.floats(0.1, 20))
def test_costs_scale_the_net_return_and_leave_the_trades(seed, multiple):
    window, variance = random_pair(seed, 300)
    base = CostSettings(commission_bps=1, half_spread_bps=2, slippage_bps=3, borrow_bps_per_year=100)
    more = CostSettings(**{name: value * multiple for name, value in base.model_dump().items()})
    a, b = (run(window, costs=costs, variance=variance, half_life=6.0) for costs in (base, more))
    assert fills(a) == fills(b)
    assert b.gross_return == a.gross_return
    assert b.gross_return - b.net_return == pytest.approx(multiple * (a.gross_return - a.net_return), abs=1e-12)
    if a.break_even_cost_multiple is not None and 0 < a.break_even_cost_multiple < 10:
        even = CostSettings(**{name: value * a.break_even_cost_multiple for name, value in base.model_dump().items()})
        assert run(window, costs=even, variance=variance, half_life=6.0).net_return == pytest.approx(0, abs=1e-12)
