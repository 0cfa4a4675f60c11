"""A session of the demo, bar by bar: streamed bars, signals, the desk, and the paper account that those bars fill."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from types import MappingProxyType

import numpy as np
import pytest

from pairs_platform.core.prices.bars import Frequency
from pairs_platform.core.prices.calendar import session_close
from pairs_platform.core.prices.contracts import PRICE_HISTORY
from pairs_platform.core.signals.engine import Signal
from pairs_platform.core.streaming.bars import StreamBar
from pairs_platform.core.streaming.intervals import BarClose, bar_intervals
from pairs_platform.core.time import moment_ns, moment_utc
from pairs_platform.core.trading.attribution import CENT
from pairs_platform.core.trading.positions import BookingKind
from pairs_platform.core.trading.spread_order import LEGS, SpreadState
from pairs_platform.database.bookings import account_bookings
from pairs_platform.database.equity import AccountKey, newest_equity
from pairs_platform.database.signal_outcomes import outcome_rows
from pairs_platform.database.signals import Provenance, signals_at, store_signals
from pairs_platform.database.spread_orders import trades_of_account
from pairs_platform.platform import Platform
from pairs_platform.settings.variables import variable
from pairs_platform.views.trading_config import read_trading_config
from pairs_platform.views.windows import load_window
from pairs_platform.workflows import trading_inputs
from pairs_platform.workflows.session_state import session_state
from pairs_platform.workflows.signals import signal_partition
from pairs_platform_tests.support.demo_profile import SESSIONS, copied, demo, key
from pairs_platform_tests.support.rule_trades import (
    ACCOUNT,
    LENIENT,
    TOLERANCE,
    backtested,
    books,
    busy_config,
    compared,
    order_of,
    stored_trades,
    unexplained_dollars,
    window_closes,
)
from pairs_platform_tests.support.streamed_desk import StreamedDesk, streamed_desk
from pairs_platform_tests.support.streamed_profile import GRID, Live, live, server, where

__all__ = ["copied", "demo", "live", "server"]


@pytest.fixture(autouse=True)
def _lenient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in LENIENT.items():
        monkeypatch.setenv(variable(name), value)


def asked(live: Live, bar: int, action: str, position: int) -> Signal:
    """Store the signals of a bar, of which the first selected pair's asks for a trade; that signal."""
    platform = live.platform
    state = session_state(platform, key())
    k = next(k for k, pair in enumerate(state.pairs) if pair.role == "selected")
    mu, sigma = float(state.traded.mu[k]), float(state.traded.sigma[k])
    start = GRID[bar].start_ns
    signals = [
        replace(signal, start_ns=start, action="hold", position=0, late=False)
        for signal in signals_at(platform.database, where(), moment_utc(GRID[0].start_ns)).values()
    ]
    mine = replace(
        signals[k], action=action, position=position, spread=mu - 2.2 * sigma, z=-2.2, band=sigma, data_ns=start
    )
    signals[k] = mine
    given = Provenance(
        config_session=state.config_session, config_hash=state.config_hash, decided_market_utc=platform.clock(),
        decided_utc=platform.clock(), run_id="a test",
    )  # fmt: skip
    assert store_signals(platform.database, where(), signals, given)
    return mine


def test_a_trade_is_filled_at_the_opens_after_its_signals_and_every_dollar_is_in_the_account(live):
    live = live.again()
    live.stream(0)
    live.compute()
    desk = streamed_desk(live.platform)
    for bar, action, position in ((1, "enter_long", 0), (2, "hold", 1), (3, "exit", 1), (4, "hold", 0)):
        live.stream(bar)
        desk.look(1)
        signal = asked(live, bar, action, position)
        desk.look(2)
    live.stream(5)
    desk.look(1)
    database = live.platform.database
    (stored,) = trades_of_account(database, "paper-replay", "replay")
    trade = stored.trade
    outcomes = [(row["action"], row["outcome"], row["message"]) for row in outcome_rows(database, where())]
    assert outcomes == [("enter_long", "filled", ""), ("exit", "filled", "")]
    assert (trade.state, trade.pair) == (SpreadState.CLOSED, signal.pair)
    bars = live.platform.lake.read(PRICE_HISTORY, key()).set_index(["symbol", "ts_utc"])["open"]
    opens = {(symbol, stamp.value): price for (symbol, stamp), price in bars.items()}
    for order in trade.orders:
        (fill,) = order.fills
        due = GRID[2 if order.purpose == "open" else 4].start_ns
        assert fill.price == opens[order.symbol, due], order
    money = sum(
        -order.sign * fill.quantity * fill.price - fill.commission for order in trade.orders for fill in order.fills
    )
    row = newest_equity(database, AccountKey("paper-replay", "replay"))
    np.testing.assert_allclose(row.equity - 100_000, money, atol=1e-6)


def play(
    platform: Platform, desk: StreamedDesk, session: date, *, prices: Mapping[str, float] = MappingProxyType({})
) -> None:
    """Play a session of the price history bar by bar, with some prices times a factor: stream, desk, signals, desk."""
    part = key(session)
    bars = platform.lake.read(PRICE_HISTORY, part)[["symbol", "ts_utc", "open", "high", "low", "close"]]
    streams = platform.streams
    for interval in bar_intervals(session, Frequency.ONE_HOUR):
        streams.bars.add(
            StreamBar(one.symbol, one.ts_utc.value, *(prices.get(one.symbol, 1.0) * price for price in one[2:]), 100)
            for one in bars.itertuples(index=False)
            if one.ts_utc.value == interval.start_ns
        )
        streams.bar_closes.publish(BarClose(interval, "all_in", 8, 8, interval.end_ns, interval.end_ns))
        streams.replay.publish_clock(interval.end_ns, 0.0)
        desk.look()
        signal_partition(platform, part, run_id="a test")
        desk.look()
    streams.replay.publish_clock(moment_ns(session_close(session)) + 150 * 10**9, 0.0)
    desk.account.end_session(session)
    desk.look()


def test_two_sessions_and_the_night_between_are_those_of_the_rule_to_the_cent(live, monkeypatch):
    """Over the night a held pair leaves the configuration, one of its legs pays a dividend, and the other is split."""
    first, second = SESSIONS[1:]
    before, after = (read_trading_config(live.platform, key(session)) for session in SESSIONS[:2])
    busy_config(live.platform, before, entry_z=0.2, exit_z=0.0)
    busy_config(live.platform, after, leave_out=["AAPL_ADI"], entry_z=0.2, exit_z=0.0)
    actions = {second: (("AAPL", "dividend", 0.25), ("ADI", "split", 2.0))}
    monkeypatch.setattr(trading_inputs, "_actions", lambda _, session, __: ({}, actions.get(session, ())))
    platform = live.again().platform
    desk = streamed_desk(platform)

    play(platform, desk, first)
    window = load_window(platform, key(first))
    differences = compared(
        stored_trades(platform), backtested(read_trading_config(platform, key(SESSIONS[0])), window), window
    )
    assert differences.largest < TOLERANCE
    assert (differences.trades, differences.closed) == (3, 2)
    closes = window_closes(window)
    assert unexplained_dollars(platform, closes) == pytest.approx(0.0, abs=CENT)
    (held,) = [each.trade for each in stored_trades(platform) if not each.trade.state.ended]
    assert held.pair == "AAPL_ADI"

    play(platform, desk, second, prices={"ADI": 0.5})
    left = next(each.trade for each in stored_trades(platform) if each.trade.id == held.id)
    assert (left.state, left.reason) == (SpreadState.CLOSED, "exit: left_configuration")
    book = books(platform)
    shares = {symbol: held.held(leg) for leg in LEGS for symbol in [held.symbol(leg)]}
    assert abs(order_of(left, "x" if left.x == "ADI" else "y", "close").quantity) == 2 * abs(shares["ADI"])
    assert book.totals[BookingKind.DIVIDEND] == pytest.approx(0.25 * shares["AAPL"], abs=1e-9)
    borrowed = sum(-min(count, 0) * closes[symbol] for symbol, count in shares.items())
    fee = platform.settings.costs.borrow_bps_per_year * 1e-4 / 365
    assert book.totals[BookingKind.BORROW] == pytest.approx(-borrowed * fee, abs=1e-9)
    closes = window_closes(load_window(platform, key(second)))
    assert unexplained_dollars(platform, closes) == pytest.approx(0.0, abs=CENT)
    own = [each for each in account_bookings(platform.database, ACCOUNT) if each.kind is not BookingKind.FILL]
    assert {each.spread_order_id for each in own} == {held.id}
    assert sorted(each.kind for each in own) == ["borrow", "dividend", "split"]
