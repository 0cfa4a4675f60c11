"""Which spread each pair is traded on and why, and the file of a session state."""

import dataclasses
import json

import numpy as np
import pytest

from pairs_platform.core.errors import DataError
from pairs_platform.core.prices.calendar import session_offset
from pairs_platform.core.selection.trading_config import ConfiguredPair
from pairs_platform.core.signals import session_state
from pairs_platform.core.signals.engine import session_matrix
from pairs_platform.core.signals.session_setup import empty_session_state, make_session_state
from pairs_platform.core.signals.session_state import SessionState, state_from_bytes, state_to_bytes
from pairs_platform_tests.support.live_session import BARS, UNTRADED, Market, grid, run, window_until

FIRST = 0
"""A pair that the champion holds."""


def planned(simulated: Market, *, champion=None, challenger=None, window=None, config=None):
    return make_session_state(
        config or simulated.config,
        simulated.before if window is None else window,
        champion=(3, champion or simulated.champion),
        challenger=(4, challenger or simulated.challenger),
        champion_reason="",
        max_fill_bars=3,
        split_tolerance=0.05,
    )


def with_an_unfitted_pair(simulated: Market, *others: ConfiguredPair) -> SessionState:
    """The state, without models, of some pairs and one that was not fitted."""
    unfitted = simulated.config.pairs[-1].model_copy(update={"spread": None, "garch": None})
    config = simulated.config.model_copy(update={"pairs": (*others, unfitted)})
    return make_session_state(
        config,
        simulated.before,
        champion=None,
        challenger=None,
        champion_reason="none",
        max_fill_bars=3,
        split_tolerance=0.05,
    )


def with_first_model(bundle, **changes):
    first, *others = bundle.pairs
    return dataclasses.replace(bundle, pairs=(dataclasses.replace(first, **changes), *others))


def assert_on_the_configurations_spread(simulated: Market, state, k: int) -> None:
    pair = simulated.config.pairs[k]
    assert k not in state.champion.pair
    for name in ("alpha", "beta", "mu", "sigma"):
        assert getattr(state.traded, name)[k] == getattr(pair.spread, name)
    for name, held in (("variance", "last_variance"), ("reference_variance", "reference_variance"), ("phi", "phi")):
        assert getattr(state.traded, name)[k] == getattr(pair.garch, held)
    assert state.traded.max_hold[k] == pair.garch.max_hold_bars
    assert state.pairs[k].reason == ""


class TestSpreads:
    def test_a_pair_of_the_champion_is_traded_on_the_models_own_spread(self, simulated):
        state, model = simulated.state(), simulated.champion.pairs[FIRST]
        assert state.pairs[FIRST].model_reason == ""
        for name in ("alpha", "beta", "mu", "sigma"):
            assert getattr(state.traded, name)[FIRST] == getattr(model.parameters, name)
        assert state.traded.reference_variance[FIRST] == model.fit.mean_variance
        assert state.traded.variance[FIRST] != model.state.variance, "the recursion went on over three sessions"

    def test_one_that_the_champion_does_not_hold(self, simulated):
        state = simulated.state()
        assert state.pairs[UNTRADED].model_reason == "the champion does not hold the pair"
        assert_on_the_configurations_spread(simulated, state, UNTRADED)
        assert UNTRADED in state.challenger.pair

    def test_without_a_champion_the_reason_is_everyones(self, simulated):
        state = simulated.state(champion=False)
        assert {pair.model_reason for pair in state.pairs} == {"no model has been promoted"}
        assert state.champion is None

    def test_a_model_without_a_half_life(self, simulated):
        model = simulated.champion.pairs[FIRST]
        champion = with_first_model(simulated.champion, fit=dataclasses.replace(model.fit, half_life_bars=np.nan))
        state = planned(simulated, champion=champion)
        assert state.pairs[FIRST].model_reason == "the model's spread has no half-life"
        assert_on_the_configurations_spread(simulated, state, FIRST)

    def test_a_model_whose_bars_have_left_the_window(self, simulated):
        long_ago = session_offset(simulated.before.session[0].astype(object), -1)
        state = planned(simulated, challenger=dataclasses.replace(simulated.challenger, session=long_ago))
        assert state.challenger is None
        old = dataclasses.replace(simulated.champion, session=long_ago)
        state = planned(simulated, champion=old)
        assert state.champion is None
        reason = state.pairs[FIRST].model_reason
        assert reason.startswith("out_of_reach: the window does not hold the")
        assert reason.endswith(f"bars up to {long_ago}")

    def test_a_corporate_action_since_the_training(self, simulated):
        window, leg = simulated.before, simulated.champion.pairs[FIRST].parameters.y
        fell = window.ex_action.copy()
        fell[-BARS, window.column(leg)] = True
        state = planned(simulated, window=dataclasses.replace(window, ex_action=fell))
        assert state.pairs[FIRST].model_reason.startswith("corporate_action: ")
        assert_on_the_configurations_spread(simulated, state, FIRST)
        assert FIRST in state.challenger.pair, "trained after it"

    def test_prices_that_were_adjusted_since_the_training(self, simulated):
        trained_state = simulated.champion.pairs[FIRST].state
        moved = dataclasses.replace(trained_state, last_spread=trained_state.last_spread + 0.01)
        state = planned(simulated, champion=with_first_model(simulated.champion, state=moved))
        assert state.pairs[FIRST].model_reason.startswith("corporate_action: ")

    def test_a_leg_that_is_not_in_the_window(self, simulated):
        window = simulated.before
        gone = window.column(simulated.config.pairs[FIRST].symbol_1)
        kept = [j for j in range(len(window.symbols)) if j != gone]
        columns = {name: getattr(window, name)[:, kept] for name in ("log_close", "log_open", "observed", "ex_action")}
        less = dataclasses.replace(window, symbols=tuple(window.symbols[j] for j in kept), **columns)
        state = planned(simulated, window=less)
        assert state.pairs[FIRST].reason.startswith(f"leg_missing: {window.symbols[gone]} is not in the window")
        found = run(state, session_matrix(state, simulated.bars(), grid()[:3]))
        assert {signals[FIRST].action for signals in found} == {"skip"}
        assert {signals[FIRST].data_ns for signals in found} == {0}
        assert found[2][UNTRADED].action != "skip"

    def test_a_pair_that_was_not_fitted(self, simulated):
        state = with_an_unfitted_pair(simulated, *simulated.config.pairs[:-1])
        assert [pair.reason for pair in state.pairs] == ["", "", "", "not_fitted"]
        assert np.isnan(state.traded.sigma[-1])
        found = run(state, session_matrix(state, simulated.bars(), grid()[:2]))
        assert [(one.action, one.reason) for one in (signals[-1] for signals in found)] == [("skip", "not_fitted")] * 2

    def test_no_pair_was_fitted(self, simulated):
        state = with_an_unfitted_pair(simulated)
        found = run(state, session_matrix(state, simulated.bars(), grid()))
        assert {one.reason for signals in found for one in signals} == {"not_fitted"}

    def test_history_up_to_the_close_is_in_the_session_state(self, simulated):
        window = simulated.before
        observed = window.observed.copy()
        observed[-3:, 2] = False
        state = planned(simulated, window=dataclasses.replace(window, observed=observed))
        assert state.bars_since.tolist() == [0, 0, 3, 0, 0, 0, 0, 0]
        assert state.last_observed.tolist() == [True, True, False] + [True] * 5
        np.testing.assert_array_equal(state.last_log_close, window.log_close[-1])


class TestRefused:
    @pytest.mark.parametrize("alias", ["champion", "challenger"])
    def test_a_model_that_has_seen_later_sessions(self, simulated, alias):
        later = dataclasses.replace(getattr(simulated, alias), session=simulated.session)
        with pytest.raises(DataError, match=f"has seen {simulated.session}, after the configuration's"):
            planned(simulated, **{alias: later})

    def test_a_window_that_ends_elsewhere(self, simulated):
        with pytest.raises(DataError, match=f"the window ends with {simulated.session}, the configuration of"):
            planned(simulated, window=simulated.window)
        earlier = window_until(simulated.window, session_offset(simulated.session, -2))
        with pytest.raises(DataError, match="needs its own close"):
            planned(simulated, window=earlier)


class TestEmpty:
    def test_a_configuration_without_a_pair_gives_a_session_state_without_signals(self, simulated):
        config = simulated.config.model_copy(update={"pairs": ()})
        state = state_from_bytes(state_to_bytes(empty_session_state(config, max_fill_bars=3, split_tolerance=0.05)))
        assert (state.pairs, state.symbols, state.champion) == ((), (), None)
        assert state.session == simulated.session
        assert run(state, session_matrix(state, simulated.bars(), grid()[:2])) == [[], []]


class TestFile:
    @pytest.mark.parametrize("content", [b"", b"nothing", b"\x08" + bytes(7) + b"{}      ", None, "cut"])
    def test_what_is_no_session_state(self, simulated, content):
        whole = state_to_bytes(simulated.state())
        broken = {None: whole[:-4], "cut": whole[: len(whole) // 3]}.get(content, content)
        with pytest.raises(DataError, match="is no session state"):
            state_from_bytes(broken)

    def test_a_session_state_of_another_version(self, simulated, monkeypatch):
        content, written = state_to_bytes(simulated.state()), session_state.STATE_VERSION
        monkeypatch.setattr(session_state, "STATE_VERSION", 99)
        with pytest.raises(DataError, match=f"it has version {written}, 99 is needed"):
            state_from_bytes(content)

    def test_a_session_state_that_lacks_an_array(self, simulated):
        from safetensors.numpy import load, save

        content = state_to_bytes(simulated.state())
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        arrays = load(content)
        del arrays["traded/sigma"]
        with pytest.raises(DataError, match="traded/sigma"):
            state_from_bytes(save(arrays, metadata=header["__metadata__"]))

    def test_what_it_gives_back_is_what_was_put_in(self, simulated):
        state = simulated.state()
        again = state_from_bytes(state_to_bytes(state))
        assert (again.pairs, again.symbols, again.trading) == (state.pairs, state.symbols, state.trading)
        assert (again.session, again.config_session, again.config_hash) == (
            state.session,
            state.config_session,
            state.config_hash,
        )
        for ours, theirs in ((state.traded, again.traded), (state.champion.spreads, again.champion.spreads)):
            assert (ours.y, ours.x) == (theirs.y, theirs.x)
            for name in ("sigma", "max_hold", "diurnal", "variance"):
                np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
