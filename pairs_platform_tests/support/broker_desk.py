"""A desk that trades with the simulated broker over Alpaca's protocol; the broker's time is the one that the test sets.

What does not belong here: a broker in memory (`trading_desk`).
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from pydantic import SecretStr

from pairs_platform.adapters.alpaca.settings import AlpacaTradingSettings
from pairs_platform.adapters.alpaca.trade_updates import Follower
from pairs_platform.adapters.alpaca.trading import AlpacaBroker
from pairs_platform.core.errors import DatabaseUnavailable, DataError, Unavailable
from pairs_platform.core.trading.netting import shares_of_pairs
from pairs_platform.database.risk_events import event_rows
from pairs_platform.database.store import Database
from pairs_platform.ports.broker import UpdateReceiver
from pairs_platform.processes.broker.faults import Fault
from pairs_platform.processes.broker.market import MarketTime
from pairs_platform.settings.model import Settings
from pairs_platform_tests.support.risk_entries import PRICES
from pairs_platform_tests.support.simulated_broker import KEYS, RunningBroker, simulated_broker
from pairs_platform_tests.support.trading_desk import DeskInTest
from pairs_platform_tests.support.waiting import WAIT_SECONDS, until

SECRETS = tuple(map(SecretStr, KEYS))

SETTLE_SECONDS = 0.015
"""Real time after each look, in which the server fills, cancels and tells: it needs 0.005 for each."""


@dataclass
class HandClock:
    """The time of the server's market and of the desk."""

    now: datetime = datetime(2026, 3, 10, 14, tzinfo=UTC)


@contextmanager
def broker_of_desks() -> Iterator[tuple[RunningBroker, HandClock]]:
    """A simulated broker whose time stands still unless a test moves it."""
    clock = HandClock()
    market = MarketTime(wall=lambda: clock.now)
    prices = {symbol: Decimal(str(price)) for symbol, price in PRICES.items()}
    with simulated_broker(prices=prices, market=market) as running:
        yield running, clock


class QuickBroker(AlpacaBroker):
    """Alpaca's adapter that connects again at once, and waits for nothing by a clock of its own."""

    def __init__(self, url: str, clock: HandClock) -> None:
        settings = AlpacaTradingSettings(base_url=url, questions_per_minute=10_000, max_attempts=1)
        super().__init__(
            lambda: SECRETS, settings, sleep=lambda _: None, now=lambda: clock.now,
            monotonic=lambda: clock.now.timestamp(),
        )  # fmt: skip

    def follow(self, receiver: UpdateReceiver, stopping: threading.Event) -> None:
        follower = Follower(
            self._keys, self.settings, receiver=receiver, due=self._due, news=self._news, first_wait_s=0.02,
            refused_s=0.02,
        )  # fmt: skip
        follower.run(stopping)


class DeskAtServer(DeskInTest):
    """The desk of `trading_desk` with the real adapter, a stream that is followed in a thread, and a server."""

    def __init__(self, settings: Settings, database: Database, running: RunningBroker, clock: HandClock) -> None:
        self.clock_, self.running, self._stopping = clock, running, threading.Event()
        self._follower: threading.Thread | None = None
        super().__init__(settings, database)

    @property
    def time(self) -> datetime:
        return self.clock_.now

    @time.setter
    def time(self, moment: datetime) -> None:
        self.clock_.now = moment

    def new_broker(self) -> Any:
        return QuickBroker(self.running.url, self.clock_)

    def begin(self) -> None:
        self.end()
        self.broker = self.new_broker()
        super().begin()

    def connect(self) -> None:
        self._stopping = threading.Event()
        self._follower = threading.Thread(target=self.broker.follow, args=(self.inbox, self._stopping), daemon=True)
        self._follower.start()

    def end(self) -> None:
        """The process is gone: its stream is closed."""
        self._stopping.set()
        if self._follower is not None:
            self._follower.join(WAIT_SECONDS)
            assert not self._follower.is_alive()

    def listen(self) -> None:
        """Wait until the stream is followed."""
        until(lambda: self.running.server.is_followed)

    def step(self, n: int = 1, *, seconds: float = 1.0) -> None:
        """Look, let the server do what it has to, and let time pass; what is away is looked at again."""
        for _ in range(n):
            with suppress(Unavailable, DatabaseUnavailable, DataError):
                self.desk.step()
            time.sleep(SETTLE_SECONDS)
            self.time += timedelta(seconds=seconds)
            self.running.server.do(partial(self.running.server.set_time, self.time))

    def step_until(self, condition: Callable[[], Any], *, seconds: float = 3.0, most: int = 150) -> None:
        """Look until a condition holds."""
        for _ in range(most):
            if condition():
                return
            self.step(seconds=seconds)
        raise AssertionError(f"not within {most} looks: {self.trades}, {self.running.state()['orders']}")

    def script(self, *faults: dict[str, Any]) -> None:
        """Begin a new script of the broker, of these faults."""
        self.running.script()
        for each in faults:
            self.running.server.do(partial(self.running.server.add_fault, Fault.model_validate(each)))

    def enter(self, bar: int = 5, **signal: Any) -> None:
        """Enter PDFS_ROG and look until nothing is under way."""
        self.listen()
        self.step()
        self.signal(bar, "enter_long", **signal)
        self.step(2)
        self.step_until(self.is_at_rest)

    def leave(self, bar: int = 6, action: str = "exit") -> None:
        """Leave it by the rule's own signal."""
        self.at_end_of(bar)
        self.signal(bar, action, position=1)
        self.step(2)

    def is_at_rest(self) -> bool:
        """Whether every trade is open or over, and none has anything under way."""
        return bool(self.trades) and all(
            trade.state.ended or (trade.state == "open" and not any(trade.pending(leg) for leg in ("y", "x")))
            for trade in self.trades
        )

    def move(self, **prices: float) -> None:
        """Move last prices, those of the bars and the broker's."""
        self.market.now.update(prices)
        self.running.server.do(partial(self.running.server.set_prices, prices))

    def posted(self) -> Counter[str]:
        """Orders of the platform that the broker took, by symbol."""
        orders = self.running.state()["orders"]
        return Counter(each["symbol"] for each in orders if each["client_order_id"].startswith("pp-"))

    def asked(self, name: str) -> int:
        """Requests of a name that the server was sent."""
        return self.running.server.requests.count(name)

    def held(self, symbol: str) -> int:
        """What the broker holds."""
        return int(self.running.held(symbol))

    def events(self, *kinds: str) -> list[str]:
        """What risk was told, oldest first."""
        return [row["message"] for row in reversed(event_rows(self.database, ["live"], kinds=kinds))]

    def require_equal(self, foreign: dict[str, int] | None = None) -> None:
        """Both sides have the same shares and executions, and no client id was taken twice.

        Executions that were not told are asked for, also those of a trade that has ended.
        """
        lacks = lambda: [each for trade in self.trades for each in trade.orders if each.lacks_executions]  # noqa: E731
        self.step_until(lambda: not lacks())
        shares = shares_of_pairs(self.trades)
        there = {symbol: self.held(symbol) - (foreign or {}).get(symbol, 0) for symbol in shares}
        assert shares == there
        state = self.running.state()
        mine = {each["id"]: each for each in state["orders"] if each["client_order_id"].startswith("pp-")}
        known = {order.broker_order_id: order for trade in self.trades for order in trade.orders}
        for order_id, order in mine.items():
            assert abs(known[order_id].executed) == int(order["filled_qty"]), order
        names = [each["client_order_id"] for each in mine.values()]
        assert len(names) == len(set(names))


@contextmanager
def desk_at(running: RunningBroker, clock: HandClock, settings: Settings, database: Database) -> Iterator[DeskAtServer]:
    """A desk on a new account of the server, until the block ends."""
    clock.now = datetime(2026, 3, 10, 14, tzinfo=UTC)
    running.server.do(running.server.begin_again)
    running.server.do(partial(running.server.set_prices, PRICES))
    running.server.options = running.server.options.__class__(
        **{**vars(running.server.options), "cancel_seconds": 0.005, "partial_share": 0.0}
    )
    desk = DeskAtServer(settings, database, running, clock)
    try:
        yield desk
    finally:
        desk.end()
        running.script()
        until(lambda: running.server._stream is None)
