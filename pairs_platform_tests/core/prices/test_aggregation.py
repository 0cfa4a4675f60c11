from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairs_platform.core.errors import DataError
from pairs_platform.core.prices.aggregation import aggregate_bars
from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.prices.calendar import bar_grid, session_of, sessions_between
from pairs_platform.core.prices.settings import ValidationSettings
from pairs_platform.core.prices.validation import validate_bars
from pairs_platform_tests.support.price_samples import EARLY_CLOSE, FULL, make_bars, needs_real_data, real_bars

MINUTE, FIVE, HOUR, DAY = Frequency
SESSIONS = [date(2024, 3, 8), date(2024, 3, 11), EARLY_CLOSE]
BARS = make_bars(SESSIONS, frequency=MINUTE)


def by_hand(bars: pd.DataFrame, rule: str) -> pd.DataFrame:
    """Pandas' resampling, session by session, counted from the open."""
    rows = []
    for (symbol, _), part in bars.groupby(["symbol", session_of(bars["ts_utc"])]):
        cut = part.set_index("ts_utc").resample(rule, origin="start")
        agg = cut.agg({"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"})
        rows.append(agg[cut.size() > 0].reset_index().assign(symbol=symbol))
    return pd.concat(rows, ignore_index=True)[list(bars.columns)]


@pytest.mark.parametrize(("target", "rule"), [(FIVE, "5min"), (HOUR, "60min"), (DAY, "390min")])
def test_equals_pandas_resampling_through_a_clock_change_and_an_early_close(target, rule):
    result = aggregate_bars(BARS, source=MINUTE, target=target)
    pd.testing.assert_frame_equal(result, by_hand(BARS, rule))
    assert (result["ts_utc"][: len(result) // 2] == bar_grid(SESSIONS, target).ts_utc).all()


def test_hours_are_counted_from_the_open():
    bars = aggregate_bars(make_bars([FULL, EARLY_CLOSE], symbols=["AAA"], frequency=MINUTE), source=MINUTE, target=HOUR)
    starts = bars["ts_utc"].dt.tz_convert("America/New_York").dt.strftime("%H:%M").tolist()
    full = ["09:30", "10:30", "11:30", "12:30", "13:30", "14:30", "15:30"]
    assert starts == full + full[:4]


@given(share=st.sampled_from([0.01, 0.1, 0.5, 0.95]), seed=st.integers(0, 1000))
@settings(max_examples=25)
def test_two_steps_equal_one(share, seed):
    bars = BARS.sample(frac=share, random_state=seed)
    direct = aggregate_bars(bars, source=MINUTE, target=HOUR)
    by_way = aggregate_bars(aggregate_bars(bars, source=MINUTE, target=FIVE), source=FIVE, target=HOUR)
    pd.testing.assert_frame_equal(by_way, direct)
    assert direct["volume"].sum() == bars["volume"].sum()


def test_a_bar_without_a_trade_has_no_row():
    bars = make_bars([FULL], symbols=["AAA"], frequency=MINUTE)
    result = aggregate_bars(bars.drop(index=range(5, 10)), source=MINUTE, target=FIVE)
    assert len(result) == 77
    assert pd.Timestamp("2024-07-02 13:35Z") not in set(result["ts_utc"])


def test_symbols_do_not_run_into_each_other():
    bars = make_bars([FULL], symbols=["AAA", "BBB"], frequency=MINUTE)
    late_then_early = pd.concat([bars[bars["symbol"] == "AAA"].tail(1), bars[bars["symbol"] == "BBB"].tail(1)])
    assert len(aggregate_bars(late_then_early, source=MINUTE, target=DAY)) == 2


@pytest.mark.parametrize(
    ("now", "rows"),
    [(datetime(2024, 7, 3, 13, 34, 59, tzinfo=UTC), 0), (datetime(2024, 7, 3, 13, 35, tzinfo=UTC), 1)],
)
def test_a_bar_is_complete_when_its_end_has_passed(now, rows):
    bars = make_bars([EARLY_CLOSE], symbols=["AAA"], frequency=MINUTE)
    assert len(aggregate_bars(bars, source=MINUTE, target=FIVE, complete_at=now)) == rows


def test_the_last_hour_of_an_early_close_is_complete_at_the_close():
    bars = make_bars([EARLY_CLOSE], symbols=["AAA"], frequency=MINUTE)
    close = datetime(2024, 7, 3, 17, 0, tzinfo=UTC)
    assert len(aggregate_bars(bars, source=MINUTE, target=HOUR, complete_at=close)) == 4
    assert len(aggregate_bars(bars, source=MINUTE, target=DAY, complete_at=close)) == 1


def test_same_length_sorts_only():
    bars = make_bars([FULL])
    pd.testing.assert_frame_equal(aggregate_bars(bars.sample(frac=1, random_state=1), source=FIVE, target=FIVE), bars)


def test_no_bars_give_no_bars():
    assert aggregate_bars(BARS.iloc[:0], source=MINUTE, target=FIVE).empty


def test_bars_that_validation_would_refuse_are_refused():
    bars = make_bars([FULL], symbols=["AAA"])
    with pytest.raises(DataError, match="appears twice"):
        aggregate_bars(pd.concat([bars, bars.head(1)]), source=FIVE, target=HOUR)
    with pytest.raises(DataError, match="outside the regular session"):
        aggregate_bars(bars.assign(ts_utc=bars["ts_utc"] + pd.Timedelta("1h")), source=FIVE, target=HOUR)
    with pytest.raises(DataError, match="cannot be aggregated"):
        aggregate_bars(bars, source=HOUR, target=FIVE)


@needs_real_data
def test_daily_bars_from_real_minutes():
    bars = real_bars("real_intraday.parquet", ["AAPL", "ANET", "BRK.B", "CHK", "MSCC", "MSFT", "QEP", "XOM"])
    daily = aggregate_bars(bars, source=MINUTE, target=DAY)
    grouped = bars.groupby(["symbol", session_of(bars["ts_utc"])])
    assert np.array_equal(daily["close"], grouped["close"].last())
    assert np.array_equal(daily["open"], grouped["open"].first())
    assert np.array_equal(daily["high"], grouped["high"].max())
    assert np.array_equal(daily["low"], grouped["low"].min())
    assert np.array_equal(daily["volume"], grouped["volume"].sum())
    sessions = sessions_between(date(2018, 2, 16), date(2018, 4, 20))
    assert len(sessions) == 44
    assert set(session_of(daily["ts_utc"]).dt.date) == set(sessions)


@needs_real_data
def test_hours_from_real_five_minutes_match_an_independent_hourly_file():
    symbols = ["AAPL", "MSFT"]
    given = real_bars("real_intraday_5min.parquet", symbols)
    sessions = sessions_between(date(2025, 5, 12), date(2025, 7, 25))
    checked = validate_bars(given, symbols=symbols, sessions=sessions, frequency=FIVE, settings=ValidationSettings())
    hours = aggregate_bars(checked.accepted, source=FIVE, target=HOUR)
    both = hours.merge(real_bars("real_intraday_1h.parquet"), on=["symbol", "ts_utc"], suffixes=("", "_other"))
    assert len(both) > 700
    difference = np.log(both["close"] / both["close_other"]).abs()
    assert difference.median() < 1e-6
    assert difference.quantile(0.99) < 2e-3
