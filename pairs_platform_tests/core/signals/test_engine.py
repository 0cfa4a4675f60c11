"""What a pair does from bar to bar, on drawings whose outcome can be told by hand."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairs_platform.core.signals.engine import Signal, session_matrix
from pairs_platform.core.signals.session_state import SessionPair, SessionState
from pairs_platform.core.streaming.bars import BACKFILLED, UPDATED
from pairs_platform_tests.support.drawn_signals import (
    GONE,
    GRID,
    PRICE,
    SIGMA,
    TARGET,
    VOLATILITY,
    by_pair,
    decided,
    drawn_bars,
    drawn_state,
    matrix_of,
    play,
)
from pairs_platform_tests.support.live_session import Market, bar_by_bar, run
from pairs_platform_tests.support.live_session import grid as market_grid

LAST = len(GRID)


def actions(signals) -> list[str]:
    return [signal.action for signal in signals]


class TestRule:
    def test_a_short_entry_is_filled_in_the_next_bar_and_left_near_the_mean(self):
        found = play([0.0, 2.5, 2.2, 1.0, 0.4, 0.0])
        assert actions(found) == ["hold", "enter_short", "hold", "hold", "exit", "hold"]
        assert [one.position for one in found] == [0, 0, -1, -1, -1, 0]
        assert [one.bars_held for one in found] == [0, 0, 1, 2, 3, 0]

    def test_a_long_entry_is_its_mirror(self):
        found = play([0.0, -2.5, -2.2, 0.1, 0.0])
        assert actions(found) == ["hold", "enter_long", "hold", "exit", "hold"]
        assert [one.position for one in found] == [0, 0, 1, 1, 0]

    def test_a_stop_blocks_entries_until_the_spread_was_near_the_mean(self):
        found = play([-2.5, -3.0, -4.1, -3.0, -1.0, -2.5, -0.4, -2.5])
        assert actions(found) == ["enter_long", "hold", "stop", "hold", "hold", "hold", "hold", "enter_long"]
        assert [one.blocked for one in found] == [False, False, False, True, True, True, False, False]
        assert found[2].reason == ""

    def test_beyond_the_stop_nothing_is_entered(self):
        assert actions(play([4.1, 3.9])) == ["hold", "enter_short"]

    def test_the_band_of_the_stop_widens_with_the_forecast_variance(self):
        calm = drawn_state(omega=np.array([4 * VOLATILITY**2]))
        assert calm.traded.reference_variance[0] == VOLATILITY**2
        found = play([-2.5, -3.0, -4.1], calm)
        assert found[-1].action == "hold"
        assert found[-1].band == pytest.approx(2 * SIGMA)

    def test_the_time_stop_says_so_and_blocks(self):
        found = play([2.5] * 6)
        assert actions(found) == ["enter_short", "hold", "hold", "stop", "hold", "hold"]
        assert [one.reason for one in found] == ["", "", "", "time_stop", "", ""]
        assert found[4].blocked

    def test_numbers_are_those_of_the_spread(self):
        (found,) = play([1.5])
        assert (found.y, found.x, found.beta) == ("Y0", "X0", 1.0)
        assert found.spread == pytest.approx(0.015)
        assert found.z == pytest.approx(1.5)
        assert (found.band, found.volatility) == (pytest.approx(SIGMA), pytest.approx(VOLATILITY))
        assert (found.start_ns, found.data_ns) == (GRID[0].start_ns, GRID[0].start_ns)


class TestFill:
    def test_a_missing_leg_lets_the_order_lapse_and_the_next_bar_decides_afresh(self):
        found = play([2.5, GONE, 2.4, 2.3])
        assert actions(found) == ["enter_short", "enter_short", "hold", "hold"]
        assert [one.position for one in found] == [0, 0, -1, -1]
        lapsed = play([2.5, GONE, 1.0, 1.0])
        assert actions(lapsed) == ["enter_short", "enter_short", "hold", "hold"]
        assert lapsed[2].position == -1, "the second decision is the one that was filled"

    def test_an_exit_that_lapses_is_asked_for_again(self):
        found = play([2.5, 2.0, 0.3, GONE, 0.2, 0.2], drawn_state(max_hold=np.array([99.0])))
        assert (
            actions(found) == ["enter_short", "hold", "exit", "exit", "hold", "hold"] or found[3].reason == "time_stop"
        )
        assert [one.position for one in found] == [0, -1, -1, -1, 0, 0]

    def test_a_late_signal_is_never_filled(self):
        found = play([2.5, 2.5, 2.4, 2.3], late=[True, True, False, False])
        assert actions(found) == ["enter_short", "enter_short", "enter_short", "hold"]
        assert [one.position for one in found] == [0, 0, 0, -1]
        assert [one.late for one in found] == [True, True, False, False]

    def test_a_decision_of_the_last_bar_is_not_filled_in_the_next_session(self):
        evening = play([0.0] * (LAST - 1) + [2.5])
        assert evening[-1].action == "enter_short"
        morning = play([2.4, 2.3], previous=by_pair(evening[-1:]))
        assert [one.position for one in morning] == [0, -1]
        assert morning[0].action == "enter_short"


class TestState:
    @settings(max_examples=40)
    @given(st.data())
    def test_it_follows_from_the_stored_signals_of_any_bar_alone(self, data):
        level = st.sampled_from([GONE, 0.0, 0.3, 1.0, -1.0, 2.2, -2.2, 3.0, -3.0, 4.5, -4.5])
        drawings = [data.draw(st.lists(level, min_size=24, max_size=24)) for _ in range(2)]
        late = data.draw(st.lists(st.booleans(), min_size=24, max_size=24))
        state, bars = drawn_state(2, alpha1=np.full(2, 0.1), beta1=np.full(2, 0.5)), drawn_bars(*drawings)
        whole = decided(state, matrix_of(state, bars, 24), late=late)
        cut = data.draw(st.integers(1, 23))
        end = data.draw(st.integers(cut + 1, 24))
        again = decided(
            state, matrix_of(state, bars, end), first=cut, previous=by_pair(whole[cut - 1]), late=late[cut:end]
        )
        assert repr(again) == repr(whole[cut:end])

    def test_a_revision_changes_what_later_bars_see(self):
        state = drawn_state(alpha1=np.array([0.5]))
        bars = drawn_bars([0.0, 0.5, 0.5])
        revised = bars[3]._replace(close=PRICE * math.exp(2 * SIGMA), revision=UPDATED)
        assert (bars[3].symbol, bars[3].ts_ns) == ("Y0", GRID[1].start_ns)
        first = [one[0] for one in decided(state, matrix_of(state, bars, 3))]
        (again,) = decided(state, matrix_of(state, [*bars, revised], 3), first=2, previous=by_pair(first[1:2]))
        assert again[0].spread == first[2].spread
        assert again[0].volatility > 1.05 * first[2].volatility

    def test_a_bar_that_is_missing_and_the_one_after_it_give_no_shock(self):
        found = play([0.0, GONE, 1.5, 1.5, 0.0], drawn_state(alpha1=np.array([0.5])))
        calm, moved = found[0].volatility, [one.volatility > 1.01 * found[0].volatility for one in found]
        assert calm == pytest.approx(VOLATILITY)
        assert moved == [False, False, False, True, True]

    def test_the_highest_revision_counts_whenever_it_came(self):
        state, bars = drawn_state(), drawn_bars([1.0])
        revised = [
            bars[1]._replace(close=PRICE * math.exp(z * SIGMA), revision=r)
            for z, r in ((2.5, UPDATED), (0.1, BACKFILLED))
        ]
        (found,) = decided(state, matrix_of(state, [*bars, *revised], 1))
        assert found[0].z == pytest.approx(2.5)


class TestRefusals:
    def test_stale_after_more_than_the_allowed_bars(self):
        found = play([1.0, GONE, GONE, GONE, 1.0])
        assert actions(found) == ["hold", "hold", "hold", "skip", "hold"]
        assert found[3].reason == "stale: 3 bars since both legs had one"

    def test_age_is_counted_across_the_start_of_the_session(self):
        found = play([GONE] * 4)
        assert [one.reason.split(":")[0] for one in found] == ["gap", "gap", "stale", "stale"]
        old = play([GONE, 1.0], drawn_state(bars_since=2))
        assert old[0].reason == "stale: 3 bars since both legs had one"
        assert old[1].action == "hold"

    def test_a_gap_is_one_even_where_it_is_not_stale_yet(self):
        patient = drawn_state()
        patient = dataclasses.replace(patient, trading=patient.trading.model_copy(update={"max_stale_bars": 50}))
        found = play([2.5, *[GONE] * 5], patient)
        assert actions(found) == ["enter_short"] * 4 + ["skip"] * 2
        assert found[4].reason == "gap: a leg has no price"

    def test_a_skipped_position_is_kept_and_grows_older(self):
        found = play([2.5, 2.4, GONE, GONE, GONE, 2.4], drawn_state(max_hold=np.array([9.0])))
        assert actions(found) == ["enter_short", "hold", "hold", "hold", "skip", "hold"]
        assert [one.bars_held for one in found] == [0, 1, 2, 3, 4, 5]
        assert [one.position for one in found][1:] == [-1] * 5

    def test_what_is_skipped_says_nothing(self):
        (found,) = play([GONE])
        nothing = ("spread", "z", "band", "volatility", "probability_champion", "probability_challenger", "confidence")
        assert all(math.isnan(getattr(found, name)) for name in nothing)
        assert (found.size, found.data_ns) == (0.0, 0)

    @pytest.mark.parametrize("leg", ["X0", "Y0"])
    def test_a_corporate_action_of_either_leg(self, leg):
        state = drawn_state(2)
        found = decided(state, matrix_of(state, drawn_bars([2.5], [2.5]), 1), actions=[leg, "OTHER"])[0]
        assert actions(found) == ["skip", "enter_short"]
        assert found[0].reason == f"corporate_action: {leg} falls ex"

    def test_a_jump_like_a_split_from_the_bar_on_at_which_it_is_seen(self):
        state = drawn_state(last_spread=np.zeros(1))
        bars = [bar for bar in drawn_bars([0.0] * 4) if bar.symbol != "Y0" or bar.ts_ns >= GRID[1].start_ns]
        halved = [bar._replace(close=PRICE / 2) if bar.symbol == "Y0" else bar for bar in bars]
        found = [one[0] for one in decided(state, matrix_of(state, halved, 4))]
        assert [one.reason for one in found] == ["gap: a leg has no price"] + ["split_like_jump: Y0"] * 3

    @pytest.mark.parametrize(("tolerance", "reason"), [(0.05, "split_like_jump: Y0"), (0.01, "")])
    def test_how_near_to_the_ratio_of_a_split_is_a_setting(self, tolerance, reason):
        state = dataclasses.replace(drawn_state(), split_tolerance=tolerance)
        near = PRICE / 2 * math.exp(0.02)
        bars = [bar._replace(close=near) if bar.symbol == "Y0" else bar for bar in drawn_bars([0.0])]
        assert decided(state, matrix_of(state, bars, 1))[0][0].reason == reason

    def test_a_large_move_that_is_no_ratio_of_a_split_is_none(self):
        bars = [bar._replace(close=PRICE * 0.8) if bar.symbol == "Y0" else bar for bar in drawn_bars([0.0])]
        state = drawn_state()
        assert decided(state, matrix_of(state, bars, 1))[0][0].reason == ""

    def test_a_reason_of_the_session_state_comes_first(self):
        pair = SessionPair(pair="X0_Y0", role="watchlist", size=0.0, reason="not_fitted", model_reason="none")
        state = drawn_state(pairs=[pair])
        (found,) = decided(state, matrix_of(state, drawn_bars([2.5]), 1), actions=["X0"])[0]
        assert (found.action, found.reason, found.data_ns) == ("skip", "not_fitted", 0)

    def test_bars_of_a_proxy_give_nothing_unless_they_may(self):
        state, bars = drawn_state(), drawn_bars([2.5], source="proxy:AAPL")
        assert decided(state, matrix_of(state, bars, 1))[0][0].action == "skip"
        assert decided(state, matrix_of(state, bars, 1, allow_proxy=True))[0][0].action == "enter_short"

    def test_only_bars_up_to_the_end_are_seen(self):
        state = drawn_state()
        minutes = [bar._replace(ts_ns=bar.ts_ns + 4 * 60 * 10**9) for bar in drawn_bars([2.5, 0.0])]
        matrix = matrix_of(state, [*drawn_bars([0.0]), *minutes], 1)
        (found,) = decided(state, matrix)[0]
        assert found.z == pytest.approx(2.5)
        assert found.data_ns == GRID[0].start_ns + 4 * 60 * 10**9


class TestSizeAndConfidence:
    @pytest.mark.parametrize(("volatility", "share"), [(0.0005, 1.0), (0.001, 1.0), (0.002, 0.5), (0.004, 0.25)])
    def test_size_is_the_inverse_of_volatility_and_capped(self, volatility, share):
        half = SessionPair(pair="X0_Y0", role="selected", size=0.5, model_reason="none")
        variance = {name: np.array([volatility**2]) for name in ("omega", "variance")}
        state = drawn_state(pairs=[half], **variance)
        assert TARGET == 0.001
        assert play([1.0], state)[0].size == pytest.approx(0.5 * share)

    def test_a_pair_of_the_watchlist_has_no_size_and_an_action(self):
        on_watchlist = SessionPair(pair="X0_Y0", role="watchlist", size=0.0, model_reason="none")
        (found,) = play([2.5], drawn_state(pairs=[on_watchlist]))
        assert (found.action, found.size, found.role) == ("enter_short", 0.0, "watchlist")

    @pytest.mark.parametrize("z", [2.0, -2.0])
    def test_without_a_model_it_is_the_chance_of_a_move_to_the_mean(self, z):
        (found,) = play([z])
        towards = 0.1 * 2.0 * SIGMA / VOLATILITY
        chance = 0.5 * (1.0 + math.erf(towards / math.sqrt(2.0)))
        assert found.confidence == pytest.approx(2.0 * chance - 1.0)

    def test_a_spread_that_is_expected_to_move_away_has_none(self):
        state = drawn_state(phi=np.array([1.1]))
        assert play([2.0], state)[0].confidence == 0.0

    def test_the_mean_that_counts_is_that_of_the_spread(self):
        """Below μ and drawn up: the sign is that of s − μ, not of s."""
        state = drawn_state(mu=np.array([3 * SIGMA]), c=np.array([0.3 * SIGMA]))
        (found,) = play([2.0], state)
        assert found.z == pytest.approx(-1.0)
        assert found.confidence > 0.0


class TestCarriedOver:
    def held(self, **changes):
        evening = play([2.5, 2.4], drawn_state(max_hold=np.array([99.0])))[-1]
        assert (evening.position, evening.bars_held) == (-1, 1)
        return {evening.pair: dataclasses.replace(evening, **changes)}

    def test_a_position_goes_on_and_grows_older(self):
        found = play([2.4, 0.3, 0.3], drawn_state(max_hold=np.array([99.0])), previous=self.held())
        assert [one.position for one in found] == [-1, -1, 0]
        assert [one.bars_held for one in found] == [2, 3, 0]
        assert actions(found) == ["hold", "exit", "hold"]

    def test_so_does_a_block(self):
        found = play([2.5, 0.1, 2.5], previous=self.held(position=0, bars_held=0, blocked=True))
        assert actions(found) == ["hold", "hold", "enter_short"]

    def test_an_exit_of_the_evening_was_not_filled(self):
        found = play([2.4], drawn_state(max_hold=np.array([99.0])), previous=self.held(action="exit"))
        assert found[0].position == -1

    @pytest.mark.parametrize("first", [0, 1])
    def test_it_is_turned_where_the_legs_are_swapped_at_any_bar(self, first):
        """A morning's new configuration, or a model that was promoted during the session."""
        swapped = drawn_state(y=("X0",), x=("Y0",), max_hold=np.array([99.0]))
        found = play([2.4] * 3, swapped, first=first, previous=self.held())
        assert [one.position for one in found] == [1] * (3 - first)
        assert found[0].z == pytest.approx(-2.4)
        assert set(actions(found)) == {"hold"}

    def test_a_pending_order_is_filled_before_it_is_turned(self):
        swapped = drawn_state(y=("X0",), x=("Y0",), max_hold=np.array([99.0]))
        pending = self.held(position=0, bars_held=0, action="enter_short")
        assert [one.position for one in play([2.4] * 2, swapped, first=1, previous=pending)] == [1]

    def left(self, n_bars: int = 3, *, state=None, previous=None, **given):
        chosen = drawn_state(2) if state is None else state
        matrix = matrix_of(chosen, drawn_bars([0.0] * n_bars, [0.0] * n_bars), n_bars)
        found = decided(chosen, matrix, previous=self.gone() if previous is None else previous, **given)
        return [[one for one in signals if one.role == "closing"] for signals in found]

    def gone(self, **changes):
        (one,) = self.held(pair="A_B", y="A", x="B", **changes).values()
        return {"A_B": one}

    def test_a_pair_that_left_the_configuration_is_exited_once(self):
        found = self.left()
        assert [len(signals) for signals in found] == [1, 0, 0]
        (one,) = found[0]
        assert (one.action, one.reason, one.position, one.bars_held) == ("exit", "left_configuration", -1, 2)
        assert (one.start_ns, one.size, one.champion_version) == (GRID[0].start_ns, 0.0, None)
        assert math.isnan(one.z)
        assert math.isnan(one.confidence)

    def test_again_while_its_exit_is_late(self):
        found = self.left(late=[True, True, False])
        assert [len(signals) for signals in found] == [1, 1, 1]
        assert [one[0].late for one in found] == [True, True, False]
        assert [one[0].bars_held for one in found] == [2, 3, 4]

    def test_without_a_position_it_is_forgotten(self):
        assert self.left(previous=self.gone(position=0)) == [[], [], []]
        evening = self.gone(position=0, action="enter_long")
        assert self.left(previous=evening) == [[], [], []], "an order of the evening is not filled"

    def test_an_exit_of_the_evening_is_repeated(self):
        assert len(self.left(previous=self.gone(action="exit"))[0]) == 1

    def test_a_pair_that_leaves_during_the_session_with_an_order_under_way(self):
        entered = self.left(previous=self.gone(position=0, bars_held=0, action="enter_long"), first=1)
        assert [(one.position, one.action) for one in entered[0]] == [(1, "exit")]
        stopped = self.left(previous=self.gone(action="stop"), first=1)
        assert stopped[0] == []

    def test_an_empty_configuration_exits_what_is_open(self):
        found = self.left(state=drawn_state(pairs=()))
        assert [[one.pair for one in signals] for signals in found] == [["A_B"], [], []]


@pytest.fixture(scope="module")
def signals(simulated):
    return bar_by_bar(simulated.state(), simulated.bars(), 30)


class TestModels:
    def entered(self, found) -> set[str]:
        """Pairs with a champion that were entered."""
        return {one.pair for one in every(found) if one.action.startswith("enter") and one.champion_version}

    def test_the_champion_forbids_entries_below_its_threshold_and_never_an_exit(self, simulated):
        free, strict = (with_champion(simulated.state(), threshold=threshold) for threshold in (0.0, 1.01))
        wanted = self.entered(whole(free, simulated))
        assert wanted
        forbidden = whole(strict, simulated)
        assert not self.entered(forbidden)
        opened = {one.pair: dataclasses.replace(one, position=1) for one in forbidden[0]}
        closing = whole(strict, simulated, first=1, previous=opened)
        assert {one.pair for one in every(closing) if one.action in ("exit", "stop")} >= wanted

    def test_at_the_threshold_it_may_be_entered(self, simulated):
        state = simulated.state()
        found = whole(with_champion(state, threshold=1.01), simulated)
        t, k = next((t, k) for t, row in enumerate(found) if t for k, one in enumerate(row) if would_enter(one))
        before, probability = by_pair(found[t - 1]), found[t][k].probability_champion

        def action(threshold: float) -> str:
            return whole(with_champion(state, threshold=threshold), simulated, first=t, previous=before)[0][k].action

        assert action(probability).startswith("enter")
        assert action(float(np.nextafter(probability, 2.0))) == "hold"

    def test_confidence_with_and_without_the_champion(self, signals):
        judged = [one for one in every(signals) if one.action != "skip"]
        assert all(0.0 <= one.confidence <= 1.0 for one in judged)
        asked = [one for one in judged if math.isfinite(one.probability_champion)]
        assert {one.probability_champion > 0.5 for one in asked} == {True, False}
        for one in asked:
            assert one.confidence == pytest.approx(2.0 * max(0.0, one.probability_champion - 0.5))
        assert {one.champion_version for one in judged} == {3, None}
        assert {one.challenger_version for one in judged} == {4}

    def test_a_pair_that_the_champion_does_not_hold_trades_the_spread_of_the_configuration(self, simulated, signals):
        state, configured = simulated.state(), simulated.config.pairs
        (without,) = [k for k, pair in enumerate(state.pairs) if pair.model_reason]
        one, spread = signals[3][without], configured[without].spread
        assert one.champion_version is None
        assert math.isnan(one.probability_champion)
        assert math.isfinite(one.probability_challenger)
        assert (one.y, one.x, one.beta) == (spread.y, spread.x, spread.beta)
        model = simulated.champion.pair(state.pairs[0].pair)
        assert signals[3][0].beta == model.parameters.beta != configured[0].spread.beta

    def test_where_the_champion_has_not_seen_enough_nothing_is_entered(self, simulated):
        state = with_champion(simulated.state(), threshold=0.0)
        blind = with_champion(state, threshold=0.0, tail_spread=np.full_like(state.champion.tail_spread, np.nan))
        assert self.entered(whole(state, simulated)[:20])
        found = whole(blind, simulated)
        early = [one for one in every(found[:20]) if one.champion_version and one.action != "skip"]
        assert all(math.isnan(one.probability_champion) and math.isfinite(one.confidence) for one in early)
        assert not self.entered(found[:20])
        assert any(math.isfinite(one.probability_champion) for one in found[-1])


def with_champion(state: SessionState, *, threshold: float, **changes) -> SessionState:
    """The state with another threshold of every pair of the champion."""
    thresholds = np.full(len(state.champion.pair), threshold)
    return dataclasses.replace(state, champion=dataclasses.replace(state.champion, threshold=thresholds, **changes))


def whole(state: SessionState, simulated: Market, **given) -> list[list[Signal]]:
    return run(state, session_matrix(state, simulated.bars(), market_grid()), **given)


def every(found: list[list[Signal]]) -> list[Signal]:
    return [one for signals in found for one in signals]


def would_enter(one: Signal) -> bool:
    """Whether the champion alone keeps a pair out; the market's rule enters at 1.2."""
    free = one.position == 0 and not one.blocked and one.champion_version is not None
    return free and math.isfinite(one.probability_champion) and 1.2 <= abs(one.z) < 3.0
