import math
from datetime import date, timedelta

import numpy as np
import pytest

from pairs_platform.core.risk.checks import check_entry
from pairs_platform.core.risk.denials import DenialCode, Effect
from pairs_platform.core.risk.exposure import peak_exposure
from pairs_platform.core.risk.limits import Limit
from pairs_platform.core.risk.settings import EntrySettings, LimitSettings, RiskSettings
from pairs_platform.core.risk.trading_state import Standing, TradingState
from pairs_platform_tests.support.risk_entries import (
    MARKET,
    NOW,
    PRICES,
    account,
    book,
    context,
    holding,
    quiet_market,
    request,
)

SETTINGS = RiskSettings()
SECONDS, MINUTES = (lambda n: timedelta(seconds=n)), (lambda n: timedelta(minutes=n))


def codes(a_request=None, a_context=None, settings=SETTINGS):
    decision = check_entry(a_request or request(), a_context or context(), settings)
    assert (decision.quantities is None) == any(each.effect is not Effect.CUT for each in decision.denials)
    return [each.code for each in decision.denials]


def entries(**changes):
    return RiskSettings(entries=EntrySettings(**changes))


def limits(**changes):
    return RiskSettings(limits=LimitSettings(**changes))


def test_the_entry_of_the_tests_satisfies_every_check():
    decision = check_entry(request(), context(), SETTINGS)
    assert decision.denials == ()
    assert decision.code == ""
    assert (decision.quantities.y, decision.quantities.x) == (72, -108)


BY_VALUE = {
    DenialCode.CLOSE_NEAR: (lambda v: codes(a_context=context(close_utc=NOW + MINUTES(v))), [10.01, 10], [9.99, 0.1]),
    DenialCode.MARKET_CLOSED: (lambda v: codes(a_context=context(close_utc=NOW + SECONDS(v))), [3600, 1200], [0, -1]),
    DenialCode.SIGNAL_OLD: (lambda v: codes(request(bar_end_utc=NOW - SECONDS(v))), [0, 59, 60], [60.001, 3600]),
    DenialCode.DATA_OLD: (lambda v: codes(request(x={"data_age_bars": v})), [0, 1, 2], [3, 100]),
    DenialCode.MOVE_BELOW_COST: (lambda v: codes(request(expected_move=v)), [9e-4, 8e-4], [7.99e-4, 0.0]),
    DenialCode.PRICE_FROM_LAST: (
        lambda v: codes(request(y={"limit_price": 50.0 * (1 + v)}), settings=entries(max_from_quote_bps=5000)),
        [-0.02, 0.0, 0.0199, 0.02],
        [-0.0201, 0.0201, 1.0],
    ),
    DenialCode.PRICE_FROM_QUOTE: (
        lambda v: codes(request(x={"limit_price": 39.992 * (1 - v * 1e-4)})),
        [-50, 0, 49, 50],
        [-51, 50.1],
    ),
    DenialCode.BUYING_POWER: (
        # $3,607.20 for the long leg, 1.03 times the ask of $40.008 for each of 108 shares of the short one.
        lambda v: codes(a_context=context(account=account(buying_power=40_000 + 3_607.2 + 108 * 1.03 * 40.008 + v))),
        [1.0, 1e-6],
        [-0.01, -40_000],
    ),
    DenialCode.HEDGE_ERROR: (
        lambda v: codes(settings=entries(max_hedge_error=v), a_request=request(x={"quantity": -104})),
        [0.0207, 0.5],
        [0.0206, 1e-6],
    ),
    DenialCode.ORDER_NOTIONAL: (lambda v: codes(settings=entries(max_order_notional=v)), [4_321, 4_320], [4_319, 500]),
    DenialCode.ORDER_SHARES: (lambda v: codes(settings=entries(max_order_shares=v)), [109, 108], [107, 5]),
    DenialCode.ORDER_VOLUME: (
        lambda v: codes(a_context=context(symbols={"ROG": {"mean_daily_volume": v}})),
        [1e6, 10_800],
        [10_799, 500],
    ),
    DenialCode.ACCOUNT_ORDER_RATE: (
        lambda v: codes(a_context=context(sent=tuple((NOW - SECONDS(1), "AMD") for _ in range(v)))),
        [0, 57, 58],
        [59, 60],
    ),
    DenialCode.SYMBOL_ORDER_RATE: (
        lambda v: codes(a_context=context(sent=tuple((NOW - SECONDS(1), "ROG") for _ in range(v)))),
        [0, 4, 5],
        [6, 7],
    ),
    DenialCode.EX_DATE: (
        lambda v: codes(a_context=context(symbols={"ROG": {"ex_dates": (date(2026, 3, 10) + timedelta(days=v),)}})),
        [-1, 4, 30],
        [0, 1, 3],
    ),
    Limit.GROSS: (lambda v: codes(settings=limits(max_gross=v)), [0.08, 0.0792], [0.0791, 0.01]),
    Limit.NET: (lambda v: codes(settings=limits(max_net=v)), [0.01, 0.0072], [0.0071, 0.001]),
    Limit.PAIR_GROSS: (lambda v: codes(settings=limits(max_pair_gross=v)), [0.08, 0.0792], [0.0791, 0.01]),
    Limit.NAME: (lambda v: codes(settings=limits(max_name=v)), [0.05, 0.0432], [0.0431, 0.01]),
    Limit.SECTOR_GROSS: (lambda v: codes(settings=limits(max_sector_gross=v)), [0.08, 0.0792], [0.0791, 0.01]),
    Limit.STRESS: (lambda v: codes(settings=limits(max_stress_loss=v)), [0.00865, 0.00864], [0.00863, 0.001]),
    Limit.OPEN_PAIRS: (
        lambda v: codes(a_context=context(book=book(holding())), settings=limits(max_open_pairs=v)),
        [3, 2],
        [1],
    ),
    Limit.PAIRS_OF_SYMBOL: (
        lambda v: codes(
            a_context=context(book=book(holding("PDFS_TXN", (5, -3)))), settings=limits(max_pairs_of_symbol=v)
        ),
        [3, 2],
        [1],
    ),
}
"""Each check with a bound: what answers a value, the values that pass (below and at the bound), and those beyond."""


@pytest.mark.parametrize("code", BY_VALUE, ids=str)
def test_a_check_passes_up_to_its_bound_and_not_beyond(code):
    asked, passing, beyond = BY_VALUE[code]
    assert [value for value in passing if asked(value)] == []
    assert [value for value in beyond if code not in asked(value)] == []


BY_STATE = {
    DenialCode.TRADING_STATE: (
        lambda v: codes(a_context=context(standing=Standing(state=v))),
        [TradingState.ACTIVE],
        [TradingState.REDUCING, TradingState.HALTED],
    ),
    DenialCode.MARKET_CLOSED: (lambda v: codes(a_context=context(session=v)), [date(2026, 3, 10)], [None]),
    DenialCode.CONFIGURATION_DAY: (
        lambda v: codes(request(session=v)),
        [date(2026, 3, 10)],
        [date(2026, 3, 9), date(2026, 3, 11)],
    ),
    DenialCode.CONFIGURATION_CHANGED: (lambda v: codes(request(config_hash=v)), ["c0ffee"], ["c0ffef", "", None]),
    DenialCode.MODEL_CHANGED: (lambda v: codes(request(model_version=v)), [4, None], [3, 5]),
    DenialCode.DUPLICATE_INTENT: (
        lambda v: codes(a_context=context(intents=frozenset({("PDFS_ROG", NOW - SECONDS(v), "enter_long")}))),
        [0, 330],
        [30],
    ),
    DenialCode.PAIR_LOCKED: (
        lambda v: codes(a_context=context(locked={v: "stopped twice"})), ["AMD_TXN"], ["PDFS_ROG"],
    ),
    DenialCode.DRIFT: (
        lambda v: codes(a_context=context(drifted={v: "β has moved"})), ["AMD_TXN"], ["PDFS_ROG"],
    ),
    DenialCode.PAIR_HELD: (
        lambda v: codes(a_context=context(book=book(holding(v, (1, -1))))), ["AMD_TXN"], ["PDFS_ROG"],
    ),
    DenialCode.OPPOSING_ORDER: (
        lambda v: codes(a_context=context(symbols={"PDFS": {"working": v}})), [(), (5,)], [(-5,), (5, -1)],
    ),
    DenialCode.ACCOUNT_BLOCKED: (lambda v: codes(a_context=context(account=account(blocked=v))), [False], [True]),
    DenialCode.SHORTING_DISABLED: (
        lambda v: codes(a_context=context(account=account(shorting_enabled=v))), [True], [False],
    ),
    DenialCode.NOT_TRADABLE: (lambda v: codes(a_context=context(symbols={"PDFS": {"tradable": v}})), [True], [False]),
    DenialCode.NOT_EASY_TO_BORROW: (
        lambda v: codes(a_context=context(symbols={"ROG": {"borrow_status": v}})),
        ["easy_to_borrow"],
        ["hard_to_borrow", "", "something new"],
    ),
    DenialCode.FRACTIONAL_SHARES: (lambda v: codes(request(x={"quantity": v})), [-108, -108.0], [-107.5]),
    DenialCode.NO_HEDGE: (lambda v: codes(request(x={"quantity": v})), [-108], [108]),
}  # fmt: skip
"""The same for checks of a state."""


@pytest.mark.parametrize("code", BY_STATE, ids=str)
def test_a_check_of_a_state_passes_what_is_right_and_nothing_else(code):
    asked, passing, beyond = BY_STATE[code]
    assert [value for value in passing if asked(value)] == []
    assert [value for value in beyond if code not in asked(value)] == []


def test_only_the_short_leg_needs_a_loan():
    assert codes(a_context=context(symbols={"PDFS": {"borrow_status": "hard_to_borrow"}})) == []


def test_every_code_that_an_entry_can_have_is_tested_with_values_on_both_sides_of_its_bound():
    elsewhere = {
        DenialCode.UNUSABLE_INPUT, DenialCode.BEYOND_STOP, Limit.VOLATILITY, Limit.BETA_NET,
        Limit.VALUE_AT_RISK, Limit.EXPECTED_SHORTFALL,
    }  # fmt: skip
    of_the_day = set(list(Limit)[list(Limit).index(Limit.UNMEASURED) :])
    assert {*BY_VALUE, *BY_STATE, *elsewhere} == {*DenialCode, *Limit} - of_the_day
    assert not {str(code) for code in DenialCode} & {str(limit) for limit in Limit}, "an outcome names its reason alone"


def test_market_beta_and_history_of_the_book_after_the_entry():
    beta_net = abs(0.036 * MARKET.betas[0] - 0.0432 * MARKET.betas[1])
    assert codes(settings=limits(max_beta_net=beta_net * 1.001)) == []
    assert codes(settings=limits(max_beta_net=beta_net * 0.999)) == [Limit.BETA_NET]
    wild = context(market=quiet_market(scale=0.3))
    assert {Limit.VALUE_AT_RISK, Limit.EXPECTED_SHORTFALL} <= set(
        codes(a_context=wild, settings=limits(max_volatility=5))
    )
    short = context(market=quiet_market(days=39))
    assert codes(a_context=short) == [Limit.VALUE_AT_RISK, Limit.EXPECTED_SHORTFALL]
    assert codes(a_context=context(market=quiet_market(days=40))) == []


def test_all_reasons_are_answered_in_one_order():
    bad = request(config_hash="", expected_move=0.0, y={"data_age_bars": 9})
    where = context(close_utc=NOW + MINUTES(5), symbols={"ROG": {"tradable": False}})
    expected = [
        DenialCode.CLOSE_NEAR, DenialCode.DATA_OLD, DenialCode.CONFIGURATION_CHANGED, DenialCode.MOVE_BELOW_COST,
        DenialCode.NOT_TRADABLE,
    ]  # fmt: skip
    assert codes(bad, where) == expected == codes(bad, where)
    assert check_entry(bad, where, SETTINGS).code == "close_near"


def test_a_message_names_the_thing_the_value_and_the_limit():
    denial = check_entry(request(y={"data_age_bars": 9}), context(), SETTINGS).denials[0]
    assert denial.message == "the newest bar of PDFS is 9 bars old, 2 pass"
    denial = check_entry(request(), context(), limits(max_name=0.04)).denials[0]
    assert denial.message == "value to equity after netting of ROG would be up to 4.32%, the limit is 4.00%"


NONE = (math.nan, math.inf, -1.0, None)


@pytest.mark.parametrize("value", NONE)
@pytest.mark.parametrize(
    "asked",
    [
        lambda v: codes(request(expected_move=v)),
        lambda v: codes(request(x={"data_age_bars": v})),
        lambda v: codes(request(y={"limit_price": v, "quantity": 72}), context(symbols={"PDFS": {"ask": v}})),
        lambda v: codes(a_context=context(symbols={"ROG": {"bid": v}}), a_request=request(x={"limit_price": 39.9})),
        lambda v: codes(a_context=context(symbols={"ROG": {"mean_daily_volume": v}})),
        lambda v: codes(a_context=context(round_trip_bps=v)),
        lambda v: codes(a_context=context(account=account(buying_power=v))),
        lambda v: codes(a_context=context(account=account(multiplier=v))),
        lambda v: codes(a_context=context(book=book(equity=v))),
        lambda v: codes(a_context=context(book=book(prices={"PDFS": 50.0, "ROG": v}))),
        lambda v: codes(a_context=context(book=book(holding(), prices={**PRICES, "AMD": v}))),
    ],
)  # fmt: skip
def test_a_number_that_is_none_has_a_reason_of_its_own_and_never_passes(asked, value):
    assert DenialCode.UNUSABLE_INPUT in asked(value)


@pytest.mark.parametrize(
    ("a_request", "a_context"),
    [
        (request(beta=math.nan), context()),
        (request(beta=0.0), context()),
        (request(y={"quantity": math.nan}), context()),
        (request(y={"quantity": 0}, x={"quantity": 0}), context()),
        (request(bar_end_utc=NOW + SECONDS(1)), context()),
        (request(bar_end_utc=NOW.replace(tzinfo=None)), context()),
        (request(horizon_end=date(2026, 3, 9)), context()),
        (request(horizon_end=None), context()),
        (request(session=None), context()),
        (request(bar_end_utc=None), context()),
        (request(sector=""), context()),
        (request(), context(now_utc=None)),
        (request(), context(close_utc=None)),
        (request(), context(market=None)),
        (request(), context(market=quiet_market(("AMD", "TXN")))),
        (request(), context(symbols={"PDFS": {"ex_dates": None}})),
        (request(y={"symbol": "NEW"}), context()),
        (request(), context(book=book(holding("AMD_TXN", (math.nan, -1))))),
    ],
)
def test_what_is_missing_or_cannot_be_has_a_reason_of_its_own(a_request, a_context):
    assert DenialCode.UNUSABLE_INPUT in codes(a_request, a_context)


def test_one_reason_is_said_once():
    found = codes(a_context=context(book=book(prices={"PDFS": math.nan, "ROG": 40.0})))
    assert found.count(DenialCode.UNUSABLE_INPUT) == 1


def test_a_broker_without_quotes_says_so_and_then_none_is_asked_for():
    at_open = request(y={"limit_price": None}, x={"limit_price": None})
    unquoted = {name: {"bid": None, "ask": None} for name in ("PDFS", "ROG")}
    assert codes(at_open, context(has_quotes=False, symbols=unquoted)) == []
    assert DenialCode.UNUSABLE_INPUT in codes(at_open, context(symbols=unquoted))


class TestCut:
    def test_a_larger_entry_is_cut_and_stays_hedged(self):
        decision = check_entry(request(), context(), entries(max_order_shares=54))
        assert [each.effect for each in decision.denials] == [Effect.CUT, Effect.CUT]
        assert (decision.quantities.y, decision.quantities.x) == (36, -54)
        assert decision.code == ""

    def test_what_is_cut_to_nothing_is_denied(self):
        decision = check_entry(request(), context(symbols={"ROG": {"mean_daily_volume": 20.0}}), SETTINGS)
        assert decision.quantities is None
        assert decision.code == DenialCode.ORDER_VOLUME

    def test_what_is_cut_so_far_that_it_is_no_hedge_is_denied(self):
        decision = check_entry(request(), context(), entries(max_order_shares=2))
        assert decision.quantities is None
        assert decision.code == DenialCode.HEDGE_ERROR

    def test_the_volatility_of_the_book_scales_an_entry_and_is_kept_by_whole_shares(self):
        whole = check_entry(request(), context(), limits(max_volatility=0.02)).quantities
        assert (whole.y, whole.x) == (72, -108)
        decision = check_entry(request(), context(), limits(max_volatility=0.004))
        assert [(each.code, each.effect) for each in decision.denials] == [(Limit.VOLATILITY, Effect.CUT)]
        assert 0 < decision.quantities.y < 72
        again = request(y={"quantity": decision.quantities.y}, x={"quantity": decision.quantities.x})
        assert codes(again, settings=limits(max_volatility=0.004)) == []

    def test_whole_shares_keep_the_volatility_of_the_book_wherever_its_limit_is(self):
        """Rounding up the shares of x may use more of it than the share of the entry that was computed."""
        for limit in np.linspace(0.002, 0.006, 25):
            rules = RiskSettings(entries=EntrySettings(max_hedge_error=1), limits=LimitSettings(max_volatility=limit))
            decision = check_entry(request(), context(), rules)
            assert [each.effect for each in decision.denials] == [Effect.CUT], limit

    @pytest.mark.parametrize(
        ("name", "whole"),
        # 30 AMD and −40 TXN are $3,000 and −$3,200 of the book; the entry is $3,600 and −$4,320.
        [("gross", 0.0792 + 0.062), ("net", 0.0072 + 0.002), ("beta_net", None)],
    )
    def test_an_entry_gets_the_room_that_a_limit_of_the_book_has_left(self, name, whole):
        """Half of what it would add."""
        where = context(book=book(holding()))
        peak = peak_exposure(where.book.with_holding(holding("PDFS_ROG", (72, -108))), MARKET)
        before = peak_exposure(where.book, MARKET)
        assert whole is None or getattr(peak, name) == pytest.approx(whole)
        limit = (getattr(peak, name) + getattr(before, name)) / 2
        decision = check_entry(request(), where, limits(**{f"max_{name}": limit}))
        assert [(str(each.code), each.effect) for each in decision.denials] == [(name, Effect.CUT)]
        assert "% of the entry keeps " in decision.denials[0].message
        kept = decision.quantities
        after = peak_exposure(where.book.with_holding(holding("PDFS_ROG", (kept.y, kept.x))), MARKET)
        assert getattr(after, name) <= limit * (1 + 1e-9)
        assert 0.4 * 72 < kept.y <= 0.5 * 72

    @pytest.mark.parametrize("name", ["gross", "net", "beta_net"])
    def test_a_limit_without_room_denies_the_entry(self, name):
        where = context(book=book(holding()))
        limit = getattr(peak_exposure(where.book, MARKET), name)
        decision = check_entry(request(), where, limits(**{f"max_{name}": limit}))
        assert decision.quantities is None
        assert name in {str(each.code) for each in decision.denials if each.effect is Effect.DENY}

    def test_a_book_that_is_too_volatile_already_takes_no_entry(self):
        decision = check_entry(request(), context(book=book(holding())), limits(max_volatility=0.001))
        assert (decision.quantities, decision.code) == (None, Limit.VOLATILITY)


class TestWait:
    def test_orders_of_the_last_minute_alone_count_and_the_answer_says_when_to_ask_again(self):
        sent = tuple((NOW - SECONDS(n), "ROG") for n in (90, 60, 50, 40, 30, 20, 10, 5))
        denial = check_entry(request(), context(sent=sent), SETTINGS).denials[0]
        assert (denial.code, denial.effect) == (DenialCode.SYMBOL_ORDER_RATE, Effect.WAIT)
        assert denial.not_before_utc == NOW + SECONDS(10)
        assert codes(a_context=context(sent=sent, wall_utc=denial.not_before_utc)) == []

    def test_an_opposing_order_is_waited_for_without_a_time(self):
        decision = check_entry(request(), context(symbols={"ROG": {"working": (7,)}}), SETTINGS)
        assert [(each.effect, each.not_before_utc) for each in decision.denials] == [(Effect.WAIT, None)]
        assert decision.quantities is None


class TestBook:
    def test_another_pair_is_no_shelter_because_it_may_leave(self):
        """Short 40 PDFS of another pair hides an entry of 72 PDFS only as long as that pair stays."""
        other = holding("PDFS_TXN", (-40, 25))
        assert Limit.NAME in codes(a_context=context(book=book(other)), settings=limits(max_name=0.035))

    def test_a_limit_that_the_entry_does_not_make_worse_is_no_reason(self):
        beyond = holding("AMD_TXN", (90, -112), sector="financial")
        assert codes(a_context=context(book=book(beyond)), settings=limits(max_net=1, max_beta_net=1)) == []

    def test_foreign_positions_are_exposure(self):
        assert codes(
            a_context=context(book=book(foreign={"PDFS": 90.0})), settings=limits(max_net=1, max_beta_net=1)
        ) == [Limit.NAME]
