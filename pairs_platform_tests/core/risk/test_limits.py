import math
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from pairs_platform.core.risk.denials import DenialCode, UnusableInput
from pairs_platform.core.risk.exposure import Exposure
from pairs_platform.core.risk.limits import (
    TRIMMED,
    EquityMarks,
    Limit,
    LimitAction,
    NakedLeg,
    Operation,
    PairDay,
    book_breaches,
    entry_breaches,
    equity_marks,
    exposure_breaches,
    loss_breaches,
    naked_breaches,
    operation_breaches,
    pair_breaches,
)
from pairs_platform.core.risk.settings import LimitSettings
from pairs_platform_tests.support.risk_entries import MARKET, NOW, book, holding, quiet_market

LIMITS = LimitSettings()
CALM = Exposure(
    gross=0.5, net=0.0, beta_net=0.0, pairs={"A_B": 0.05}, names={"A": 0.03}, sectors={"technology": 0.2},
    sharing={"A": 1}, volatility=0.03, value_at_risk=0.01, expected_shortfall=0.012, days=60,
)  # fmt: skip


def acted(breaches):
    return [(each.limit, each.action) for each in breaches]


def test_a_calm_book_breaks_nothing():
    assert exposure_breaches(CALM, LIMITS) == ()


DENY, TRIM, REDUCE = LimitAction.DENY, LimitAction.TRIM, LimitAction.REDUCE
EXPOSURES = {
    Limit.GROSS: (lambda v: {"gross": v}, [0, 1.49, 1.5], [1.51]),
    Limit.NET: (lambda v: {"net": v}, [-0.1, 0.099, 0.1], [-0.101, 0.101]),
    Limit.BETA_NET: (lambda v: {"beta_net": v}, [-0.05, 0.049, 0.05], [-0.051, 0.051]),
    Limit.PAIR_GROSS: (lambda v: {"pairs": {"A_B": v}}, [0.099, 0.1], [0.101]),
    Limit.NAME: (lambda v: {"names": {"A": v}}, [0.079, 0.08], [0.081]),
    Limit.SECTOR_GROSS: (lambda v: {"sectors": {"energy": v}}, [0.59, 0.6], [0.61]),
    Limit.OPEN_PAIRS: (lambda v: {"pairs": {f"A_{n}": 0.01 for n in range(v)}}, [14, 15], [16]),
    Limit.PAIRS_OF_SYMBOL: (lambda v: {"sharing": {"A": v}}, [2, 3], [4]),
    Limit.VOLATILITY: (lambda v: {"volatility": v}, [0.079, 0.08], [0.081]),
    Limit.VALUE_AT_RISK: (lambda v: {"value_at_risk": v}, [-0.01, 0.019, 0.02], [0.021, math.nan]),
    Limit.EXPECTED_SHORTFALL: (lambda v: {"expected_shortfall": v}, [0.024, 0.025], [0.026, math.nan]),
}


@pytest.mark.parametrize("limit", EXPOSURES, ids=str)
def test_an_exposure_is_within_its_limit_up_to_the_bound(limit):
    change, within, beyond = EXPOSURES[limit]
    action = REDUCE if limit in (Limit.VALUE_AT_RISK, Limit.EXPECTED_SHORTFALL) else DENY
    assert [value for value in within if exposure_breaches(replace(CALM, **change(value)), LIMITS)] == []
    for value in beyond:
        assert (limit, action) in acted(exposure_breaches(replace(CALM, **change(value)), LIMITS)), value


def test_the_stress_of_the_largest_symbol_is_a_fifth_of_it():
    loose = LimitSettings(max_name=1)
    assert exposure_breaches(replace(CALM, names={"A": 0.149, "B": 0.15}), loose) == ()
    assert acted(exposure_breaches(replace(CALM, names={"A": 0.149, "B": 0.151}), loose)) == [(Limit.STRESS, DENY)]


@pytest.mark.parametrize("limit", TRIMMED, ids=str)
def test_prices_may_carry_the_book_a_little_beyond_before_every_pair_is_made_smaller(limit):
    name, bound = str(limit), getattr(LIMITS, f"max_{limit}")
    assert acted(exposure_breaches(replace(CALM, **{name: 1.05 * bound}), LIMITS)) == [(limit, DENY)]
    _, trim = exposure_breaches(replace(CALM, **{name: 1.25 * bound}), LIMITS)
    assert (trim.action, trim.keep) == (TRIM, pytest.approx(0.8))
    assert "20.0% of every pair is closed" in trim.message


def test_too_few_days_are_no_measure():
    assert exposure_breaches(replace(CALM, days=40), LIMITS) == ()
    found = exposure_breaches(replace(CALM, days=39), LIMITS)
    assert acted(found) == [(Limit.VALUE_AT_RISK, REDUCE), (Limit.EXPECTED_SHORTFALL, REDUCE)]
    assert "from 39 days, 40 are needed" in found[0].message


def test_an_entry_answers_for_what_it_makes_worse():
    after = replace(CALM, gross=1.6, sectors={"technology": 0.2, "energy": 0.7})
    assert [each.limit for each in entry_breaches(CALM, after, LIMITS)] == [Limit.GROSS, Limit.SECTOR_GROSS]
    before = replace(after, gross=1.55)
    assert [each.limit for each in entry_breaches(before, after, LIMITS)] == [Limit.GROSS]


def test_a_book_that_cannot_be_measured_takes_no_entries_and_says_why():
    held = book(holding(), prices={"AMD": math.nan, "TXN": 80.0})
    assert acted(book_breaches(held, MARKET, LIMITS)) == [(Limit.UNMEASURED, REDUCE)]
    assert "the price of AMD is nan" in book_breaches(held, MARKET, LIMITS)[0].message
    assert acted(book_breaches(book(), None, LIMITS)) == [(Limit.UNMEASURED, REDUCE)]
    assert book_breaches(book(holding()), MARKET, LIMITS) == ()
    assert Limit.VALUE_AT_RISK in [
        each.limit for each in book_breaches(book(holding()), quiet_market(scale=0.9), LIMITS)
    ]


def marks(**changes):
    return replace(
        EquityMarks(now=100.0, session_low=100.0, session_open=100.0, week_open=100.0, high=100.0), **changes
    )


FLATTEN = LimitAction.FLATTEN_ALL
LOSSES = {
    Limit.SOFT_DAILY_LOSS: (lambda v: {"session_low": 100 - v}, 1.0, REDUCE),
    Limit.HARD_DAILY_LOSS: (lambda v: {"now": 100 - v, "week_open": 90.0, "high": 100.0}, 2.0, FLATTEN),
    Limit.WEEKLY_LOSS: (lambda v: {"now": 100 - v, "session_open": 90.0}, 4.0, FLATTEN),
    Limit.DRAWDOWN: (lambda v: {"now": 100 - v, "session_open": 80.0, "week_open": 80.0}, 8.0, FLATTEN),
}


@pytest.mark.parametrize("limit", LOSSES, ids=str)
def test_a_loss_acts_at_its_bound(limit):
    change, bound, action = LOSSES[limit]
    assert loss_breaches(marks(**change(0.99 * bound)), LIMITS) == ()
    for loss in (bound, 1.01 * bound):
        assert acted(loss_breaches(marks(**change(loss)), LIMITS)) == [(limit, action)]


def test_a_soft_loss_ends_entries_until_the_next_session_though_it_is_made_good():
    assert acted(loss_breaches(marks(session_low=98.9, now=101.0), LIMITS)) == [(Limit.SOFT_DAILY_LOSS, REDUCE)]


@pytest.mark.parametrize("value", [math.nan, None, math.inf])
def test_equity_that_is_none_flattens_nothing_and_ends_entries(value):
    found = loss_breaches(marks(now=value), LIMITS)
    assert {each.action for each in found} == {REDUCE}
    assert loss_breaches(marks(high=0.0), LIMITS)[0].action is REDUCE


class TestMarks:
    """A curve over a week-end: Thursday's and Friday's closes, then Monday from its open on."""

    OPEN = NOW.replace(hour=14, minute=30)
    CURVE = (
        (OPEN - timedelta(days=5), 110.0),
        (OPEN - timedelta(days=3, hours=17), 100.0),
        (OPEN + timedelta(minutes=5), 97.0),
        (OPEN + timedelta(minutes=10), 99.0),
    )

    def marks(self, **changes):
        return equity_marks(self.CURVE, session_open_utc=self.OPEN, week_open_utc=self.OPEN, **changes)

    def test_losses_count_from_before_the_night(self):
        assert self.marks() == EquityMarks(now=99.0, session_low=97.0, session_open=100.0, week_open=100.0, high=110.0)

    def test_a_limit_does_not_engage_again_what_a_person_released(self):
        released = self.OPEN + timedelta(minutes=10)
        assert acted(loss_breaches(self.marks(), LIMITS)) == [
            (Limit.SOFT_DAILY_LOSS, REDUCE),
            (Limit.DRAWDOWN, FLATTEN),
        ]
        assert loss_breaches(self.marks(released_utc=released), LIMITS) == ()
        later = (*self.CURVE, (released + timedelta(minutes=1), 97.0))
        found = equity_marks(later, session_open_utc=self.OPEN, week_open_utc=self.OPEN, released_utc=released)
        assert Limit.HARD_DAILY_LOSS in [each.limit for each in loss_breaches(found, LIMITS)], "and what follows counts"

    def test_an_old_release_does_not_hide_the_night(self):
        assert self.marks(released_utc=self.OPEN - timedelta(days=4)).session_open == 100.0
        assert self.marks(released_utc=self.OPEN - timedelta(days=4)).high == 110.0

    def test_without_a_curve_there_are_no_marks(self):
        for points in ((), ((self.OPEN, math.nan),), ((self.OPEN.replace(tzinfo=None), 1.0),)):
            with pytest.raises(UnusableInput):
                equity_marks(points, session_open_utc=self.OPEN, week_open_utc=self.OPEN)


def test_a_pair_that_lost_too_much_is_closed_and_locked():
    assert pair_breaches([PairDay(pair="A_B", result=-499.0)], 100_000.0, LIMITS) == ()
    for result in (-500.0, -501.0):
        found = pair_breaches([PairDay(pair="A_B", result=result)], 100_000.0, LIMITS)
        assert acted(found) == [(Limit.PAIR_LOSS, LimitAction.CLOSE_PAIR)]
    assert acted(pair_breaches([PairDay(pair="A_B", result=math.nan)], 100_000.0, LIMITS)) == [
        (Limit.PAIR_LOSS, LimitAction.LOCK_PAIR)
    ]


def test_stops_and_a_fresh_stop_lock_a_pair():
    lock = LimitAction.LOCK_PAIR

    def found(stops, bars, half_life=6.0):
        day = PairDay(pair="A_B", result=0.0, stops=stops, bars_since_stop=bars, half_life_bars=half_life)
        return acted(pair_breaches([day], 100_000.0, LIMITS))

    assert found(2, 6) == found(0, None, math.nan) == []
    assert found(3, 7) == found(4, 7) == [(Limit.STOPS, lock)]
    assert found(1, 5) == found(1, 0) == [(Limit.COOL_DOWN, lock)]
    assert found(1, 500, math.nan) == [(Limit.COOL_DOWN, lock)], "a half-life that is not known has not passed"


def test_a_leg_is_flattened_that_is_naked_with_too_much_for_too_long():
    def found(value, seconds):
        leg = NakedLeg(pair="A_B", value=value, since_utc=NOW - timedelta(seconds=seconds))
        breaches = naked_breaches([leg], equity=100_000.0, now_utc=NOW, max_seconds=30.0, limits=LIMITS)
        return acted(breaches)

    flatten = [(Limit.NAKED_LEG, LimitAction.FLATTEN_PAIR)]
    assert found(999.0, 300) == found(1000.0, 300) == found(5000.0, 29) == found(5000.0, 30) == []
    assert found(1001.0, 31) == found(5000.0, 30.5) == flatten
    for value in (math.nan, -1.0, None):
        assert found(value, 1) == flatten


OPERATIONS = {
    Limit.REJECTS: (lambda v: {"consecutive_rejects": v}, [0, 2], [3, 4]),
    Limit.RECONCILIATION: (lambda v: {"unexplained": v}, [0], [1, 2]),
    Limit.STREAM: (lambda v: {"stream_silent_seconds": v}, [0, 59.9], [60, 61, math.nan]),
}


@pytest.mark.parametrize("limit", OPERATIONS, ids=str)
def test_what_does_not_work_ends_entries_at_its_bound(limit):
    change, within, acting = OPERATIONS[limit]
    assert [value for value in within if operation_breaches(Operation(**change(value)), LIMITS)] == []
    for value in acting:
        assert acted(operation_breaches(Operation(**change(value)), LIMITS)) == [(limit, REDUCE)]


def test_slippage_beyond_twice_the_assumed_halves_entries():
    def found(slippages, assumed=1.5):
        return acted(operation_breaches(Operation(slippages=slippages, assumed_slippage_bps=assumed), LIMITS))

    assert found([2.9] * 20) == found([3.0] * 20) == []
    assert found([3.01] * 20) == [(Limit.SLIPPAGE, LimitAction.HALVE)]
    assert found([30.0] * 19) == [], "nineteen trades say too little"
    assert found([30.0] * 5 + [1.0] * 20) == [], "the newest count"
    assert found([math.nan] + [1.0] * 19) == [(Limit.SLIPPAGE, LimitAction.HALVE)]


def test_the_document_names_every_code_limit_and_action():
    text = (Path(__file__).parents[3] / "docs" / "risk.md").read_text(encoding="utf-8")
    assert [code for code in (*DenialCode, *Limit) if f"`{code}`" not in text] == []
    assert [action for action in LimitAction if f"`{action.name}`" not in text] == []
