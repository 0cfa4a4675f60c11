from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pairs_platform.core.errors import DataError, NotFound
from pairs_platform.core.prices.aggregation import aggregate_bars
from pairs_platform.core.prices.bars import Frequency, PriceBasis
from pairs_platform.core.prices.calendar import (
    bar_grid,
    session_close,
    session_of,
    session_open,
    sessions_between,
    sessions_ending,
)
from pairs_platform.core.prices.settings import WindowSettings
from pairs_platform.core.prices.window import PriceWindow
from pairs_platform.core.prices.window_builder import build_window
from pairs_platform_tests.support.price_samples import (
    EARLY_CLOSE,
    FULL,
    HOLIDAY,
    make_actions,
    make_bars,
    needs_real_data,
    real_bars,
)

SESSIONS = sessions_ending(date(2024, 7, 5), 6)
BARS = make_bars(SESSIONS)
AFTER_EARLY = SESSIONS.index(EARLY_CLOSE) + 1


def window(bars: pd.DataFrame, actions: pd.DataFrame | None = None, **changes) -> PriceWindow:
    arguments = {
        "sessions": SESSIONS,
        "frequency": Frequency.FIVE_MINUTES,
        "basis": PriceBasis.RAW,
        "settings": WindowSettings(),
        "symbols": ["AAA", "BBB"],
    }
    return build_window(bars, actions, **{**arguments, **changes})


def without(symbol: str, rows: slice) -> pd.DataFrame:
    """BARS without some of a symbol's bars, counted in the window."""
    mine = BARS.index[BARS["symbol"] == symbol]
    return BARS.drop(index=mine[rows])


def test_complete_bars_fill_the_calendar_grid():
    result = window(BARS.sample(frac=1, random_state=2), symbols=["BBB", "AAA", "AAA"])
    assert result.symbols == ("AAA", "BBB")
    assert result.n_bars == 5 * 78 + 42
    assert result.n_sessions == 6
    assert np.array_equal(result.ts_utc, bar_grid(SESSIONS, Frequency.FIVE_MINUTES).ts_utc)
    for j, symbol in enumerate(result.symbols):
        mine = BARS[BARS["symbol"] == symbol]
        assert np.array_equal(result.log_close[:, j], np.log(mine["close"]))
        assert np.array_equal(result.log_open[:, j], np.log(mine["open"]))
    assert result.observed.all()
    assert not result.ex_action.any()
    assert result.excluded == ()


class TestHoles:
    def test_the_first_three_bars_take_the_previous_close(self):
        result = window(without("AAA", slice(10, 15)))
        column = result.log_close[:, 0]
        assert (column[10:13] == column[9]).all()
        assert np.isnan(column[13:15]).all()
        assert np.isfinite(column[15:]).all()
        assert not result.observed[10:15, 0].any()
        assert np.isnan(result.log_open[10:15, 0]).all()
        assert result.observed[:, 1].all()

    def test_a_fill_does_not_cross_into_the_next_session(self):
        result = window(without("AAA", slice(76, 80)))
        column = result.log_close[:, 0]
        assert (column[76:78] == column[75]).all()
        assert np.isnan(column[78:80]).all()

    def test_a_daily_fill_does(self):
        sessions = sessions_ending(FULL, 40)
        bars = make_bars(sessions, frequency=Frequency.ONE_DAY).drop(index=[20])
        result = window(bars, sessions=sessions, frequency=Frequency.ONE_DAY)
        assert result.log_close[20, 0] == result.log_close[19, 0]
        assert not result.observed[20, 0]

    def test_the_start_of_the_window_stays_empty(self):
        result = window(without("AAA", slice(0, 2)))
        assert np.isnan(result.log_close[:2, 0]).all()

    def test_no_fill_at_all(self):
        result = window(without("AAA", slice(10, 11)), settings=WindowSettings(max_fill_bars=0))
        assert np.isnan(result.log_close[10, 0])


class TestExclusion:
    def reason(self, bars: pd.DataFrame, **changes) -> str | None:
        result = window(bars, **changes)
        assert set(result.symbols) | {one.symbol for one in result.excluded} == {"AAA", "BBB"}
        return next((one.reason for one in result.excluded if one.symbol == "AAA"), None)

    def test_a_symbol_without_bars(self):
        assert self.reason(BARS[BARS["symbol"] == "BBB"]) == "no bars in the window"

    def test_a_symbol_with_ten_bars(self):
        assert self.reason(without("AAA", slice(0, -10))) == "coverage 0.023 is below 0.950"

    def test_low_coverage(self):
        assert self.reason(without("AAA", slice(0, 390, 15))) == "coverage 0.940 is below 0.950"

    def test_one_thin_session(self):
        assert self.reason(without("AAA", slice(0, 16))) == "coverage 0.795 in session 2024-06-27 is below 0.800"
        assert self.reason(without("AAA", slice(0, 15))) is None

    def test_an_early_close_is_measured_by_its_own_length(self):
        start = 78 * SESSIONS.index(EARLY_CLOSE)
        assert "2024-07-03" in str(self.reason(without("AAA", slice(start, start + 9))))
        assert self.reason(without("AAA", slice(start, start + 8))) is None

    def test_missing_sessions(self):
        lenient = WindowSettings(min_coverage=0.5)
        one, two = without("AAA", slice(78, 156)), without("AAA", slice(78, 234))
        assert self.reason(one, settings=lenient) is None
        assert self.reason(two, settings=lenient) == "2 sessions in a row without bars up to 2024-07-01, more than 1"
        assert self.reason(two, settings=WindowSettings(min_coverage=0.5, max_missing_sessions=2)) is None

    def test_no_bar_in_the_last_session(self):
        lenient = WindowSettings(min_coverage=0.5)
        assert (
            self.reason(without("AAA", slice(-78, None)), settings=lenient) == "no bar in the last session 2024-07-05"
        )

    def test_nobody_left(self):
        result = window(BARS.iloc[:0])
        assert result.symbols == ()
        assert result.log_close.shape == (432, 0)
        assert len(result.excluded) == 2


class TestActions:
    EX = SESSIONS[3]

    def test_a_known_split_leaves_no_jump(self):
        bars = BARS.copy()
        late = (bars["symbol"] == "AAA") & (bars["ts_utc"] >= pd.Timestamp(session_open(self.EX)))
        bars.loc[late, ["open", "high", "low", "close"]] /= 2
        actions = make_actions(("AAA", str(self.EX), "split", 2.0, "2024-06-01"))
        jump, smooth = window(bars), window(bars, actions)
        reference = window(BARS)
        assert np.abs(np.diff(jump.log_close[:, 0])).max() > 0.6
        np.testing.assert_allclose(smooth.log_close[:, 0], reference.log_close[:, 0] - np.log(2), atol=1e-12)
        np.testing.assert_allclose(smooth.log_open[:, 0], reference.log_open[:, 0] - np.log(2), atol=1e-12)

    def test_a_dividend_that_cannot_be_applied_is_marked(self):
        actions = make_actions(("AAA", str(self.EX), "dividend", 500.0, "2024-06-01"))
        result = window(without("AAA", slice(78 * 3, 78 * 3 + 2)), actions)
        assert np.argwhere(result.ex_action).tolist() == [[78 * 3 + 2, 0]]

    def test_actions_of_other_symbols_and_excluded_ones_do_no_harm(self):
        actions = make_actions(("ZZZ", str(self.EX), "dividend", 500.0, "2024-06-01"))
        assert not window(BARS, actions).ex_action.any()
        actions = make_actions(("AAA", str(self.EX), "dividend", 500.0, "2024-06-01"))
        assert not window(without("AAA", slice(0, -10)), actions).ex_action.any()

    def test_later_splits_that_became_known_later_change_nothing(self):
        later = make_actions(
            ("AAA", "2024-07-08", "split", 2.0, "2024-06-01"),
            ("AAA", str(self.EX), "split", 3.0, session_close(date(2024, 7, 8)).isoformat()),
        )
        assert np.array_equal(window(BARS, later).log_close, window(BARS).log_close)


@given(seed=st.integers(0, 10_000), share=st.sampled_from([0.5, 0.9, 0.99]), cut=st.integers(2, len(SESSIONS) - 1))
@settings(max_examples=12)
def test_a_truncated_window_shows_the_same_rows(seed, share, cut):
    """No look-ahead: what a window says about its first sessions does not depend on later bars or later news."""
    bars = BARS.sample(frac=share, random_state=seed)
    lenient = WindowSettings(min_coverage=0.0, min_session_coverage=0.0, max_missing_sessions=6)
    truncated_sessions = SESSIONS[:cut]
    end = session_close(truncated_sessions[-1])
    actions = make_actions(
        ("AAA", str(SESSIONS[1]), "dividend", 0.7, "2024-06-01"),
        ("BBB", str(SESSIONS[1]), "split", 5.0, (end + pd.Timedelta("1min")).isoformat()),
        ("BBB", str(SESSIONS[cut]), "split", 4.0, "2024-06-01"),
    )
    past = bars[bars["ts_utc"] < end]
    known_then = actions[actions["known_ts_utc"] <= end]
    with_future = window(bars, actions, sessions=truncated_sessions, settings=lenient)
    alone = window(past, known_then, sessions=truncated_sessions, settings=lenient)
    whole = window(bars, known_then, settings=lenient)
    for name in ("log_close", "log_open", "observed", "ex_action"):
        assert np.array_equal(getattr(with_future, name), getattr(alone, name), equal_nan=name.startswith("log"))
    assert np.array_equal(whole.observed[: alone.n_bars], alone.observed)
    assert np.array_equal(np.isnan(whole.log_close[: alone.n_bars]), np.isnan(alone.log_close))
    # Back-adjustment for a split after the cut shifts every earlier log price by the same amount.
    shift = np.array([0.0, np.log(4.0)])
    np.testing.assert_allclose(whole.log_close[: alone.n_bars] + shift, alone.log_close, atol=1e-12)


def test_bars_that_validation_would_refuse_are_refused():
    with pytest.raises(DataError, match="AAA has two bars at 2024-06-27 13:35"):
        window(pd.concat([BARS, BARS.iloc[[1]]]))
    with pytest.raises(DataError, match="prices must be positive"):
        window(BARS.assign(close=BARS["close"].where(BARS.index != 5, 0.0)))
    with pytest.raises(DataError, match="prices must be positive"):
        window(BARS.assign(open=BARS["open"].where(BARS.index != 5)))
    with pytest.raises(NotFound, match="2024-07-04"):
        window(BARS, sessions=[FULL, HOLIDAY])
    with pytest.raises(ValueError, match="at least one session"):
        window(BARS, sessions=[])


def test_other_sessions_and_symbols_are_left_out():
    result = window(BARS, sessions=SESSIONS[:2], symbols=["AAA"])
    assert result.log_close.shape == (156, 1)


def test_rules_are_bounded():
    for wrong in ({"min_coverage": 1.1}, {"max_fill_bars": -1}, {"min_coverages": 0.9}):
        with pytest.raises(ValidationError):
            WindowSettings(**wrong)


def test_a_window_of_a_whole_lookback():
    sessions = sessions_ending(FULL, 60)
    symbols = [f"S{i:02d}" for i in range(23)]
    bars = make_bars(sessions, symbols=symbols)
    actions = make_actions(
        ("S01", "2024-06-10", "split", 2.0, "2024-06-01"), ("S02", "2024-06-11", "dividend", 0.2, "2024-06-01")
    )
    assert window(bars, actions, sessions=sessions, symbols=symbols).log_close.shape == (60 * 78, 23)


@needs_real_data
def test_real_minutes_over_a_clock_change_and_good_friday():
    minutes = real_bars("real_intraday.parquet", ["AAPL", "ANET", "MSCC", "MSFT"])
    bars = aggregate_bars(minutes, source=Frequency.ONE_MINUTE, target=Frequency.FIVE_MINUTES)
    sessions = sessions_between(date(2018, 2, 16), date(2018, 4, 20))
    result = window(bars, sessions=sessions, symbols=["AAPL", "ANET", "MSCC", "MSFT"])
    assert result.symbols == ("AAPL", "ANET", "MSCC", "MSFT")
    assert result.n_bars == 44 * 78
    opens = result.ts_utc[result.bar_of_day == 0]
    assert set(opens[opens < "2018-03-11"].strftime("%H:%M")) == {"14:30"}
    assert set(opens[opens > "2018-03-11"].strftime("%H:%M")) == {"13:30"}
    daily = aggregate_bars(minutes, source=Frequency.ONE_MINUTE, target=Frequency.ONE_DAY)
    closes = daily.pivot_table(index="ts_utc", columns="symbol", values="close").to_numpy()
    last = np.append(np.flatnonzero(result.bar_of_day == 0)[1:], result.n_bars) - 1
    np.testing.assert_allclose(result.log_close[last], np.log(closes), rtol=1e-14)


@needs_real_data
def test_real_daily_window_has_every_technology_symbol():
    bars = real_bars("real_daily.parquet")
    bars = bars[bars["sector"] == "Information Technology"]
    sessions = sessions_ending(date(2023, 3, 8), 252)
    symbols = sorted(bars["symbol"].unique())
    result = window(
        bars, sessions=sessions, symbols=symbols, frequency=Frequency.ONE_DAY, basis=PriceBasis.SPLIT_ADJUSTED
    )
    assert result.log_close.shape == (252, 48)
    assert result.observed.all()
    assert (session_of(pd.Series(result.ts_utc)).to_numpy() == result.session).all()


def test_a_filled_bar_and_the_bar_after_it_give_no_shock():
    window = PriceWindow(
        symbols=("AAA", "BBB"),
        frequency=Frequency.ONE_DAY,
        ts_utc=pd.DatetimeIndex(pd.date_range("2024-01-02", periods=5, tz="UTC")),
        session=np.arange(5).astype("datetime64[D]"),
        bar_of_day=np.zeros(5, np.int64),
        log_close=np.zeros((5, 2)),
        log_open=np.zeros((5, 2)),
        observed=np.array([[1, 1], [1, 1], [0, 1], [1, 1], [1, 1]], bool),
        ex_action=np.array([[0, 0], [0, 1], [0, 0], [0, 0], [0, 0]], bool),
    )
    assert window.shock_excluded([0, 1]).tolist() == [
        [False, False], [False, True], [True, False], [True, False], [False, False],
    ]  # fmt: skip
