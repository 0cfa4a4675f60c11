"""Orders through Alpaca's adapter against the simulated broker under its preset of everything that goes wrong.

Two sources say what became of an order, the stream and questions, and either may fail: together they end in what the
broker itself knows. What does not belong here: pairs and the trader (`e2e`).
"""

import random
import threading
from contextlib import suppress
from datetime import timedelta

import pytest
from pydantic import SecretStr

from pairs_platform.adapters.alpaca.settings import AlpacaTradingSettings
from pairs_platform.adapters.alpaca.trading import AlpacaBroker
from pairs_platform.core.errors import AnswerLost, NotFound, PlatformError, Refused, Unavailable
from pairs_platform.core.trading.orders import (
    Order,
    OrderStatus,
    Report,
    applied,
    cancel_requested,
    denied,
    sent_without_answer,
)
from pairs_platform.ports.broker import NotCancelable, TradeUpdate
from pairs_platform.processes.broker.faults import PRESETS, FaultScript
from pairs_platform_tests.support.simulated_broker import KEYS, OPEN, RunningBroker, simulated_broker
from pairs_platform_tests.support.waiting import WAIT_SECONDS, until

N_ORDERS = 80
BEGIN = OPEN - timedelta(hours=1)
KEY_ID, SECRET_KEY = map(SecretStr, KEYS)


class Book:
    """Orders and what is known of them; a receiver of updates."""

    def __init__(self, broker: AlpacaBroker) -> None:
        self.broker = broker
        self.orders: dict[str, Order] = {}
        self.anomalies: list[str] = []
        self.listening = threading.Event()
        self._lock = threading.Lock()

    def take(self, name: str, report: Report) -> None:
        with self._lock:
            if name in self.orders:
                result = applied(self.orders[name], report)
                self.orders[name] = result.order
                self.anomalies += [result.anomaly] if result.anomaly else []

    def change(self, name: str, how) -> None:
        with self._lock:
            self.orders[name] = how(self.orders[name])

    def connected(self) -> None:
        self.ask()
        self.listening.set()

    def updated(self, update: TradeUpdate) -> None:
        self.take(update.order.client_order_id, update.report)

    def unreadable(self, reason: str) -> None:
        self.anomalies.append(reason)

    def lost(self, reason: Unavailable) -> None:
        self.listening.clear()

    def ask(self) -> None:
        """Orders first, then executions: one that is new in between is asked for the next time."""
        names = {}
        for seen in self.broker.orders(BEGIN):
            names[seen.broker_order_id] = seen.client_order_id
            self.take(seen.client_order_id, seen.report())
        for fill in self.broker.fills(BEGIN):
            if fill.broker_order_id in names:
                report = Report(status=OrderStatus.WORKING, broker_order_id=fill.broker_order_id, fill=fill.fill)
                self.take(names[fill.broker_order_id], report)

    def send(self, order: Order) -> None:
        self.orders[order.client_order_id] = order
        name = order.client_order_id
        try:
            self.take(name, self.broker.submit(order).report())
        except AnswerLost:
            self.change(name, sent_without_answer)
        except (Refused, Unavailable) as error:
            reason = str(error)
            self.change(name, lambda held: denied(held, reason))

    def cancel(self, name: str) -> None:
        order = self.orders[name]
        if order.broker_order_id and not order.status.ended:
            self.change(name, lambda held: cancel_requested(held, OPEN))
            try:
                self.broker.cancel(order.broker_order_id)
            except (PlatformError, NotFound):
                return


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_goes_wrong_no_order_is_sent_twice_and_every_fill_is_known_once(seed):
    script = FaultScript(seed=seed, faults=PRESETS["chaos"])
    with simulated_broker(script=script, partial_share=0.3) as server:
        settings = AlpacaTradingSettings(base_url=server.url, read_timeout_s=0.1, max_attempts=6)
        broker = AlpacaBroker(lambda: (KEY_ID, SECRET_KEY), settings, sleep=lambda seconds: None)
        book, stopping, chance = Book(broker), threading.Event(), random.Random(seed)
        thread = threading.Thread(target=broker.follow, args=(book, stopping))
        thread.start()
        try:
            assert book.listening.wait(WAIT_SECONDS)
            for number in range(N_ORDERS):
                book.send(drawn(number, chance))
                if number % 3 == 0:
                    book.cancel(chance.choice(list(book.orders)))
            server.script()  # from now on nothing fails: what is known must become what is
            finish(server, book)
        finally:
            stopping.set()
            thread.join(WAIT_SECONDS)
        really = {order["client_order_id"]: order for order in server.state()["orders"]}
        acted = set(server.server.faults.acted)
    assert {name for name in really if name.startswith("pp-")} <= set(book.orders)
    assert {"accept_then_504", "drop_event", "duplicate_event", "slow_answer"} & acted
    for name, order in book.orders.items():
        if name not in really:
            assert order.status in (OrderStatus.DENIED, OrderStatus.UNKNOWN), name
            assert order.filled == 0
            continue
        assert abs(order.executed) == int(really[name]["filled_qty"]), name
        assert order.status.value == really[name]["status"], name
    assert not [each for each in book.anomalies if "not known" not in each]


def drawn(number: int, chance: random.Random) -> Order:
    buys = chance.random() < 0.5
    return Order(
        client_order_id=f"pp-{number}",
        spread_order_id="s1",
        symbol=("AAA", "BBB")[buys],  # one direction for each symbol: the account refuses the other one
        leg="y",
        purpose="open",
        attempt=1,
        quantity=chance.randint(2, 20) * (1 if buys else -1),
        limit_price=None if chance.random() < 0.7 else (15.0 if buys else 12.0),
        intended_utc=OPEN,
    )


def finish(server: RunningBroker, book: Book) -> None:
    """Cancel what is left at the broker, and ask until nothing is missing."""

    def is_over() -> bool:
        book.ask()
        open_ones = [order for order in server.state()["orders"] if order["status"] not in ENDED]
        for order in open_ones:
            if order["status"] != "pending_cancel":
                with suppress(NotCancelable):  # it was filled meanwhile
                    book.broker.cancel(order["id"])
        known = [order for order in book.orders.values() if order.broker_order_id]
        return not open_ones and all(order.status.ended and not order.lacks_executions for order in known)

    until(is_over)


ENDED = ("filled", "canceled", "expired", "rejected")
