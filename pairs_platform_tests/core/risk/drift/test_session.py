"""The bars of a session that is under way, and nothing after them."""

from dataclasses import replace

import numpy as np
import pytest

from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.risk.drift.response import pair_drift
from pairs_platform.core.risk.drift.result import DriftStatus
from pairs_platform.core.risk.drift.session import session_drift
from pairs_platform.core.risk.drift.settings import DriftSettings
from pairs_platform.core.signals.engine import session_matrix
from pairs_platform.core.streaming.bars import StreamBar
from pairs_platform.core.streaming.intervals import bar_intervals
from pairs_platform.core.streaming.revisions import merge_revisions
from pairs_platform_tests.support.drifting import broken, first_bars
from pairs_platform_tests.support.trading_desk import SESSION, session_state

GRID = bar_intervals(SESSION, Frequency.FIVE_MINUTES)
SETTINGS = DriftSettings()
N_COMPLETE = 40


@pytest.fixture(scope="module")
def changed(pair):
    return broken(pair, "beta", 1.5)


def state_of(pair):
    y, x = pair.parameters.y, pair.parameters.x
    last = [pair.log_y[pair.first_bar - 1], pair.log_x[pair.first_bar - 1]]
    return session_state(symbols=(y, x), last_observed=np.ones(2, dtype=bool), last_log_close=np.array(last))


def bars_of(pair, n_bars=None):
    """The monitored bars of a pair as they are streamed."""
    rows = []
    for symbol, log_close in ((pair.parameters.y, pair.log_y), (pair.parameters.x, pair.log_x)):
        for interval, close in zip(GRID[:n_bars], np.exp(log_close[pair.first_bar :]), strict=False):
            rows.append(StreamBar(symbol, interval.start_ns, close, close, close, close, 1.0, 0, "test"))
    return rows


def drift_now(pair, bars, n_complete=N_COMPLETE, actions=()):
    state = state_of(pair)
    matrix = session_matrix(state, merge_revisions(bars), GRID[:n_complete])
    before = first_bars(pair, 0)
    return session_drift({"A_B": before}, state, matrix, actions=actions, settings=SETTINGS)["A_B"]


def test_streamed_bars_say_what_a_window_with_them_says(changed):
    found, expected = drift_now(changed, bars_of(changed)), pair_drift(first_bars(changed, N_COMPLETE), SETTINGS)
    for one, other in zip(found, expected, strict=True):
        assert (one.statistic, one.status, one.run_length) == (other.statistic, other.status, other.run_length)
        np.testing.assert_allclose([one.value, one.p_value], [other.value, other.p_value], rtol=1e-6)
    assert DriftStatus.ALARM in {each.status for each in found}


def test_bars_after_the_newest_complete_one_take_no_part(changed):
    """What has arrived of the bars after it, complete or not, is not looked at."""
    assert drift_now(changed, bars_of(changed)) == drift_now(changed, bars_of(changed, N_COMPLETE))


def test_a_leg_that_falls_ex_or_looks_split_leaves_the_pair_unknown(changed):
    y = changed.parameters.y
    ex = drift_now(changed, bars_of(changed), actions={y})
    assert {(each.status, each.reason) for each in ex} == {(DriftStatus.NOT_TESTED, f"{y} falls ex")}
    split = replace(changed, log_y=changed.log_y - np.log(2.0) * (np.arange(len(changed.log_y)) >= changed.first_bar))
    found = drift_now(replace(split, log_y=split.log_y), bars_of(split))
    assert {each.reason for each in found} == {f"the price of {y} looks split"}


def test_a_hole_of_a_leg_is_no_shock(pair):
    bars = [
        bar
        for bar in bars_of(pair)
        if bar.symbol != pair.parameters.x or not GRID[5].start_ns <= bar.ts_ns < GRID[25].start_ns
    ]
    assert DriftStatus.NOT_TESTED not in {each.status for each in drift_now(pair, bars)[:-1]}
