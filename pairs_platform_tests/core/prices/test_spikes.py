"""Bars that stand out among normal ones, and moves that only look so."""

import numpy as np
import pandas as pd
import pytest

from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.prices.calendar import sessions_ending
from pairs_platform.core.prices.settings import ValidationSettings
from pairs_platform.core.prices.spikes import spike_factors
from pairs_platform.core.prices.validation import validate_bars
from pairs_platform_tests.support.price_samples import FULL, make_bars, needs_real_data, real_bars

PRICES = ["open", "high", "low", "close"]
DAYS = sessions_ending(FULL, 30)
REASON = "a price is 8 times or more away from those around, which return"


def check(bars, **changes):
    arguments = {"symbols": ["AAA", "BBB"], "sessions": [FULL], "frequency": Frequency.FIVE_MINUTES, **changes}
    return validate_bars(bars, settings=ValidationSettings(), **arguments)


def scaled(bars, rows, factor, columns=PRICES):
    bars = bars.copy()
    bars.loc[rows, columns] *= factor
    return bars


@pytest.mark.parametrize("rows", [[7], [7, 8, 9], [1], [7, 15]])
@pytest.mark.parametrize("factor", [10.0, 100.0, 1000.0, 0.1, 0.001])
def test_a_slip_of_the_decimal_point_is_quarantined_and_its_neighbours_are_not(rows, factor):
    bars = make_bars([FULL])
    result = check(scaled(bars, rows, factor))
    assert result.quarantined["reason"].tolist() == [REASON] * len(rows)
    pd.testing.assert_frame_equal(result.accepted, bars.drop(index=rows).reset_index(drop=True))


@pytest.mark.parametrize("frequency", [Frequency.FIVE_MINUTES, Frequency.ONE_DAY])
@pytest.mark.parametrize("at", [0, 7, -1])
def test_a_session_is_judged_alike_whatever_later_sessions_are_fetched_with_it(frequency, at):
    """No look-ahead: whether a bar stands out is not known from sessions after its own."""
    bars = make_bars(DAYS[:4], frequency=frequency)
    session = pd.to_datetime(bars["ts_utc"]).dt.date
    rows = bars.index[(session == DAYS[2]) & (bars["symbol"] == "AAA")]
    bars = scaled(bars, [rows[at if len(rows) > 1 else 0]], 1000.0)
    until = bars[(session <= DAYS[2]).to_numpy()]
    alone = spike_factors(until, factor=2.0, previous_close={})
    assert np.array_equal(spike_factors(bars, factor=2.0, previous_close={})[bars.index.isin(until.index)], alone)
    assert (alone.max() > 100.0) == (frequency is Frequency.FIVE_MINUTES and at != -1)


def test_one_wrong_price_of_a_bar_is_enough():
    bars = make_bars([FULL])
    assert len(check(scaled(bars, [7], 1000.0, ["high"])).quarantined) == 1
    assert len(check(scaled(bars, [7], 0.001, ["low"])).quarantined) == 1


def test_a_first_bar_is_judged_by_the_close_before():
    bars = scaled(make_bars([FULL]), [0], 100.0)
    assert check(bars).quarantined.empty
    assert len(check(bars, previous_close={"AAA": 50.0}).quarantined) == 1


def test_a_smaller_spike_is_accepted_and_flagged():
    result = check(scaled(make_bars([FULL]), [7, 9], 2.5))
    assert result.quarantined.empty
    (flag,) = result.flags[["symbol", "kind", "detail"]].values.tolist()
    assert flag[:2] == ["AAA", "spike"]
    assert flag[2].startswith("2 bars away by up to 2.")


@pytest.mark.parametrize("rows", [range(40, 78), range(7, 11), [77]])
def test_a_level_that_stays_is_no_spike(rows):
    bars = scaled(make_bars([FULL]), list(rows), 20.0)
    result = check(bars)
    assert result.quarantined.empty
    assert "spike" not in set(result.flags["kind"])


def test_a_split_between_sessions_is_no_spike():
    bars = make_bars(DAYS, frequency=Frequency.ONE_DAY)
    for split in (1, 15, 28):
        assert (spike_factors(scaled(bars, list(range(split)), 20.0), factor=2.0, previous_close={}) == 1.0).all()


def test_a_leap_at_the_end_of_the_data_is_flagged():
    bars = scaled(make_bars([FULL], frequency=Frequency.ONE_DAY), [0], 1000.0)
    result = check(bars, frequency=Frequency.ONE_DAY, previous_close={"AAA": 50.0, "BBB": 50.0})
    (flag,) = result.flags[["symbol", "kind", "detail"]].values.tolist()
    assert flag[:2] == ["AAA", "split_like_jump"]
    assert "to 1, and no action is known" in flag[2]
    assert result.quarantined.empty


def test_order_and_symbols_do_not_matter():
    bars = scaled(make_bars([FULL]), [7, 90], 1000.0)
    shuffled = bars.sample(frac=1.0, random_state=3)
    found = spike_factors(shuffled, factor=1.5, previous_close={})
    assert sorted(shuffled.index[found > 1.0]) == [7, 90]
    assert np.allclose(found[found > 1.0], 1000.0, rtol=0.1)


@needs_real_data
@pytest.mark.parametrize(("name", "n"), [("real_daily.parquet", 0), ("real_intraday_1h.parquet", 0)])
def test_of_real_prices_hardly_one_stands_out(name, n):
    found = spike_factors(real_bars(name), factor=1.5, previous_close={})
    assert (found > 1.0).sum() == n
    assert found.max() < 2.0
