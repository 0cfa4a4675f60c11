"""Live signals, bar by bar from the bars so far, against the batch path over the whole window."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from pairs_platform.core.signals.batch import batch_signals
from pairs_platform.core.signals.checks import compare_signals
from pairs_platform.core.signals.engine import session_matrix
from pairs_platform.core.signals.session_state import state_from_bytes, state_to_bytes
from pairs_platform_tests.support.live_session import (
    BARS,
    UNTRADED,
    Market,
    bar_by_bar,
    frame_of,
    grid,
    market,
    run,
)


@pytest.fixture(scope="module")
def simulated() -> Market:
    return market()


@pytest.fixture(scope="module")
def live(simulated: Market) -> pd.DataFrame:
    return frame_of(bar_by_bar(simulated.state(), simulated.bars()))


def batch(simulated: Market, *, champion: bool = True, challenger: bool = True) -> pd.DataFrame:
    held = {model.pair for model in simulated.champion.pairs} if champion else set()
    return batch_signals(
        simulated.config,
        simulated.window,
        champion=simulated.champion if champion else None,
        challenger=simulated.challenger if challenger else None,
        pairs={pair.pair: pair.pair in held for pair in simulated.config.pairs},
    )


def test_with_models_every_value_is_that_of_the_batch_path(simulated: Market, live: pd.DataFrame):
    expected = batch(simulated)
    judged = live[live["action"] != "skip"]
    assert len(expected) == len(live)
    assert len(judged) > 0.9 * len(live)
    assert compare_signals(live, expected).empty
    assert {"enter_long", "enter_short", "exit"} <= set(judged["action"])
    asked = judged.groupby("pair")["champion_version"].first()
    assert asked.isna().sum() == 1
    assert pd.isna(asked[simulated.config.pairs[UNTRADED].pair])
    assert judged["probability_challenger"].notna().mean() > 0.8


def test_without_models_too(simulated: Market):
    live = frame_of(bar_by_bar(simulated.state(champion=False, challenger=False), simulated.bars()))
    assert compare_signals(live, batch(simulated, champion=False, challenger=False)).empty
    assert live["probability_champion"].isna().all()
    assert "enter_long" in set(live["action"])


def test_the_comparison_sees_a_value_that_is_off_by_a_little(simulated: Market, live: pd.DataFrame):
    row = live.index[(live["action"] != "skip")][7]
    for name, by in (("spread", 1e-8), ("band", 1e-8), ("probability_challenger", 1e-8)):
        changed = live.copy()
        changed.loc[row, name] += by
        assert len(compare_signals(changed, batch(simulated))) == 1, name
    changed = live.copy()
    changed.loc[row, "action"] = "stop"
    assert len(compare_signals(changed, batch(simulated))) == 1


def test_many_bars_at_once_are_the_same_as_one_by_one(simulated: Market, live: pd.DataFrame):
    state = simulated.state()
    at_once = frame_of(run(state, session_matrix(state, simulated.bars(), grid())))
    pd.testing.assert_frame_equal(at_once, live)


def test_a_session_state_survives_its_file(simulated: Market, live: pd.DataFrame):
    state = state_from_bytes(state_to_bytes(simulated.state()))
    assert state_to_bytes(state) == state_to_bytes(simulated.state())
    again = frame_of(bar_by_bar(state, simulated.bars(), 20))
    pd.testing.assert_frame_equal(again, live[live["start_ns"] < grid()[20].start_ns])


def test_later_bars_change_nothing(simulated: Market, live: pd.DataFrame):
    bars, state = simulated.bars(), simulated.state()
    after = grid()[29].end_ns
    changed = bars.where(np.ones(len(bars), dtype=bool))
    changed.close[changed.ts_ns >= after] *= 1.5
    matrix = session_matrix(state, changed, grid())
    again = frame_of(run(state, matrix)[:30])
    pd.testing.assert_frame_equal(again, live[live["start_ns"] < after])


@pytest.mark.parametrize(
    "session", [date(2022, 11, 25), date(2022, 11, 28)], ids=["an early close", "the session after"]
)
def test_early_closes(session: date):
    simulated = market(session=session, n_pairs=3)
    found = bar_by_bar(simulated.state(), simulated.bars())
    assert len(found) == (42 if session == date(2022, 11, 25) else BARS)
    live = frame_of(found)
    assert (live["action"] != "skip").mean() > 0.8
    assert live["probability_challenger"].notna().mean() > 0.5
    assert compare_signals(live, batch(simulated)).empty
