"""What every broker answers alike: the internal paper broker, and Alpaca's adapter against the simulated broker."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial

import pytest
from pydantic import SecretStr

from pairs_platform.adapters.alpaca.settings import AlpacaTradingSettings
from pairs_platform.adapters.alpaca.trading import AlpacaBroker
from pairs_platform.adapters.paper.broker import PaperBroker
from pairs_platform.adapters.paper.settings import PaperSettings
from pairs_platform.core.errors import NotFound, Unavailable
from pairs_platform.core.streaming.bars import StreamBar
from pairs_platform.core.time import MINUTE_NS, moment_ns
from pairs_platform.core.trading.orders import OrderStatus, applied
from pairs_platform.core.trading.settings import CostSettings
from pairs_platform.database.store import Database
from pairs_platform.ports.broker import Broker, NotCancelable, OrderRejected, RejectReason, TradeUpdate
from pairs_platform_tests.support.simulated_broker import KEYS, OPEN, PRICES, RunningBroker, order, simulated_broker
from pairs_platform_tests.support.waiting import WAIT_SECONDS, until

NOBODY = "00000000-0000-4000-8000-000000000000"
HALF_DAY, BEFORE = date(2026, 11, 27), date(2026, 11, 25)


@dataclass
class Venue:
    """A broker, and how the market goes on so that orders that can be filled are."""

    broker: Broker
    go_on: Callable[[], None]

    def ended(self, name: str) -> OrderStatus:
        def status() -> OrderStatus | None:
            self.go_on()
            found = self.broker.order(name)
            return found.status if found and found.status.ended else None

        return until(status)


@pytest.fixture(scope="module")
def served() -> Iterator[RunningBroker]:
    with simulated_broker() as running:
        yield running


@pytest.fixture(params=["alpaca", "paper"])
def venue(request, tmp_path) -> Venue:
    if request.param == "alpaca":
        server = request.getfixturevalue("served")
        server.renew()
        keys = tuple(map(SecretStr, KEYS))
        return Venue(AlpacaBroker(lambda: keys, AlpacaTradingSettings(base_url=server.url)), lambda: None)
    now = [OPEN]
    paper = PaperBroker(
        Database(f"sqlite:///{tmp_path / 'database.db'}", "p"),
        account="paper",
        run_mode="replay",
        bar_ns=5 * MINUTE_NS,
        clock=lambda: now[0],
        costs=CostSettings(),
        settings=PaperSettings(),
    )

    def go_on() -> None:
        start, now[0] = now[0], now[0] + timedelta(minutes=5)
        prices = {symbol: float(price) for symbol, price in PRICES.items()}
        paper.receive(StreamBar(name, moment_ns(start), at, at, at, at, 100) for name, at in prices.items())

    go_on()
    return Venue(paper, go_on)


@dataclass
class Told:
    calls: list[str] = field(default_factory=list)
    updates: list[TradeUpdate] = field(default_factory=list)
    cannot: int = 0
    """How many updates cannot be taken."""

    def connected(self) -> None:
        self.calls.append("connected")

    def updated(self, update: TradeUpdate) -> None:
        if self.cannot:
            self.cannot -= 1
            raise Unavailable("the database is away")
        self.updates.append(update)

    def unreadable(self, reason: str) -> None:
        self.calls.append(reason)

    def lost(self, reason: Unavailable) -> None:
        self.calls.append("lost")


def test_an_order_is_taken_filled_and_booked(venue):
    begin = OPEN - timedelta(hours=1)
    placed = venue.broker.submit(order("pp-1", -7))
    assert (placed.client_order_id, placed.symbol, placed.quantity, placed.anomalies) == ("pp-1", "AAA", -7, ())
    assert placed.status is OrderStatus.WORKING
    assert venue.ended("pp-1") is OrderStatus.FILLED
    (fill,) = venue.broker.fills(begin)
    assert (fill.broker_order_id, fill.side, fill.quantity, fill.cumulative_quantity) == (
        placed.broker_order_id,
        -1,
        7,
        7,
    )
    (position,) = venue.broker.positions()
    assert (position.symbol, position.quantity, position.available) == ("AAA", -7, 7)
    account = venue.broker.account()
    assert account.cash == pytest.approx(100_070, abs=1)
    assert account.equity == pytest.approx(100_000, abs=1)
    assert not account.blocked
    assert account.shorting_enabled
    assert [seen.client_order_id for seen in venue.broker.orders(begin)] == ["pp-1"]
    assert list(venue.broker.open_orders()) == []


def test_an_order_that_waits_is_open_until_it_is_canceled(venue):
    placed = venue.broker.submit(order("pp-1", 5, limit=1.0))
    venue.go_on()
    assert [(seen.client_order_id, seen.limit_price) for seen in venue.broker.open_orders()] == [("pp-1", 1.0)]
    venue.broker.cancel(placed.broker_order_id)
    assert venue.ended("pp-1") is OrderStatus.CANCELED
    assert list(venue.broker.open_orders()) == []
    with pytest.raises(NotCancelable):
        venue.broker.cancel(placed.broker_order_id)


def test_a_repetition_is_the_same_order_and_another_one_of_its_id_is_refused(venue):
    first = venue.broker.submit(order("pp-1", 5, limit=1.0))
    assert venue.broker.submit(order("pp-1", 5, limit=1.0)).broker_order_id == first.broker_order_id
    for other in (order("pp-1", 6), order("pp-1", -5), order("pp-1", 5, "BBB")):
        with pytest.raises(OrderRejected) as refused:
            venue.broker.submit(other)
        assert refused.value.reason is RejectReason.ID_TAKEN
    assert len(venue.broker.open_orders()) == 1


def test_what_nobody_knows(venue):
    assert venue.broker.order("pp-never") is None
    with pytest.raises(NotFound):
        venue.broker.cancel(NOBODY)
    assert [list(venue.broker.positions()), list(venue.broker.fills(OPEN)), list(venue.broker.orders(OPEN))] == [[]] * 3


def test_the_calendar_has_half_days_and_times_are_utc(venue):
    hours = venue.broker.calendar(BEFORE, HALF_DAY)
    assert [(each.session, each.close_utc) for each in hours] == [
        (BEFORE, datetime(2026, 11, 25, 21, tzinfo=UTC)),
        (HALF_DAY, datetime(2026, 11, 27, 18, tzinfo=UTC)),
    ]
    clock = venue.broker.clock()
    assert clock.is_open
    assert clock.next_close_utc == datetime(2026, 11, 24, 21, tzinfo=UTC)
    assert clock.next_open_utc == datetime(2026, 11, 25, 14, 30, tzinfo=UTC)


def test_updates_and_lists_name_the_same_execution(venue):
    told, stopping = Told(), threading.Event()
    thread = threading.Thread(target=partial(venue.broker.follow, told, stopping))
    thread.start()
    try:
        until(lambda: told.calls)
        venue.broker.submit(order("pp-1", 5))
        venue.ended("pp-1")
        until(lambda: any(update.fill for update in told.updates))
    finally:
        stopping.set()
        thread.join(WAIT_SECONDS)
    assert not thread.is_alive()
    assert told.calls == ["connected"]
    held = order("pp-1", 5)
    for update in told.updates:
        held = applied(held, update.report).order
    for fill in venue.broker.fills(OPEN - timedelta(hours=1)):
        report = told.updates[-1].order.report(fill.fill)
        assert applied(held, report).new_fill is None, "an execution that is known by the stream counts again"
    assert (held.status, held.executed, len(held.fills)) == (OrderStatus.FILLED, 5, 1)


def test_an_update_that_cannot_be_taken_is_asked_for_again(venue):
    told, stopping = Told(cannot=1), threading.Event()
    thread = threading.Thread(target=partial(venue.broker.follow, told, stopping))
    thread.start()
    try:
        until(lambda: told.calls)
        venue.broker.submit(order("pp-1", 5))
        until(lambda: told.calls == ["connected", "lost", "connected"])
        assert venue.ended("pp-1") is OrderStatus.FILLED
    finally:
        stopping.set()
        thread.join(WAIT_SECONDS)
    assert not thread.is_alive()
