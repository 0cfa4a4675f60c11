"""The predicates behind the checks, on tables that hold one fault."""

import pandas as pd
import pytest

from pairs_platform.core.signals.checks import (
    check_bars_match,
    check_decided_after_data,
    check_session_streamed,
    check_signals_in_time,
    check_signals_match,
    compare_bars,
    compare_signals,
)
from pairs_platform.core.trading.rule import TradeAction

OPEN = pd.Timestamp("2023-03-08 14:30", tz="UTC")
LENGTH = pd.Timedelta("5min")


def stored(n: int = 4, **columns) -> pd.DataFrame:
    """One pair in n bars, decided in time on its own bar."""
    starts = pd.DatetimeIndex([OPEN + k * LENGTH for k in range(n)])
    numbers = dict.fromkeys(("spread", "z", "band", "probability_champion", "probability_challenger"), 0.25)
    frame = pd.DataFrame(
        {
            "run_mode": "replay",
            "pair": "A_B",
            "role": "selected",
            "bar_utc": starts,
            "data_utc": starts,
            "action": "hold",
            "reason": "",
            "position": 0,
            "late": False,
            "decided_market_utc": starts + LENGTH,
            **numbers,
        }
    )
    return frame.assign(**columns)


class TestDecidedAfterData:
    def test_a_session_without_signals(self):
        nothing = pd.DataFrame(columns=stored().columns)  # as the database gives it: no column has a type
        assert check_decided_after_data(nothing, LENGTH).passed

    def test_in_time(self):
        found = check_decided_after_data(stored(), LENGTH)
        assert (found.passed, found.figures) == (True, {"signals": 4, "ahead": 0})

    @pytest.mark.parametrize(
        ("column", "value", "passed"),
        [
            ("data_utc", OPEN + LENGTH, False),
            ("data_utc", OPEN + LENGTH - pd.Timedelta("1s"), True),
            ("data_utc", pd.NaT, True),
            ("decided_market_utc", OPEN - pd.Timedelta("1s"), False),
        ],
    )
    def test_of_one_bar(self, column, value, passed):
        frame = stored()
        frame.loc[0, column] = value
        assert check_decided_after_data(frame, LENGTH).passed is passed

    @pytest.mark.parametrize(("before_end", "passed"), [("4s", True), ("6s", False)])
    def test_a_live_one_is_decided_at_the_end_of_its_bar(self, before_end, passed):
        frame = stored(run_mode="live")
        frame["decided_market_utc"] = frame["bar_utc"] + LENGTH - pd.Timedelta(before_end)
        assert check_decided_after_data(frame, LENGTH).passed is passed


class TestInTime:
    def judged(self, frame: pd.DataFrame):
        return check_signals_in_time(frame, max_late_share=0.25, max_skipped_share=0.25)

    def test_shares_at_their_limits_pass(self):
        found = self.judged(stored(late=[True, False, False, False], action=["skip", "hold", "hold", "hold"]))
        assert (found.passed, found.figures) == (True, {"late_share": 0.25, "skipped_share": 0.25})
        assert not found.see

    def test_too_many_late_bars(self):
        found = self.judged(stored(late=[True, True, False, False]))
        assert not found.passed
        assert "50% of 4 bars late" in found.summary
        assert "collector" in found.summary
        assert found.see == "stream status"

    def test_skips_of_selected_pairs_are_told_by_their_reason(self):
        skipped = stored(action="skip", reason=["stale: 3 buckets", "stale: 4 buckets", "gap: no price", "gap: x"])
        found = self.judged(skipped)
        assert not found.passed
        assert "stale 2, gap 2" in found.summary
        assert self.judged(skipped.assign(role="watchlist")).passed

    def test_a_bar_counts_once_however_many_pairs_it_has(self):
        twice = pd.concat([stored(late=[True, False, False, False]), stored(pair="A_C")])
        assert self.judged(twice).figures["late_share"] == 0.25

    def test_nothing(self):
        assert self.judged(stored(0)).passed


class TestBars:
    def bars(self, **closes: float) -> pd.DataFrame:
        return pd.DataFrame({"symbol": list(closes), "ts_utc": OPEN, "close": list(closes.values())})

    def test_each_kind_of_difference(self):
        streamed, history = self.bars(A=10.0, B=20.0, C=30.0), self.bars(A=10.0, B=20.001, D=40.0)
        found = compare_bars(streamed, history).set_index("symbol")["kind"].to_dict()
        assert found == {"B": "close_differs", "C": "not_in_history", "D": "not_streamed"}

    def test_rounding_is_none(self):
        assert compare_bars(self.bars(A=10.0), self.bars(A=10.000001)).empty

    @pytest.mark.parametrize(("n_bars", "passed"), [(100, True), (99, False), (0, True)])
    def test_the_share_of_the_bars_of_history_decides(self, n_bars, passed):
        differences = compare_bars(self.bars(A=1.0), self.bars(A=2.0))
        if not n_bars:
            differences = differences.iloc[:0]
        found = check_bars_match(differences, n_bars, max_share=0.01)
        assert found.passed is passed
        assert passed or "close_differs 1; first: A 2023-03-08 14:30 UTC" in found.summary
        assert found.see == ("" if passed else "stream status")


class TestCoverage:
    def judged(self, n_bars: int, run_mode: str):
        first, end = pd.Timestamp("2023-03-08 14:30", tz="UTC"), pd.Timestamp("2023-03-08 15:30", tz="UTC")
        return check_session_streamed(n_bars, 100, first_utc=first, end_utc=end, run_mode=run_mode, min_share=0.95)

    def test_a_live_session_is_wanted_whole(self):
        assert self.judged(95, "live").passed
        found = self.judged(15, "live")
        assert (found.passed, found.see) == (False, "stream status")
        assert found.summary.startswith(
            "streamed from 09:30 to 10:30 New York, 15% of the session's bars; outside of it"
        )

    def test_a_replay_plays_what_it_is_asked_to(self):
        found = self.judged(15, "replay")
        assert (found.passed, found.figures) == (True, {"streamed_share": 0.15})
        assert found.summary == "replayed from 09:30 to 10:30 New York, 15% of the session's bars"


class TestSignals:
    def batch(self, **columns) -> pd.DataFrame:
        return stored().assign(**{"action": int(TradeAction.HOLD), **columns})

    def test_equal(self):
        assert compare_signals(stored(), self.batch()).empty
        assert check_signals_match(stored(0), 4).passed

    @pytest.mark.parametrize("name", ["spread", "z", "band", "probability_champion", "probability_challenger"])
    def test_a_number_on_either_side_alone_or_off(self, name):
        for value in (0.25 + 2e-9, float("nan")):
            frame = stored()
            frame.loc[2, name] = value
            assert compare_signals(frame, self.batch())["bar_utc"].tolist() == [OPEN + 2 * LENGTH]
            assert compare_signals(frame.assign(late=True), self.batch()).shape[0] == 1, "late ones have values too"
        frame = stored()
        frame.loc[2, name] = 0.25 + 5e-10
        assert compare_signals(frame, self.batch()).empty

    def test_unknown_on_both_sides_is_equal(self):
        assert compare_signals(stored(z=float("nan")), self.batch(z=float("nan"))).empty

    @pytest.mark.parametrize(
        ("action", "name"),
        [
            (TradeAction.ENTER_LONG, "enter_long"),
            (TradeAction.ENTER_SHORT, "enter_short"),
            (TradeAction.EXIT, "exit"),
            (TradeAction.STOP, "stop"),
            (TradeAction.TIME_STOP, "stop"),
            (TradeAction.HOLD, "hold"),
        ],
    )
    def test_actions_by_their_names(self, action, name):
        batch = self.batch(action=int(action))
        assert compare_signals(stored(action=name), batch).empty
        assert len(compare_signals(stored(action="exit" if name != "exit" else "hold"), batch)) == 4

    def test_a_position_counts_until_a_bar_of_the_pair_is_late(self):
        frame = stored(position=[0, 1, 1, 1])
        assert len(compare_signals(frame, self.batch())) == 3
        frame.loc[3, "late"] = True
        assert compare_signals(frame, self.batch()).empty

    def test_what_was_skipped_is_not_compared(self):
        assert compare_signals(stored(action="skip", z=9.0), self.batch()).empty

    def test_differences_fail_with_their_number(self):
        found = check_signals_match(stored(2), 40)
        assert not found.passed
        assert found.figures == {"signals": 40, "differ": 2}
        assert "2 of 40 signals differ" in found.summary
        assert "first: A_B 2023-03-08 14:30 UTC, A_B 2023-03-08 14:35 UTC" in found.summary
