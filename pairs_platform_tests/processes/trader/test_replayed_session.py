"""A session of the demo, bar by bar: streamed bars, signals, the desk, and the paper account that those bars fill."""

from dataclasses import replace

import numpy as np
import pytest

from pairs_platform.core.prices.contracts import PRICE_HISTORY
from pairs_platform.core.signals.engine import Signal
from pairs_platform.core.time import moment_utc
from pairs_platform.core.trading.spread_order import SpreadState
from pairs_platform.database.equity import AccountKey, newest_equity
from pairs_platform.database.signal_outcomes import outcome_rows
from pairs_platform.database.signals import Provenance, signals_at, store_signals
from pairs_platform.database.spread_orders import trades_of_account
from pairs_platform.processes.trader.brokers import open_account
from pairs_platform.processes.trader.desk import Desk
from pairs_platform.processes.trader.inbox import Inbox
from pairs_platform.processes.trader.market import StreamedMarket
from pairs_platform.processes.trader.seat import Seat
from pairs_platform.settings.variables import variable
from pairs_platform.workflows.session_state import session_state
from pairs_platform_tests.support.demo_profile import copied, demo, key
from pairs_platform_tests.support.streamed_profile import GRID, Live, live, server, where

__all__ = ["copied", "demo", "live", "server"]


@pytest.fixture(autouse=True)
def _short_history(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable("risk.limits.min_history_days"), "20")


def desk_of(live: Live) -> tuple[Desk, Inbox]:
    """The desk of a trader on the profile's own paper account, and what it is told by; nobody follows the account."""
    platform = live.platform
    market = StreamedMarket(platform)

    def clock():
        return moment_utc(platform.streams.clock.now_ns())

    account = open_account(platform, clock, lambda session: market.facts(session).actions)
    market.receive = account.receive
    inbox = Inbox(platform.clock)
    seat = Seat(
        settings=platform.settings, database=platform.database, broker=account.broker, account=account.account,
        run_mode="replay", clock=clock, wall=platform.clock,
    )  # fmt: skip
    return Desk(seat, market, inbox), inbox


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
    desk, inbox = desk_of(live)
    for bar, action, position in ((1, "enter_long", 0), (2, "hold", 1), (3, "exit", 1), (4, "hold", 0)):
        live.stream(bar)
        inbox.connected()
        desk.step()
        signal = asked(live, bar, action, position)
        desk.step()
        desk.step()
    live.stream(5)
    inbox.connected()
    desk.step()
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
