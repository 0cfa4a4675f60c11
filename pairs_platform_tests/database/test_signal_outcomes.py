"""Outcomes of signals on both databases: one for each signal that asks for a trade, and the first one stays."""

import pytest
import sqlalchemy as sa

from pairs_platform.core.time import moment_utc
from pairs_platform.database.signal_outcomes import (
    SignalOutcome,
    outcome_rows,
    signals_without_outcome,
    store_outcomes,
)
from pairs_platform.database.signals import store_signals
from pairs_platform_tests.database.conftest import ON_SQLITE
from pairs_platform_tests.database.test_signals import GIVEN, LENGTH_NS, LIVE, OPEN_NS, REPLAY, signal
from pairs_platform_tests.support.trades import at

BAR = moment_utc(OPEN_NS)


def outcome(pair="A_B", **given) -> SignalOutcome:
    return SignalOutcome(**{"pair": pair, "bar_utc": BAR, "outcome": "filled", "account": "PA1", **given})


@pytest.fixture
def signals(database):
    """Two bars of an entry, an exit, and a signal that asks for nothing."""
    for bar in (0, 1):
        asked = [signal("A_B", bar), signal("A_C", bar, action="exit"), signal("A_D", bar, action="hold")]
        store_signals(database, LIVE, asked, GIVEN)
    return database


def test_what_asks_for_a_trade_waits_for_an_outcome(signals):
    def waiting() -> list[tuple]:
        return [(row["bar_utc"], row["pair"]) for row in signals_without_outcome(signals, LIVE)]

    later = moment_utc(OPEN_NS + LENGTH_NS)
    assert waiting() == [(BAR, "A_B"), (BAR, "A_C"), (later, "A_B"), (later, "A_C")]
    denied = outcome("A_C", outcome="denied", code="buying_power", message="it needs $20,000 \0")
    assert store_outcomes(signals, LIVE, [outcome(spread_order_id="t1"), denied], at()) == 2
    assert waiting() == [(later, "A_B"), (later, "A_C")]
    rows = outcome_rows(signals, LIVE)
    assert [(row["pair"], row["action"], row["outcome"], row["code"], row["spread_order_id"]) for row in rows] == [
        ("A_B", "enter_short", "filled", "", "t1"),
        ("A_C", "exit", "denied", "buying_power", None),
    ]
    assert (rows[1]["message"], rows[1]["decided_utc"]) == ("it needs $20,000 \ufffd", at().utc)
    assert outcome_rows(signals, REPLAY) == []


@ON_SQLITE
def test_the_first_outcome_stays_but_for_shares_that_fill_after_all(signals):
    assert store_outcomes(signals, LIVE, [outcome(outcome="expired")], at()) == 1
    assert store_outcomes(signals, LIVE, [outcome(outcome="denied", code="late_entry")], at(6)) == 0
    assert store_outcomes(signals, LIVE, [outcome(spread_order_id="t1")], at(7)) == 1
    assert store_outcomes(signals, LIVE, [outcome(outcome="late")], at(8)) == 0
    (row,) = outcome_rows(signals, LIVE)
    assert (row["outcome"], row["spread_order_id"], row["decided_utc"]) == ("filled", "t1", at(7).utc)


@pytest.mark.parametrize(
    "wrong", [{"pair": "X_Y"}, {"outcome": "denied"}, {"outcome": "forgotten"}], ids=["signal", "code", "outcome"]
)
@ON_SQLITE
def test_no_signal_no_code_and_an_unknown_outcome_are_refused_with_all_that_came_with_them(signals, wrong):
    with pytest.raises(sa.exc.IntegrityError):
        store_outcomes(signals, LIVE, [outcome("A_C"), outcome(**wrong)], at())
    assert outcome_rows(signals, LIVE) == []
