"""A session of a desk at the simulated broker under random faults, and what must be true when it is over.

The broker is the real server over HTTP and WebSocket, and the desk reaches it with the real adapter; time is the
broker's, and stands still until something happens. A seed decides prices, signals, faults, breaks of the stream,
processes that end and the kill switch, so that the same seed fails the same way.

What does not belong here: single faults (`processes/broker`), and processes that are really killed.
"""

import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from threading import Event, Thread
from typing import Any

from pydantic import SecretStr

from pairs_platform.adapters.alpaca.keys import Keys
from pairs_platform.adapters.alpaca.settings import AlpacaTradingSettings
from pairs_platform.adapters.alpaca.trade_updates import Follower
from pairs_platform.adapters.alpaca.trading import AlpacaBroker
from pairs_platform.core.errors import AnswerLost, PlatformError, Refused, Unavailable
from pairs_platform.core.risk.trading_state import KillLevel, denied_by_state, standing
from pairs_platform.core.trading.naked import naked_episodes, naked_tolerance
from pairs_platform.core.trading.netting import INTERNAL_BROKER_ID, shares_of_pairs
from pairs_platform.core.trading.orders import Order, OrderStatus
from pairs_platform.core.trading.spread_order import SpreadOrder, SpreadState
from pairs_platform.database.kill_switch import kill_switch, release_kill_switch, set_kill_switch
from pairs_platform.database.signals import Provenance, store_signals
from pairs_platform.database.spread_orders import StoredTrade, trades_of_account
from pairs_platform.database.store import Database
from pairs_platform.ports.broker import BrokerOrder, TradeUpdate, UpdateReceiver
from pairs_platform.processes.broker.account import PlacedOrder
from pairs_platform.processes.broker.faults import Fault, FaultScript
from pairs_platform.processes.broker.market import MarketTime, Prices
from pairs_platform.processes.broker.server import BrokerOptions, BrokerServer
from pairs_platform.processes.trader.desk import Desk
from pairs_platform.processes.trader.inbox import Inbox
from pairs_platform.processes.trader.market import NewestPrice
from pairs_platform.processes.trader.seat import Seat
from pairs_platform.processes.web import listen
from pairs_platform.settings.model import Settings
from pairs_platform.workflows.trading_inputs import MorningFacts
from pairs_platform_tests.support.held_time import HeldCourse
from pairs_platform_tests.support.risk_entries import quiet_market
from pairs_platform_tests.support.simulated_broker import KEYS
from pairs_platform_tests.support.trading_desk import (
    KEY,
    SESSION,
    VOLATILITY,
    HandMarket,
    drift_of,
    session_state,
    signal_of,
)
from pairs_platform_tests.support.waiting import WAIT_SECONDS

OPEN = datetime.fromisoformat("2026-03-10T13:30:00+00:00")
FIRST_BAR = 5
SYMBOLS = ("AAA", "BBB", "CCC", "DDD", "EEE", "FFF", "GGG", "HHH", "III", "JJJ", "KKK", "LLL", "MMM", "NNN")
PRICES = {symbol: 40.0 + 7.5 * n for n, symbol in enumerate(SYMBOLS)}
PAIRS = {
    f"{y}_{x}": (y, x)
    for y, x in (*zip(SYMBOLS[::2], SYMBOLS[1::2], strict=True), ("AAA", "CCC"), ("DDD", "GGG"), ("EEE", "HHH"))
}
"""Seven pairs of their own symbols, and three that share theirs with two others."""

LOOK_SECONDS, BUSY_SECONDS, REST_SECONDS = 0.2, 0.25, 10.0
BAR_SECONDS = 300.0
AWAY_SECONDS, REFUSED_SECONDS = 1.0, 20.0
"""As the trader's process waits between looks, and after failures."""

QUIET_SECONDS = 240.0
"""At the end, without new faults: what is under way ends, and the account is compared several times."""


def each(probability: float, *names: str, **more: Any) -> list[Fault]:
    return [Fault.model_validate({"do": name, "probability": probability, "times": 0, **more}) for name in names]


EVERYTHING = (
    *each(0.02, "accept_then_504", "accept_then_reset", "accept_then_garbage", "reject_later", "fill_before_answer"),
    *each(0.02, "one_share_then_silence", "partial_then_cancel", "never_filled", "wash_trade", "foreign_order"),
    *each(0.02, "borrow_refused"),
    *each(0.15, "fill_during_cancel", "fill_after_cancel", "cancel_refused", "cancel_ignored"),
    *each(0.01, "rate_limit"),
    *each(0.003, "bad_gateway"),
    *each(0.01, "slow_answer", seconds=2.0),
    *each(0.02, "duplicate_event", "drop_event"),
    *each(0.02, "delay_event", "reorder_event", seconds=1.5),
    *each(0.004, "unknown_event", "unknown_status", "unknown_field", "zero_quantity", "price_nan", "break_stream"),
    *each(0.2, "mute_stream", "refuse_stream"),
    Fault(do="positions_lag", seconds=2.0),
    Fault(do="orders_lag", seconds=0.5),
    Fault(do="missing_fields"),
)
"""Every fault that leaves the account explicable: after a liquidation, a split or a lost memory only a person can say
what is whose."""


@dataclass(frozen=True)
class Naked:
    """What one trade had without a hedge: dollars times seconds, the most dollars, the longest time in seconds."""

    pair: str
    dollar_seconds: float
    most_dollars: float
    longest_seconds: float
    why: str
    """What forbade the hedge: the kill switch, or an order of which only a person can say what became of it."""


@dataclass
class Found:
    """What a session was, to be counted and measured."""

    seed: int
    trades: list[SpreadOrder]
    naked: list[Naked]
    faults: Counter[str]
    states: Counter[str]
    orders: int
    executions: int
    latencies: list[float] = field(default_factory=list)


class SessionMarket(HandMarket):
    """A market that has the close of every minute of the broker's prices, and whose pairs do not drift."""

    def __init__(self, prices: Prices, clock: Callable[[], datetime]) -> None:
        facts = MorningFacts(
            session=SESSION,
            mean_daily_volumes=dict.fromkeys(SYMBOLS, 1e7),
            ex_dates={},
            closes=dict(PRICES),
            market=quiet_market(SYMBOLS),
        )
        drifts = dict.fromkeys(PAIRS, drift_of(1.0))
        super().__init__(clock, now={}, facts_=facts, state=session_state(PAIRS, PRICES), drifts=drifts)
        self._prices = prices
        self._minute: datetime | None = None

    def refresh(self, now: datetime) -> bool:
        minute = now.replace(second=0, microsecond=0)
        if minute == self._minute:
            return False
        self._minute, self.now = minute, {symbol: float(price) for symbol, price in self._prices.all().items()}
        return True

    def price(self, symbol: str) -> NewestPrice | None:
        return NewestPrice(self.now[symbol], self._minute) if self._minute else None


class _Follower(Follower):
    """Connects again as soon as the network is back, by the broker's time."""

    back_at: Callable[[], bool]

    def _wait_s(self, error: Any, failures: int) -> float:
        return 0.002

    async def _connection(self, stopping: Event) -> None:
        if self.back_at():
            await super()._connection(stopping)


class Receiver:
    """Hands on to the inbox, and says how much has come."""

    def __init__(self, inbox: Inbox, server: BrokerServer, outage: Callable[[], None]) -> None:
        self._inbox, self._server, self._outage = inbox, server, outage
        self.is_up, self.got = False, server.updates

    def connected(self) -> None:
        self._inbox.connected()
        self.is_up = True

    def updated(self, update: TradeUpdate) -> None:
        self._inbox.updated(update)
        self.got += 1

    def unreadable(self, reason: str) -> None:
        self._inbox.unreadable(reason)
        self.got += 1

    def lost(self, reason: Unavailable) -> None:
        self.got = self._server.updates
        if self.is_up:
            self._outage()
        self.is_up = False
        self._inbox.lost(reason)


class ChaosBroker(AlpacaBroker):
    """The adapter, which a test follows: what was sent, and under which kill switch."""

    def __init__(self, session: "ChaosSession") -> None:
        course = session.course
        settings = AlpacaTradingSettings(base_url=session.url)
        super().__init__(lambda: session.keys, settings, sleep=session.sleep, now=session.now, monotonic=course.now)
        self._session = session

    def submit(self, order: Order) -> BrokerOrder:
        self._session.require_permitted(order)
        try:
            placed = super().submit(order)
        except (AnswerLost, PlatformError) as error:
            if isinstance(error, AnswerLost) or not isinstance(error, Unavailable):
                self._session.sent[order.client_order_id] += 1
            raise
        finally:
            self._session.maybe_kill("while orders are sent")
        self._session.sent[order.client_order_id] += 1
        return placed

    def follow(self, receiver: UpdateReceiver, stopping: Event) -> None:
        follower = _Follower(self._keys, self.settings, receiver=receiver, due=self._due, news=self._news)
        follower.back_at = self._session.network_is_back
        follower.run(stopping)

    @property
    def is_overdue(self) -> bool:
        return self._due.overdue() is not None


class ChaosSession:
    """One account, one database, one session; desks come and go."""

    def __init__(
        self, settings: Settings, database: Database, seed: int, server: BrokerServer, course: HeldCourse, url: str
    ) -> None:
        self.settings, self.database, self.seed = settings, database, seed
        self.server, self.course, self.url, self.keys = server, course, url, keys_of(KEYS)
        self.chance = random.Random(f"{seed}/session")
        random.seed(seed)  # pauses between attempts are drawn from it
        self.market = SessionMarket(server.prices, self.now)
        self.sent: Counter[str] = Counter()
        self.reached: Counter[str] = Counter()
        self.problems: list[str] = []
        self.is_quiet = False
        self.desks = self.kills = 0
        self._down_until = 0.0
        self._killed_until: datetime | None = None
        self._killed: list[list[datetime]] = []
        self._rule: dict[str, int] = dict.fromkeys(PAIRS, 0)
        self._count_orders()

    # Time

    def now(self) -> datetime:
        return self.server.market.now()

    def sleep(self, seconds: float) -> None:
        self.server.do(partial(self.course.pass_time, seconds))

    def network_is_back(self) -> bool:
        return self.course.now() >= self._down_until

    def _outage(self) -> None:
        """The stream was lost: for how long the network is away."""
        seconds = 0.0 if self.is_quiet else self.chance.choice([0.0, 0.5, 3.0, 20.0, 70.0])
        self._down_until = self.course.now() + seconds

    # Processes

    @contextmanager
    def desk(self) -> Iterator[None]:
        """Another process, which knows what database and broker have."""
        self.desks += 1
        self.inbox = Inbox(self.now)
        self.broker = ChaosBroker(self)
        self.receiver = Receiver(self.inbox, self.server, self._outage)
        seat = Seat(
            settings=self.settings, database=self.database, broker=self.broker, account="PA1", run_mode="live",
            clock=self.now, wall=self.now,
        )  # fmt: skip
        self._desk = Desk(seat, self.market, self.inbox)
        ending = Event()
        follower = Thread(target=self.broker.follow, args=(self.receiver, ending), daemon=True)
        follower.start()
        try:
            yield
        finally:
            ending.set()
            follower.join(WAIT_SECONDS)
            assert not follower.is_alive()
            self._until(lambda: self.server._stream is None)

    def look(self) -> bool:
        """One look of the process, and the pause that follows it; whether anything is under way."""
        self.settle()
        try:
            busy, pause = self._desk.step(), None
        except PlatformError as error:
            busy, pause = True, REFUSED_SECONDS if isinstance(error, Refused) else AWAY_SECONDS
        self.sleep(pause or (BUSY_SECONDS if busy else LOOK_SECONDS))
        return busy

    def settle(self) -> None:
        """Wait until the desk has been told everything that the stream has said."""
        self._until(self._is_settled)

    def _is_settled(self) -> bool:
        if not self.network_is_back():
            return not self.receiver.is_up
        is_up = self.server.is_followed and self.receiver.is_up
        return is_up and self.receiver.got >= self.server.updates and not self.broker.is_overdue

    def _until(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + WAIT_SECONDS
        while not condition():
            assert time.monotonic() < end, f"seed {self.seed}: the stream does not come to rest at {self.now()}"
            assert self.server.failure is None, self.server.failure
            time.sleep(0.0005)

    # The kill switch

    def maybe_kill(self, when: str) -> None:
        """A person sets the kill switch, by chance."""
        if self.is_quiet or self._killed_until is not None or self.chance.random() >= 0.01:
            return
        level = self.chance.choice([*KillLevel])
        set_kill_switch(self.database, ["live"], level, reason=f"chance, {when}", actor="a person", now=self.now())
        self.kills += 1
        self._killed.append([self.now(), datetime.max.replace(tzinfo=UTC)])
        self._killed_until = self.now() + timedelta(seconds=self.chance.choice([10.0, 60.0, 200.0]))

    def maybe_release(self) -> None:
        if self._killed_until is not None and (self.is_quiet or self.now() >= self._killed_until):
            release_kill_switch(self.database, ["live"], reason="chance", actor="a person", now=self.now())
            self._killed_until = None
            self._killed[-1][1] = self.now()

    def require_permitted(self, order: Order) -> None:
        """No order is sent that the kill switch of this moment forbids."""
        denial = denied_by_state(standing(kill_switch(self.database, "live")), order.purpose)
        if denial is not None:
            self.problems.append(f"{order.client_order_id} was sent: {denial.message}")

    # The course of a session

    def run(self, bars: int) -> None:
        with self._processes() as next_process:
            for bar in range(FIRST_BAR, FIRST_BAR + bars):
                end = OPEN + timedelta(seconds=BAR_SECONDS * (bar + 1) + 1)
                self._go_on_until(end, next_process)
                self._signals(bar)
            self.is_quiet = True
            self.server.do(self.server.faults.clear)
            self.maybe_release()
            self._go_on_until(self.now() + timedelta(seconds=QUIET_SECONDS), next_process)

    @contextmanager
    def _processes(self) -> Iterator[Callable[[], None]]:
        current = self.desk()
        current.__enter__()

        def following() -> None:
            nonlocal current
            current.__exit__(None, None, None)
            current = self.desk()
            current.__enter__()

        try:
            yield following
        finally:
            current.__exit__(None, None, None)

    def _go_on_until(self, end: datetime, next_process: Callable[[], None]) -> None:
        while self.now() < end:
            self.maybe_release()
            busy = self.look()
            if self._is_at_rest():
                left = (end - self.now()).total_seconds()
                self.sleep(min(REST_SECONDS, max(left, 0.0)))
            if busy and not self.is_quiet and self.chance.random() < 0.001:
                next_process()

    def _is_at_rest(self) -> bool:
        at_rest = (SpreadState.OPEN, SpreadState.BROKEN)
        return all(trade.state.ended or trade.state in at_rest for trade in self.trades)

    def _signals(self, bar: int) -> None:
        """What a rule asks for at the end of a bar."""
        signals = []
        for pair, position in self._rule.items():
            action = "hold"
            if position == 0 and self.chance.random() < 0.8:
                action = self.chance.choice(["enter_long", "enter_short"])
            elif position and self.chance.random() < 0.7:
                action = self.chance.choice(["exit", "exit", "exit", "exit", "stop"])
            sign = -1 if action == "enter_short" else 1
            signals.append(
                signal_of(
                    bar,
                    pair,
                    action,
                    position=position,
                    spread=-0.022 * sign,
                    z=-2.2 * sign,
                    volatility=VOLATILITY,
                    legs=PAIRS,
                )
            )
            self._rule[pair] = {"enter_long": 1, "enter_short": -1, "hold": position}.get(action, 0)
        now = self.now()
        provenance = Provenance(
            config_session=self.market.state.config_session, config_hash="c0ffee", decided_market_utc=now,
            decided_utc=now, run_id="r",
        )  # fmt: skip
        assert store_signals(self.database, KEY, signals, provenance)

    # What is true in the end

    @property
    def stored(self) -> list[StoredTrade]:
        return trades_of_account(self.database, "PA1", "live")

    @property
    def trades(self) -> list[SpreadOrder]:
        return [found.trade for found in self.stored]

    def _count_orders(self) -> None:
        """Count what reaches the account, beneath every answer."""
        account, submit = self.server.account, self.server.account.submit

        def counted(request: Any, *given: Any, **named: Any) -> PlacedOrder:
            self.reached[str(request["client_order_id"])] += 1
            return submit(request, *given, **named)

        account.submit = counted  # type: ignore[method-assign]

    def found(self) -> Found:
        """Measure, and require that nothing was sent twice, forgotten, or is different at the broker."""
        trades = self.trades
        self.problems += [*self._twice(), *self._orders_differ(trades), *self._holdings_differ(trades)]
        assert not self.problems, f"seed {self.seed}: " + "\n".join(self.problems)
        return Found(
            seed=self.seed,
            trades=trades,
            naked=[self.naked_of(trade) for trade in trades if trade.orders],
            faults=Counter(self.server.faults.acted),
            states=Counter(str(trade.state) for trade in trades),
            orders=sum(len(trade.orders) for trade in trades),
            executions=len(self.server.account.executions),
        )

    def naked_of(self, trade: SpreadOrder) -> Naked:
        """What a trade had without a hedge, by the broker's times."""
        at, until = {"price_y": trade.price_y, "price_x": trade.price_x}, self.now()
        tolerance = naked_tolerance(trade, self.settings.execution.naked_tolerance, **at)
        episodes = naked_episodes(trade, **at, tolerance=tolerance, until=until)
        times = [(episode.begin_utc, episode.end_utc or until) for episode in episodes]
        killed = any(begin <= until and end >= since for begin, end in times for since, until in self._killed)
        return Naked(
            pair=trade.pair,
            dollar_seconds=sum(episode.dollar_seconds for episode in episodes),
            most_dollars=max((episode.most_dollars for episode in episodes), default=0.0),
            longest_seconds=max(((end - begin).total_seconds() for begin, end in times), default=0.0),
            why="kill switch" if killed else "person" if trade.broken else "",
        )

    def _twice(self) -> list[str]:
        return [
            f"{name} went to the broker {n} times"
            for counted in (self.sent, self.reached)
            for name, n in counted.items()
            if n > 1
        ]

    def _orders_differ(self, trades: list[SpreadOrder]) -> Iterator[str]:
        """Orders, their ends and their fills, on both sides."""
        there = {order.client_order_id: order for order in self.server.account.orders.values()}
        here = {order.client_order_id: order for trade in trades for order in trade.orders}
        for_a_person = {
            order.client_order_id for trade in trades for order in trade.orders if _needs_person(trade, order)
        }
        yield from (f"{name} is not known here" for name in there if name.startswith("pp-") and name not in here)
        for name, order in here.items():
            if order.broker_order_id == INTERNAL_BROKER_ID:
                continue  # filled by another pair's: no broker has it
            other = there.get(name)
            filled = 0 if other is None else int(other.filled_qty)
            money = Decimal(0) if other is None else other.filled_money
            if abs(order.filled) != filled or abs(order.executed) != filled:
                yield f"{name} has {order.filled} ({order.executed}) shares here and {filled} there"
            ours = sum(fill.quantity * Decimal(str(fill.price)) for fill in order.fills)
            if ours != money:
                yield f"{name} moved {ours} dollars here and {money} there"
            is_open = other is not None and other.is_open
            if is_open == order.status.ended and not (other is None and name in for_a_person):
                yield f"{name} is {order.status} here and {'no order' if other is None else other.status} there"

    def _holdings_differ(self, trades: list[SpreadOrder]) -> Iterator[str]:
        """Shares and cash: ours and what people typed in are the broker's."""
        shares: dict[str, Decimal] = defaultdict(Decimal)
        for symbol, count in shares_of_pairs(trades).items():
            shares[symbol] += count
        cash = self.server.options.cash
        for execution in self.server.account.executions:
            order = execution.order
            cash -= order.sign * execution.qty * execution.price
            if not order.client_order_id.startswith("pp-"):
                shares[order.symbol] += order.sign * execution.qty
        for symbol in SYMBOLS:
            if shares[symbol] != self.server.account.held(symbol):
                yield f"{symbol}: {shares[symbol]} shares here, {self.server.account.held(symbol)} there"
        if cash != self.server.account.state.cash:
            yield f"cash: {cash} by the executions, {self.server.account.state.cash} there"


def _needs_person(trade: SpreadOrder, order: Order) -> bool:
    """Whether an order is one of which nobody knows, and the trade says so: it was answered with an error page."""
    return order.status is OrderStatus.UNKNOWN and order.client_order_id in trade.broken


@contextmanager
def chaos_session(
    settings: Settings, database: Database, *, seed: int, faults: tuple[Fault, ...] = EVERYTHING
) -> Iterator[ChaosSession]:
    """A session whose market is open; its server ends with the block."""
    course = HeldCourse()
    begin = OPEN + timedelta(seconds=BAR_SECONDS * FIRST_BAR)
    server = BrokerServer(
        Prices({symbol: Decimal(str(price)) for symbol, price in PRICES.items()}, noise_bp=1.0, seed=seed),
        MarketTime(wall=course.wall(begin)),
        options=BrokerOptions(
            answer_seconds=0.06, fill_seconds=0.25, cancel_seconds=0.25, partial_share=0.1, spread_bp=2.0, keys=KEYS
        ),
        script=FaultScript(seed=seed, faults=faults),
        course=course,
    )
    listener = listen("127.0.0.1", 0, server="the simulated broker", choice="--port")
    thread = Thread(target=server.serve, args=(listener,), daemon=True)
    thread.start()
    end = time.monotonic() + WAIT_SECONDS
    while not server.is_serving:
        assert time.monotonic() < end
        time.sleep(0.005)
    try:
        yield ChaosSession(settings, database, seed, server, course, f"http://127.0.0.1:{listener.getsockname()[1]}")
    finally:
        server.stop()
        thread.join(WAIT_SECONDS)
        listener.close()
    assert server.failure is None


def keys_of(texts: tuple[str, str]) -> Keys:
    return SecretStr(texts[0]), SecretStr(texts[1])
