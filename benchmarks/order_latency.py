"""From a stored signal to its order at the broker, over HTTP, with the trader's own pauses between looks.

    python -m benchmarks.order_latency                # 20 bars, 10 pairs: about two minutes
    python -m benchmarks.order_latency --pairs 1      # one signal a bar

The simulated broker runs in a process of its own; the desk looks as the trader's process does, and reads signals from
the database into which another thread stores them at a moment by chance. An order counts as being at the broker when
its answer is there. Entries send their first leg, exits both. Exit code 1 when the 95th percentile is 500 ms or more.
"""

import argparse
import multiprocessing
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import requests

from pairs_platform.adapters.alpaca.settings import AlpacaTradingSettings
from pairs_platform.adapters.alpaca.trading import AlpacaBroker
from pairs_platform.core.time import utc_now
from pairs_platform.core.trading.orders import Order
from pairs_platform.core.trading.spread_order import SpreadState
from pairs_platform.database.signals import Provenance, store_signals
from pairs_platform.database.spread_orders import trades_of_account
from pairs_platform.database.store import Database
from pairs_platform.ports.broker import BrokerOrder
from pairs_platform.processes.broker.market import MarketTime, Prices
from pairs_platform.processes.broker.server import BrokerOptions, BrokerServer
from pairs_platform.processes.trader.desk import Desk
from pairs_platform.processes.trader.inbox import Inbox
from pairs_platform.processes.trader.seat import Seat
from pairs_platform.processes.trader.trader import LOOK_SECONDS
from pairs_platform.processes.web import listen
from pairs_platform.settings.loading import load_settings
from pairs_platform.settings.variables import variable
from pairs_platform_tests.support.chaos_session import (
    BAR_SECONDS,
    FIRST_BAR,
    OPEN,
    PAIRS,
    PRICES,
    SessionMarket,
    keys_of,
)
from pairs_platform_tests.support.simulated_broker import KEYS
from pairs_platform_tests.support.trading_desk import KEY, VOLATILITY, signal_of

P95_SECONDS = 0.5
PARTS = ("stored → look begins", "look begins → sent", "sent → answered")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bars", type=int, default=20)
    parser.add_argument("--pairs", type=int, default=len(PAIRS), choices=range(1, len(PAIRS) + 1))
    given = parser.parse_args()
    os.environ[variable("broker.kind")] = "alpaca"
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(there,), daemon=True)
    server.start()
    try:
        with tempfile.TemporaryDirectory(prefix="pairs-platform-latency-") as folder:
            return measure(
                Bench(Path(folder), f"http://127.0.0.1:{here.recv()}", list(PAIRS)[: given.pairs]), given.bars
            )
    finally:
        server.terminate()
        server.join()


def serve(there: Connection) -> None:
    """The broker: orders are filled a quarter of a second after they come."""
    listener = listen("127.0.0.1", 0, server="the simulated broker", choice="--port")
    prices = Prices({symbol: Decimal(str(price)) for symbol, price in PRICES.items()})
    options = BrokerOptions(fill_seconds=0.25, spread_bp=2.0, keys=KEYS)
    there.send(listener.getsockname()[1])
    BrokerServer(prices, MarketTime(OPEN), options=options).serve(listener)


@dataclass
class Stamps:
    """When an order was sent, and when its answer was there, seconds."""

    order: Order
    sent: float
    answered: float


class StampedBroker(AlpacaBroker):
    """The adapter, with the times of its orders."""

    stamps: list[Stamps]

    def submit(self, order: Order) -> BrokerOrder:
        sent = time.perf_counter()
        placed = super().submit(order)
        self.stamps.append(Stamps(order, sent, time.perf_counter()))
        return placed


@dataclass
class Bench:
    """An account and a desk on a market whose prices stand, and whose time a bench moves from bar to bar."""

    folder: Path
    url: str
    pairs: Sequence[str]
    looks: list[float] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.time = MarketTime(OPEN)
        self.database = Database(f"sqlite:///{self.folder / 'database.db'}", "simulated-5min-raw")
        self.database.upgrade()
        keys = keys_of(KEYS)
        self.broker = StampedBroker(lambda: keys, AlpacaTradingSettings(base_url=self.url))
        self.broker.stamps = []
        self.inbox = Inbox(utc_now)
        prices = Prices({symbol: Decimal(str(price)) for symbol, price in PRICES.items()})
        seat = Seat(
            settings=load_settings(), database=self.database, broker=self.broker, account="PA1", run_mode="live",
            clock=self.time.now, wall=utc_now,
        )  # fmt: skip
        self.desk = Desk(seat, SessionMarket(prices, self.time.now), self.inbox)

    def go_to(self, moment: datetime) -> None:
        requests.post(f"{self.url}/simulator/time", json=moment.isoformat(), timeout=10).raise_for_status()
        self.time.set(moment)

    def look(self) -> None:
        """Look until the end, as `Trader` does."""
        while not self.stopping.is_set():
            self.inbox.wake.clear()
            self.looks.append(time.perf_counter())
            busy = self.desk.step()
            self.inbox.wake.wait(LOOK_SECONDS / 4 if busy else LOOK_SECONDS)

    def store(self, bar: int, action: str, position: int) -> float:
        """Store a signal of each pair; when they were stored."""
        signals = [
            signal_of(bar, pair, action, position=position, volatility=VOLATILITY, legs=PAIRS) for pair in self.pairs
        ]
        now = self.time.now()
        provenance = Provenance(
            config_session=KEY.session - timedelta(days=1), config_hash="c0ffee", decided_market_utc=now,
            decided_utc=now, run_id="a benchmark",
        )  # fmt: skip
        assert store_signals(self.database, KEY, signals, provenance)
        return time.perf_counter()

    def wait_for_rest(self) -> None:
        """Until every trade is open or at its end, and the desk rests."""
        end = time.monotonic() + 120
        while not all(
            each.trade.state.ended or each.trade.state is SpreadState.OPEN
            for each in trades_of_account(self.database, "PA1", "live")
        ):
            if time.monotonic() > end:
                raise SystemExit("trades are not at rest after two minutes")
            time.sleep(0.1)


def measure(bench: Bench, bars: int) -> int:
    """Enter at one bar and leave at the next, and print how long it took."""
    bench.go_to(OPEN + timedelta(seconds=BAR_SECONDS * (FIRST_BAR + 1) - 5))
    threads = [threading.Thread(target=bench.look)]
    threads.append(threading.Thread(target=bench.broker.follow, args=(bench.inbox, bench.stopping)))
    for thread in threads:
        thread.start()
    chance, stored, parts = random.Random(1), [], []
    try:
        time.sleep(2.0)  # the first look compares the account
        for n in range(bars):
            bench.go_to(OPEN + timedelta(seconds=BAR_SECONDS * (FIRST_BAR + n + 1) + 1))
            time.sleep(1.0 + chance.random() * LOOK_SECONDS)
            seen = len(bench.broker.stamps)
            entering = n % 2 == 0
            stored = bench.store(FIRST_BAR + n, "enter_long" if entering else "exit", 0 if entering else 1)
            time.sleep(1.0)
            bench.wait_for_rest()
            wanted = "open" if entering else "close"
            parts += [
                parts_of(each, stored, bench.looks)
                for each in bench.broker.stamps[seen:]
                if each.order.purpose == wanted
            ]
    finally:
        bench.stopping.set()
        for thread in threads:
            thread.join()
    return report(np.array(parts))


def parts_of(stamps: Stamps, stored: float, looks: Sequence[float]) -> tuple[float, float, float]:
    """The parts of an order's way, seconds."""
    began = max((look for look in looks if stored <= look <= stamps.sent), default=stored)
    return began - stored, stamps.sent - began, stamps.answered - stamps.sent


def report(parts: np.ndarray) -> int:
    """Print the table; whether the 95th percentile is too long."""
    whole = parts.sum(axis=1)
    load = os.getloadavg()[0]
    sys.stdout.write(f"{len(parts)} orders of signals, load {load:.1f}\n")
    rows = [("stored → at the broker", whole), *zip(PARTS, parts.T, strict=True)]
    for name, values in rows:
        middle, p95 = np.percentile(values, [50, 95])
        sys.stdout.write(f"{name:24s} median {middle:.3f} s   95 % {p95:.3f} s   largest {values.max():.3f} s\n")
    return int(float(np.percentile(whole, 95)) >= P95_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
