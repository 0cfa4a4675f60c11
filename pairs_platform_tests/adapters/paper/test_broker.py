"""The internal paper broker on both databases: the backtest's fills and costs, kept over restarts, told as updates."""

import threading
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from pairs_platform.adapters.paper.books import PaperAction
from pairs_platform.adapters.paper.broker import PaperBroker
from pairs_platform.adapters.paper.settings import PaperSettings
from pairs_platform.core.errors import AnswerLost, DatabaseUnavailable, NotFound
from pairs_platform.core.prices.window import PriceWindow
from pairs_platform.core.streaming.bars import StreamBar
from pairs_platform.core.time import MINUTE_NS, moment_ns, moment_utc, stamps_ns
from pairs_platform.core.trading.backtest import backtest
from pairs_platform.core.trading.legs import leg_values
from pairs_platform.core.trading.orders import OrderStatus
from pairs_platform.core.trading.quantities import leg_quantities
from pairs_platform.core.trading.rule import TradeAction
from pairs_platform.core.trading.settings import CostSettings, TradingSettings
from pairs_platform.database.paper import read_bookings
from pairs_platform.database.store import Database
from pairs_platform.ports.broker import Broker, NotCancelable, OrderRejected, RejectReason
from pairs_platform_tests.database.conftest import database, url
from pairs_platform_tests.database.test_spread_orders import killed_at
from pairs_platform_tests.support.markets import parameters_of, window_of
from pairs_platform_tests.support.trades import order_of
from pairs_platform_tests.support.waiting import until

__all__ = ["database", "url"]

BAR_NS = 5 * MINUTE_NS
OPENED = datetime(2023, 3, 8, 14, 30, tzinfo=UTC)
COSTLY = CostSettings(commission_bps=1, half_spread_bps=2, slippage_bps=3, borrow_bps_per_year=365)


class Market:
    """A clock that tests set, and brokers that look at it; each one is new, as after a restart."""

    def __init__(self, database: Database, *, actions=lambda _: (), **settings) -> None:
        self.now, self._database, self._actions = OPENED, database, actions
        self._settings = PaperSettings(**{"cash": 1e6, **settings})

    @property
    def broker(self) -> PaperBroker:
        return PaperBroker(
            self._database, account="paper", run_mode="replay", bar_ns=BAR_NS, clock=lambda: self.now, costs=COSTLY,
            settings=self._settings, actions=self._actions,
        )  # fmt: skip

    def bar(self, n: int, *, days: int = 0, **closes: float) -> None:
        """Bar n of the session (`days` later), which opens half a dollar below its close, complete at its end."""
        start = OPENED + timedelta(days=days) + n * timedelta(minutes=5)
        self.now = start + timedelta(minutes=5)
        self.broker.receive(
            StreamBar(symbol, moment_ns(start), close - 0.5, close + 1, close - 1, close, 100)
            for symbol, close in closes.items()
        )


@pytest.fixture
def embedded(tmp_path) -> Database:
    return Database(f"sqlite:///{tmp_path / 'database.db'}", "simulated-5min-raw")


@pytest.fixture
def market(embedded) -> Market:
    return Market(embedded)


def order(leg="y", quantity=100, attempt=1, **given):
    return order_of("t1", leg, quantity, attempt=attempt, **given)


class TestParity:
    """The rule's decisions, sent as orders, earn what the backtest says, on the same bars."""

    @pytest.mark.parametrize("beta", [0.8, -0.4])
    def test_every_trade_has_entry_exit_return_and_costs_of_the_backtest(self, embedded, beta):
        window = market_window(beta)
        report = backtest(
            window, parameters_of(beta=beta), variance=np.ones(window.n_bars + 1), reference_variance=1.0,
            half_life_bars=10.0, trading=TradingSettings(entry_z=1.0), costs=COSTLY,
        )  # fmt: skip
        expected = [trade for trade in report.trades if trade.exit_reason != "window_end"]
        assert len(expected) > 2
        assert any(trade.entry_ts_utc.date() < trade.exit_ts_utc.date() for trade in expected)
        assert any(trade.borrow_cost for trade in expected) == (beta > 0)
        market = Market(embedded)
        traded = play(market, window, report.bars["action"].to_numpy(), beta)
        with embedded.begin() as connection:
            bookings = read_bookings(connection, "paper")
        for ours, theirs in zip(traded, expected, strict=False):
            assert (ours["entry"], ours["exit"]) == (theirs.entry_ts_utc, theirs.exit_ts_utc)
            gross, cost, borrow = quantity_free(ours, leg_values(beta, theirs.side), bookings)
            assert gross == pytest.approx(theirs.gross_return, abs=1e-9)
            assert cost == pytest.approx(theirs.fill_cost, abs=1e-9)
            assert borrow == pytest.approx(theirs.borrow_cost, abs=1e-9)
        assert len(traded) >= len(expected)
        account = market.broker.account()
        fills = market.broker.fills(datetime(2023, 1, 1, tzinfo=UTC))
        booked = sum(booking.amount for booking in bookings)
        cash = 1e6 + booked - sum(each.side * each.quantity * each.price + each.fill.commission for each in fills)
        assert account.cash == pytest.approx(cash, abs=1e-6)
        held = sum(each.quantity * each.current_price for each in market.broker.positions())
        assert account.equity == pytest.approx(cash + held, abs=1e-6)


def market_window(beta: float) -> PriceWindow:
    """A spread that swings, also over a night, with opens of its own, and bars that neither leg has."""
    rng = np.random.default_rng(3)
    z = 2.5 * np.sin(2 * np.pi * (np.arange(130) + 10) / 52) + rng.normal(scale=0.2, size=130)
    x = np.log(100.0) + rng.normal(scale=1e-3, size=len(z)).cumsum()
    close = np.column_stack([x, beta * x + 0.01 * z])
    opened = np.vstack([close[:1], close[:-1]]) + rng.normal(scale=5e-4, size=close.shape)
    observed = np.ones(close.shape, bool)
    observed[rng.choice(np.arange(5, 125), 9, replace=False)] = False
    close[~observed], opened[~observed] = np.nan, np.nan
    for t in range(1, len(close)):  # a window carries closes on
        close[t] = np.where(np.isnan(close[t]), close[t - 1], close[t])
    return window_of(close, log_open=opened, symbols=("X", "Y"), observed=observed)


def play(market: Market, window: PriceWindow, actions: np.ndarray, beta: float) -> list[dict]:
    """Send what the rule decides at each close, and cancel what did not fill at the next bar; the trades."""
    starts = stamps_ns(window.ts_utc)
    last_of_session = np.append(window.session[1:] != window.session[:-1], True)
    legs, side, trades, sent = {"y": "Y", "x": "X"}, 0, [], []
    quantities: dict[str, int] = {}
    for t, start in enumerate(starts.tolist()):
        bars = [
            StreamBar(
                name, start, *np.exp([window.log_open[t, k], *[max(window.log_open[t, k], window.log_close[t, k])],
                min(window.log_open[t, k], window.log_close[t, k]), window.log_close[t, k]]), 100,
            )
            for k, name in enumerate(window.symbols) if window.observed[t, k]
        ]  # fmt: skip
        market.now = moment_utc(start + BAR_NS)
        market.broker.receive(bars)
        if sent and not bars:
            for each in sent:
                market.broker.cancel(each)
        elif sent:
            fills = {each.symbol: each for each in market.broker.fills(market.now - timedelta(minutes=1))}
            assert set(fills) == {"X", "Y"}
            if side == 0:
                trades.append({"in": fills, "entry": fills["Y"].filled_utc, "quantities": dict(quantities)})
            else:
                trades[-1] |= {"out": fills, "exit": fills["Y"].filled_utc}
            side = 1 if side == 0 else 0
        sent, action = [], TradeAction(int(actions[t]))
        if last_of_session[t] or action is TradeAction.HOLD:
            continue
        if side == 0:
            position = 1 if action is TradeAction.ENTER_LONG else -1
            price_y, price_x = np.exp(window.log_close[t, [1, 0]])
            shares = leg_quantities(2e5, position=position, beta=beta, price_y=price_y, price_x=price_x)
            quantities = {"y": shares.y, "x": shares.x}
        for leg, symbol in legs.items():
            quantity = quantities[leg] if side == 0 else -quantities[leg]
            one = order_of(f"t{t}", leg, quantity, symbol=symbol)
            sent.append(market.broker.submit(one).broker_order_id)
    return [trade for trade in trades if "exit" in trade]


def quantity_free(trade: dict, weights: tuple[float, float], bookings: list) -> tuple[float, float, float]:
    """Gross return, cost of fills and of borrowing, as shares of the gross value at entry with the rule's weights."""
    gross = cost = borrow = 0.0
    for symbol, weight, quantity in zip(
        "YX", weights, (trade["quantities"]["y"], trade["quantities"]["x"]), strict=True
    ):
        first, last = trade["in"][symbol], trade["out"][symbol]
        value = abs(quantity) * first.price
        gross += weight * (last.price - first.price) / first.price
        cost += abs(weight) * (first.fill.commission + last.fill.commission) / value
        nights = [
            booking.amount
            for booking in bookings
            if booking.symbol == symbol and trade["entry"].date() < booking.session <= trade["exit"].date()
        ]
        borrow -= abs(weight) * sum(nights) / value
    return gross, cost, borrow


class TestOrders:
    def test_one_of_a_bar_under_way_fills_at_its_open_and_never_by_a_bar_that_was_complete(self, market):
        broker: Broker = market.broker
        market.bar(0, A=100.0)
        sent = broker.submit(order())
        market.bar(0, A=100.0)
        assert broker.order(sent.client_order_id).status is OrderStatus.WORKING
        market.now += timedelta(minutes=2)
        market.bar(1, B=50.0)
        assert broker.open_orders() == [sent]
        market.bar(2, A=102.0)
        filled = broker.order(sent.client_order_id)
        assert (filled.status, filled.filled_quantity, filled.average_price) == (OrderStatus.FILLED, 100.0, 101.5)
        (fill,) = broker.fills(OPENED)
        assert (fill.filled_utc, fill.side, fill.price) == (OPENED + timedelta(minutes=10), 1, 101.5)
        assert fill.fill.commission == pytest.approx(100 * 101.5 * 6e-4)
        (position,) = broker.positions()
        assert (position.symbol, position.quantity, position.market_value) == ("A", 100.0, 10_200.0)
        account = broker.account()
        assert account.equity == pytest.approx(1e6 + 50 - fill.fill.commission)
        assert account.buying_power == pytest.approx(2 * account.equity - 10_200)

    def test_the_same_order_twice_is_one_and_another_under_its_id_is_refused(self, market):
        assert market.broker.submit(order()) == market.broker.submit(order())
        with pytest.raises(OrderRejected) as refused:
            market.broker.submit(order(quantity=90))
        assert refused.value.reason is RejectReason.ID_TAKEN
        assert len(market.broker.orders(OPENED - timedelta(1))) == 1

    def test_a_canceled_one_never_fills(self, market):
        sent = market.broker.submit(order())
        market.broker.cancel(sent.broker_order_id)
        market.bar(0, A=100.0)
        assert market.broker.order(sent.client_order_id).status is OrderStatus.CANCELED
        with pytest.raises(NotCancelable):
            market.broker.cancel(sent.broker_order_id)
        with pytest.raises(NotFound):
            market.broker.cancel("of nobody")

    def test_it_expires_with_its_session_and_one_after_the_close_waits_for_the_next(self, market):
        early = market.broker.submit(order(limit_price=1.0))
        market.broker.end_session(date(2023, 3, 8))
        assert market.broker.order(early.client_order_id).status is OrderStatus.EXPIRED
        market.now = datetime(2023, 3, 8, 21, 0, tzinfo=UTC)
        late = market.broker.submit(order(attempt=2))
        left = market.broker.submit(order(attempt=3, limit_price=1.0))
        market.bar(0, days=1, A=100.0)
        assert market.broker.order(late.client_order_id).status is OrderStatus.FILLED
        market.bar(0, days=2, B=100.0)
        assert market.broker.order(left.client_order_id).status is OrderStatus.EXPIRED

    def test_money_bounds_what_is_opened_and_never_what_is_closed(self, embedded):
        market = Market(embedded, cash=10_000.0)
        market.broker.submit(order(quantity=150))
        market.bar(0, A=100.0)
        beyond = market.broker.submit(order("x", -100))
        market.bar(1, A=20.0, B=100.0)
        rejected = market.broker.order(beyond.client_order_id)
        assert (rejected.status, rejected.reason[:26]) == (OrderStatus.REJECTED, "insufficient buying power:")
        out = market.broker.submit(order(quantity=-150, attempt=2))
        assert market.broker.positions()[0].available == 0.0
        market.bar(2, A=20.0)
        assert market.broker.order(out.client_order_id).status is OrderStatus.FILLED
        assert market.broker.positions() == []

    def test_an_answer_that_breaks_off_is_lost_and_not_no(self, market, monkeypatch):
        def broken(*_):
            raise DatabaseUnavailable("the database does not answer")

        monkeypatch.setattr(Database, "begin_alone", broken)
        for call in (lambda: market.broker.submit(order()), lambda: market.broker.cancel("b")):
            with pytest.raises(AnswerLost, match="paper: the database does not answer"):
                call()


def test_a_night_and_an_ex_date_are_booked_once_before_the_first_fill(database):
    actions = {date(2023, 3, 9): [PaperAction("A", "dividend", 0.5), PaperAction("B", "split", 1.5)]}
    market = Market(database, actions=lambda day: actions.get(day, ()))
    market.broker.submit(order())
    market.broker.submit(order("x", -151))
    market.bar(0, A=100.0, B=60.0)
    before = market.broker.account()
    market.now = datetime(2023, 3, 8, 21, 0, tzinfo=UTC)
    market.broker.submit(order(quantity=-100, attempt=2))
    market.bar(0, days=1, A=100.0)
    market.bar(0, days=1, B=40.0)
    with database.begin() as connection:
        booked = {(each.kind, each.symbol): each.amount for each in read_bookings(connection, "paper")}
    assert booked == {
        ("borrow", "B"): pytest.approx(-151 * 60.0 * 0.0365 / 365), ("dividend", "A"): 50.0, ("split", "B"): 0.0,
        ("cash_in_lieu", "B"): -20.0,
    }  # fmt: skip
    (held,) = market.broker.positions()
    assert (held.symbol, held.quantity) == ("B", -226.0)
    account = market.broker.account()
    assert account.last_equity == before.equity
    (_, _, sold) = market.broker.fills(OPENED)
    expected = before.cash + sum(booked.values()) + 100 * 99.5 - sold.fill.commission
    assert account.cash == pytest.approx(expected)


def test_a_kill_while_a_bar_is_booked_leaves_nothing_or_all_of_it(database):
    market = Market(database)
    sent = market.broker.submit(order())
    before, n = market.broker.account(), 0
    while killed_at(database, n, lambda: market.bar(0, A=100.0)):
        assert (market.broker.account(), market.broker.fills(OPENED)) == (before, [])
        assert market.broker.open_orders() == [sent]
        n += 1
    assert n > 5
    assert len(market.broker.fills(OPENED)) == 1
    market.bar(0, A=100.0)
    assert len(market.broker.fills(OPENED)) == 1


class Receiver:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.told: list = []

    def connected(self) -> None:
        self.told.append("connected")

    def updated(self, update) -> None:
        if "fails" in self.told:
            self.told.remove("fails")
            raise DatabaseUnavailable("away")
        self.told.append((update.event, update.order.symbol, update.fill and update.fill.quantity))

    def unreadable(self, reason: str) -> None:
        raise AssertionError(reason)

    def lost(self, reason) -> None:
        self.told.append(f"lost: {reason}")


def test_updates_follow_in_order_and_a_receiver_that_cannot_store_begins_again_by_asking(market):
    receiver, stopping, broker = Receiver(), threading.Event(), market.broker
    following = threading.Thread(target=broker.follow, args=(receiver, stopping))
    following.start()
    try:
        until(lambda: receiver.told == ["connected"])
        sent = broker.submit(order())
        broker.cancel(broker.submit(order("x", -150)).broker_order_id)
        start = moment_ns(OPENED)
        broker.receive([StreamBar("A", start, 99.5, 101.0, 99.0, 100.0, 1)])
        told = ["connected", ("new", "A", None), ("new", "B", None), ("canceled", "B", None), ("fill", "A", 100)]
        until(lambda: receiver.told == told)
        receiver.told.append("fails")
        broker.submit(replace(sent_again := order(attempt=2), quantity=1))
        until(lambda: receiver.told[-2:] == ["lost: away", "connected"])
        assert broker.order(sent_again.client_order_id) is not None
        assert sent.symbol == "A"
    finally:
        stopping.set()
        following.join()


def test_clock_and_calendar_are_the_exchanges(market):
    clock = market.broker.clock()
    assert (clock.is_open, clock.next_close_utc) == (True, datetime(2023, 3, 8, 21, 0, tzinfo=UTC))
    assert clock.next_open_utc == datetime(2023, 3, 9, 14, 30, tzinfo=UTC)
    market.now = datetime(2023, 3, 11, 12, 0, tzinfo=UTC)
    assert market.broker.clock().next_open_utc == datetime(2023, 3, 13, 13, 30, tzinfo=UTC)
    (half,) = market.broker.calendar(date(2022, 11, 25), date(2022, 11, 26))
    assert half.close_utc == datetime(2022, 11, 25, 18, 0, tzinfo=UTC)
    assert market.broker.asset("A").shortable
