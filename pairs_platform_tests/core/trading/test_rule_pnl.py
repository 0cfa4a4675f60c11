"""What positions earn: by hand, overnight, and against the backtest on the same bars."""

from datetime import date

import numpy as np
import pytest

from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.trading.backtest import backtest
from pairs_platform.core.trading.rule_pnl import position_pnl
from pairs_platform.core.trading.settings import CostSettings, TradingSettings
from pairs_platform_tests.support.markets import parameters_of, window_of, window_of_spread

COSTLY = CostSettings(commission_bps=1, half_spread_bps=2, slippage_bps=3, borrow_bps_per_year=365)


def pnl(window, position, *, beta=1.0, legs=("Y", "X"), y_is_first=True, first_bar=0):
    n = window.n_bars
    return position_pnl(
        window,
        legs,
        position=np.array(position),
        beta=np.broadcast_to(np.asarray(beta, float), n),
        y_is_first=np.broadcast_to(y_is_first, n),
        costs=COSTLY,
        first_bar=first_bar,
    )


def prices(x_close, x_open, y_close, y_open, **options):
    close, opened = (np.log(np.column_stack(pair)) for pair in ((x_close, y_close), (x_open, y_open)))
    return window_of(close, log_open=opened, symbols=("X", "Y"), **options)


def test_a_long_round_trip_by_hand():
    # In at the open of bar 1 (y 100, x 50), out at the open of bar 3 (y 102, x 50.5), β = 1: half in each leg.
    window = prices([50, 50, 50.2, 50.5], [50, 50, 50.1, 50.5], [100, 101, 101, 103], [100, 100, 101, 102])
    found = pnl(window, [0, 1, 1, 0])
    gross = 0.5 * 0.02 - 0.5 * 0.01
    assert (found.entries, found.exits, found.position) == (1, 1, 0)
    assert found.gross_return == pytest.approx(gross, abs=1e-12)
    assert found.fill_cost == pytest.approx(6e-4 * (1 + 0.5 * 1.02 + 0.5 * 1.01), abs=1e-12)
    assert found.net_return == pytest.approx(gross - found.fill_cost, abs=1e-12)


def test_an_open_position_is_marked_at_the_last_close_and_its_exit_is_not_paid():
    window = prices([50, 50, 50], [50, 50, 50], [100, 101, 102], [100, 100, 101])
    found = pnl(window, [0, -1, -1], beta=3.0)
    assert (found.entries, found.exits, found.position) == (1, 0, -1)
    assert found.gross_return == pytest.approx(-0.02 / 4, abs=1e-12)
    assert found.fill_cost == pytest.approx(6e-4, abs=1e-15)


def test_a_night_belongs_to_the_session_after_it_and_shares_are_those_of_the_entry():
    # Daily bars: in at the open of the second day with β = 1; the third day's fit exchanges the legs and has β = 0.8.
    window = prices(
        [50, 50, 51, 51], [50, 50, 50.5, 51], [100, 102, 104, 104], [100, 100, 103, 105],
        frequency=Frequency.ONE_DAY, last_session=date(2022, 11, 1),
    )  # fmt: skip
    found = pnl(window, [0, 1, -1, 0], beta=[1, 1, 0.8, 0.8], y_is_first=[True, True, False, False], first_bar=2)
    # 0.005 shares of y and −0.01 of x: from the closes 102 and 50 to the opens 105 and 51.
    assert found.gross_return == pytest.approx(0.005 * 3 - 0.01 * 1, abs=1e-12)
    assert (found.entries, found.exits) == (0, 1)
    assert found.fill_cost == pytest.approx(6e-4 * (0.005 * 105 + 0.01 * 51), abs=1e-12)
    nights = np.diff(window.session).astype(int)[1:]
    assert found.borrow_cost == pytest.approx(1e-4 * (nights[0] * 0.5 + nights[1] * 0.51), abs=1e-12)


@pytest.mark.parametrize("beta", [1.0, 0.6, -0.4])
def test_it_agrees_with_the_backtest_on_the_same_bars(beta):
    z = np.random.default_rng(3).normal(scale=1.8, size=200).cumsum() * 0.35
    z -= np.linspace(z[0], z[-1], len(z))
    window = window_of_spread(list(z), beta=beta)
    report = backtest(
        window,
        parameters_of(beta=beta),
        variance=np.ones(window.n_bars + 1),
        reference_variance=1.0,
        half_life_bars=10.0,
        trading=TradingSettings(entry_z=1.0),
        costs=COSTLY,
    )
    assert report.n_entries > 2
    found = pnl(window, report.bars["position"].to_numpy(), beta=beta)
    assert found.entries == report.n_entries
    assert found.gross_return == pytest.approx(report.gross_return, abs=1e-12)
    assert found.borrow_cost == pytest.approx(report.borrow_cost, abs=1e-12)
    paid = report.fill_cost - report.bars["closing_cost"].sum()
    assert found.fill_cost == pytest.approx(paid, abs=1e-12)
    for ours, theirs in zip(found.trades, report.trades, strict=True):
        assert (ours.entry_bar, ours.exit_bar, ours.side) == (theirs.entry_bar, theirs.exit_bar, theirs.side)
        assert ours.net_return == pytest.approx(theirs.net_return, abs=1e-12)


def test_where_a_leg_has_no_price_at_a_fill_the_newest_close_counts():
    window = window_of_spread([0, -2, -1, -1, 0])
    log_close, log_open = window.log_close.copy(), window.log_open.copy()
    log_close[3, 1] = log_open[3, 1] = np.nan
    holed = window_of(log_close, log_open=log_open, symbols=("X", "Y"))
    found = pnl(holed, [0, 0, 1, 0, 0])
    assert found.exits == 1
    assert np.isfinite(found.net_return)
