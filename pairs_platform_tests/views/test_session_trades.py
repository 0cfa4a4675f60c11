"""A line for each trade of an account, and why entries were not made."""

from dataclasses import replace

from pairs_platform.core.trading.spread_order import Goal
from pairs_platform.database.spread_orders import Origin, StoredTrade
from pairs_platform.views.session_trades import refusals_in_words, trade_lines
from pairs_platform_tests.support.pair_trades import BEGIN, at, filled, order_of, trade_of


def stored(trade) -> StoredTrade:
    origin = Origin(account="PA1", run_mode="replay", sector="technology", session=BEGIN.date(), bar_utc=BEGIN)
    return StoredTrade(trade=trade, origin=origin, exit_bar_utc=None, recorded_utc=BEGIN, ended_utc=None)


def test_a_trade_is_said_by_what_was_bought_and_sold_while_it_is_open_and_when_it_has_ended():
    entered = trade_of(filled(order_of(), price=50.126, seconds=10), filled(order_of(-50, leg="x"), price=99.5))
    (line,) = trade_lines([stored(entered), stored(trade_of(order_of()))])
    assert line.words == "buy 100 PDFS at 50.13, sell 50 AVGO at 99.50"
    assert (line.entered_utc, line.left_utc) == (at(1), None)
    exits = [
        filled(order_of(-100, purpose="close"), seconds=60),
        filled(order_of(50, leg="x", purpose="close"), seconds=70),
    ]
    left = replace(entered, goal=Goal.CLOSE, reason="exit", orders=(*entered.orders, *exits))
    (line,) = trade_lines([stored(left)])
    assert line.words == "buy 100 PDFS at 50.13, sell 50 AVGO at 99.50"
    assert line.left_utc == at(70)


def test_entries_that_were_not_made_are_counted_by_reason():
    def row(action: str, outcome: str, code: str = "") -> dict[str, str]:
        return {"action": action, "outcome": outcome, "code": code}

    rows = [
        row("enter_long", "denied", "ex_date"), row("enter_short", "denied", "ex_date"), row("enter_long", "late"),
        row("enter_long", "denied", "followed"), row("enter_long", "filled"), row("exit", "denied", "not_held"),
    ]  # fmt: skip
    assert refusals_in_words(rows) == "ex_date 2, late 1"
    assert refusals_in_words(rows[3:]) == ""
