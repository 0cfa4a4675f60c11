"""A simulated broker on a free port, in a thread, with a market that is open and orders that fill at once."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any

from pairs_platform.core.trading.orders import Order
from pairs_platform.processes.broker.account import Books
from pairs_platform.processes.broker.faults import Fault, FaultScript
from pairs_platform.processes.broker.market import MarketTime, Prices
from pairs_platform.processes.broker.server import BrokerOptions, BrokerServer
from pairs_platform.processes.web import listen
from pairs_platform_tests.support.waiting import WAIT_SECONDS, until

OPEN = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
"""A Tuesday, 10:00 in New York."""

EVENING = datetime(2026, 11, 24, 23, 0, tzinfo=UTC)
MORNING = datetime(2026, 11, 25, 14, 31, tzinfo=UTC)
"""After the close of that day, and after the opening of the next one."""

PRICES = {"AAA": Decimal(10), "BBB": Decimal(20), "CCC": Decimal("30.5")}
KEYS = ("PKSIMULATED", "s3cr3t-never-shown")


class RunningBroker:
    """A server that serves; everything of it is reached through its loop."""

    def __init__(self, server: BrokerServer, port: int) -> None:
        self.server, self.port = server, port
        self.url = f"http://127.0.0.1:{port}"
        self.stream_url = f"ws://127.0.0.1:{port}/stream"

    def renew(self) -> None:
        """Begin again with a new account, an open market, the first prices, and nobody who listens."""
        until(lambda: self.server._stream is None)
        self.server.do(self.server.begin_again)
        self.server.do(partial(self.server.set_time, OPEN))
        self.server.do(partial(self.server.set_prices, PRICES))

    def script(self, *faults: str, **fields: Any) -> None:
        """Begin a new script of faults with the same fields."""
        self.server.do(self.server.faults.clear)
        for name in faults:
            self.server.do(partial(self.server.add_fault, Fault.model_validate({"do": name, **fields})))

    def state(self) -> Mapping[str, Any]:
        return self.server.do(self.server.state)

    def order(self, client_order_id: str) -> Mapping[str, Any]:
        return next(each for each in self.state()["orders"] if each["client_order_id"] == client_order_id)

    def held(self, symbol: str) -> Decimal:
        return self.server.do(lambda: self.server.account.held(symbol))


def order(name: str, quantity: int, symbol: str = "AAA", limit: float | None = None) -> Order:
    """An order of the platform that was not sent yet."""
    return Order(
        client_order_id=name,
        spread_order_id="s1",
        symbol=symbol,
        leg="y",
        purpose="open",
        attempt=1,
        quantity=quantity,
        limit_price=limit,
        intended_utc=OPEN,
    )


@contextmanager
def simulated_broker(
    *,
    prices: Mapping[str, Decimal] = PRICES,
    at: datetime = OPEN,
    market: MarketTime | None = None,
    script: FaultScript | None = None,
    beside: Callable[[BrokerServer], Callable[[threading.Event], None]] | None = None,
    books: Books | None = None,
    keep: Callable[[Books], None] = lambda _: None,
    **options: Any,
) -> Iterator[RunningBroker]:
    """Serve while the block runs; `beside` makes what runs in a thread next to it."""
    settings = BrokerOptions(**{"fill_seconds": 0.005, "cancel_seconds": 0.005, "keys": KEYS, **options})
    server = BrokerServer(
        Prices(prices), market or MarketTime(at), options=settings, script=script, books=books, keep=keep
    )
    if beside is not None:
        server.work_beside(beside(server))
    listener = listen("127.0.0.1", 0, server="the simulated broker", choice="--port")
    thread = threading.Thread(target=server.serve, args=(listener,), daemon=True)
    thread.start()
    until(lambda: server.is_serving)
    try:
        yield RunningBroker(server, listener.getsockname()[1])
    finally:
        server.stop()
        thread.join(WAIT_SECONDS)
        listener.close()
    assert not thread.is_alive()
    assert server.failure is None
