from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest

from pairs_platform.core.errors import DataError
from pairs_platform.core.prices.adjustment import (
    adjustments,
    known_actions,
    sorted_bars,
    stale_sessions,
)
from pairs_platform.core.prices.bars import Frequency, PriceBasis
from pairs_platform.core.prices.calendar import session_close, session_open, sessions_ending
from pairs_platform_tests.support.price_samples import adjust_bars, make_actions, make_bars

SESSIONS = sessions_ending(date(2024, 7, 5), 5)
EX = SESSIONS[2]
CLOSE = session_close(SESSIONS[-1])
BARS = make_bars(SESSIONS, frequency=Frequency.ONE_DAY)
EARLY = "2024-06-01"


def price(bars: pd.DataFrame, symbol: str, column: str = "close") -> np.ndarray:
    return bars.loc[bars["symbol"] == symbol, column].to_numpy()


def test_a_split_divides_earlier_prices_and_multiplies_earlier_volumes():
    actions = make_actions(("AAA", str(EX), "split", 4.0, EARLY))
    result = adjust_bars(BARS, actions, basis=PriceBasis.RAW, as_of=CLOSE)
    factor = np.array([0.25, 0.25, 1.0, 1.0, 1.0])
    for column in ("open", "high", "low", "close"):
        np.testing.assert_allclose(price(result, "AAA", column), price(BARS, "AAA", column) * factor, rtol=1e-15)
    assert price(result, "AAA", "volume").tolist() == (price(BARS, "AAA", "volume") / factor).tolist()
    assert np.array_equal(price(result, "BBB"), price(BARS, "BBB"))


def test_a_reverse_split_leaves_fractional_volumes_as_they_are():
    actions = make_actions(("AAA", str(EX), "split", 0.3, EARLY))
    result = adjust_bars(BARS, actions, basis=PriceBasis.RAW, as_of=CLOSE)
    assert price(result, "AAA", "volume").tolist()[:2] == (price(BARS, "AAA", "volume")[:2] * 0.3).tolist()


def test_a_dividend_scales_earlier_prices_by_its_share_of_the_previous_close():
    actions = make_actions(("AAA", str(EX), "dividend", 0.5, EARLY))
    result = adjust_bars(BARS, actions, basis=PriceBasis.RAW, as_of=CLOSE)
    raw = price(BARS, "AAA")
    factor = np.array([1 - 0.5 / raw[1]] * 2 + [1.0] * 3)
    np.testing.assert_allclose(price(result, "AAA"), raw * factor, rtol=1e-15)
    assert np.array_equal(price(result, "AAA", "volume"), price(BARS, "AAA", "volume"))


def test_the_adjusted_return_over_an_ex_date_is_the_return_of_a_holder():
    actions = make_actions(("AAA", str(EX), "dividend", 0.5, EARLY), ("AAA", str(EX), "split", 2.0, EARLY))
    adjusted = price(adjust_bars(BARS, actions, basis=PriceBasis.RAW, as_of=CLOSE), "AAA")
    raw = price(BARS, "AAA")
    # One old share became two, each of which earned the dividend: reinvested at the ex-date's parity price.
    assert adjusted[2] / adjusted[1] == pytest.approx(raw[2] / (raw[1] / 2 - 0.5), rel=1e-12)


def test_several_actions_compound():
    actions = make_actions(
        ("AAA", str(SESSIONS[1]), "split", 2.0, EARLY),
        ("AAA", str(SESSIONS[3]), "split", 3.0, EARLY),
        ("AAA", str(SESSIONS[3]), "dividend", 1.0, EARLY),
        ("AAA", str(SESSIONS[3]), "dividend", 0.25, EARLY),
    )
    raw = price(BARS, "AAA")
    late = (1 - 1.25 / (raw[2] / 3)) / 3
    result = adjust_bars(BARS, actions, basis=PriceBasis.RAW, as_of=CLOSE)
    np.testing.assert_allclose(price(result, "AAA"), raw * [late / 2, late, late, 1, 1], rtol=1e-14)


def test_an_action_read_twice_counts_once():
    once = make_actions(("AAA", str(EX), "dividend", 0.5, EARLY))
    again = make_actions(("AAA", str(EX), "dividend", 0.5, "2024-06-20"))
    expected = adjust_bars(BARS, once, basis=PriceBasis.RAW, as_of=CLOSE)
    twice = adjust_bars(BARS, pd.concat([again, once]), basis=PriceBasis.RAW, as_of=CLOSE)
    pd.testing.assert_frame_equal(twice, expected)


def test_the_basis_decides_what_is_applied():
    actions = make_actions(("AAA", str(EX), "split", 4.0, EARLY), ("AAA", str(EX), "dividend", 0.5, EARLY))
    dividend = make_actions(("AAA", str(EX), "dividend", 0.5, EARLY))
    adjusted = adjust_bars(BARS, actions, basis=PriceBasis.SPLIT_ADJUSTED, as_of=CLOSE)
    pd.testing.assert_frame_equal(adjusted, adjust_bars(BARS, dividend, basis=PriceBasis.RAW, as_of=CLOSE))
    untouched = adjust_bars(BARS, actions, basis=PriceBasis.FULLY_ADJUSTED, as_of=CLOSE)
    pd.testing.assert_frame_equal(untouched, BARS)


def test_nothing_is_applied_before_it_was_known():
    known = session_close(SESSIONS[3])
    actions = make_actions(("AAA", str(EX), "split", 4.0, known.isoformat()))
    before = adjust_bars(BARS, actions, basis=PriceBasis.RAW, as_of=session_open(SESSIONS[3]))
    pd.testing.assert_frame_equal(before, BARS)
    assert price(adjust_bars(BARS, actions, basis=PriceBasis.RAW, as_of=known), "AAA")[0] == price(BARS, "AAA")[0] / 4


def test_an_announced_action_is_not_applied_before_its_ex_date_trades():
    actions = make_actions(("AAA", str(SESSIONS[-1]), "split", 4.0, EARLY))
    evening_before = session_close(SESSIONS[-2])
    pd.testing.assert_frame_equal(adjust_bars(BARS, actions, basis=PriceBasis.RAW, as_of=evening_before), BARS)
    morning = datetime.combine(SESSIONS[-1], datetime.min.time(), UTC).replace(hour=10)
    pd.testing.assert_frame_equal(adjust_bars(BARS, actions, basis=PriceBasis.RAW, as_of=morning), BARS)
    opened = adjust_bars(BARS, actions, basis=PriceBasis.RAW, as_of=session_open(SESSIONS[-1]))
    assert price(opened, "AAA")[0] == price(BARS, "AAA")[0] / 4


def test_intraday_bars_change_at_the_open_of_the_ex_date():
    bars = make_bars(SESSIONS, symbols=["AAA"])
    actions = make_actions(("AAA", str(EX), "split", 2.0, EARLY))
    ratio = bars["close"] / adjust_bars(bars, actions, basis=PriceBasis.RAW, as_of=CLOSE)["close"]
    assert (ratio == np.where(bars["ts_utc"] < pd.Timestamp(session_open(EX)), 2.0, 1.0)).all()


def test_a_dividend_above_the_price_is_reported_instead_of_applied():
    actions = make_actions(("AAA", str(EX), "dividend", 500.0, EARLY))
    applied, unadjusted = adjustments(BARS, actions, basis=PriceBasis.RAW, as_of=CLOSE)
    assert applied == []
    assert [(one.symbol, one.ex_date) for one in unadjusted] == [("AAA", EX)]
    assert "not below the previous close" in unadjusted[0].reason
    pd.testing.assert_frame_equal(adjust_bars(BARS, actions, basis=PriceBasis.RAW, as_of=CLOSE), BARS)


def test_an_action_before_the_first_bar_changes_nothing():
    actions = make_actions(("AAA", str(SESSIONS[0]), "split", 4.0, EARLY), ("ZZZ", str(EX), "split", 4.0, EARLY))
    pd.testing.assert_frame_equal(adjust_bars(BARS, actions, basis=PriceBasis.RAW, as_of=CLOSE), BARS)


def test_order_does_not_matter():
    actions = make_actions(("AAA", str(EX), "split", 4.0, EARLY), ("BBB", str(EX), "dividend", 0.5, EARLY))
    expected = adjust_bars(BARS, actions, basis=PriceBasis.RAW, as_of=CLOSE)
    shuffled = BARS.sample(frac=1, random_state=3)
    result = adjust_bars(shuffled, actions.iloc[::-1], basis=PriceBasis.RAW, as_of=CLOSE)
    pd.testing.assert_frame_equal(result, expected)
    pd.testing.assert_frame_equal(sorted_bars(shuffled), BARS)


@pytest.mark.parametrize(
    ("kind", "value"), [("split", 0.0), ("split", -2.0), ("dividend", float("nan")), ("spin-off", 1.0)]
)
def test_impossible_actions_are_refused_by_name(kind, value):
    actions = make_actions(("AAA", str(EX), kind, value, EARLY))
    with pytest.raises(DataError, match="AAA, ex-date 2024-07-02"):
        adjust_bars(BARS, actions, basis=PriceBasis.RAW, as_of=CLOSE)


def test_what_cannot_be_dated_is_refused():
    with pytest.raises(ValueError, match="no time zone"):
        known_actions(None, as_of=datetime(2024, 7, 5))  # noqa: DTZ001
    with pytest.raises(DataError, match="lack the columns known_ts_utc"):
        known_actions(make_actions().drop(columns="known_ts_utc"), as_of=CLOSE)


def test_prices_fetched_before_a_split_are_stale_on_a_split_adjusted_basis_only():
    split = make_actions(("AAA", str(EX), "split", 4.0, EARLY))
    before, after = session_open(EX), session_close(SESSIONS[-1])
    fetched = {day: before if day < EX else after for day in SESSIONS}
    assert stale_sessions(fetched, split, basis=PriceBasis.SPLIT_ADJUSTED) == tuple(SESSIONS[:2])
    assert stale_sessions(fetched, split, basis=PriceBasis.FULLY_ADJUSTED) == tuple(SESSIONS[:2])
    assert stale_sessions(fetched, split, basis=PriceBasis.RAW) == ()
    assert stale_sessions(dict.fromkeys(SESSIONS, after), split, basis=PriceBasis.SPLIT_ADJUSTED) == ()


def test_a_dividend_makes_fully_adjusted_prices_stale_and_no_others():
    dividend = make_actions(("AAA", str(EX), "dividend", 0.5, EARLY))
    fetched = dict.fromkeys(SESSIONS, session_open(EX))
    assert stale_sessions(fetched, dividend, basis=PriceBasis.SPLIT_ADJUSTED) == ()
    assert stale_sessions(fetched, dividend, basis=PriceBasis.FULLY_ADJUSTED) == tuple(SESSIONS[:2])
